//! One append as Redis sees it: plain `XADD`s to a key that only the owner's session has, and what their answers mean.

use redis::{Cmd, Pipeline, Value};
use shard_core::{
    format::record_batch::RecordBatch,
    model::Offset,
    redis::{AnswerError, EntryId, Failure, FailureKind, Persistence, Refusal, Written, read_tail},
};

use super::{
    owner::Owner,
    scripts::{Argument, ScriptName},
    state::Current,
};

/// Batches on their way behind the last entry that is known.
pub(super) struct Append<'a> {
    pub(super) owner: &'a Owner,
    /// The last entry before them; `None` if the log has none.
    pub(super) last: Option<EntryId>,
    /// Whether the log was trimmed to its end, so that `last` may be gone.
    pub(super) trimmed: bool,
    /// Whether `last` was looked at over this connection.
    pub(super) verified: bool,
    pub(super) batches: &'a [RecordBatch],
    /// Of each batch: its id, and how many bytes were ever appended before it.
    pub(super) entries: &'a [(EntryId, u64)],
}

/// Batches that are in the log.
pub(super) struct Stored {
    pub(super) written: Written,
    pub(super) persistence: Persistence,
    pub(super) replicas: Option<u32>,
}

/// Why they are not.
pub(super) enum NotStored {
    /// None of them is.
    Refused(Refusal),
    /// Somebody who is no owner has written to the log, and some of them may be in it behind that.
    Mixed(Refusal),
    Answer(AnswerError),
}

impl Append<'_> {
    /// Tries once. Redis does all of it or nothing, unless somebody else has written to the log.
    pub(super) async fn try_once(&self, current: &mut Current) -> Result<Result<Stored, NotStored>, Failure> {
        // Only a server that stopped, or another one, can have lost what was acknowledged; and then this connection is
        // not the one over which the end of the log was looked at.
        if !self.verified
            && let Err(not_stored) = self.verify(current).await?
        {
            return Ok(Err(not_stored));
        }
        let written = match self.add(current).await {
            Ok(true) => Ok(Written::Now),
            Ok(false) => Err(self.explain(current).await?),
            Err(failure) if failure.kind() == FailureKind::StaleId => self.compare(current).await?,
            Err(failure) => return Err(failure),
        };
        Ok(match written {
            Ok(written) => {
                let replicas = self.owner.link.replicas(current).await?;
                Ok(Stored { written, persistence: current.persistence, replicas })
            }
            Err(not_stored) => Err(not_stored),
        })
    }

    /// Whether the log ends where it was left, or with these very batches, which `add` then finds out.
    async fn verify(&self, current: &mut Current) -> Result<Result<(), NotStored>, Failure> {
        let last = match self.tail(current, "").await? {
            Ok(last) => last,
            Err(not_stored) => return Ok(Err(not_stored)),
        };
        let gone = self.trimmed && last.is_none();
        if gone || last == self.last || last == self.entries.last().map(|(id, _)| *id) {
            return Ok(Ok(()));
        }
        let stored_end = last.map_or(Offset::ZERO, EntryId::end).get();
        Ok(Err(NotStored::Refused(Refusal::Elsewhere { stored_end })))
    }

    /// Adds the batches; false if the key is not there, since another session has the log.
    async fn add(&self, current: &mut Current) -> Result<bool, Failure> {
        if let ([batch], [(id, position)]) = (self.batches, self.entries) {
            let mut command = Cmd::with_capacity(9, batch.bytes().len() + 256);
            command.arg("XADD");
            self.arguments(&mut command, batch, (*id, *position));
            return Ok(current.connection.send(&command).await? != Value::Nil);
        }
        let mut transaction = Pipeline::with_capacity(self.batches.len());
        transaction.atomic();
        for (batch, entry) in self.batches.iter().zip(self.entries) {
            let mut command = Cmd::with_capacity(9, batch.bytes().len() + 256);
            command.arg("XADD");
            self.arguments(&mut command, batch, *entry);
            transaction.add_command(command);
        }
        let answers = current.connection.send_all(&transaction).await?;
        Ok(!answers.contains(&Value::Nil))
    }

    fn arguments(&self, command: &mut Cmd, batch: &RecordBatch, (id, position): (EntryId, u64)) {
        command.arg(&*self.owner.log_key()).arg("NOMKSTREAM").arg(id.to_string());
        command.arg("position").arg(position).arg("batch").arg(&batch.bytes()[..]);
    }

    /// The log goes further than it was left: whether that is an earlier try of this append.
    async fn compare(&self, current: &mut Current) -> Result<Result<Written, NotStored>, Failure> {
        let ids = self.entries.first().zip(self.entries.last()).map(|(first, last)| (first.0, last.0));
        let Some((first, last)) = ids else { return Ok(Ok(Written::Before)) };
        let mut command = redis::cmd("XRANGE");
        command.arg(&*self.owner.log_key()).arg(first.to_string()).arg(last.to_string());
        let there = current.connection.send(&command).await?;
        let touch = if self.owner.link.config().wait_replicas > 0 { "touch" } else { "" };
        // Also asked where the bytes are equal: another session may have the log since.
        let tail = self.tail(current, touch).await?;
        Ok(match tail {
            Ok(_) if self.are_equal(there) => Ok(Written::Before),
            Ok(last) => {
                let stored_end = last.map_or(Offset::ZERO, EntryId::end).get();
                let refusal = Refusal::Elsewhere { stored_end };
                // Of several, those with higher ids than what is there were taken.
                Err(if self.batches.len() == 1 { NotStored::Refused(refusal) } else { NotStored::Mixed(refusal) })
            }
            Err(not_stored) => Err(not_stored),
        })
    }

    /// Whether these entries are those of the append, byte for byte.
    fn are_equal(&self, there: Value) -> bool {
        let Value::Array(there) = there else { return false };
        let mut ours = self.batches.iter().zip(self.entries);
        there.len() == self.batches.len()
            && there.into_iter().all(|entry| ours.next().is_some_and(|ours| is_entry(entry, ours)))
    }

    /// Why the key is not there.
    async fn explain(&self, current: &mut Current) -> Result<NotStored, Failure> {
        Ok(match self.tail(current, "").await? {
            // It was not a moment ago.
            Ok(_) => NotStored::Refused(Refusal::Missing),
            Err(not_stored) => not_stored,
        })
    }

    /// The last entry of the log, if this session has it.
    async fn tail(&self, current: &mut Current, touch: &str) -> Result<Result<Option<EntryId>, NotStored>, Failure> {
        let log_key = self.owner.log_key();
        let keys = [self.owner.keys.metadata.as_str(), &log_key];
        let call = self.owner.call(ScriptName::Tail, &keys, vec![Argument::Text(touch.to_owned())]);
        let strings = self.owner.link.script(&call, current).await?;
        Ok(match read_tail(&strings) {
            Ok(tail) => tail.map_err(NotStored::Refused),
            Err(error) => Err(NotStored::Answer(error)),
        })
    }
}

/// Whether an entry has the id, the position and the bytes of a batch.
fn is_entry(entry: Value, (batch, (id, position)): (&RecordBatch, &(EntryId, u64))) -> bool {
    type Fields = (String, u64, String, Vec<u8>);

    let fields: Result<(String, Fields), _> = redis::from_redis_value(entry);
    fields.is_ok_and(|(found, (_, at, _, bytes))| found == id.to_string() && at == *position && bytes == *batch.bytes())
}
