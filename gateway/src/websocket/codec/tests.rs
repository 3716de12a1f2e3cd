//! Raw frames against the codec; the section of RFC 6455 is in each name.

use proptest::prelude::*;

use super::*;

/// A masked frame: first byte, payload.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match u8::try_from(payload.len()) {
        Ok(length) if length < 126 => bytes.push(0x80 | length),
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    let mask = [1, 2, 3, 4];
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn codec_with(bytes: &[u8]) -> Codec {
    let mut codec = Codec::new(1000);
    codec.inbound_mut().extend_from_slice(bytes);
    codec
}

/// The close code that some bytes lead to.
fn closed_with(bytes: &[u8]) -> u16 {
    let mut codec = codec_with(bytes);
    loop {
        match codec.next_incoming() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("not refused: {bytes:x?}"),
            Err(error) => {
                let close = codec.outbound_mut();
                assert_eq!(close[close.len() - 4..close.len() - 2], [0x88, 2], "{error}");
                assert_eq!(close[close.len() - 2..], error.close_code.to_be_bytes());
                return error.close_code;
            }
        }
    }
}

/// F64.
#[test]
fn section_5_1_unmasked_frames_are_refused() {
    assert_eq!(closed_with(&[0x81, 2, b'h', b'i']), 1002);
}

/// F64.
#[test]
fn section_5_2_reserved_bits_are_refused() {
    for bits in [0x40, 0x20, 0x10] {
        assert_eq!(closed_with(&frame(0x81 | bits, b"x")), 1002);
    }
}

/// F64.
#[test]
fn section_5_2_reserved_opcodes_are_refused() {
    for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        assert_eq!(closed_with(&frame(0x80 | opcode, b"x")), 1002, "{opcode}");
    }
}

/// F64.
#[test]
fn section_5_4_interleaved_messages_are_refused() {
    assert_eq!(closed_with(&[frame(0x01, b"a"), frame(0x81, b"b")].concat()), 1002);
    assert_eq!(closed_with(&frame(0x80, b"continues nothing")), 1002);
}

/// F64.
#[test]
fn section_5_5_control_frames_are_whole_and_small() {
    assert_eq!(closed_with(&frame(0x09, b"fragment")), 1002);
    assert_eq!(closed_with(&frame(0x89, &[b'x'; 126])), 1002);
    assert_eq!(closed_with(&frame(0x88, &[1])), 1002);
}

/// F64.
#[test]
fn section_8_1_text_that_is_not_utf8_is_refused() {
    assert_eq!(closed_with(&frame(0x81, b"\xff")), 1007);
    assert_eq!(closed_with(&[frame(0x01, b"\xce"), frame(0x80, b"\x20")].concat()), 1007);
}

/// F64.
#[test]
fn section_7_4_oversize_messages_are_refused_by_their_length_alone() {
    assert_eq!(closed_with(&frame(0x82, &[0; 1001])[..14]), 1009);
    let fragments = [frame(0x02, &[0; 600]), frame(0x00, &[0; 600])].concat();
    assert_eq!(closed_with(&fragments), 1009);
    let mut huge = vec![0x82, 0xff];
    huge.extend_from_slice(&u64::MAX.to_be_bytes());
    assert_eq!(closed_with(&[huge, vec![0; 4]].concat()), 1009);
}

#[test]
fn section_5_5_2_pings_are_answered() {
    let mut codec = codec_with(&frame(0x89, b"beat"));
    assert_eq!(codec.next_incoming(), Ok(Some(Incoming::Alive)));
    assert_eq!(*codec.outbound_mut(), [&[0x8a, 4][..], b"beat"].concat());
}

#[test]
fn section_5_5_1_a_close_is_answered_and_ends() {
    let mut codec = codec_with(&frame(0x88, &1000_u16.to_be_bytes()));
    assert_eq!(codec.next_incoming(), Ok(Some(Incoming::Closed { normal: true })));
    assert_eq!(*codec.outbound_mut(), [0x88, 2, 0x03, 0xe8]);
    assert!(!codec.can_send());
    assert_eq!(codec.next_incoming(), Ok(Some(Incoming::Closed { normal: false })));
}

#[test]
fn section_7_1_nothing_is_sent_behind_our_close() {
    let mut codec = Codec::new(1000);
    codec.send_close(1001, "draining");
    codec.send_text(&["late"]);
    codec.send_ping();
    codec.send_close(1011, "again");
    assert_eq!(*codec.outbound_mut(), [&[0x88, 10, 0x03, 0xe9][..], b"draining"].concat());
    codec.inbound_mut().extend_from_slice(&frame(0x88, &1001_u16.to_be_bytes()));
    assert_eq!(codec.next_incoming(), Ok(Some(Incoming::Closed { normal: false })));
}

#[test]
fn section_5_4_fragments_become_one_message() {
    let bytes = [frame(0x01, b"fr\xc3"), frame(0x89, b""), frame(0x80, b"\xa4g")].concat();
    let mut codec = codec_with(&bytes);
    assert_eq!(codec.next_incoming(), Ok(Some(Incoming::Alive)));
    assert_eq!(codec.next_incoming(), Ok(Some(Incoming::Text("fräg".into()))));
    assert_eq!(codec.next_incoming(), Ok(None));
}

#[test]
fn section_5_2_lengths_take_as_many_bytes_as_they_need() {
    for (length, header) in
        [(125, vec![0x82, 125]), (126, vec![0x82, 126, 0, 126]), (65_536, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0])]
    {
        let mut codec = Codec::new(1000);
        codec.send_binary(&[&vec![7; length]]);
        assert_eq!(codec.outbound_mut()[..header.len()], header);
        assert_eq!(codec.outbound_mut().len(), header.len() + length);
    }
}

proptest! {
    #[test]
    fn messages_in_any_pieces_are_the_same(messages in prop::collection::vec(".{0,50}", 0..6), piece in 1_usize..30) {
        let bytes: Vec<u8> = messages.iter().flat_map(|text| frame(0x81, text.as_bytes())).collect();
        let (mut codec, mut seen) = (Codec::new(1000), Vec::new());
        for piece in bytes.chunks(piece) {
            codec.inbound_mut().extend_from_slice(piece);
            while let Some(incoming) = codec.next_incoming().unwrap() {
                seen.push(incoming);
            }
        }
        let sent: Vec<_> = messages.iter().map(|text| Incoming::Text(text.as_str().into())).collect();
        prop_assert_eq!(seen, sent);
    }

    #[test]
    fn arbitrary_bytes_end_in_a_message_a_close_or_a_wait(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut codec = codec_with(&bytes);
        for _ in 0..=bytes.len() {
            match codec.next_incoming() {
                Ok(Some(Incoming::Closed { .. }) | None) | Err(_) => return Ok(()),
                Ok(Some(Incoming::Text(_) | Incoming::Binary(_) | Incoming::Alive)) => {}
            }
        }
        prop_assert!(false, "more messages than bytes");
    }
}
