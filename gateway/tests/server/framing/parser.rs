//! The cases against the parser, and what no list of cases can show.

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

use super::cases::{
    self,
    Outcome::{self, Refused, Waits},
    bodies, post,
};

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

/// F59.
#[test]
fn each_case_comes_to_what_it_must_in_one_piece_and_byte_by_byte() {
    for (name, bytes, expected) in cases::all() {
        assert_eq!(outcome(bytes.as_bytes()), expected, "{name}");
        assert_eq!(outcome_in_pieces(bytes.as_bytes(), 1), expected, "{name}, byte by byte");
    }
}

/// F60.
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

/// F68.
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
    let bytes = post("Content-Length: 1\r\n", "x").replace("POST /", "POST /%zz/");
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

    /// F60.
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
