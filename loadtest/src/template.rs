//! Requests that are encoded once and sent many times: only stamps, keys and the reference number are written anew.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::stamp::{STAMP_BYTES, Stamp};

/// Digits of a key after its `k`.
const KEY_DIGITS: usize = 8;
/// Characters that a reference number is right-aligned in; JSON allows the spaces before it.
const REF_WIDTH: usize = 20;

/// How a payload is written into a JSON message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum PayloadEncoding {
    /// `"text"`.
    Text,
    /// `"data"`, base64.
    Base64,
}

/// What all published messages of a connection have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageShape {
    /// How a JSON request carries the payload.
    pub encoding: PayloadEncoding,
    /// Distinct keys, taken in turn; 0 for messages without a key.
    pub keys: u64,
}

/// One request, ready to be sent after `fill`.
#[derive(Clone, Debug)]
pub struct Template {
    bytes: Vec<u8>,
    /// Which message of the request it stamps, and where.
    stamps: Vec<(u64, Range<usize>)>,
    messages: u64,
    keys: Vec<Range<usize>>,
    reference: Option<Range<usize>>,
    key_count: u64,
    base64: bool,
}

impl Template {
    /// A template that begins with nothing.
    #[must_use]
    pub fn new(key_count: u64) -> Self {
        Self {
            bytes: Vec::new(),
            stamps: Vec::new(),
            messages: 0,
            keys: Vec::new(),
            reference: None,
            key_count,
            base64: false,
        }
    }

    /// Fixed bytes.
    pub fn push(&mut self, bytes: impl AsRef<[u8]>) {
        self.bytes.extend_from_slice(bytes.as_ref());
    }

    /// Another template's bytes, with the places where it is written anew.
    pub fn append(&mut self, other: &Self) {
        let base = self.bytes.len();
        let moved = |range: &Range<usize>| range.start + base..range.end + base;
        self.stamps.extend(other.stamps.iter().map(|(message, range)| (message + self.messages, moved(range))));
        self.messages += other.messages;
        self.keys.extend(other.keys.iter().map(moved));
        self.reference = other.reference.as_ref().map(moved).or(self.reference.take());
        self.base64 |= other.base64;
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// A key such as `k00000017`.
    pub fn push_key(&mut self) {
        self.bytes.push(b'k');
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[b'0'; KEY_DIGITS]);
        self.keys.push(start..self.bytes.len());
    }

    /// A number that `fill` sets.
    pub fn push_reference(&mut self) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[b' '; REF_WIDTH]);
        self.reference = Some(start..self.bytes.len());
    }

    /// The payload as it is.
    pub fn push_payload(&mut self, payload_bytes: usize) {
        let start = self.bytes.len();
        self.bytes.extend(filler(payload_bytes));
        self.note_message(payload_bytes, start..start + STAMP_BYTES);
    }

    /// A JSON array of messages of these sizes. Those below `STAMP_BYTES` are not stamped.
    pub fn push_messages(&mut self, shape: MessageShape, sizes: &[usize]) {
        self.push("[");
        for (index, payload_bytes) in sizes.iter().enumerate() {
            self.push(if index == 0 { "{" } else { ",{" });
            self.push_json_payload(shape.encoding, *payload_bytes);
            if shape.keys > 0 {
                self.push(",\"key\":\"");
                self.push_key();
                self.push("\"");
            }
            self.push("}");
        }
        self.push("]");
    }

    fn push_json_payload(&mut self, encoding: PayloadEncoding, payload_bytes: usize) {
        match encoding {
            PayloadEncoding::Text => {
                self.push("\"text\":\"");
                self.push_payload(payload_bytes);
            }
            PayloadEncoding::Base64 => {
                self.base64 = true;
                self.push("\"data\":\"");
                let start = self.bytes.len();
                let payload: Vec<u8> = filler(payload_bytes).collect();
                self.push(STANDARD.encode(payload));
                self.note_message(payload_bytes, start..start + STAMP_BYTES / 3 * 4);
            }
        }
        self.push("\"");
    }

    fn note_message(&mut self, payload_bytes: usize, stamp: Range<usize>) {
        if payload_bytes >= STAMP_BYTES {
            self.stamps.push((self.messages, stamp));
        }
        self.messages += 1;
    }

    /// Writes the reference number, and the stamps and keys of messages that follow each other from `first` on.
    pub fn fill(&mut self, reference: u64, first: Stamp) {
        if let Some(place) = self.reference.clone().and_then(|range| self.bytes.get_mut(range)) {
            write_decimal(place, reference, b' ');
        }
        for (message, range) in &self.stamps {
            let stamp = Stamp { sequence: first.sequence + message, ..first }.encode();
            let Some(place) = self.bytes.get_mut(range.clone()) else { continue };
            if self.base64 {
                // The place is exactly as long as the encoded stamp.
                let _ = STANDARD.encode_slice(stamp, place);
            } else {
                place.copy_from_slice(&stamp);
            }
        }
        for (sequence, range) in (first.sequence..).zip(&self.keys) {
            if let Some(place) = self.bytes.get_mut(range.clone()) {
                write_decimal(place, sequence.checked_rem(self.key_count).unwrap_or(0), b'0');
            }
        }
    }

    /// The request as it is to be sent.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Right-aligned, padded with `padding`; higher digits that don't fit are cut.
