//! Batches for the tests of stores.

use std::convert::Infallible;

use shard::store::{Found, MessageStore};
use shard_core::{
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, RecordBatch},
    },
    log::Reached,
    model::{Offset, OffsetRange, Timestamp},
};

use crate::factory::EPOCH;

/// Makes batches that follow each other, and remembers them.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    pub(crate) batches: Vec<RecordBatch>,
    pub(crate) start: Offset,
    end: Offset,
    /// The time of the next batch.
    pub(crate) at_ms: i64,
    /// When messages of the next batches are to be delivered.
    pub(crate) deliver_at: Option<i64>,
}

impl Writer {
    /// Goes on where a partition was found to end.
    pub(crate) fn behind(found: &Found) -> Self {
        Self { batches: Vec::new(), start: found.extent.end, end: found.extent.end, at_ms: 1_000, deliver_at: None }
    }

    /// Goes on, at its own time, where a partition that has lost everything was found to end.
    pub(crate) fn start_anew(&mut self, found: &Found) {
        self.batches.clear();
        (self.start, self.end) = (found.extent.end, found.extent.end);
    }

    /// Makes the next batch, a second after the last one.
    pub(crate) fn next(&mut self, records: usize, payload_bytes: usize) -> RecordBatch {
        let codec = if records == 3 { Codec::Snappy } else { Codec::None };
        let batch = batch(self.end, (records, payload_bytes), codec, (self.at_ms, self.deliver_at));
        self.end = batch.offsets().end;
        self.at_ms += 1_000;
        self.batches.push(batch.clone());
        batch
    }

    /// Appends batches of one record each, one after the other.
    pub(crate) async fn append(&mut self, store: &impl MessageStore, count: usize, payload_bytes: usize) {
        for _ in 0..count {
            let batch = self.next(1, payload_bytes);
            store.append(vec![batch], true).await.unwrap();
        }
    }

    /// Appends one batch, and says what it reached.
    pub(crate) async fn append_one(&mut self, store: &impl MessageStore, records: usize, durable: bool) -> Reached {
        let batch = self.next(records, 100);
        store.append(vec![batch], durable).await.unwrap()
    }

    /// What is to be read of it.
    pub(crate) fn range(&self) -> OffsetRange {
        OffsetRange::new(self.start, self.end)
    }

    /// Where it ends.
    pub(crate) fn end(&self) -> Offset {
        self.end
    }

    /// Forgets what lies at `end` or behind it.
    pub(crate) fn cut(&mut self, end: Offset) {
        self.batches.retain(|batch| batch.offsets().end <= end);
        self.end = end;
    }

    /// Forgets what lies below `start`.
    pub(crate) fn trim(&mut self, start: Offset) {
        self.batches.retain(|batch| batch.offsets().start >= start);
        self.start = start;
    }
}

fn batch(
    base: Offset,
    (records, payload_bytes): (usize, usize),
    codec: Codec,
    (at_ms, deliver_at): (i64, Option<i64>),
) -> RecordBatch {
    let mut builder = BatchBuilder::new(payload_bytes);
    for record in 0..records {
        let id = format!("{base}-{record}");
        let head = RecordHead {
            id: MessageId::Text(&id),
            key: None,
            content_type: "text/plain",
            priority: 4,
            ttl_ms: None,
            deliver_at: deliver_at.map(Timestamp::from_millis),
        };
        let Ok(()) = builder.push(&head, &[], |out| {
            out.resize(out.len() + payload_bytes, u8::try_from(record % 251).unwrap());
            Ok::<(), Infallible>(())
        });
    }
    builder.finish(codec, None).unwrap().assign(base, EPOCH, Timestamp::from_millis(at_ms))
}
