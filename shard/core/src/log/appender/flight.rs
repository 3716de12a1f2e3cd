//! What is stored together: the batches that waited, up to the bound of one flush.

use std::collections::VecDeque;

use super::{Acks, AppendEffect, Offset, Placed, Reached, RecordBatch, RequestId, Timestamp, limits, widen};

/// An append that was accepted and is not stored.
#[derive(Debug)]
pub(super) struct Pending {
    /// Who is to be answered; nobody if that was done when it was taken.
    pub(super) waiting: Option<Waiting>,
    /// What is to be stored of it; nothing of what was there before.
    pub(super) batch: Option<RecordBatch>,
}

/// An append to the store under way.
#[derive(Debug)]
pub(super) struct Flight {
    /// The offset behind the last record.
    pub(super) end: Offset,
    pub(super) bytes: u64,
    /// Whether it is as safe as can be when it ends, and everything before it too.
    pub(super) durable: bool,
    pub(super) waiting: Vec<Waiting>,
    /// How many messages of it were acknowledged when they were taken.
    pub(super) unheard: u64,
    /// Whether other replicas may have it before it is stored here.
    pub(super) is_ahead: bool,
}

/// Who is answered when everything below `end` is stored.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) request: RequestId,
    pub(super) placed: Placed,
    pub(super) timestamp: Timestamp,
    pub(super) end: Offset,
    /// When it is answered where others keep the log too; as the partition says if nothing is said.
    pub(super) acks: Option<Acks>,
}

impl Pending {
    /// How many messages are lost without anybody hearing of it if it is not stored.
    pub(super) fn unheard(&self) -> u64 {
        let batch = self.batch.as_ref().filter(|_| self.waiting.is_none());
        batch.map_or(0, |batch| batch.offsets().len())
    }
}

impl Flight {
    /// Takes what waited, at least one append; those before and between that have nothing to store go along.
    pub(super) fn take(pending: &mut VecDeque<Pending>, durable: bool) -> (Self, Vec<RecordBatch>) {
        let mut bytes = 0;
        let fits = |pending: &&Pending| -> bool {
            let first = bytes == 0;
            bytes += pending.batch.as_ref().map_or(0, |batch| batch.bytes().len());
            first || bytes <= limits::FLUSH_BYTES_MAX
        };
        let count = pending.iter().take_while(fits).count();
        let mut flight = Self {
            end: Offset::ZERO,
            bytes: 0,
            durable,
            waiting: Vec::with_capacity(count),
            unheard: 0,
            is_ahead: false,
        };
        let mut batches = Vec::with_capacity(count);
        for taken in pending.drain(..count) {
            flight.unheard += taken.unheard();
            let Pending { waiting, batch } = taken;
            flight.waiting.extend(waiting);
            if let Some(batch) = batch {
                flight.end = batch.offsets().end;
                flight.bytes += widen(batch.bytes().len());
                batches.push(batch);
            }
        }
        (flight, batches)
    }
}

impl Waiting {
    pub(super) fn acknowledge(self, reached: Reached) -> AppendEffect {
        let Self { request, placed, timestamp, .. } = self;
        AppendEffect::Acknowledge { request, placed, timestamp, reached }
    }

    pub(super) fn leave_undecided(self) -> AppendEffect {
        let Self { request, placed, timestamp, end, .. } = self;
        AppendEffect::Undecided { request, placed, timestamp, end }
    }
}
