//! Batches to append.

use std::convert::Infallible;

use shard_core::{
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, RecordBatch},
    },
    model::{LeaderEpoch, Offset, Timestamp},
};

/// Batches of `records` messages of `payload_bytes` each, from the offset `next` on, which moves behind them.
pub(crate) fn batches(next: &mut Offset, count: usize, (records, payload_bytes): (u64, usize)) -> Vec<RecordBatch> {
    (0..count).map(|_| batch(next, records, payload_bytes)).collect()
}

fn batch(next: &mut Offset, records: u64, payload_bytes: usize) -> RecordBatch {
    let head = RecordHead {
        id: MessageId::Text("id"),
        key: None,
        content_type: "application/octet-stream",
        priority: 4,
        ttl_ms: None,
        deliver_at: None,
    };
    let mut builder = BatchBuilder::new(payload_bytes);
    for _ in 0..records {
        let Ok(()) = builder.push(&head, &[], |out| {
            out.resize(out.len() + payload_bytes, b'x');
            Ok::<_, Infallible>(())
        });
    }
    let batch =
        builder.finish(Codec::None, None).unwrap().assign(*next, LeaderEpoch::new(1), Timestamp::from_millis(1));
    *next = batch.offsets().end;
    batch
}
