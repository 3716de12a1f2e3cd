//! Frames survive any split of the stream, and nothing else is taken for one.

use proptest::prelude::*;

use super::*;
use crate::{
    format::golden::assert_golden,
    link::{FrameDecoder, FrameLimits},
};

fn out(kind: FrameKind, id: u64, head: &[u8], tail: &[&[u8]]) -> OutFrame {
    let tail = tail.iter().map(|piece| Bytes::copy_from_slice(piece)).collect();
    OutFrame { kind, id, millis_left: 250, head: Bytes::copy_from_slice(head), tail }
}

fn encoded(frames: &[OutFrame]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        frame.encode_into(&mut bytes).unwrap();
    }
    bytes
}

fn received(frame: &OutFrame) -> Frame {
    let OutFrame { kind, id, millis_left, head, tail } = frame.clone();
    Frame { kind, id, millis_left, head, tail: tail.concat().into() }
}

fn decoded(bytes: &[u8]) -> Result<Vec<Frame>, FrameError> {
    let mut decoder = FrameDecoder::new(FrameLimits::FULL);
    decoder.push(bytes);
    std::iter::from_fn(|| decoder.next_frame().transpose()).collect()
}

/// Changes bytes of a frame and seals what was changed, as a node that lies would.
fn forged(at: usize, field: &[u8]) -> Result<Vec<Frame>, FrameError> {
    let mut bytes = encoded(&[out(FrameKind::Request, 1, b"head", &[b"tail"])]);
    put(&mut bytes, at, field);
    let crc = crc32c(&[&bytes[8..]]);
    put(&mut bytes, 4, &crc.to_le_bytes());
    decoded(&bytes)
}

#[test]
fn link_frame_v1_is_frozen() {
    let frames = [out(FrameKind::Request, 42, b"what", &[b"one", b"two"]), OutFrame::bare(FrameKind::Ping, 0)];
    let bytes = encoded(&frames);
    assert_golden("link_frame.v1.hex", &bytes);
    assert_eq!(decoded(&bytes), Ok(frames.iter().map(received).collect()));
    assert_eq!(frames.iter().map(OutFrame::len).sum::<usize>(), bytes.len());
}

#[test]
fn every_kind_comes_back_as_it_was() {
    let frames: Vec<_> = FrameKind::ALL.into_iter().map(|kind| OutFrame::bare(kind, 7)).collect();
    assert_eq!(decoded(&encoded(&frames)), Ok(frames.iter().map(received).collect()));
}

#[test]
fn every_changed_byte_is_noticed() {
    let bytes = encoded(&[out(FrameKind::Reply, 3, b"head", &[b"tail"])]);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        // A length that grew waits for what never comes; whoever reads the stream bounds how long.
        let taken = decoded(&changed);
        assert!(taken.is_err() || taken == Ok(Vec::new()), "byte {at}: {taken:?}");
    }
}

#[test]
fn what_is_too_large_is_refused_before_it_has_come() {
    let mut header = encoded(&[OutFrame::bare(FrameKind::Request, 1)]);
    let body = limits::LINK_FRAME_BYTES_MAX + 1;
    put(&mut header, 0, &narrow(body + HEADER_BYTES - 8).to_le_bytes());
    let bytes_max = limits::LINK_FRAME_BYTES_MAX;
    assert_eq!(decoded(&header), Err(FrameError::TooLarge { bytes: body + HEADER_BYTES, bytes_max }));

    put(&mut header, 0, &narrow(limits::LINK_HEAD_BYTES_MAX + HEADER_BYTES).to_le_bytes());
    let head = limits::LINK_HEAD_BYTES_MAX + 1;
    put(&mut header, 24, &narrow(head).to_le_bytes());
    let bytes_max = limits::LINK_HEAD_BYTES_MAX;
    assert_eq!(decoded(&header), Err(FrameError::HeadTooLarge { bytes: head, bytes_max }));
}

#[test]
fn what_is_too_large_is_not_sent() {
    let head = Bytes::from(vec![0; limits::LINK_HEAD_BYTES_MAX + 1]);
    assert!(matches!(OutFrame::of_head(FrameKind::Request, head).header(), Err(FrameError::HeadTooLarge { .. })));
    let half = Bytes::from(vec![0; limits::LINK_FRAME_BYTES_MAX / 2 + 1]);
    let frame = OutFrame { tail: vec![half.clone(), half], ..OutFrame::bare(FrameKind::Request, 1) };
    assert!(matches!(frame.header(), Err(FrameError::TooLarge { .. })));
    assert!(matches!(frame.encode_into(&mut Vec::new()), Err(FrameError::TooLarge { .. })));
}

