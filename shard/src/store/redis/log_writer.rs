//! Appends to the log of one partition, and trims it; one request at a time.

use shard_core::{
    format::record_batch::RecordBatch,
    model::{Offset, OffsetRange, Timestamp},
    redis::{EntryId, OpenedPartition, Persistence, Written, read_written},
};

use super::{
    WriteError,
    partition::{Owner, closes},
    scripts::{Argument, ScriptName},
};

/// Writes the log of one partition in the epoch in which it was opened.
#[derive(Debug)]
pub struct LogWriter {
    owner: Owner,
    log: OffsetRange,
    /// The bytes of all batches ever appended.
    position: u64,
    /// The latest timestamp of them.
    latest: Timestamp,
    closed: bool,
}

/// An append that Redis has, in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// What was appended.
    pub offsets: OffsetRange,
    /// Whether it was there already, from a try whose answer was lost.
    pub written: Written,
    /// What the server's answer is worth.
    pub persistence: Persistence,
    /// How many replicas have it, if the settings ask for that.
    pub replicas: Option<u32>,
}

impl LogWriter {
    pub(super) fn new(owner: Owner, opened: &OpenedPartition) -> Self {
        let latest = opened.latest.unwrap_or_default();
        Self { owner, log: opened.offsets, position: opened.position, latest, closed: false }
    }

    /// Appends batches, all of them or none, each as it is.
    ///
    /// A try that got no answer is made again until the deadline of the operation: Redis tells a second copy from a first.
    ///
    /// # Errors
    /// If the outcome is unknown, or the partition is not as it was left, it is closed: it has to be opened anew.
    ///
    /// # Panics
    /// If the batches don't follow each other and the log.
    pub async fn append(&mut self, batches: &[RecordBatch]) -> Result<Acknowledged, WriteError> {
        if self.closed {
            return Err(WriteError::Closed);
        }
        let appended = self.plan(batches);
        let keys = [self.owner.keys.metadata.clone(), self.owner.keys.log.clone()];
        let keys = keys.each_ref().map(String::as_str);
        // A caller that goes away in the middle leaves the outcome open.
        self.closed = true;
        let acknowledged = self.send(&keys, batches, &appended).await;
        match acknowledged {
            Ok(_) => {
                (self.log.end, self.position, self.latest) = (appended.end, appended.position, appended.latest);
                self.closed = false;
            }
            Err(ref error) => self.closed = closes(error),
        }
        acknowledged
    }

    /// Drops the batches that lie wholly before `start`, and lets the log begin there; never takes a start back.
    ///
    /// # Errors
    /// Refused if `start` lies beyond the log. If the outcome is unknown, the log may be trimmed or not.
    pub async fn trim(&mut self, start: Offset) -> Result<OffsetRange, WriteError> {
        if self.closed {
            return Err(WriteError::Closed);
        }
        if start <= self.log.start {
            return Ok(self.log);
        }
        let keys = [self.owner.keys.metadata.as_str(), self.owner.keys.log.as_str()];
        let arguments = vec![Argument::Number(start.get()), Argument::Text(EntryId::first_holding(start))];
        let answer = self.owner.run(ScriptName::Trim, &keys, arguments).await?;
        let trimmed = read_written(&answer.strings)?;
        // Trimming again what was trimmed does nothing, so that an unknown outcome leaves the log open.
        let _: Written = trimmed.inspect_err(|_| self.closed = true)?;
        self.log.start = start;
        Ok(self.log)
    }

    /// The offsets of the log.
    #[must_use]
    pub const fn offsets(&self) -> OffsetRange {
        self.log
    }

    /// The bytes of all batches that were ever appended.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Whether an earlier write left the outcome open, or found the partition in other hands.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// What the log is after the batches, and what each entry is called.
    fn plan(&self, batches: &[RecordBatch]) -> Planned {
        let mut planned =
            Planned { end: self.log.end, position: self.position, latest: self.latest, entries: Vec::new() };
        for batch in batches {
            assert_eq!(batch.offsets().start, planned.end, "a batch follows the one before it");
            planned.end = batch.offsets().end;
            planned.latest = planned.latest.max(batch.header().last_timestamp());
            planned.entries.push((EntryId::new(planned.end, planned.latest), planned.position));
            planned.position += u64::try_from(batch.bytes().len()).unwrap_or(u64::MAX);
        }
        planned
    }

    async fn send(
        &self,
        keys: &[&str],
        batches: &[RecordBatch],
        planned: &Planned,
    ) -> Result<Acknowledged, WriteError> {
        let mut arguments = Vec::with_capacity(5 + 3 * batches.len());
        arguments.push(Argument::Number(self.log.end.get()));
        arguments.push(Argument::Number(planned.end.get()));
        arguments.push(Argument::Number(planned.position));
        for (batch, (id, position)) in batches.iter().zip(&planned.entries) {
            arguments.push(Argument::Text(id.to_string()));
            arguments.push(Argument::Number(*position));
            arguments.push(Argument::Bytes(batch.bytes()));
        }
        let answer = self.owner.run(ScriptName::Append, keys, arguments).await?;
        let written = read_written(&answer.strings)??;
        if let Some((reached, wanted)) = self.owner.missing_replicas(&answer) {
            return Err(WriteError::Replicas { reached, wanted });
        }
        let offsets = OffsetRange::new(self.log.end, planned.end);
        Ok(Acknowledged { offsets, written, persistence: answer.persistence, replicas: answer.replicas })
    }
}

/// The log as it will be.
struct Planned {
    end: Offset,
    position: u64,
    latest: Timestamp,
    /// Of each batch: its id, and how many bytes lie before it.
    entries: Vec<(EntryId, u64)>,
}
