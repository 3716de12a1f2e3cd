//! Bodies of a stated length (RFC 9112 §6).

use super::{
    Case,
    Outcome::{Refused, Waits},
    bodies, post,
};
use gateway::http::parser::Need;

pub(super) fn cases() -> Vec<Case> {
    vec![
        ("9112 §6.3 a length", post("Content-Length: 3\r\n", "abc"), bodies(&["abc"])),
        ("9112 §6.3 no length is no body", post("", ""), bodies(&[""])),
        ("9112 §6.3 a body of nothing", post("Content-Length: 0\r\n", ""), bodies(&[""])),
        ("9112 §6.3 a body that is not whole", post("Content-Length: 4\r\n", "abc"), Waits(Need::Body)),
        ("9112 §6.3 what follows is the next request", post("Content-Length: 3\r\n", "abc\0"), Refused(400)),
        ("9112 §6.3 two lengths", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"), Refused(400)),
        ("9112 §6.3 the same length twice", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), Refused(400)),
        ("9112 §6.3 a list of lengths", post("Content-Length: 3, 3\r\n", "abc"), Refused(400)),
        ("9112 §6.3 a plus sign", post("Content-Length: +3\r\n", "abc"), Refused(400)),
        ("9112 §6.3 a minus sign", post("Content-Length: -3\r\n", "abc"), Refused(400)),
        ("9112 §6.3 hexadecimal", post("Content-Length: 0x3\r\n", "abc"), Refused(400)),
        ("9112 §6.3 a space within", post("Content-Length: 1 3\r\n", "abc"), Refused(400)),
        ("9112 §6.3 an empty length", post("Content-Length:\r\n", "abc"), Refused(400)),
        ("9112 §6.3 a fraction", post("Content-Length: 3.0\r\n", "abc"), Refused(400)),
        ("9112 §6.3 an overflow", post("Content-Length: 99999999999999999999\r\n", ""), Refused(400)),
        ("9110 §15.5.14 more than is taken", post("Content-Length: 16777217\r\n", ""), Refused(413)),
        ("9112 §6.3 white space around", post("Content-Length: \t3 \r\n", "abc"), bodies(&["abc"])),
        (
            "9110 §9.3.1 a GET with a body",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx".to_owned(),
            bodies(&["x"]),
        ),
        ("9112 §9.3.2 pipelined requests", post("Content-Length: 1\r\n", "x").repeat(3), bodies(&["x", "x", "x"])),
    ]
}
