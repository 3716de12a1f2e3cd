//! Log entries in sled: the key is the index, big-endian, so that keys are in the order of the log.

use std::ops::{Bound, RangeBounds};

use super::sealed::{DamagedValue, seal, unseal};
use crate::{limits, type_config::Entry};

/// Why an entry can't be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum BadEntry {
    #[error("the log could not be read: {0}")]
    Database(#[from] sled::Error),
    #[error("the log has a key of {bytes} bytes, where an index has 8")]
    Key { bytes: usize },
    #[error("log entry {index} is damaged: {source}")]
    Damaged { index: u64, source: DamagedValue },
    #[error("log entry {index} says that it is {found}")]
    Misplaced { index: u64, found: u64 },
    #[error("log entry {missing} is missing")]
    Missing { missing: u64 },
}

/// Why an entry can't be written; it is not there.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteEntryError {
    #[error("log entry {index} has no encoding: {source}")]
    Encoding { index: u64, source: postcard::Error },
    #[error("log entry {index} has {bytes} bytes, at most {} are allowed", limits::STORED_VALUE_BYTES_MAX)]
    TooLarge { index: u64, bytes: usize },
    #[error("the log could not be written: {0}")]
    Database(#[from] sled::Error),
}

/// Writes entries, all or none; they are readable at once and durable with the next flush.
pub(super) fn append(log: &sled::Tree, entries: impl IntoIterator<Item = Entry>) -> Result<(), WriteEntryError> {
    let mut batch = sled::Batch::default();
    for entry in entries {
        let index = entry.log_id.index;
        let sealed = seal(&entry).map_err(|source| WriteEntryError::Encoding { index, source })?;
        if sealed.len() > limits::STORED_VALUE_BYTES_MAX {
            return Err(WriteEntryError::TooLarge { index, bytes: sealed.len() });
        }
        batch.insert(&index.to_be_bytes(), sealed);
    }
    Ok(log.apply_batch(batch)?)
}

/// Reads the entries of a range of indexes, at most as many as are within `bytes_max`, but one if there is one.
pub(super) fn read(log: &sled::Tree, range: &impl RangeBounds<u64>, bytes_max: usize) -> Result<Vec<Entry>, BadEntry> {
    let mut entries = Vec::new();
    let mut bytes = 0_usize;
    let Some(range) = keys(range) else { return Ok(entries) };
    for item in log.range(range) {
        let (key, sealed) = item?;
        bytes = bytes.saturating_add(sealed.len());
        if bytes > bytes_max && !entries.is_empty() {
            break;
        }
        entries.push(decode(&key, &sealed)?);
    }
    Ok(entries)
}

/// The last entry, if there is one.
pub(super) fn last(log: &sled::Tree) -> Result<Option<Entry>, BadEntry> {
    log.last()?.map(|(key, sealed)| decode(&key, &sealed)).transpose()
}

/// The index of the last entry, whose content is not looked at.
pub(super) fn last_index(log: &sled::Tree) -> Result<Option<u64>, BadEntry> {
    let Some((key, _)) = log.last()? else { return Ok(None) };
    let key = <[u8; 8]>::try_from(&*key).map_err(|_| BadEntry::Key { bytes: key.len() })?;
    Ok(Some(u64::from_be_bytes(key)))
}

/// Deletes the entries from `index` on. Backwards, so that a crash leaves no gap.
pub(super) fn delete_from(log: &sled::Tree, index: u64) -> Result<(), sled::Error> {
    delete_in_steps(log, || log.range(index.to_be_bytes()..).rev())
}

/// Deletes the entries up to and with `index`. Forwards, so that a crash leaves no gap.
pub(super) fn delete_through(log: &sled::Tree, index: u64) -> Result<(), sled::Error> {
    delete_in_steps(log, || log.range(..=index.to_be_bytes()))
}

/// Reads the log from end to end: every entry is whole and none is missing in between.
pub(super) fn check_all(log: &sled::Tree) -> Result<(), BadEntry> {
    let mut expected = None;
    for item in log {
        let (key, sealed) = item?;
        let index = decode(&key, &sealed)?.log_id.index;
        match expected {
            Some(missing) if missing != index => return Err(BadEntry::Missing { missing }),
            Some(_) | None => expected = index.checked_add(1),
        }
    }
    Ok(())
}

fn delete_in_steps<I>(log: &sled::Tree, left: impl Fn() -> I) -> Result<(), sled::Error>
where
    I: Iterator<Item = sled::Result<(sled::IVec, sled::IVec)>>,
{
    loop {
        let mut batch = sled::Batch::default();
        let mut found = false;
        for item in left().take(limits::DELETE_ENTRIES_MAX) {
            batch.remove(item?.0);
            found = true;
        }
        if !found {
            return Ok(());
        }
        log.apply_batch(batch)?;
    }
}

fn decode(key: &[u8], sealed: &[u8]) -> Result<Entry, BadEntry> {
    let key = <[u8; 8]>::try_from(key).map_err(|_| BadEntry::Key { bytes: key.len() })?;
    let index = u64::from_be_bytes(key);
    let entry: Entry = unseal(sealed).map_err(|source| BadEntry::Damaged { index, source })?;
    let found = entry.log_id.index;
    if found == index { Ok(entry) } else { Err(BadEntry::Misplaced { index, found }) }
}

/// The range of keys of a range of indexes; `None` if it is empty.
fn keys(range: &impl RangeBounds<u64>) -> Option<std::ops::RangeInclusive<[u8; 8]>> {
    let start = match range.start_bound() {
        Bound::Included(&index) => index,
        Bound::Excluded(&index) => index.checked_add(1)?,
        Bound::Unbounded => 0,
    };
    let last = match range.end_bound() {
        Bound::Included(&index) => index,
        Bound::Excluded(&index) => index.checked_sub(1)?,
        Bound::Unbounded => u64::MAX,
    };
    (start <= last).then(|| start.to_be_bytes()..=last.to_be_bytes())
}
