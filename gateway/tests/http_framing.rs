//! Raw bytes against the request parser: each case is named after the section of the RFC that decides it.

use gateway::{
    config::GatewayConfig,
    http::{
        parser::{Need, Progress, RequestParser},
        refusal::Refusal,
        request::Request,
    },
    limits,
};
use proptest::prelude::*;

/// What some bytes on a new connection come to.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    /// Requests with these bodies, then nothing unread.
    Bodies(Vec<Vec<u8>>),
    /// A refusal with this status, which closes; requests before it were taken.
    Refused(u16),
    /// More is needed.
    Waits(Need),
}

use Outcome::{Refused, Waits};

fn outcome(bytes: &[u8]) -> Outcome {
    outcome_in_pieces(bytes, bytes.len().max(1))
}

fn outcome_in_pieces(bytes: &[u8], piece: usize) -> Outcome {
    let mut parser = RequestParser::new(&GatewayConfig::default());
    let (mut request, mut bodies) = (Request::default(), Vec::new());
    let mut need = Need::Request;
    for piece in bytes.chunks(piece) {
        parser.inbound_mut().extend_from_slice(piece);
        loop {
            match parser.advance(&mut request) {
                Progress::Complete => bodies.push(request.body().to_vec()),
                Progress::Continue => {}
                Progress::NeedMore(wanted) => {
                    need = wanted;
                    break;
                }
                Progress::Streamed => panic!("this parser takes bodies whole"),
                Progress::Refused(refusal) => return Refused(refusal.status()),
            }
        }
    }
    if need == Need::Request { Outcome::Bodies(bodies) } else { Waits(need) }
}

fn bodies(bodies: &[&str]) -> Outcome {
    Outcome::Bodies(bodies.iter().map(|body| body.as_bytes().to_vec()).collect())
}

/// A POST with these header lines behind Host, and what follows them.
fn post(lines: &str, rest: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n{rest}")
}

fn check(cases: &[(&str, String, Outcome)]) {
    for (name, bytes, expected) in cases {
        assert_eq!(outcome(bytes.as_bytes()), *expected, "{name}");
        assert_eq!(outcome_in_pieces(bytes.as_bytes(), 1), *expected, "{name}, byte by byte");
    }
}

#[test]
fn request_lines() {
    let line = |line: &str| format!("{line}\r\nHost: a\r\n\r\n");
    check(&[
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
    ]);
}

#[test]
fn header_fields() {
    let get = |lines: &str| format!("GET / HTTP/1.1\r\n{lines}\r\n\r\n");
    check(&[
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
    ]);
}

#[test]
fn content_length() {
    check(&[
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
    ]);
}

#[test]
fn transfer_encoding() {
    let chunked = |rest: &str| post("Transfer-Encoding: chunked\r\n", rest);
    check(&[
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
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            Refused(400),
        ),
    ]);
}

#[test]
fn sizes_are_bounded_and_each_bound_has_its_status() {
    let long = "a".repeat(limits::REQUEST_TARGET_BYTES_MAX + 100);
    assert_eq!(outcome(format!("GET /{long}").as_bytes()), Refused(414));
    assert_eq!(outcome("A".repeat(limits::REQUEST_HEAD_BYTES_MAX).as_bytes()), Refused(414));
    let field = format!("x: {}\r\n", "y".repeat(1000));
    assert_eq!(outcome(post(&field.repeat(33), "").as_bytes()), Refused(431));
    assert_eq!(outcome(post(&"x: y\r\n".repeat(limits::REQUEST_HEADERS_MAX), "").as_bytes()), Refused(431));
    assert_eq!(outcome(post(&"x: y\r\n".repeat(limits::REQUEST_HEADERS_MAX - 1), "").as_bytes()), bodies(&[""]));
    assert_eq!(outcome(post(&"x: y\r\n".repeat(10_000), "").as_bytes()), Refused(431));
}

#[test]
fn a_body_of_the_largest_size_is_taken_and_one_byte_more_is_not() {
    let config = GatewayConfig { body_bytes_max: 10, ..GatewayConfig::default() };
    for (length, refused) in [(10, None), (11, Some(Refusal::BodyTooLarge { limit: 10 }))] {
        let body = "b".repeat(length);
        let fixed = post(&format!("Content-Length: {length}\r\n"), &body);
        let chunked = post("Transfer-Encoding: chunked\r\n", &format!("{length:x}\r\n{body}\r\n0\r\n\r\n"));
        for bytes in [fixed, chunked] {
            let mut parser = RequestParser::new(&config);
            parser.inbound_mut().extend_from_slice(bytes.as_bytes());
            let expected = refused.clone().map_or(Progress::Complete, Progress::Refused);
            assert_eq!(parser.advance(&mut Request::default()), expected);
        }
    }
}

