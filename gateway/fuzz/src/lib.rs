//! What must hold for any bytes whatever. Each function is a fuzz target, and a test replays what was found interesting.

mod jwt;

use crc_fast::CrcAlgorithm;
use gateway::{
    config::GatewayConfig,
    http::{
        chunked::ChunkedDecoder,
        parser::{Progress, RequestParser},
        request::Request,
        router,
    },
    message_ids::MessageIds,
    publish_decode::{MessageTrace, PublishTarget, decode_request, plan_encoded},
    push::{PushHost, PushPolicy, PushTarget, is_public},
    websocket::codec::Codec,
};
use gateway_api::{CursorToken, frame::ClientFrame, publish::Retry};
use shard_core::{
    delivery::Filter,
    format::record_batch,
    limits::FILTER_BYTES_MAX,
    model::{LeaderEpoch, Offset, Timestamp},
};

/// The largest body and message here: small, so that bounds are reached.
const BODY_BYTES_MAX: usize = 4_096;

/// A name and what it takes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("http_parser", http_parser),
    ("chunked_decoder", chunked_decoder),
    ("batch_decoder", batch_decoder),
    ("json_publish", json_publish),
    ("filter", filter),
    ("cursor_token", cursor_token),
    ("push_url", push_url),
    ("websocket", websocket),
    ("jwt", jwt),
];

/// Requests are the same however their bytes are cut, and routing them never fails but by an answer.
pub fn http_parser(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else { return };
    let config = GatewayConfig { body_bytes_max: BODY_BYTES_MAX, ..GatewayConfig::default() };
    let whole = requests(&config, bytes, bytes.len().max(1));
    let cut = requests(&config, bytes, usize::from(*cut).max(1));
    assert_eq!(whole, cut, "it matters how the bytes were cut");
}

/// The requests in some bytes that arrive in pieces: what each asks for and its body; and whether one was refused.
fn requests(config: &GatewayConfig, bytes: &[u8], piece: usize) -> (Vec<(String, Vec<u8>)>, bool) {
    let (mut parser, mut request) = (RequestParser::new(config), Request::default());
    let mut found = Vec::new();
    for piece in bytes.chunks(piece) {
        parser.inbound_mut().extend_from_slice(piece);
        loop {
            match parser.advance(&mut request) {
                Progress::Complete => {
                    let asked = format!("{:?}", router::route(request.method(), request.target()));
                    found.push((asked, request.body().to_vec()));
                }
                Progress::Continue => {}
                Progress::NeedMore(_) => break,
                Progress::Streamed => panic!("this parser takes bodies whole"),
                Progress::Refused(_) => return (found, true),
            }
        }
    }
    (found, false)
}

/// A chunked body is the same however its bytes are cut, and never larger than allowed.
pub fn chunked_decoder(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else { return };
    let decode = |piece: usize| {
        let (mut decoder, mut body, mut taken) = (ChunkedDecoder::new(BODY_BYTES_MAX), Vec::new(), 0);
        for piece in bytes.chunks(piece.max(1)) {
            match decoder.decode(piece, &mut body) {
                Ok(step) => {
                    taken += step.consumed;
                    if step.complete {
                        return Ok((body, taken, true));
                    }
                }
                Err(refusal) => return Err(refusal.status()),
            }
        }
        Ok((body, taken, false))
    };
    let whole = decode(bytes.len());
    assert_eq!(whole, decode(usize::from(*cut)), "it matters how the bytes were cut");
    assert!(whole.is_err() || whole.is_ok_and(|(body, taken, _)| body.len() <= BODY_BYTES_MAX.min(taken)));
}

/// A batch that a publisher encoded is refused, or can be stored and read back whole.
pub fn batch_decoder(data: &[u8]) {
    decode_batch(data);
    decode_batch(&with_checksums(data));
}

/// The same with the checksums that its bytes should have: else damage would go no further than those.
fn with_checksums(data: &[u8]) -> Vec<u8> {
    let mut bytes = data.to_vec();
    if bytes.len() >= 64 {
        let crc = |bytes: &[u8]| crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes).to_le_bytes();
        let body = crc(&bytes[40..]);
        bytes[36..40].copy_from_slice(&body[..4]);
        let head = crc(&[&bytes[..12], &bytes[16..40]].concat());
        bytes[12..16].copy_from_slice(&head[..4]);
    }
    bytes
}

fn decode_batch(data: &[u8]) {
    for target in [TARGET, PublishTarget { message_bytes_max: 100, ..TARGET }] {
        let Ok(plan) = plan_encoded(data, &target, (None, true)) else { continue };
        for planned in plan.batches {
            let batch = planned.batch.assign(Offset::new(7), LeaderEpoch::new(1), Timestamp::default());
            let mut records = 0;
            batch.for_each_record(|_| records += 1).expect("what was let in can be read");
            assert!(records > 0, "a batch of nothing was let in");
        }
    }
}

/// A publish in JSON is refused with its faults, or can be stored.
pub fn json_publish(data: &[u8]) {
    match decode_request(data, &TARGET, &mut MessageIds::new()) {
        Ok(plan) => assert!(!plan.messages().is_empty() && !plan.batches.is_empty()),
        Err(refused) => assert!(!refused.detail.is_empty()),
    }
}

/// A filter is refused, or shows as text that means the same.
pub fn filter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(filter) = Filter::parse(text) else { return };
    let shown = filter.to_string();
    if shown.len() <= FILTER_BYTES_MAX {
        assert_eq!(Filter::parse(&shown).as_ref(), Ok(&filter), "{shown}");
    }
}

/// A cursor token is refused, or is the only way to write what it says.
pub fn cursor_token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(token) = CursorToken::decode(text) {
        assert_eq!(CursorToken::decode(&token.encode()).as_ref(), Ok(&token));
    }
}

/// An address of a webhook is refused, or is one of https to somewhere public.
pub fn push_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(target) = PushTarget::parse(text, PushPolicy::default()) else { return };
    assert!(target.tls);
    if let PushHost::Address(address) = target.host {
        assert!(is_public(address), "{address}");
    }
}

/// A WebSocket takes any bytes: messages come out of them, or a close goes out; and a frame is understood or not.
pub fn websocket(data: &[u8]) {
    use gateway::websocket::codec::Incoming;
    let mut codec = Codec::new(BODY_BYTES_MAX);
    for piece in data.chunks(97) {
        codec.inbound_mut().extend_from_slice(piece);
        loop {
            match codec.next_incoming() {
                Ok(Some(Incoming::Text(text))) => {
                    assert!(text.len() <= BODY_BYTES_MAX);
                    let _ = ClientFrame::parse(&text);
                }
                Ok(Some(Incoming::Binary(bytes))) => assert!(bytes.len() <= BODY_BYTES_MAX),
                Ok(Some(Incoming::Alive)) => {}
                Ok(None) => break,
                Ok(Some(Incoming::Closed { .. })) | Err(_) => return,
            }
        }
    }
    let _ = std::str::from_utf8(data).map(ClientFrame::parse);
}

/// A token proves nobody unless it is signed and keeps every rule; a set of keys is refused, or can be used.
pub fn jwt(data: &[u8]) {
    jwt::check(data);
}

const TARGET: PublishTarget<'static> = PublishTarget {
    partitions: 3,
    message_bytes_max: BODY_BYTES_MAX,
    codec: record_batch::Codec::None,
    turn: 1,
    now_millis: 1_700_000_000_000,
    retry: Retry::Unguarded,
    trace: MessageTrace { given: None, notes: false },
};
