//! Connections, expectations, upgrades and the order of requests (RFC 9112 §9, RFC 9110 §7 and §10).

use gateway::http::parser::Need;

use super::{
    Case,
    Outcome::{Refused, Waits},
    bodies, post,
};

pub(super) fn cases() -> Vec<Case> {
    let get = |lines: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    vec![
        ("9112 §9.3 several requests", get("").repeat(5), bodies(&[""; 5])),
        (
            "9112 §9.3.2 bodies of both kinds in a row",
            [post("Content-Length: 2\r\n", "ab"), post("Transfer-Encoding: chunked\r\n", "1\r\nc\r\n0\r\n\r\n")]
                .concat(),
            bodies(&["ab", "c"]),
        ),
        ("9112 §9.3.2 a broken one behind a sound one", format!("{}GARBAGE\r\n\r\n", get("")), Refused(400)),
        ("9112 §2.2 CRLF between requests", format!("{}\r\n{}", get(""), get("")), bodies(&["", ""])),
        ("9112 §9.6 a Connection field that is not text", get("Connection: \u{80}\r\n"), bodies(&[""])),
        ("9110 §7.8 an upgrade to h2c is not taken", get("Connection: Upgrade\r\nUpgrade: h2c\r\n"), bodies(&[""])),
        ("9110 §7.8 an upgrade without Connection", get("Upgrade: websocket\r\n"), bodies(&[""])),
        ("9110 §10.1.1 an expectation without a body", get("Expect: 100-continue\r\n"), bodies(&[""])),
        (
            "9110 §10.1.1 an expectation with the body at once",
            post("Content-Length: 1\r\nExpect: 100-continue\r\n", "x"),
            bodies(&["x"]),
        ),
        ("9110 §10.1.1 two expectations", post("Expect: 100-continue, x\r\n", ""), Refused(417)),
        ("9110 §10.1.1 an empty expectation", post("Expect:\r\n", ""), Refused(417)),
        (
            "9110 §10.1.1 an expectation of HTTP/1.0 is overlooked",
            "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n".to_owned(),
            Waits(Need::Body),
        ),
        ("9110 §7.2 a port in Host", "GET / HTTP/1.1\r\nHost: a:8081\r\n\r\n".to_owned(), bodies(&[""])),
        ("9110 §7.2 an IPv6 address in Host", "GET / HTTP/1.1\r\nHost: [::1]:8081\r\n\r\n".to_owned(), bodies(&[""])),
        ("9110 §7.2 a user in Host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n".to_owned(), Refused(400)),
        ("9110 §7.2 a space in Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n".to_owned(), Refused(400)),
        ("9110 §7.2 a port that is no number", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n".to_owned(), Refused(400)),
        (
            "9112 §3.2.2 the target's host counts more than Host",
            "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n".to_owned(),
            bodies(&[""]),
        ),
        ("9112 §3.2.2 absolute form needs Host as well", "GET http://a/ HTTP/1.1\r\n\r\n".to_owned(), Refused(400)),
        ("9112 §3 HTTP/0.9", "GET /\r\n".to_owned(), Waits(Need::Head)),
        ("9112 §2.2 nothing but a line end", "\r\n".to_owned(), bodies(&[])),
        ("9112 §2.1 a head without an end", "GET / HTTP/1.1\r\nHost: a\r\nx: y".to_owned(), Waits(Need::Head)),
        ("9110 §5.4 white space around a value", get("x: \t y \t \r\n"), bodies(&[""])),
        ("9110 §5.3 a field twice", get("x: 1\r\nx: 2\r\n"), bodies(&[""])),
        ("9110 §5.6.2 a name of every token character", get("!#$%&'*+-.^_`|~09azAZ: y\r\n"), bodies(&[""])),
        ("9110 §5.6.2 a name beyond ASCII", get("ä: y\r\n"), Refused(400)),
        ("9110 §5.6.2 a name in brackets", get("[x]: y\r\n"), Refused(400)),
        ("9110 §5.5 DEL in a value", get("x: \x7f\r\n"), Refused(400)),
        ("9110 §5.5 a tab within a value", get("x: y\tz\r\n"), bodies(&[""])),
        ("9110 §9.3.6 CONNECT", "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), Refused(400)),
        ("9110 §9.3.8 TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), bodies(&[""])),
    ]
}
