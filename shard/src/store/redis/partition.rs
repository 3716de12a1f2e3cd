//! A partition in Redis: taken over, its loss accepted, cut, deleted.

use std::{cell::Cell, rc::Rc};

use shard_core::{
    model::{LeaderEpoch, Offset, OffsetRange, Timestamp, TopicPartition},
    redis::{AnswerError, PartitionKeys, Refusal, Written},
};

use super::{CursorJournal, LogReader, LogWriter, RedisLink, RequestError, owner::Owner};

/// A partition that this owner may write, until another one takes it over.
#[derive(Debug)]
pub struct RedisPartition {
    /// The offsets of the log.
    pub offsets: OffsetRange,
    /// The latest timestamp that the log has had.
    pub latest: Timestamp,
    /// The bytes of the batches in the log.
    pub bytes: u64,
    /// Appends to the log.
    pub log: LogWriter,
    /// Reads the log.
    pub reader: LogReader,
    /// Writes and reads the cursor journal.
    pub cursors: CursorJournal,
}

/// Why a partition was not opened, or not changed as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum OpenError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("Redis has lost acknowledged messages: its log is {stored}, acknowledged is up to {acknowledged_end}")]
    Lost { stored: OffsetRange, acknowledged_end: Offset },
    #[error("the log can't be cut at {end}, it begins at {start}")]
    Expired { end: Offset, start: Offset },
    #[error("{reached} of {wanted} replicas have what was written")]
    Replicas { reached: u32, wanted: u32 },
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// What the owner of a partition knows of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Everything below it was acknowledged.
    pub acknowledged_end: Offset,
    /// Where the log begins if it has never been in Redis.
    pub first: Offset,
}

/// Takes a partition over, or makes it, and tells what it holds.
///
/// Whatever an earlier owner, or this one, has sent for it and Redis has not done yet will have no effect.
///
/// # Errors
/// `Lost` if the log ends before what was acknowledged: it is not to be served as if it were whole.
pub async fn open(
    link: &RedisLink,
    partition: TopicPartition,
    epoch: LeaderEpoch,
    known: impl Into<Known>,
) -> Result<RedisPartition, OpenError> {
    let Known { acknowledged_end, first } = known.into();
    let owner = Owner::new(link, partition, epoch);
    let opened = owner.take_over(first, false).await?;
    if opened.offsets.end < acknowledged_end {
        return Err(OpenError::Lost { stored: opened.offsets, acknowledged_end });
    }
    let offsets = Rc::new(Cell::new(opened.offsets));
    Ok(RedisPartition {
        offsets: opened.offsets,
        latest: opened.latest,
        bytes: opened.position.saturating_sub(opened.start_position),
        reader: LogReader::new(owner.link.clone(), owner.log_key(), Rc::clone(&offsets)),
        log: LogWriter::new(owner.clone(), &opened, offsets),
        cursors: CursorJournal::new(owner, &opened),
    })
}

/// Lets a partition that lost messages go on at `resume_at`, so that no offset is given twice; then it is to be opened
/// anew. Reads of what is lost go on to tell so.
///
/// # Errors
/// Refused if the log goes, or went, beyond `resume_at`.
pub async fn accept_loss(
    link: &RedisLink,
    partition: TopicPartition,
    epoch: LeaderEpoch,
    resume_at: Offset,
) -> Result<(), OpenError> {
    let owner = Owner::new(link, partition, epoch);
    match owner.take_over(Offset::ZERO, true).await {
        // What does not fit together is what is to be accepted.
        Ok(_) | Err(OpenError::Refused(Refusal::Incomplete { .. } | Refusal::Elsewhere { .. })) => {}
        Err(error) => return Err(error),
    }
    owner.accept_loss(resume_at).await
}

/// Takes back all batches that end after `end`, and opens what is left: a log that ends there, or before if `end` lies in
/// a batch. For an owner that has nothing under way.
///
/// # Errors
/// `Expired` if the log begins after `end`. If the outcome is unknown, the log may be cut or not; opening it tells.
pub async fn truncate(
    link: &RedisLink,
    partition: TopicPartition,
    epoch: LeaderEpoch,
    end: Offset,
) -> Result<RedisPartition, OpenError> {
    let owner = Owner::new(link, partition, epoch);
    let log = owner.take_over(Offset::ZERO, false).await?.offsets;
    if end < log.start {
        return Err(OpenError::Expired { end, start: log.start });
    }
    if end < log.end {
        let mut copied = owner.keep(end, "first").await?;
        loop {
            while copied == Written::Now {
                copied = owner.keep(end, "next").await?;
            }
            match owner.cut(end).await {
                // A copy of the first step came late and began anew.
                Err(OpenError::Refused(Refusal::Incomplete { .. })) => copied = Written::Now,
                other => break other?,
            }
        }
    }
    open(link, partition, epoch, Offset::ZERO).await
}

/// Deletes a partition and everything it holds.
///
/// # Errors
/// Refused if a newer owner has it.
pub async fn delete(link: &RedisLink, partition: TopicPartition, epoch: LeaderEpoch) -> Result<(), OpenError> {
    let keys = PartitionKeys::new(&link.config().cluster, partition);
    Owner::delete(link, &keys, epoch).await
}

impl From<Offset> for Known {
    fn from(acknowledged_end: Offset) -> Self {
        Self { acknowledged_end, ..Self::default() }
    }
}

impl OpenError {
    /// Whether Redis has less than it had, so that the log can only go on behind what is lost.
    #[must_use]
    pub const fn is_loss(&self) -> bool {
        match self {
            Self::Lost { .. }
            | Self::Refused(Refusal::Missing | Refusal::Incomplete { .. } | Refusal::Elsewhere { .. }) => true,
            Self::Refused(Refusal::Fenced { .. } | Refusal::Overtaken | Refusal::Version { .. })
            | Self::Request(_)
            | Self::Expired { .. }
            | Self::Replicas { .. }
            | Self::Answer(_) => false,
        }
    }

    /// Whether the same may succeed later with nobody having done anything about the partition.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Request(_) | Self::Replicas { .. } | Self::Refused(Refusal::Overtaken) => true,
            Self::Refused(
                Refusal::Fenced { .. }
                | Refusal::Missing
                | Refusal::Incomplete { .. }
                | Refusal::Elsewhere { .. }
                | Refusal::Version { .. },
            )
            | Self::Lost { .. }
            | Self::Expired { .. }
            | Self::Answer(_) => false,
        }
    }
}
