//! Batches for the tests of the log.

use std::convert::Infallible;

use crate::{
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, RecordBatch, UnassignedBatch},
        segment_header::BLOCK_BYTES,
    },
    model::{LeaderEpoch, Offset, Timestamp},
};

/// A batch of one record.
pub(crate) fn unassigned(payload_bytes: usize) -> UnassignedBatch {
    let head = RecordHead {
        id: MessageId::Text("id"),
        key: None,
        content_type: "text/plain",
        priority: 4,
        ttl_ms: None,
        deliver_at: None,
    };
    let mut builder = BatchBuilder::new(payload_bytes);
    let Ok(()) = builder.push(&head, &[], |out| {
        out.resize(out.len() + payload_bytes, b'x');
        Ok::<(), Infallible>(())
    });
    builder.finish(Codec::None, None).unwrap()
}

/// The same that is to be delivered so many milliseconds after 1970.
pub(crate) fn scheduled_at(base: u64, deliver_at: i64) -> RecordBatch {
    let head = RecordHead {
        id: MessageId::Text("id"),
        key: None,
        content_type: "text/plain",
        priority: 4,
        ttl_ms: None,
        deliver_at: Some(Timestamp::from_millis(deliver_at)),
    };
    let mut builder = BatchBuilder::new(0);
    let Ok(()) = builder.push(&head, &[], |_| Ok::<(), Infallible>(()));
    let timestamp = Timestamp::from_millis(i64::try_from(base).unwrap());
    builder.finish(Codec::None, None).unwrap().assign(Offset::new(base), LeaderEpoch::new(1), timestamp)
}

/// A batch of one record at an offset, taken at that many milliseconds.
pub(crate) fn batch_at(base: u64, payload_bytes: usize) -> RecordBatch {
    let timestamp = Timestamp::from_millis(i64::try_from(base).unwrap());
    unassigned(payload_bytes).assign(Offset::new(base), LeaderEpoch::new(1), timestamp)
}

/// One flush of batches, as it lies in a segment.
pub(crate) fn padded(batches: &[&RecordBatch]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for batch in batches {
        bytes.extend_from_slice(batch.bytes());
    }
    bytes.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
    bytes
}