#[test]
fn the_largest_batch_fits() {
    let batch = Bytes::from(vec![0; limits::BATCH_BYTES_MAX]);
    let head = Bytes::from(vec![0; limits::LINK_HEAD_BYTES_MAX]);
    let frame = OutFrame { head, tail: vec![batch], ..OutFrame::bare(FrameKind::Request, 1) };
    assert_eq!(decoded(&encoded(std::slice::from_ref(&frame))), Ok(vec![received(&frame)]));
}

#[test]
fn headers_that_contradict_themselves_are_refused() {
    assert_eq!(forged(0, &19_u32.to_le_bytes()), Err(FrameError::TooSmall { bytes: 27 }));
    assert_eq!(forged(24, &9_u32.to_le_bytes()), Err(FrameError::TooSmall { bytes: 36 }));
    assert_eq!(forged(8, &[0]), Err(FrameError::Kind { found: 0 }));
    assert_eq!(forged(8, &[10]), Err(FrameError::Kind { found: 10 }));
    assert_eq!(forged(9, &[1]), Err(FrameError::Flags { flags: 1, reserved: 0 }));
    assert_eq!(forged(10, &[2]), Err(FrameError::Flags { flags: 0, reserved: 2 }));
    assert!(matches!(decoded(&[0; 64]), Err(FrameError::TooSmall { .. })));
}

#[test]
fn before_the_handshake_is_over_frames_are_small() {
    let mut decoder = FrameDecoder::new(FrameLimits::HANDSHAKE);
    let large = OutFrame::of_head(FrameKind::Hello, vec![0; limits::LINK_HANDSHAKE_BYTES_MAX + 1].into());
    decoder.push(&encoded(&[OutFrame::bare(FrameKind::Proof, 0), large.clone()]));
    assert_eq!(decoder.next_frame().unwrap().unwrap().kind, FrameKind::Proof);
    assert!(matches!(decoder.next_frame(), Err(FrameError::TooLarge { .. })));
    assert!(decoder.space().len() <= limits::LINK_HANDSHAKE_BYTES_MAX + HEADER_BYTES);
    decoder.set_limits(FrameLimits::FULL);
    assert_eq!(decoder.next_frame(), Ok(Some(received(&large))));
}

#[test]
fn a_frame_is_no_copy_of_what_was_received() {
    let mut decoder = FrameDecoder::new(FrameLimits::FULL);
    let bytes = encoded(&[out(FrameKind::Request, 1, b"head", &[b"tail"])]);
    let space = decoder.space();
    space[..bytes.len()].copy_from_slice(&bytes);
    let received = space.as_ptr().addr();
    decoder.advance(bytes.len());
    let frame = decoder.next_frame().unwrap().unwrap();
    assert_eq!(frame.head.as_ptr().addr(), received + HEADER_BYTES);
    assert_eq!(frame.tail.as_ptr().addr(), received + HEADER_BYTES + 4);
    assert!(!decoder.is_inside());
}

fn frames() -> impl Strategy<Value = Vec<OutFrame>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
    let kind = (0..FrameKind::ALL.len()).prop_map(|index| FrameKind::ALL[index]);
    let frame = (kind, any::<u64>(), any::<u32>(), bytes(), prop::collection::vec(bytes(), 0..3));
    let frame = frame.prop_map(|(kind, id, millis_left, head, tail)| OutFrame { kind, id, millis_left, head, tail });
    prop::collection::vec(frame, 0..8)
}

proptest! {
    #[test]
    fn any_split_of_the_stream_gives_the_same_frames(
        frames in frames(),
        cuts in prop::collection::vec(1_usize..200, 1..20),
    ) {
        let bytes = encoded(&frames);
        let mut decoder = FrameDecoder::new(FrameLimits::FULL);
        let (mut rest, mut taken) = (bytes.as_slice(), Vec::new());
        for (turn, &cut) in cuts.iter().cycle().enumerate() {
            if rest.is_empty() {
                break;
            }
            let count = if turn % 2 == 0 {
                let count = cut.min(rest.len());
                decoder.push(&rest[..count]);
                count
            } else {
                let space = decoder.space();
                prop_assert!(!space.is_empty());
                let count = cut.min(rest.len()).min(space.len());
                space[..count].copy_from_slice(&rest[..count]);
                decoder.advance(count);
                count
            };
            rest = &rest[count..];
            while let Some(frame) = decoder.next_frame().unwrap() {
                taken.push(frame);
            }
        }
        prop_assert_eq!(taken, frames.iter().map(received).collect::<Vec<_>>());
        prop_assert!(!decoder.is_inside());
    }

    #[test]
    fn any_bytes_are_safe(mut bytes in prop::collection::vec(any::<u8>(), 0..200), sealed in any::<bool>()) {
        if sealed && bytes.len() >= HEADER_BYTES {
            let covered = narrow(bytes.len() - 8);
            put(&mut bytes, 0, &covered.to_le_bytes());
            let crc = crc32c(&[&bytes[8..]]);
            put(&mut bytes, 4, &crc.to_le_bytes());
        }
        let _ = decoded(&bytes);
    }
}
