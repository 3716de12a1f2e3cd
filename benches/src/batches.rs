//! Batches of messages of 256 bytes, the same in every run.

use std::{convert::Infallible, fmt::Write as _};

use shard_core::{
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, RecordBatch, UnassignedBatch},
    },
    model::{LeaderEpoch, Offset, Timestamp},
};

/// How many bytes each message carries.
pub(crate) const PAYLOAD_BYTES: usize = 256;

/// What a message carries: JSON as applications write it, with numbers that differ, so that it can be compressed as such.
pub(crate) fn payload(number: usize) -> Vec<u8> {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut text = format!(r#"{{"order":"{number:08}","customer":"c-{mixed:016x}","currency":"EUR","lines":["#);
    while text.len() < PAYLOAD_BYTES {
        let line = mixed.rotate_left(u32::try_from(text.len()).unwrap_or_default());
        let _ = write!(text, r#"{{"sku":"{:06x}","quantity":{}}},"#, line >> 40, line % 10);
    }
    text.truncate(PAYLOAD_BYTES);
    text.into_bytes()
}

/// The payloads of so many messages.
pub(crate) fn payloads(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(payload).collect()
}

/// A batch of messages that carry these.
pub(crate) fn encode(payloads: &[Vec<u8>], codec: Codec) -> UnassignedBatch {
    let bytes = payloads.iter().map(|payload| payload.len() + 72).sum();
    let mut builder = BatchBuilder::new(bytes);
    for payload in payloads {
        let head = RecordHead {
            id: MessageId::Uuid(*b"0123456789abcdef"),
            key: None,
            content_type: "application/json",
            priority: 4,
            ttl_ms: None,
            deliver_at: None,
        };
        let Ok(()) = builder.push(&head, &[], |out| {
            out.extend_from_slice(payload);
            Ok::<(), Infallible>(())
        });
    }
    builder.finish(codec, None).expect("a batch within its limits")
}

/// A batch of so many messages as a partition holds it.
pub(crate) fn stored(count: usize, codec: Codec) -> RecordBatch {
    let now = Timestamp::from_millis(1_700_000_000_000);
    encode(&payloads(count), codec).assign(Offset::new(1_000_000), LeaderEpoch::new(1), now)
}
