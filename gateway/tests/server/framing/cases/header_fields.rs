//! Header fields (RFC 9112 §5, RFC 9110 §5).

use super::{
    Case,
    Outcome::{Refused, Waits},
    bodies,
};
use gateway::http::parser::Need;

pub(super) fn cases() -> Vec<Case> {
    let get = |lines: &str| format!("GET / HTTP/1.1\r\n{lines}\r\n\r\n");
    vec![
        ("9112 §3.2 no Host", "GET / HTTP/1.1\r\n\r\n".to_owned(), Refused(400)),
        ("9112 §3.2 HTTP/1.0 needs no Host", "GET / HTTP/1.0\r\n\r\n".to_owned(), bodies(&[""])),
        ("9112 §3.2 two Hosts", get("Host: a\r\nHost: a"), Refused(400)),
        ("9112 §3.2 two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(), Refused(400)),
        ("9112 §3.2 an empty Host", get("Host:"), bodies(&[""])),
        ("9112 §3.2 a path in Host", get("Host: a/b"), Refused(400)),
        ("9112 §3.2 a list in Host", get("Host: a, b"), Refused(400)),
        ("9112 §5 any case", get("hOST: a"), bodies(&[""])),
        ("9112 §5.1 a space before the colon", get("Host : a"), Refused(400)),
        ("9112 §5.1 a tab before the colon", get("Host\t: a"), Refused(400)),
        ("9112 §5 no colon", get("Host: a\r\nfield"), Refused(400)),
        ("9112 §5 no name", get("Host: a\r\n: b"), Refused(400)),
        ("9112 §5 a name that is no token", get("Host: a\r\na(b: c"), Refused(400)),
        ("9112 §5.2 obs-fold with a space", get("Host: a\r\nx: y\r\n z"), Refused(400)),
        ("9112 §5.2 obs-fold with a tab", get("Host: a\r\nx: y\r\n\tz"), Refused(400)),
        ("9112 §2.2 white space before the first field", get(" Host: a"), Refused(400)),
        ("9112 §2.2 a bare LF behind a field", "GET / HTTP/1.1\r\nHost: a\n\r\n".to_owned(), Refused(400)),
        ("9112 §2.2 a bare LF behind the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n".to_owned(), Refused(400)),
        ("9112 §2.2 a bare LF for the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n".to_owned(), Refused(400)),
        ("9112 §2.2 a bare CR in a value", get("Host: a\r\nx: y\rz"), Refused(400)),
        ("9112 §2.2 a bare CR in a name", get("Host: a\r\nx\ry: z"), Refused(400)),
        ("9110 §5.5 a NUL in a value", get("Host: a\r\nx: y\0z"), Refused(400)),
        ("9110 §5.5 a control character in a value", get("Host: a\r\nx: y\x01z"), Refused(400)),
        ("9110 §5.5 bytes beyond ASCII in a value", get("Host: a\r\nx: ä"), bodies(&[""])),
        ("9110 §5.5 an empty value", get("Host: a\r\nx:"), bodies(&[""])),
        ("9110 §10.1.1 another expectation", get("Host: a\r\nExpect: the unexpected"), Refused(417)),
        ("9112 §5 no end", "GET / HTTP/1.1\r\nHost: a\r\n".to_owned(), Waits(Need::Head)),
    ]
}
