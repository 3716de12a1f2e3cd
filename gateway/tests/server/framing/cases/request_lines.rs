//! Request lines (RFC 9112 §2 and §3).

use super::{Case, Outcome::Refused, bodies};

pub(super) fn cases() -> Vec<Case> {
    let line = |line: &str| format!("{line}\r\nHost: a\r\n\r\n");
    vec![
        ("9112 §3 a request line", line("GET / HTTP/1.1"), bodies(&[""])),
        ("9112 §2.2 an empty line before it is overlooked", format!("\r\n{}", line("GET / HTTP/1.1")), bodies(&[""])),
        ("9112 §2.2 not many of them", "\r\n".repeat(5), Refused(400)),
        ("9112 §2.2 not a bare LF", format!("\n{}", line("GET / HTTP/1.1")), Refused(400)),
        ("9112 §2.2 white space before it", line(" GET / HTTP/1.1"), Refused(400)),
        ("9112 §3 two spaces", line("GET  / HTTP/1.1"), Refused(400)),
        ("9112 §3 a tab for a space", line("GET\t/ HTTP/1.1"), Refused(400)),
        ("9112 §3 a space at the end", line("GET / HTTP/1.1 "), Refused(400)),
        ("9112 §3 no version", line("GET /"), Refused(400)),
        ("9112 §3 no target", line("GET HTTP/1.1"), Refused(400)),
        ("9112 §3.1 a method of our own", line("BREW / HTTP/1.1"), bodies(&[""])),
        ("9112 §3.1 a method that is no token", line("G{T / HTTP/1.1"), Refused(400)),
        ("9112 §3.1 no method", line("/ HTTP/1.1"), Refused(400)),
        ("9112 §3.2 a space in the target", line("GET /a b HTTP/1.1"), Refused(400)),
        ("9112 §3.2 a fragment", line("GET /a#b HTTP/1.1"), Refused(400)),
        ("9112 §3.2 a relative path", line("GET a/b HTTP/1.1"), Refused(400)),
        ("9112 §3.2 bytes beyond ASCII", line("GET /ä HTTP/1.1"), Refused(400)),
        ("9112 §3.2 a NUL", line("GET /\0 HTTP/1.1"), Refused(400)),
        ("9112 §3.2.2 absolute form", line("GET http://a/b?c HTTP/1.1"), bodies(&[""])),
        ("9112 §3.2.2 absolute form without a path", line("GET HTTP://a HTTP/1.1"), bodies(&[""])),
        ("9112 §3.2.2 absolute form without a host", line("GET http:///b HTTP/1.1"), Refused(400)),
        ("9112 §3.2.2 absolute form with a user", line("GET http://u@a/b HTTP/1.1"), Refused(400)),
        ("9112 §3.2.2 another scheme", line("GET ftp://a/b HTTP/1.1"), Refused(400)),
        ("9112 §3.2.3 authority form", line("CONNECT a:80 HTTP/1.1"), Refused(400)),
        ("9112 §3.2.4 asterisk form", line("OPTIONS * HTTP/1.1"), bodies(&[""])),
        ("9112 §3.2.4 asterisk form of another method", line("GET * HTTP/1.1"), Refused(400)),
        ("9112 §2.3 HTTP/1.0", line("GET / HTTP/1.0"), bodies(&[""])),
        ("9112 §2.3 HTTP/1.2", line("GET / HTTP/1.2"), Refused(505)),
        ("9112 §2.3 HTTP/2.0", line("GET / HTTP/2.0"), Refused(505)),
        ("9112 §2.3 lower case", line("GET / http/1.1"), Refused(400)),
        ("9112 §2.3 no minor version", line("GET / HTTP/1"), Refused(400)),
        ("9112 §2.3 too many digits", line("GET / HTTP/1.10"), Refused(400)),
        ("9113 §3.4 the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), Refused(505)),
        ("9112 §3 a response", "HTTP/1.1 200 OK\r\n\r\n".to_owned(), Refused(400)),
        ("8446 §4 a TLS hello", "\u{16}\u{3}\u{1}".to_owned(), Refused(400)),
    ]
}
