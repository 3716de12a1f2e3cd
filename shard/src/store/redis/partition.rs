//! A partition in Redis: taken over, its loss accepted, cut, deleted.

use std::rc::Rc;

use shard_core::{
    model::{LeaderEpoch, Offset, OffsetRange, Timestamp, TopicPartition},
    redis::{AnswerError, OpenedPartition, Outcome, PartitionKeys, Refusal, Written, read_opened, read_written},
};
use uuid::Uuid;

use super::{
    CursorJournal, LogReader, LogWriter, RedisLink, RequestError, WriteError,
    link::Answer,
    scripts::{Argument, ScriptCall, ScriptName},
};

/// How many entries are copied at once when a log is cut: Redis does nothing else meanwhile.
const KEEP_ENTRIES: u64 = 8;

/// A partition that this owner may write, until another one takes it over.
#[derive(Debug)]
pub struct RedisPartition {
    /// The offsets of the log.
    pub offsets: OffsetRange,
    /// The latest timestamp in the log; `None` if it is empty.
    pub latest: Option<Timestamp>,
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

/// Who writes a partition, for every request of one opening.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) link: RedisLink,
    pub(super) keys: Rc<PartitionKeys>,
    epoch: LeaderEpoch,
    /// A number drawn for this opening: what was sent before it has no effect any more.
    session: String,
}

/// Takes a partition over, or makes it, and tells what it holds.
///
/// Whatever an earlier owner, or this one, has sent for it and Redis has not done yet will have no effect.
///
/// # Errors
/// `Lost` if the log ends before `acknowledged_end`: it is not to be served as if it were whole.
pub async fn open(
    link: &RedisLink,
    partition: TopicPartition,
    epoch: LeaderEpoch,
    acknowledged_end: Offset,
) -> Result<RedisPartition, OpenError> {
    let owner = Owner::new(link, partition, epoch);
    let opened = owner.take_over().await??;
    if opened.offsets.end < acknowledged_end {
        return Err(OpenError::Lost { stored: opened.offsets, acknowledged_end });
    }
    Ok(RedisPartition {
        offsets: opened.offsets,
        latest: opened.latest,
        bytes: opened.position.saturating_sub(opened.start_position),
        log: LogWriter::new(owner.clone(), &opened),
        reader: LogReader::new(link.clone(), Rc::clone(&owner.keys)),
        cursors: CursorJournal::new(owner, &opened),
    })
}

/// Lets a partition that lost messages go on at `resume_at`, so that no offset is given twice; then it is to be opened
/// anew. Reads of what is lost go on to tell so.
///
/// # Errors
/// Refused if the log goes beyond `resume_at`.
pub async fn accept_loss(
    link: &RedisLink,
    partition: TopicPartition,
    epoch: LeaderEpoch,
    resume_at: Offset,
) -> Result<(), OpenError> {
    let owner = Owner::new(link, partition, epoch);
    match owner.take_over().await? {
        // What does not fit together is what is to be accepted.
        Ok(_) | Err(Refusal::Incomplete { .. } | Refusal::Elsewhere { .. }) => {}
        Err(refusal) => return Err(OpenError::Refused(refusal)),
    }
    let keys = [owner.keys.metadata.as_str(), owner.keys.log.as_str(), owner.keys.cursors.as_str()];
    owner.write_once(ScriptName::AcceptLoss, &keys, vec![Argument::Number(resume_at.get())]).await.map(|_| ())
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
    let log = owner.take_over().await??.offsets;
    if end < log.start {
        return Err(OpenError::Expired { end, start: log.start });
    }
    if end < log.end {
        owner.cut(end).await?;
    }
    open(link, partition, epoch, Offset::ZERO).await
}

/// Deletes a partition and everything it holds.
///
/// # Errors
/// Refused if a newer owner has it.
pub async fn delete(link: &RedisLink, partition: TopicPartition, epoch: LeaderEpoch) -> Result<(), OpenError> {
    let owner = Owner::new(link, partition, epoch);
    let PartitionKeys { metadata, log, cursors, kept } = &*owner.keys;
    owner.write_once(ScriptName::Delete, &[metadata, log, cursors, kept], Vec::new()).await.map(|_| ())
}

