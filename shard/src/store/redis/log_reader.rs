//! Reads the log of one partition; everything is verified before it is served.

use std::rc::Rc;

use bytes::Bytes;
use shard_core::{
    model::{Offset, OffsetRange, Timestamp},
    redis::{EntryId, EntrySearch, Page, PartitionKeys, read_page, read_peeked},
};

use super::{
    ReadError, RedisLink,
    scripts::{Argument, ScriptCall, ScriptName},
};
use crate::limits;

/// Reads one log; clones read the same one.
#[derive(Clone, Debug)]
pub struct LogReader {
    link: RedisLink,
    keys: Rc<PartitionKeys>,
}

impl LogReader {
    pub(super) const fn new(link: RedisLink, keys: Rc<PartitionKeys>) -> Self {
        Self { link, keys }
    }

    /// The batch that holds `offset` and those behind it: at least one, and not more than `bytes_max` after that.
    ///
    /// # Errors
    /// Says what is lost or damaged at `offset`; nothing behind a hole is served before the hole was told.
    pub async fn read(&self, offset: Offset, bytes_max: usize) -> Result<Page, ReadError> {
        let bytes_max = bytes_max.min(limits::REDIS_READ_BYTES_MAX);
        let arguments = vec![
            Argument::Text(EntryId::first_holding(offset)),
            Argument::Number(u64::try_from(bytes_max).unwrap_or(u64::MAX)),
        ];
        let keys = vec![self.keys.metadata.as_str(), self.keys.log.as_str()];
        let answer = self.run(ScriptCall { script: ScriptName::Read, keys, arguments }).await?;
        Ok(read_page(offset, &answer)?)
    }

    /// The offset of the first batch of `log` that holds a message taken at `time` or later; its end if there is none.
    ///
    /// # Errors
    /// As for `read`; a batch found is not read, so that damage or loss at it is told to whoever does.
    pub async fn find_time(&self, log: OffsetRange, time: Timestamp) -> Result<Offset, ReadError> {
        self.search(log, |id, _| id.latest() >= time).await
    }

    /// The offset of the first batch of `log` that begins behind the first `position` bytes ever appended; its end if
    /// there is none.
    ///
    /// # Errors
    /// As for `find_time`.
    pub async fn find_position(&self, log: OffsetRange, position: u64) -> Result<Offset, ReadError> {
        self.search(log, |_, before| before >= position).await
    }

    /// The start of the first entry that satisfies a condition which every later one does too; else the log's end.
    async fn search(&self, log: OffsetRange, satisfies: impl Fn(EntryId, u64) -> bool) -> Result<Offset, ReadError> {
        let mut search = EntrySearch::new(log);
        while let Some(probe) = search.probe() {
            let arguments = vec![Argument::Text(EntryId::first_holding(probe))];
            let call = ScriptCall { script: ScriptName::Peek, keys: vec![self.keys.log.as_str()], arguments };
            match read_peeked(&self.run(call).await?)? {
                Some((id, position)) => search.on_entry(probe, id, satisfies(id, position)),
                None => search.on_nothing(probe),
            }
        }
        Ok(search.found())
    }

    async fn run(&self, call: ScriptCall<'_>) -> Result<Vec<Bytes>, ReadError> {
        Ok(self.link.run(&call).await?.strings)
    }
}
