//! Transfer codings (RFC 9112 §6 and §7).

use super::{
    Case,
    Outcome::{Refused, Waits},
    bodies, post,
};
use gateway::http::parser::Need;

pub(super) fn cases() -> Vec<Case> {
    let chunked = |rest: &str| post("Transfer-Encoding: chunked\r\n", rest);
    vec![
        ("9112 §7.1 chunks", chunked("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"), bodies(&["abcde"])),
        (
            "9112 §7.1 upper case",
            post("Transfer-Encoding: CHUNKED\r\n", "A\r\n0123456789\r\n0\r\n\r\n"),
            bodies(&["0123456789"]),
        ),
        ("9112 §7.1.2 a trailer", chunked("1\r\na\r\n0\r\nx: y\r\n\r\n"), bodies(&["a"])),
        ("9112 §7.1.2 a trailer that is no field", chunked("0\r\nx\r\n\r\n"), Refused(400)),
        ("9112 §7.1 not whole", chunked("3\r\nab"), Waits(Need::Body)),
        ("9112 §7.1 a chunk that is longer than it says", chunked("3\r\nabcd\r\n0\r\n\r\n"), Refused(400)),
        ("9112 §7.1 a bare LF behind a size", chunked("3\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("9112 §7.1 a bare LF behind data", chunked("3\r\nabc\n0\r\n\r\n"), Refused(400)),
        ("9112 §7.1 a size with 0x", chunked("0x3\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("9112 §7.1 a negative size", chunked("-3\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("9112 §7.1 an empty size", chunked("\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("9112 §7.1 a size that overflows", chunked("10000000000000003\r\nabc"), Refused(400)),
        ("9112 §7.1 a space behind the size", chunked("3 \r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("9112 §7.1.1 a control character in an extension", chunked("3;\x02\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("9110 §15.5.14 a chunk of more than is taken", chunked("1000001\r\n"), Refused(413)),
        (
            "9112 §6.1 beside a length",
            post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
            Refused(400),
        ),
        (
            "9112 §6.1 before a length",
            post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
            Refused(400),
        ),
        ("9112 §6.1 not known", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), Refused(501)),
        ("9112 §6.3 not chunked at the end", post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"), Refused(400)),
        ("9112 §6.3 not chunked at all", post("Transfer-Encoding: identity\r\n", ""), Refused(400)),
        ("9112 §6.1 chunked twice", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), Refused(400)),
        (
            "9112 §6.1 in two fields",
            post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
            Refused(400),
        ),
        ("9112 §6.1 empty", post("Transfer-Encoding:\r\n", ""), Refused(400)),
        ("9112 §6.1 a look-alike", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), Refused(400)),
        ("9112 §6.1 a vertical tab", post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"), Refused(400)),
        ("9112 §6.1 in quotes", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), Refused(400)),
        ("9112 §6.1 with a parameter", post("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"), Refused(400)),
        ("9112 §6.1 a space before the colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), Refused(400)),
        (
            "9112 §6.1 in HTTP/1.0",
            "POST /v1/topics/t/publish HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            Refused(400),
        ),
    ]
}