impl Owner {
    fn new(link: &RedisLink, partition: TopicPartition, epoch: LeaderEpoch) -> Self {
        let keys = Rc::new(PartitionKeys::new(&link.config().cluster, partition));
        Self { link: link.clone(), keys, epoch, session: session() }
    }

    async fn take_over(&self) -> Result<Result<OpenedPartition, Refusal>, OpenError> {
        let keys = [self.keys.metadata.as_str(), self.keys.log.as_str(), self.keys.cursors.as_str()];
        let answer = self.run(ScriptName::Open, &keys, Vec::new()).await?;
        if let Some((reached, wanted)) = self.missing_replicas(&answer) {
            return Err(OpenError::Replicas { reached, wanted });
        }
        Ok(read_opened(&answer.strings)?)
    }

    /// Copies what is kept when the log is cut at `end`, in small steps, and then puts it in the log's place at once.
    async fn cut(&self, end: Offset) -> Result<(), OpenError> {
        let keys = [self.keys.metadata.as_str(), self.keys.log.as_str(), self.keys.kept.as_str()];
        let mut copied = self.keep(&keys, end, "first").await?;
        loop {
            while copied == Written::Now {
                copied = self.keep(&keys, end, "next").await?;
            }
            let arguments = vec![Argument::Text(session()), Argument::Number(end.get())];
            match self.write_once(ScriptName::Cut, &keys, arguments).await {
                // A copy of the first step came late and began anew.
                Err(OpenError::Refused(Refusal::Incomplete { .. })) => copied = Written::Now,
                other => return other.map(|_| ()),
            }
        }
    }

    /// Copies some entries that are kept when the log is cut at `end`; `Before` if none was left.
    async fn keep(&self, keys: &[&str], end: Offset, step: &str) -> Result<Written, OpenError> {
        // An id without its second part stands for the highest with this first part.
        let arguments =
            vec![Argument::Number(end.get()), Argument::Number(KEEP_ENTRIES), Argument::Text(step.to_owned())];
        self.write_once(ScriptName::Keep, keys, arguments).await
    }

    async fn write_once(
        &self,
        script: ScriptName,
        keys: &[&str],
        arguments: Vec<Argument<'_>>,
    ) -> Result<Written, OpenError> {
        let answer = self.run(script, keys, arguments).await?;
        if let Some((reached, wanted)) = self.missing_replicas(&answer) {
            return Err(OpenError::Replicas { reached, wanted });
        }
        Ok(read_written(&answer.strings)??)
    }

    /// Runs a script that begins with who asks.
    pub(super) async fn run(
        &self,
        script: ScriptName,
        keys: &[&str],
        mut arguments: Vec<Argument<'_>>,
    ) -> Result<Answer, RequestError> {
        let who = [Argument::Number(u64::from(self.epoch.get())), Argument::Text(self.session.clone())];
        arguments.splice(..0, who);
        self.link.run(&ScriptCall { script, keys: keys.to_vec(), arguments }).await
    }

    /// How many replicas have what was written, and how many should, if these are too few.
    pub(super) fn missing_replicas(&self, answer: &Answer) -> Option<(u32, u32)> {
        let wanted = self.link.config().wait_replicas;
        answer.replicas.filter(|reached| *reached < wanted).map(|reached| (reached, wanted))
    }
}

/// Whether a partition may be written on after this error: only if it is certain that nothing was.
pub(super) const fn closes(error: &WriteError) -> bool {
    match error {
        WriteError::Request(request) => matches!(request.outcome, Outcome::Unknown),
        WriteError::Refused(_) | WriteError::Replicas { .. } | WriteError::Closed | WriteError::Answer(_) => true,
    }
}

fn session() -> String {
    Uuid::new_v4().simple().to_string()
}
