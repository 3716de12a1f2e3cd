//! What two servers in a row could understand differently (RFC 9112 §11.2).

use super::{
    Case,
    Outcome::{self, Refused},
    bodies, post,
};

/// A request of an attacker's, hidden where a lenient server sees a body.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

pub(super) fn cases() -> Vec<Case> {
    let both = |length: &str, coding: &str, rest: &str| post(&format!("{length}\r\n{coding}\r\n"), rest);
    vec![
        (
            "9112 §11.2 CL.TE",
            both("Content-Length: 6", "Transfer-Encoding: chunked", &format!("0\r\n\r\n{HIDDEN}")),
            Refused(400),
        ),
        (
            "9112 §11.2 TE.CL",
            both("Content-Length: 4", "Transfer-Encoding: chunked", &format!("22\r\n{HIDDEN}\r\n0\r\n\r\n")),
            Refused(400),
        ),
        (
            "9112 §11.2 a length of nothing beside a coding",
            both("Content-Length: 0", "Transfer-Encoding: chunked", "0\r\n\r\n"),
            Refused(400),
        ),
        (
            "9112 §11.2 a coding hidden by a tab",
            both("Content-Length: 5", "Transfer-Encoding:\tchunked", "0\r\n\r\n"),
            Refused(400),
        ),
        (
            "9112 §11.2 a coding in odd case",
            both("Content-Length: 5", "tRANSFER-eNCODING: ChUnKeD", "0\r\n\r\n"),
            Refused(400),
        ),
        (
            "9112 §11.2 a coding that is almost known",
            both("Content-Length: 5", "Transfer-Encoding: chunked\u{b}", "0\r\n\r\n"),
            Refused(400),
        ),
        (
            "9112 §11.2 a coding in a second field",
            post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
            Refused(400),
        ),
        ("9112 §11.2 a coding of an empty member", post("Transfer-Encoding: ,chunked\r\n", "0\r\n\r\n"), bodies(&[""])),
        (
            "9112 §11.2 a coding that ends in a comma",
            post("Transfer-Encoding: chunked,\r\n", "0\r\n\r\n"),
            Refused(400),
        ),
        ("9112 §11.2 a coding with a NUL", post("Transfer-Encoding: chunked\0\r\n", "0\r\n\r\n"), Refused(400)),
        ("9112 §11.2 a folded coding", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), Refused(400)),
        ("9112 §11.2 a folded length", post("Content-Length:\r\n 3\r\n", "abc"), Refused(400)),
        ("9112 §11.2 a length behind a bare CR", post("x: y\rContent-Length: 3\r\n", "abc"), Refused(400)),
        ("9112 §11.2 a length behind a bare LF", post("x: y\nContent-Length: 3\r\n", "abc"), Refused(400)),
        ("9112 §11.2 a length with a space before its colon", post("Content-Length : 3\r\n", "abc"), Refused(400)),
        ("9112 §11.2 a length with a line break in its name", post("Content-\r\nLength: 3\r\n", "abc"), Refused(400)),
        ("9112 §11.2 a length that begins with zeros", post("Content-Length: 003\r\n", "abc"), bodies(&["abc"])),
        ("9112 §11.2 a length with an exponent", post("Content-Length: 3e0\r\n", "abc"), Refused(400)),
        ("9112 §11.2 a length in quotes", post("Content-Length: \"3\"\r\n", "abc"), Refused(400)),
        ("9112 §11.2 a length in digits that are not ASCII", post("Content-Length: ３\r\n", "abc"), Refused(400)),
        ("9112 §11.2 lengths of other names do not count", post("Content_Length: 3\r\n", ""), bodies(&[""])),
        (
            "9112 §11.2 a coding of another name does not count",
            post("Transfer_Encoding: chunked\r\n", ""),
            bodies(&[""]),
        ),
        (
            "9112 §11.2 a request hidden in a body stays there",
            post(&format!("Content-Length: {}\r\n", HIDDEN.len()), HIDDEN),
            bodies(&[HIDDEN]),
        ),
        ("9112 §11.2 a GET that hides one", hidden_behind_get(), hidden_in_get()),
        ("9112 §11.2 a coding where a length would do, in HTTP/1.0", keep_alive_1_0(), Refused(400)),
    ]
}

fn hidden_behind_get() -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{HIDDEN}", HIDDEN.len())
}

fn hidden_in_get() -> Outcome {
    bodies(&[HIDDEN])
}

fn keep_alive_1_0() -> String {
    "POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned()
}