#[test]
fn permission_to_continue_is_given_once_and_only_to_who_waits() {
    let head = post("Content-Length: 3\r\nExpect: 100-Continue\r\n", "");
    let mut parser = RequestParser::new(&GatewayConfig::default());
    let mut request = Request::default();
    parser.inbound_mut().extend_from_slice(head.as_bytes());
    assert_eq!(parser.advance(&mut request), Progress::Continue);
    assert_eq!(parser.advance(&mut request), Progress::NeedMore(Need::Body));
    parser.inbound_mut().extend_from_slice(b"abc");
    assert_eq!(parser.advance(&mut request), Progress::Complete);

    parser.inbound_mut().extend_from_slice(format!("{head}abc").as_bytes());
    assert_eq!(parser.advance(&mut request), Progress::Complete);
    let no_body = post("Expect: 100-continue\r\n", "");
    parser.inbound_mut().extend_from_slice(no_body.as_bytes());
    assert_eq!(parser.advance(&mut request), Progress::Complete);
}

#[test]
fn a_refusal_can_come_before_permission() {
    let head = post("Content-Length: 99999999\r\nExpect: 100-continue\r\n", "");
    assert_eq!(outcome(head.as_bytes()), Refused(413));
}

#[test]
fn persistence_follows_version_and_connection_field() {
    for (version, connection, expected) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: Keep-Alive, Close\r\n", false),
        ("1.1", "Connection: x\r\nConnection: close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let mut parser = RequestParser::new(&GatewayConfig::default());
        let mut request = Request::default();
        let head = format!("GET / HTTP/{version}\r\nHost: a\r\n{connection}\r\n");
        parser.inbound_mut().extend_from_slice(head.as_bytes());
        assert_eq!(parser.advance(&mut request), Progress::Complete);
        assert_eq!(request.keep_alive(), expected, "{head}");
    }
}

#[test]
fn what_can_not_be_decoded_does_not_break_the_framing() {
    let bytes = post("Content-Length: 1\r\n", "x").replace("POST /", "POST /%zz");
    assert_eq!(outcome(bytes.repeat(2).as_bytes()), bodies(&["x", "x"]));
}

/// A sound request with its body, in either framing.
fn sound_request() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    (prop::collection::vec(any::<u8>(), 0..100), any::<bool>(), 0_usize..3, "[a-z]{0,10}").prop_map(
        |(body, chunked, empty_lines, word)| {
            let mut bytes = "\r\n".repeat(empty_lines).into_bytes();
            let target = format!("/{word}?{word}={word}");
            bytes.extend_from_slice(format!("PUT {target} HTTP/1.1\r\nHost: h\r\nX-Word: {word}\r\n").as_bytes());
            if chunked {
                bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                for chunk in body.chunks(7) {
                    bytes.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            } else {
                bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
                bytes.extend_from_slice(&body);
            }
            (bytes, body)
        },
    )
}

proptest! {
    #[test]
    fn sound_requests_are_the_same_in_any_pieces(
        requests in prop::collection::vec(sound_request(), 0..5),
        piece in 1_usize..200,
    ) {
        let bytes: Vec<u8> = requests.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        let sent: Vec<_> = requests.into_iter().map(|(_, body)| body).collect();
        prop_assert_eq!(outcome_in_pieces(&bytes, piece), Outcome::Bodies(sent));
    }

    #[test]
    fn arbitrary_bytes_come_to_the_same_in_any_pieces(
        bytes in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b' '), Just(b':'), any::<u8>()], 0..300),
        piece in 1_usize..20,
    ) {
        prop_assert_eq!(outcome_in_pieces(&bytes, piece), outcome(&bytes));
    }

    #[test]
    fn a_damaged_request_is_taken_refused_or_waited_for(
        (mut bytes, _) in sound_request(),
        at in any::<prop::sample::Index>(),
        damage in any::<u8>(),
        piece in 1_usize..20,
    ) {
        let at = at.index(bytes.len());
        bytes[at] = damage;
        prop_assert_eq!(outcome_in_pieces(&bytes, piece), outcome(&bytes));
    }
}
