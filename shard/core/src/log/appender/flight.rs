//! What is written together: the batches that waited, up to the bound of one flush.

use std::collections::VecDeque;

use super::{LogEffect, Offset, Reached, RecordBatch, RequestId, limits, widen};

/// A batch that was accepted and is not written.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) request: RequestId,
    pub(super) batch: RecordBatch,
}

/// A write under way.
#[derive(Debug)]
pub(super) struct Flight {
    /// The position of the first batch, the start of a block.
    pub(super) start: u64,
    /// The position behind the padding.
    pub(super) end: u64,
    /// Whether it is on the disk when it ends.
    pub(super) durable: bool,
    taken: Vec<Pending>,
}

impl Flight {
    /// Takes what waited, at least one batch, to be written at `start`.
    pub(super) fn take(pending: &mut VecDeque<Pending>, start: u64, durable: bool) -> Self {
        let mut bytes = 0;
        let fits = |pending: &&Pending| -> bool {
            let first = bytes == 0;
            bytes += pending.batch.bytes().len();
            first || bytes <= limits::FLUSH_BYTES_MAX
        };
        let count = pending.iter().take_while(fits).count();
        let taken: Vec<_> = pending.drain(..count).collect();
        let bytes: usize = taken.iter().map(|pending| pending.batch.bytes().len()).sum();
        Self { start, end: (start + widen(bytes)).next_multiple_of(limits::BLOCK_BYTES), durable, taken }
    }

    /// Puts back what was taken, in front of what came since.
    pub(super) fn give_back(self, pending: &mut VecDeque<Pending>) {
        for taken in self.taken.into_iter().rev() {
            pending.push_front(taken);
        }
    }

    /// The batches, in the order they lie in.
    pub(super) fn batches(&self) -> impl Iterator<Item = &RecordBatch> {
        self.taken.iter().map(|pending| &pending.batch)
    }

    /// The offset behind the last record.
    pub(super) fn offsets_end(&self) -> Offset {
        self.taken.last().expect("a flight holds a batch").batch.offsets().end
    }

    /// One acknowledgement for each append.
    pub(super) fn acknowledgements(self, reached: Reached) -> impl Iterator<Item = LogEffect> {
        self.taken.into_iter().map(move |pending| LogEffect::Acknowledge {
            request: pending.request,
            base_offset: pending.batch.offsets().start,
            timestamp: pending.batch.header().base_timestamp,
            reached,
        })
    }

    /// The appends.
    pub(super) fn into_requests(self) -> impl Iterator<Item = RequestId> {
        self.taken.into_iter().map(|pending| pending.request)
    }
}
