//! What the load test writes at the start of each payload, so that a consumer can tell what was lost, doubled or delayed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bytes of a stamp. A multiple of three, so that its base64 form is a fixed piece of the message's.
pub const STAMP_BYTES: usize = 48;

const MAGIC: &[u8] = b"psr1";
const RUN: std::ops::Range<usize> = 4..12;
const STREAM: std::ops::Range<usize> = 12..20;
const SEQUENCE: std::ops::Range<usize> = 20..32;
const INTENDED: std::ops::Range<usize> = 32..48;

/// The identity of one message: which run and publisher sent it, as which of its messages, and when it was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Tells runs on the same topic apart.
    pub run: u32,
    /// The publishing connection.
    pub stream: u32,
    /// Dense from 0 in its stream; below 2^48.
    pub sequence: u64,
    /// Intended send time in microseconds since the run's start.
    pub intended_micros: u64,
}

impl Stamp {
    /// As 48 characters of ASCII: readable in any tool, and the same in every encoding of a payload.
    #[must_use]
    pub fn encode(&self) -> [u8; STAMP_BYTES] {
        let mut bytes = [0; STAMP_BYTES];
        write(&mut bytes, 0..MAGIC.len(), MAGIC);
        write_hex(&mut bytes, RUN, u64::from(self.run));
        write_hex(&mut bytes, STREAM, u64::from(self.stream));
        write_hex(&mut bytes, SEQUENCE, self.sequence);
        write_hex(&mut bytes, INTENDED, self.intended_micros);
        bytes
    }

    /// The stamp at the start of a payload; `None` if the payload has none.
    #[must_use]
    pub fn decode(payload: &[u8]) -> Option<Self> {
        if payload.get(..MAGIC.len())? != MAGIC {
            return None;
        }
        Some(Self {
            run: u32::try_from(read_hex(payload, RUN)?).ok()?,
            stream: u32::try_from(read_hex(payload, STREAM)?).ok()?,
            sequence: read_hex(payload, SEQUENCE)?,
            intended_micros: read_hex(payload, INTENDED)?,
        })
    }

    /// When the message was meant to be sent, since the run's start.
    #[must_use]
    pub fn intended(&self) -> Duration {
        Duration::from_micros(self.intended_micros)
    }
}

fn write(bytes: &mut [u8], range: std::ops::Range<usize>, value: &[u8]) {
    if let Some(target) = bytes.get_mut(range) {
        target.copy_from_slice(value);
    }
}

/// The lowest digits of `value` that fit into the range.
fn write_hex(bytes: &mut [u8], range: std::ops::Range<usize>, mut value: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for target in bytes.get_mut(range).into_iter().flatten().rev() {
        let nibble = usize::from((value & 0xf) as u8);
        *target = DIGITS.get(nibble).copied().unwrap_or(b'0');
        value >>= 4;
    }
}

fn read_hex(payload: &[u8], range: std::ops::Range<usize>) -> Option<u64> {
    payload.get(range)?.iter().try_fold(0_u64, |value, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some((value << 4) | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stamp_is_readable_text() {
        let stamp = Stamp { run: 0xbeef, stream: 7, sequence: 256, intended_micros: 1_000_000 };
        assert_eq!(&stamp.encode(), b"psr10000beef0000000700000000010000000000000f4240");
    }

    proptest! {
        #[test]
        fn a_stamp_round_trips(run: u32, stream: u32, sequence in 0_u64..1 << 48, intended_micros: u64, tail: Vec<u8>) {
            let stamp = Stamp { run, stream, sequence, intended_micros };
            let mut payload = stamp.encode().to_vec();
            payload.extend(tail);
            prop_assert_eq!(Stamp::decode(&payload), Some(stamp));
        }

        #[test]
        fn arbitrary_payloads_do_not_panic(payload: Vec<u8>, keep in 0_usize..60) {
            let _ = Stamp::decode(&payload);
            let mut near = Stamp { run: 1, stream: 1, sequence: 1, intended_micros: 1 }.encode().to_vec();
            near.truncate(keep);
            prop_assert_eq!(Stamp::decode(&near).is_some(), keep >= STAMP_BYTES);
        }
    }
}
