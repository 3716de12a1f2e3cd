//! Reads the log of one partition; everything is verified before it is served.

use std::rc::Rc;

use bytes::Bytes;
use shard_core::{
    model::{Offset, OffsetRange, Timestamp},
    redis::{EntryId, EntrySearch, Page, PageError, PartitionKeys, read_page, read_peeked},
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

    /// The first message of `log` that was taken at `time` or later; `None` if there is none.
    ///
    /// # Errors
    /// As for `read`.
    pub async fn find_time(&self, log: OffsetRange, time: Timestamp) -> Result<Option<Offset>, ReadError> {
        let found = self.search(log, |id, _| id.latest() >= time).await?;
        if found >= log.end {
            return Ok(None);
        }
        let page = self.read(found, 1).await?;
        let mut first = None;
        for batch in page.batches.iter().take(1) {
            let visited = batch.for_each_record(|record| {
                if first.is_none() && record.offset >= found && record.timestamp >= time {
                    first = Some(record.offset);
                }
            });
            let entry = EntryId::new(batch.offsets().end, batch.header().last_timestamp());
            visited.map_err(|error| PageError::Damaged { entry, error })?;
        }
        // Only where a loss hides it: whoever reads there is told.
        Ok(Some(first.unwrap_or(found)))
    }

    /// The first batch of `log` whose bytes end after the first `bytes` that were ever appended.
    ///
    /// # Errors
    /// As for `read`.
    pub async fn find_position(&self, log: OffsetRange, bytes: u64) -> Result<Offset, ReadError> {
        self.search(log, |_, position| position >= bytes).await
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