fn write_decimal(place: &mut [u8], mut value: u64, padding: u8) {
    for (written, target) in place.iter_mut().rev().enumerate() {
        if value == 0 && written > 0 {
            *target = padding;
        } else {
            *target = b'0' + (value % 10) as u8;
            value /= 10;
        }
    }
}

/// Text that a compressor can't shrink much, the same in every run: 6 bits of a generator's output per character.
pub(crate) fn filler(length: usize) -> impl Iterator<Item = u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ALPHABET.get((state >> 58) as usize).copied().unwrap_or(b'A')
    })
    .take(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(sequence: u64) -> Stamp {
        Stamp { run: 1, stream: 2, sequence, intended_micros: 3 }
    }

    fn batch(shape: MessageShape, sizes: &[usize]) -> Template {
        let mut template = Template::new(shape.keys);
        template.push("{\"op\":\"publish\",\"ref\":");
        template.push_reference();
        template.push(",\"messages\":");
        template.push_messages(shape, sizes);
        template.push("}");
        template
    }

    fn payloads(template: &Template, encoding: PayloadEncoding) -> Vec<Vec<u8>> {
        let json: serde_json::Value = serde_json::from_slice(template.bytes()).unwrap();
        let messages = json["messages"].as_array().unwrap();
        messages
            .iter()
            .map(|message| match encoding {
                PayloadEncoding::Text => message["text"].as_str().unwrap().as_bytes().to_vec(),
                PayloadEncoding::Base64 => STANDARD.decode(message["data"].as_str().unwrap()).unwrap(),
            })
            .collect()
    }

    #[test]
    fn each_fill_writes_consecutive_stamps_in_both_encodings() {
        for encoding in [PayloadEncoding::Text, PayloadEncoding::Base64] {
            let mut template = batch(MessageShape { encoding, keys: 0 }, &[257; 3]);
            for first in [0, 1_000_000] {
                template.fill(9, stamp(first));
                let found = payloads(&template, encoding);
                assert!(found.iter().all(|payload| payload.len() == 257));
                let stamps: Vec<_> = found.iter().map(|payload| Stamp::decode(payload).unwrap()).collect();
                assert_eq!(stamps, [stamp(first), stamp(first + 1), stamp(first + 2)]);
            }
        }
    }

    #[test]
    fn the_reference_is_valid_json_at_any_size() {
        let mut template = batch(MessageShape { encoding: PayloadEncoding::Text, keys: 0 }, &[1]);
        for reference in [0, 7, u64::MAX] {
            template.fill(reference, stamp(0));
            let json: serde_json::Value = serde_json::from_slice(template.bytes()).unwrap();
            assert_eq!(json["ref"].as_u64(), Some(reference));
        }
    }

    #[test]
    fn keys_go_round() {
        let mut template = batch(MessageShape { encoding: PayloadEncoding::Text, keys: 3 }, &[8; 4]);
        template.fill(1, stamp(2));
        let json: serde_json::Value = serde_json::from_slice(template.bytes()).unwrap();
        let keys: Vec<_> = json["messages"].as_array().unwrap().iter().map(|m| m["key"].as_str().unwrap()).collect();
        assert_eq!(keys, ["k00000002", "k00000000", "k00000001", "k00000002"]);
    }

    #[test]
    fn a_message_smaller_than_a_stamp_is_sent_without_one() {
        let mut template = batch(MessageShape { encoding: PayloadEncoding::Base64, keys: 0 }, &[16; 2]);
        template.fill(1, stamp(0));
        assert!(payloads(&template, PayloadEncoding::Base64).iter().all(|payload| payload.len() == 16));
    }

    #[test]
    fn among_messages_of_all_sizes_each_stamp_has_its_message_s_number() {
        for encoding in [PayloadEncoding::Text, PayloadEncoding::Base64] {
            let mut template = batch(MessageShape { encoding, keys: 0 }, &[100, 10, 48, 99]);
            template.fill(1, stamp(20));
            let found = payloads(&template, encoding);
            let numbers: Vec<_> =
                found.iter().map(|payload| Stamp::decode(payload).map(|stamp| stamp.sequence)).collect();
            assert_eq!(numbers, [Some(20), None, Some(22), Some(23)]);
            assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [100, 10, 48, 99]);
        }
    }

    #[test]
    fn appending_moves_the_places() {
        let mut body = Template::new(10);
        body.push_messages(MessageShape { encoding: PayloadEncoding::Text, keys: 10 }, &[48]);
        let mut whole = Template::new(10);
        whole.push("HEAD ");
        whole.append(&body);
        whole.fill(0, stamp(4));
        let text = String::from_utf8(whole.bytes().to_vec()).unwrap();
        let expected = String::from_utf8(stamp(4).encode().to_vec()).unwrap();
        assert_eq!(text, format!("HEAD [{{\"text\":\"{expected}\",\"key\":\"k00000004\"}}]"));
    }
}
