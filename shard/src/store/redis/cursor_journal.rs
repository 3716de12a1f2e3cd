//! The cursor journal of one partition: entries in the order in which they were written, or a snapshot in their place.

use bytes::Bytes;
use shard_core::redis::{OpenedPartition, Persistence, Written, read_written};

use super::{
    ReadError, WriteError,
    owner::Owner,
    scripts::{Argument, ScriptCall, ScriptName},
};
use crate::limits;

/// Writes and reads one cursor journal in the epoch in which its partition was opened; one request at a time.
#[derive(Debug)]
pub struct CursorJournal {
    owner: Owner,
    /// The number of the next write.
    sequence: u64,
    entries: u64,
    closed: bool,
}

impl CursorJournal {
    pub(super) const fn new(owner: Owner, opened: &OpenedPartition) -> Self {
        Self { owner, sequence: opened.cursor_sequence, entries: opened.cursor_entries, closed: false }
    }

    /// Adds entries, all of them or none.
    ///
    /// # Errors
    /// If the outcome is unknown, or the partition is not as it was left, the journal is closed until it is opened anew.
    pub async fn append(&mut self, entries: &[Bytes]) -> Result<Persistence, WriteError> {
        self.write("append", self.entries, entries).await
    }

    /// Puts entries in the place of all that are there, at once.
    ///
    /// # Errors
    /// As for `append`.
    pub async fn replace(&mut self, entries: &[Bytes]) -> Result<Persistence, WriteError> {
        self.write("replace", 0, entries).await
    }

    /// Every entry, in order.
    ///
    /// # Errors
    /// If Redis can't be asked.
    pub async fn load(&self) -> Result<Vec<Bytes>, ReadError> {
        let mut entries: Vec<Bytes> = Vec::new();
        loop {
            let from = u64::try_from(entries.len()).unwrap_or(u64::MAX);
            if from >= self.entries {
                return Ok(entries);
            }
            let bytes_max = u64::try_from(limits::REDIS_READ_BYTES_MAX).unwrap_or(u64::MAX);
            let arguments = vec![Argument::Number(from), Argument::Number(bytes_max)];
            let keys = vec![self.owner.keys.cursors.as_str()];
            let call = ScriptCall { script: ScriptName::ReadCursors, keys, arguments };
            let page = self.owner.link.run_script(&call).await?.value.strings;
            if page.is_empty() {
                return Ok(entries);
            }
            entries.extend(page);
        }
    }

    /// How many entries there are, for deciding when a snapshot is worth it.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.entries
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries == 0
    }

    async fn write(&mut self, how: &str, before: u64, entries: &[Bytes]) -> Result<Persistence, WriteError> {
        if self.closed {
            return Err(WriteError::Closed);
        }
        // A caller that goes away in the middle leaves the outcome open.
        self.closed = true;
        let written = self.send(how, entries).await;
        match written {
            Ok(_) => {
                self.closed = false;
                self.sequence += 1;
                self.entries = before + u64::try_from(entries.len()).unwrap_or(u64::MAX);
            }
            Err(ref error) => self.closed = error.closes(),
        }
        written
    }

    async fn send(&self, how: &str, entries: &[Bytes]) -> Result<Persistence, WriteError> {
        let keys = [self.owner.keys.metadata.as_str(), self.owner.keys.cursors.as_str()];
        let mut arguments =
            vec![Argument::Number(self.sequence), Argument::Number(self.sequence + 1), Argument::Text(how.to_owned())];
        arguments.extend(entries.iter().map(|entry| Argument::Bytes(entry)));
        let done = self.owner.run(ScriptName::WriteCursors, &keys, arguments).await?;
        let answer = done.value;
        let written = read_written(&answer.strings)?;
        let _: Written = written.map_err(|refusal| WriteError::Refused { refusal, outcome: done.earlier })?;
        match self.owner.missing_replicas(answer.replicas) {
            Some((reached, wanted)) => Err(WriteError::Replicas { reached, wanted }),
            None => Ok(answer.persistence),
        }
    }
}
