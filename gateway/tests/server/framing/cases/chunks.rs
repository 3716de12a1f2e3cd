//! Details of the chunked coding (RFC 9112 §7).

use gateway::http::parser::Need;

use super::{
    Case,
    Outcome::{Refused, Waits},
    bodies, post,
};

pub(super) fn cases() -> Vec<Case> {
    let chunked = |rest: &str| post("Transfer-Encoding: chunked\r\n", rest);
    vec![
        ("9112 §7.1 no chunk but the last", chunked("0\r\n\r\n"), bodies(&[""])),
        ("9112 §7.1 zeros before a size", chunked("0003\r\nabc\r\n000\r\n\r\n"), bodies(&["abc"])),
        ("9112 §7.1 too many zeros before a size", chunked("00000000000000003\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("9112 §7.1 sixteen digits", chunked("ffffffffffffffff\r\n"), Refused(413)),
        ("9112 §7.1 a plus sign", chunked("+3\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("9112 §7.1 an underscore", chunked("1_0\r\n0123456789abcdef\r\n0\r\n\r\n"), Refused(400)),
        ("9112 §7.1 a space before a size", chunked(" 3\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("9112 §7.1 a tab behind a size", chunked("3\t\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("9112 §7.1 a NUL behind a size", chunked("3\0\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("9112 §7.1 a letter that is no digit", chunked("g\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("9112 §7.1 a bare CR behind a size", chunked("3\rabc\r\n0\r\n\r\n"), Refused(400)),
        ("9112 §7.1 two CRs behind a size", chunked("3\r\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("9112 §7.1 a bare CR behind data", chunked("3\r\nabc\r0\r\n\r\n"), Refused(400)),
        ("9112 §7.1 no line end behind data", chunked("3\r\nabc0\r\n\r\n"), Refused(400)),
        ("9112 §7.1 a bare LF behind the last chunk", chunked("3\r\nabc\r\n0\n\r\n"), Refused(400)),
        ("9112 §7.1 a bare LF for the empty line", chunked("3\r\nabc\r\n0\r\n\n"), Refused(400)),
        ("9112 §7.1 a bare CR for the empty line", chunked("3\r\nabc\r\n0\r\n\rx"), Refused(400)),
        ("9112 §7.1 no empty line at the end", chunked("3\r\nabc\r\n0\r\n"), Waits(Need::Body)),
        ("9112 §7.1 no last chunk", chunked("3\r\nabc\r\n"), Waits(Need::Body)),
        ("9112 §7.1 data are not looked into", chunked("5\r\n0\r\n\r\n\r\n0\r\n\r\n"), bodies(&["0\r\n\r\n"])),
        ("9112 §7.1.1 an extension without a value", chunked("1;x\r\na\r\n0;y\r\n\r\n"), bodies(&["a"])),
        ("9112 §7.1.1 a quoted extension", chunked("1;x=\"y;z\"\r\na\r\n0\r\n\r\n"), bodies(&["a"])),
        ("9112 §7.1.1 several extensions", chunked("1;x=1;y=2\r\na\r\n0\r\n\r\n"), bodies(&["a"])),
        ("9112 §7.1.1 a bare LF in an extension", chunked("1;x\ny\r\na\r\n0\r\n\r\n"), Refused(400)),
        ("9112 §7.1.1 a bare CR in an extension", chunked("1;x\ry\r\na\r\n0\r\n\r\n"), Refused(400)),
        ("9112 §7.1.1 bytes beyond ASCII in an extension", chunked("1;ä\r\na\r\n0\r\n\r\n"), Refused(400)),
        ("9112 §7.1.1 an endless extension", chunked(&format!("1;{}", "x".repeat(300))), Refused(400)),
        (
            "9112 §7.1.1 extensions without end over many chunks",
            chunked(&format!("1;{}\r\na\r\n", "x".repeat(200)).repeat(100)),
            Refused(400),
        ),
        ("9112 §7.1.2 several trailers", chunked("1\r\na\r\n0\r\nx: y\r\nz:\r\n\r\n"), bodies(&["a"])),
        ("9112 §7.1.2 a trailer that frames", chunked("1\r\na\r\n0\r\nContent-Length: 9\r\n\r\n"), bodies(&["a"])),
        ("9112 §7.1.2 a trailer with a space before its colon", chunked("0\r\nx : y\r\n\r\n"), Refused(400)),
        ("9112 §7.1.2 a folded trailer", chunked("0\r\nx: y\r\n z\r\n\r\n"), Refused(400)),
        ("9112 §7.1.2 a bare LF behind a trailer", chunked("0\r\nx: y\n\r\n"), Refused(400)),
        ("9112 §7.1.2 a NUL in a trailer", chunked("0\r\nx: \0\r\n\r\n"), Refused(400)),
        ("9112 §7.1.2 trailers without end", chunked(&format!("0\r\n{}", "x: y\r\n".repeat(2_000))), Refused(431)),
    ]
}
