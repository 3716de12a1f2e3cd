//! Reading a partition without a subscription, and describing it.

use std::time::Duration;

use super::PartitionUnavailable;
use crate::{
    format::record_batch::RecordBatch,
    model::{LeaderEpoch, Offset, OffsetRange, Timestamp},
};

/// Where a read begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum ReadFrom {
    /// At this offset.
    Offset(Offset),
    /// At the first record taken at this time or later.
    Timestamp(Timestamp),
}

/// A read of a partition without a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct ReadRequest {
    /// Where it begins.
    pub from: ReadFrom,
    /// How many bytes of batches it may return; one batch is returned however large.
    pub bytes_max: usize,
    /// How long to wait for a record if there is none yet.
    pub wait: Duration,
}

/// Batches of a partition.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct ReadReply {
    /// Where the read began: the first batch holds this offset, unless there is none.
    pub from: Offset,
    /// Whole batches in order, without a gap; the first may begin before `from`.
    #[rkyv(with = rkyv::with::Skip)]
    pub batches: Vec<RecordBatch>,
    /// Consumers see what lies below it.
    pub high_watermark: Offset,
}

impl ReadReply {
    /// Whether consumers see more behind what was read.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.batches.last().is_some_and(|batch| batch.offsets().end < self.high_watermark)
    }
}

/// Why a read gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum ReadError {
    #[error("{0}")]
    Unavailable(#[from] PartitionUnavailable),
    #[error("offset {offset} is older than the log, which starts at {start}")]
    Expired { offset: Offset, start: Offset },
    #[error("offset {offset} is past the end of the log, {end}")]
    PastEnd { offset: Offset, end: Offset },
    #[error("the log is damaged at offset {offset}: {reason}")]
    Corrupt { offset: Offset, reason: String },
    #[error("the store has lost the messages {lost}")]
    Lost { lost: OffsetRange },
    #[error("the store can't be read now: {reason}")]
    StoreAway { reason: String },
}

/// A partition as the topic's description shows it.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct PartitionStatus {
    /// The core that owns it.
    pub shard: usize,
    /// Which owner it is.
    pub leader_epoch: LeaderEpoch,
    /// The first offset still there.
    pub start_offset: Offset,
    /// Consumers see what lies below it.
    pub high_watermark: Offset,
    /// The next offset to be assigned.
    pub end_offset: Offset,
    /// Bytes in the store.
    pub bytes: u64,
    /// How far those are behind that follow it.
    pub followers: Vec<FollowerLag>,
    /// Why it is closed, if it is.
    pub closed: Option<String>,
}

/// How far a follower is behind its leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct FollowerLag {
    /// The number of its node.
    pub node: u64,
    /// Messages that the leader has on its disk and this one is not known to have.
    pub messages: u64,
    /// For how long it has been behind.
    pub behind: Duration,
}
