//! What a follower says of itself when it fetches, and what it is told.

use super::EpochEnd;
use crate::model::{LeaderEpoch, Offset};

/// A run of a node: what an earlier run said means nothing once the node has started again.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct NodeRun {
    /// The node's number.
    pub node: u64,
    /// The epoch that the metadata gave to the run.
    pub epoch: u64,
}

/// How far a follower has come: it has everything below on its disk, and so promises by fetching from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct FetchPosition {
    /// Which leader it follows.
    pub leader_epoch: LeaderEpoch,
    /// Where its log ends, synced.
    pub end: Offset,
    /// The epoch of its newest batch; none if it knows of no batch.
    pub last_epoch: Option<LeaderEpoch>,
    /// Up to which change it has the cursors, of those that this leader counts; 0 before it has any.
    pub cursors: u64,
}

/// What becomes of a follower that fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchVerdict {
    /// Its log is a beginning of the leader's: it is sent what follows.
    Follows,
    /// Its log is not: it has to cut off what differs, and comes again.
    Diverged(EpochEnd),
    /// The leader's log starts behind the end of the follower's, or has nothing left to compare: it has to begin anew at
    /// this offset.
    Behind(Offset),
}

/// Why a fetch means nothing to whom it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum FetchRefusal {
    #[error("the partition has a newer leader, of epoch {epoch}")]
    Fenced { epoch: LeaderEpoch },
    #[error("the partition's leader knows of no epoch after {epoch}")]
    UnknownEpoch { epoch: LeaderEpoch },
    #[error("the node does not keep the partition")]
    NotReplica,
    #[error("the node has started again since")]
    StaleRun,
    #[error("the partition is not led here, not yet, or not by one that is in sync")]
    NotLeader,
}

/// What a follower is told of one partition, but for the batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum FetchAnswer {
    /// Batches follow, or news of what is below.
    Follows {
        /// What lies below is committed.
        high_watermark: Offset,
        /// Where the leader's log starts.
        log_start: Offset,
    },
    /// See [`FetchVerdict::Diverged`].
    Diverged(EpochEnd),
    /// See [`FetchVerdict::Behind`].
    Behind(Offset),
    /// See [`FetchRefusal`].
    Refused(FetchRefusal),
}
