//! Publishing a batch: what became of it, or why it was not published.

use super::PartitionUnavailable;
use crate::{
    log::{Place, ProducerRefusal, Repeats},
    model::{LeaderEpoch, Offset, Timestamp},
};

/// How durable a message was when its publisher was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Durability {
    /// Synced to the owner's disk.
    Leader,
    /// Written by the owner, not synced yet.
    Buffered,
    /// In the owner's memory alone.
    Memory,
    /// In Redis, synced to its disk.
    RedisFsync,
    /// In Redis, not synced yet.
    RedisBuffered,
    /// On the disk of every replica in sync, of enough of them.
    Quorum,
}

/// What became of a published batch.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Published {
    /// The offset of its first record; if nothing was there before, the others follow without a gap.
    pub base_offset: Offset,
    /// Which of its records an earlier try had stored.
    pub repeats: Repeats,
    /// When the owner took it.
    pub timestamp: Timestamp,
    /// What it had reached.
    pub durability: Durability,
}

/// Why a batch was not published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum PublishError {
    /// Nothing was stored.
    #[error("{0}")]
    Unavailable(#[from] PartitionUnavailable),
    /// Nothing was stored.
    #[error("the partition has {unflushed_bytes} bytes waiting for the store, the limit is {unflushed_bytes_max}")]
    Backpressure { unflushed_bytes: u64, unflushed_bytes_max: u64 },
    /// Nothing was stored; a later try may succeed.
    #[error("the store took nothing: {reason}")]
    Rejected { reason: String },
    /// Nothing was stored by this try: the producer's numbers don't go on where they were.
    #[error("{0}")]
    Producer(ProducerRefusal),
    /// It is not known whether the batch is stored: the node that owns the partition went while it had it.
    #[error("node {node}, which owns the partition, was lost before it answered: {reason}")]
    Unknown { node: u64, reason: String },
    /// It is not known yet whether the batch is stored: whoever leads the partition next decides, and can be asked.
    #[error("another node leads the partition before the batch was committed")]
    Undecided(UndecidedAppend),
    /// It is not known whether the batch will be there after a restart.
    #[error("the store failed while the batch was written: {reason}")]
    StoreFailed { reason: String },
}

/// A batch that a leader had stored, and not committed when another one took its place.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct UndecidedAppend {
    /// In which epoch it was stored.
    pub epoch: LeaderEpoch,
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The offset behind its last record.
    pub end: Offset,
    /// Which of its records an earlier try had stored.
    pub repeats: Repeats,
    /// When it was taken.
    pub timestamp: Timestamp,
}

impl UndecidedAppend {
    /// What it is once the log of a leader in office holds it.
    #[must_use]
    pub fn committed(self) -> Published {
        let Self { base_offset, repeats, timestamp, .. } = self;
        Published { base_offset, repeats, timestamp, durability: Durability::Quorum }
    }
}

impl Published {
    /// Where the record at that place of the batch is, and whether it was there before.
    #[must_use]
    pub fn place(&self, ordinal: u64) -> Place {
        self.repeats.place(self.base_offset, ordinal)
    }
}
