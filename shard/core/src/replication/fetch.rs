//! What a follower says of itself when it fetches, and what it is told.

use bytes::Bytes;

use super::EpochEnd;
use crate::{
    format::record_batch::RecordBatch,
    model::{LeaderEpoch, Offset, TopicPartition},
};

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
    #[error("the leader can't read what is asked for")]
    Unreadable,
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

/// One core of a node asks one core of another for what has come to the partitions that it follows there.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct FetchRequest {
    /// Who asks.
    pub run: NodeRun,
    /// Which of its cores.
    pub core: u16,
    /// The session that it is of.
    pub session: u64,
    /// Which fetch of the session it is, from 1: the first begins the session.
    pub number: u64,
    /// The partitions that have moved since the last fetch, or are new.
    pub positions: Vec<(TopicPartition, FetchPosition)>,
    /// The partitions that are not fetched any more.
    pub forgotten: Vec<TopicPartition>,
    /// Whether it waits for something to come.
    pub waits: bool,
}

/// What there is for the partitions of a session, of those for which there is anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct FetchReply {
    /// One for each.
    pub parts: Vec<FetchPart>,
}

/// What there is for one partition.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct FetchPart {
    /// The partition.
    pub partition: TopicPartition,
    /// Whose answer it is.
    pub epoch: LeaderEpoch,
    /// What it says.
    pub answer: FetchAnswer,
    /// How many batches come along.
    pub batch_count: u32,
    /// The batches; in the tail of the frame.
    #[rkyv(with = rkyv::with::Skip)]
    pub batches: Vec<RecordBatch>,
    /// How the cursors have changed, if they have.
    pub cursors: Option<CursorUpdate>,
}

/// How the cursors of a partition have changed.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct CursorUpdate {
    /// The number of the newest change in it.
    pub change: u64,
    /// Whether it takes the place of all cursors there are.
    pub replaces: bool,
    /// How many bytes the entries take.
    pub bytes: u32,
    /// Entries of the cursor journal; in the tail of the frame, behind the batches of all partitions.
    #[rkyv(with = rkyv::with::Skip)]
    pub entries: Bytes,
}

/// Why a fetch came to nothing as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum FetchError {
    #[error("the session is not known: another one has to be begun")]
    Session,
    #[error("the node's run is not the newest one")]
    StaleRun,
    #[error("the node stops")]
    Stopping,
}

impl FetchPart {
    /// An answer with which nothing comes along.
    #[must_use]
    pub const fn bare(partition: TopicPartition, epoch: LeaderEpoch, answer: FetchAnswer) -> Self {
        Self { partition, epoch, answer, batch_count: 0, batches: Vec::new(), cursors: None }
    }
}

impl FetchReply {
    /// The tail of its frame, without a copy: all batches, and behind them all cursors.
    #[must_use]
    pub fn tail(&self) -> Vec<Bytes> {
        let batches = self.parts.iter().flat_map(|part| &part.batches).map(|batch| batch.bytes().clone());
        let cursors = self.parts.iter().filter_map(|part| part.cursors.as_ref());
        batches.chain(cursors.map(|cursors| cursors.entries.clone())).collect()
    }

    /// The same with no more in its tail than fits: whoever is sent nothing comes again. Cursors come later where they do
    /// not fit beside their batches, and never where they do not fit alone.
    #[must_use]
    pub fn within(mut self, bytes_max: usize) -> Self {
        let mut bytes = 0;
        for part in &mut self.parts {
            let batches: usize = part.batches.iter().map(|batch| batch.bytes().len()).sum();
            let cursors = part.cursors.take_if(|cursors| batches == 0 || batches + cursors.entries.len() <= bytes_max);
            let own = batches + cursors.as_ref().map_or(0, |cursors| cursors.entries.len());
            part.cursors = cursors;
            if bytes + own > bytes_max {
                let later = FetchAnswer::Refused(FetchRefusal::Unreadable);
                *part = FetchPart::bare(part.partition, part.epoch, later);
            } else {
                bytes += own;
            }
        }
        self
    }

    /// Takes what is in the tail of its frame; the checksums of each batch are verified.
    ///
    /// # Errors
    /// Anything else is there; any bytes are safe to give.
    pub fn take_tail(&mut self, mut tail: Bytes) -> Result<(), TailError> {
        for part in &mut self.parts {
            for _ in 0..part.batch_count {
                let batch = RecordBatch::parse(tail.clone()).map_err(|error| TailError(error.to_string()))?;
                drop(tail.split_to(batch.bytes().len()));
                part.batches.push(batch);
            }
        }
        for cursors in self.parts.iter_mut().filter_map(|part| part.cursors.as_mut()) {
            let bytes = usize::try_from(cursors.bytes).unwrap_or(usize::MAX);
            if bytes > tail.len() {
                return Err(TailError(format!("{bytes} bytes of cursors are {}", tail.len())));
            }
            cursors.entries = tail.split_to(bytes);
        }
        if tail.is_empty() { Ok(()) } else { Err(TailError(format!("{} bytes are left over", tail.len()))) }
    }
}

/// What came with a reply is not what it says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what comes with the answer to a fetch is not what it says: {0}")]
pub struct TailError(String);
