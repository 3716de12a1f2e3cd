//! The ack id: what a consumer sends back for a delivered message. Opaque to clients, self-contained for the node.
//!
//! ```text
//! base64url without padding of:  0 u8  version     9 u64 topic        21 u64 offset           37 u64 lease tag
//!                                1 u64 subscription 17 u32 partition   29 u64 lease sequence   45 end
//! ```
//! 45 bytes are 60 characters exactly, so that each ack id has one spelling. The tag, a keyed hash over the rest, is
//! checked by the owner of the partition: an id that was made up decodes, and has no effect.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use shard::{LeaseId, PartitionSubscription};
use shard_core::model::{Offset, PartitionIndex, SubscriptionId, TopicId, TopicPartition};

const VERSION: u8 = 1;
const BYTES: usize = 45;
/// How many characters an ack id has.
pub const ACK_ID_CHARS: usize = 60;

/// One delivery of one message of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckId {
    /// The subscription and the partition the message came from.
    pub cursor: PartitionSubscription,
    /// The message's place.
    pub offset: Offset,
    /// The delivery.
    pub lease: LeaseId,
}

impl AckId {
    /// The text a client gets.
    ///
    /// # Panics
    /// Never: the bytes always fit the text.
    #[must_use]
    pub fn encode(&self) -> [u8; ACK_ID_CHARS] {
        let mut bytes = [0; BYTES];
        let mut writer = Writer { rest: &mut bytes };
        writer.put([VERSION]);
        writer.put(self.cursor.subscription.get().to_le_bytes());
        writer.put(self.cursor.partition.topic.get().to_le_bytes());
        writer.put(self.cursor.partition.partition.get().to_le_bytes());
        writer.put(self.offset.get().to_le_bytes());
        writer.put(self.lease.sequence.to_le_bytes());
        writer.put(self.lease.tag.to_le_bytes());
        let mut text = [0; ACK_ID_CHARS];
        let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
        assert_eq!(written, Ok(ACK_ID_CHARS), "45 bytes are 60 characters");
        text
    }

    /// Reads what a client sent; `None` if it can't be an ack id of ours.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let mut bytes = [0; BYTES];
        if text.len() != ACK_ID_CHARS || URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) != Ok(BYTES) {
            return None;
        }
        let mut reader = Reader { rest: &bytes };
        if reader.take()? != [VERSION] {
            return None;
        }
        let subscription = SubscriptionId::new(u64::from_le_bytes(reader.take()?));
        let topic = TopicId::new(u64::from_le_bytes(reader.take()?));
        let partition = PartitionIndex::new(u32::from_le_bytes(reader.take()?));
        let offset = Offset::new(u64::from_le_bytes(reader.take()?));
        let sequence = u64::from_le_bytes(reader.take()?);
        let tag = u64::from_le_bytes(reader.take()?);
        let cursor = PartitionSubscription { partition: TopicPartition::new(topic, partition), subscription };
        Some(Self { cursor, offset, lease: LeaseId { sequence, tag } })
    }
}

struct Writer<'a> {
    rest: &'a mut [u8],
}

impl Writer<'_> {
    fn put<const N: usize>(&mut self, field: [u8; N]) {
        let rest = std::mem::take(&mut self.rest);
        let (place, rest) = rest.split_first_chunk_mut::<N>().expect("the fields add up to the length");
        *place = field;
        self.rest = rest;
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*field)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ack_id(numbers: [u64; 5], partition: u32) -> AckId {
        let [subscription, topic, offset, sequence, tag] = numbers;
        AckId {
            cursor: PartitionSubscription {
                partition: TopicPartition::new(TopicId::new(topic), PartitionIndex::new(partition)),
                subscription: SubscriptionId::new(subscription),
            },
            offset: Offset::new(offset),
            lease: LeaseId { sequence, tag },
        }
    }

    #[test]
    fn ack_id_v1_is_frozen() {
        let text = ack_id([1, 2, 42, 7, 0x0123_4567_89ab_cdef], 3).encode();
        assert_eq!(std::str::from_utf8(&text).unwrap(), "AQEAAAAAAAAAAgAAAAAAAAADAAAAKgAAAAAAAAAHAAAAAAAAAO_Nq4lnRSMB");
    }

    #[test]
    fn another_version_is_not_ours() {
        let mut text = ack_id([1, 2, 3, 4, 5], 6).encode();
        text[0] = b'B';
        assert_eq!(AckId::decode(std::str::from_utf8(&text).unwrap()), None);
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(numbers: [u64; 5], partition: u32) {
            let id = ack_id(numbers, partition);
            let text = id.encode();
            prop_assert_eq!(AckId::decode(std::str::from_utf8(&text).unwrap()), Some(id));
        }

        #[test]
        fn any_text_is_safe_and_has_one_spelling(text in "[A-Za-z0-9_=/+-]{58,62}|A[A-Za-z0-9_-]{59}|.*") {
            if let Some(id) = AckId::decode(&text) {
                let again = id.encode();
                prop_assert_eq!(again.as_slice(), text.as_bytes());
            }
        }
    }
}
