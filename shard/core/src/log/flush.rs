//! What is remembered of the batches of one flush; the batches themselves stay with whoever writes them.

use crate::{
    format::record_batch::RecordBatch,
    model::{LeaderEpoch, OffsetRange, Timestamp},
};

/// One flush: batches that are written together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flush {
    pub(super) offsets: OffsetRange,
    /// The newest time of a record in it.
    pub(super) newest: Timestamp,
    /// The latest time at which one of its messages is to be delivered, if any has one.
    pub(super) deliver_at: Option<Timestamp>,
    /// Whether all its batches are plain.
    pub(super) plain: bool,
    /// The epoch of its last batch.
    pub(super) epoch: LeaderEpoch,
    /// Without padding.
    pub(super) bytes: u64,
    /// The size of the first batch.
    pub(super) first_bytes: u64,
}

impl Flush {
    /// Looks at batches in offset order; `None` if there are none.
    pub(super) fn of(batches: &[RecordBatch]) -> Option<Self> {
        let (first, last) = (batches.first()?, batches.last()?);
        Some(Self {
            offsets: OffsetRange::new(first.offsets().start, last.offsets().end),
            newest: batches.iter().map(|batch| batch.header().last_timestamp()).max()?,
            deliver_at: batches.iter().filter_map(RecordBatch::latest_deliver_at).max(),
            plain: batches.iter().all(|batch| batch.header().is_plain()),
            epoch: last.header().leader_epoch,
            bytes: batches.iter().map(length).sum(),
            first_bytes: length(first),
        })
    }
}

fn length(batch: &RecordBatch) -> u64 {
    u64::try_from(batch.bytes().len()).expect("a length fits in 64 bits")
}
