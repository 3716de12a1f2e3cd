//! Reads the log of one partition; everything is verified before it is served.

use std::{cell::Cell, rc::Rc};

use bytes::Bytes;
use shard_core::{
    format::record_batch::RecordBatch,
    model::{Offset, OffsetRange, Timestamp},
    redis::{EntryId, EntrySearch, Peeked, read_page, read_peeked},
};

use super::{
    ReadError, RedisLink,
    scripts::{Argument, ScriptCall, ScriptName},
};
use crate::limits;

/// Reads one log, as far as it is acknowledged; clones read the same one.
#[derive(Clone, Debug)]
pub struct LogReader {
    link: RedisLink,
    log_key: Rc<str>,
    log: Rc<Cell<OffsetRange>>,
}

impl LogReader {
    pub(super) const fn new(link: RedisLink, log_key: Rc<str>, log: Rc<Cell<OffsetRange>>) -> Self {
        Self { link, log_key, log }
    }

    /// The batch that holds `offset` and those behind it: at least one, and not more than `bytes_max` after that. None at
    /// the end of the log.
    ///
    /// # Errors
    /// Says what is lost or damaged at `offset`; nothing behind a hole is served before the hole was told.
    pub async fn read(&self, offset: Offset, bytes_max: usize) -> Result<Vec<RecordBatch>, ReadError> {
        let bytes_max = bytes_max.min(limits::REDIS_READ_BYTES_MAX);
        let arguments = vec![
            Argument::Text(EntryId::first_holding(offset)),
            Argument::Number(u64::try_from(bytes_max).unwrap_or(u64::MAX)),
        ];
        let end = self.log.get().end;
        let answer = self.run(ScriptName::Read, arguments).await?;
        // Trimmed meanwhile is not lost, and appended meanwhile is not acknowledged yet.
        let log = OffsetRange::new(self.log.get().start, end);
        Ok(read_page(offset, log, &answer)?)
    }

    /// The offset of the first batch before `end` that holds a message taken at `time` or later; `end` if there is none.
    ///
    /// # Errors
    /// As for `read`; a batch found is not read, so that damage or loss at it is told to whoever does.
    pub async fn find_time(&self, time: Timestamp, end: Offset) -> Result<Offset, ReadError> {
        self.find(end, |entry| entry.id.latest() >= time).await
    }

    /// The start of the first entry before `end` that satisfies a condition which every later one does too; else `end`.
    ///
    /// # Errors
    /// As for `find_time`.
    pub async fn find(&self, end: Offset, satisfies: impl Fn(Peeked) -> bool) -> Result<Offset, ReadError> {
        let mut search = EntrySearch::new(OffsetRange::new(self.log.get().start, end));
        while let Some(probe) = search.probe() {
            match self.peek(probe).await? {
                Some(entry) => search.on_entry(probe, entry.id, satisfies(entry)),
                None => search.on_nothing(probe),
            }
        }
        Ok(search.found().min(end))
    }

    /// The entry that holds `offset`, or the first after it where that is lost; `None` if there is none.
    ///
    /// # Errors
    /// If Redis can't be asked.
    pub async fn peek(&self, offset: Offset) -> Result<Option<Peeked>, ReadError> {
        let arguments = vec![Argument::Text(EntryId::first_holding(offset))];
        Ok(read_peeked(&self.run(ScriptName::Peek, arguments).await?)?)
    }

    /// The offsets of the log, as far as it is acknowledged.
    #[must_use]
    pub fn offsets(&self) -> OffsetRange {
        self.log.get()
    }

    async fn run(&self, script: ScriptName, arguments: Vec<Argument<'_>>) -> Result<Vec<Bytes>, ReadError> {
        let call = ScriptCall { script, keys: vec![&self.log_key], arguments };
        Ok(self.link.run_script(&call).await?.value.strings)
    }
}
