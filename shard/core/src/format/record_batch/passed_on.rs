//! A batch on its way through another node: taken by the node that its publisher talks to, stored by the owner of the
//! partition.

use bytes::Bytes;

use super::{BatchError, GivenIds, HEADER_BYTES, UnassignedBatch, decode_verified, widen};

/// How many times as long as its compressed form a batch may be; neither codec can do better.
pub(super) const RATIO_MAX: usize = 255;

impl UnassignedBatch {
    /// The bytes to send to the owner.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes.into()
    }

    /// Takes a batch from another node, which has held it to the rules for publishers or written it itself: checksums, sizes
    /// and records are checked again.
    ///
    /// # Errors
    /// Says what is wrong with it; any bytes are safe to give.
    pub fn from_peer(bytes: Bytes) -> Result<Self, BatchError> {
        let header = decode_verified(&bytes)?;
        let behind = bytes.len() - header.batch_length();
        if behind > 0 {
            return Err(BatchError::TrailingBytes { bytes: behind });
        }
        check_ratio(header.uncompressed_length, bytes.len())?;
        let (mut given_ids, mut ordinal) = (GivenIds::default(), 0);
        header.for_each_record(&bytes, |record| {
            // Nothing is a repeat of what a broker has written itself.
            if header.relay.is_none() {
                given_ids.note(ordinal, record.head.id);
            }
            ordinal += 1;
        })?;
        let (record_count, producer) = (header.record_count, header.producer);
        Ok(Self { bytes: Vec::from(bytes), record_count, producer, given_ids })
    }
}

/// Refuses a length that no codec could have made so few bytes of, before anything is decompressed.
pub(super) fn check_ratio(uncompressed_length: u32, batch_length: usize) -> Result<(), BatchError> {
    if widen(uncompressed_length) > (batch_length - HEADER_BYTES).saturating_mul(RATIO_MAX) {
        return Err(BatchError::Compression { uncompressed_length });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        format::{
            record::{MessageId, RecordHead},
            record_batch::{BatchBuilder, Codec, Producer, Relay},
        },
        model::SubscriptionId,
    };

    fn builder(ids: &[&str]) -> BatchBuilder {
        let mut builder = BatchBuilder::new(0);
        for id in ids {
            let id = if id.is_empty() { MessageId::Uuid([1; 16]) } else { MessageId::Text(id) };
            let head =
                RecordHead { id, key: None, content_type: "text/plain", priority: 4, ttl_ms: None, deliver_at: None };
            let Ok(()) = builder.push(&head, &[("a", "b")], |out| {
                out.resize(out.len() + 1_000, b'x');
                Ok::<(), Infallible>(())
            });
        }
        builder
    }

    #[test]
    fn a_batch_is_the_same_behind_another_node() {
        let producer = Producer { id: 7, epoch: 1, first_sequence: 9 };
        for codec in [Codec::None, Codec::Snappy, Codec::Lz4] {
            for producer in [None, Some(producer)] {
                let batch = builder(&["one", "", "three"]).finish(codec, producer).unwrap();
                assert_eq!(UnassignedBatch::from_peer(batch.clone().into_bytes()), Ok(batch));
            }
        }
    }

    #[test]
    fn a_relayed_batch_is_the_same_behind_another_node() {
        for relay in [Relay::Everyone, Relay::To(SubscriptionId::new(3))] {
            let batch = builder(&["one"]).finish_relayed(relay).unwrap();
            assert_eq!(UnassignedBatch::from_peer(batch.clone().into_bytes()), Ok(batch));
        }
    }

    #[test]
    fn every_changed_byte_and_every_other_length_is_refused() {
        let bytes = [builder(&["one"]).finish(Codec::Lz4, None).unwrap().into_bytes().as_ref(), b"x"].concat();
        assert_eq!(UnassignedBatch::from_peer(bytes.clone().into()), Err(BatchError::TrailingBytes { bytes: 1 }));
        let bytes = &bytes[..bytes.len() - 1];
        for at in 0..bytes.len() {
            let mut changed = bytes.to_vec();
            changed[at] ^= 0x10;
            assert!(UnassignedBatch::from_peer(changed.into()).is_err(), "byte {at}");
            assert!(UnassignedBatch::from_peer(Bytes::copy_from_slice(&bytes[..at])).is_err(), "{at} bytes");
        }
    }

    #[test]
    fn a_length_that_no_codec_can_reach_is_refused() {
        assert_eq!(check_ratio(255_000, 1_064), Ok(()));
        assert_eq!(check_ratio(255_001, 1_064), Err(BatchError::Compression { uncompressed_length: 255_001 }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = UnassignedBatch::from_peer(bytes.into());
        }
    }
}
