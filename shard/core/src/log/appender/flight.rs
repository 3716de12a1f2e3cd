//! What is stored together: the batches that waited, up to the bound of one flush.

use std::collections::VecDeque;

use super::{AppendEffect, Offset, Reached, RecordBatch, RequestId, Timestamp, limits, widen};

/// A batch that was accepted and is not stored.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) request: RequestId,
    pub(super) batch: RecordBatch,
}

/// An append to the store under way.
#[derive(Debug)]
pub(super) struct Flight {
    /// The offset behind the last record.
    pub(super) end: Offset,
    pub(super) bytes: u64,
    /// Whether it is as safe as can be when it ends, and everything before it too.
    pub(super) durable: bool,
    waiting: Vec<Waiting>,
}

/// Who is answered when the append ends.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    request: RequestId,
    base_offset: Offset,
    timestamp: Timestamp,
}

impl Flight {
    /// Takes what waited, at least one batch.
    pub(super) fn take(pending: &mut VecDeque<Pending>, durable: bool) -> (Self, Vec<RecordBatch>) {
        let mut bytes = 0;
        let fits = |pending: &&Pending| -> bool {
            let first = bytes == 0;
            bytes += pending.batch.bytes().len();
            first || bytes <= limits::FLUSH_BYTES_MAX
        };
        let count = pending.iter().take_while(fits).count();
        let mut flight = Self { end: Offset::ZERO, bytes: 0, durable, waiting: Vec::with_capacity(count) };
        let mut batches = Vec::with_capacity(count);
        for Pending { request, batch } in pending.drain(..count) {
            let (base_offset, timestamp) = (batch.offsets().start, batch.header().base_timestamp);
            flight.waiting.push(Waiting { request, base_offset, timestamp });
            flight.end = batch.offsets().end;
            flight.bytes += widen(batch.bytes().len());
            batches.push(batch);
        }
        (flight, batches)
    }

    /// One acknowledgement for each append.
    pub(super) fn acknowledgements(self, reached: Reached) -> impl Iterator<Item = AppendEffect> {
        self.waiting.into_iter().map(move |waiting| AppendEffect::Acknowledge {
            request: waiting.request,
            base_offset: waiting.base_offset,
            timestamp: waiting.timestamp,
            reached,
        })
    }

    /// The appends.
    pub(super) fn into_requests(self) -> impl Iterator<Item = RequestId> {
        self.waiting.into_iter().map(|waiting| waiting.request)
    }
}
