//! The files in which shards write down what is durable: two for each shard, written in turn.
//!
//! A write goes to the older of the two, so a crash at any moment leaves the newer one whole. What was written down is
//! lost by no change of the number of shards: each writes down its share of what all knew before any of them writes a
//! second time.

use std::{
    cell::Cell,
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
};

use glommio::sync::Semaphore;
use shard_core::format::durable_ends::{DurableEnd, DurableEndsError, DurableEndsFile};

use super::{
    LogStoreConfig, data_dir,
    dma_file::{remove_file, sync_directory},
    file_error::FileError,
};
use crate::blocking::off_the_shard;

/// What the shards of the last run had written down, however many there were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DurableEnds {
    /// Perhaps several for one partition: the one that goes furthest counts.
    pub entries: Vec<DurableEnd>,
    /// The highest sequence in each shard's files.
    pub sequences: BTreeMap<usize, u64>,
}

/// The two files of one shard.
#[derive(Debug)]
pub(super) struct EndsFiles {
    data_dir: PathBuf,
    shard: usize,
    shard_count: usize,
    /// Of the newest file.
    sequence: Cell<u64>,
    /// Which version of what is to be written down the newest file holds.
    written_version: Cell<u64>,
    /// One write at a time.
    turn: Semaphore,
}

impl EndsFiles {
    pub(super) fn new(config: &LogStoreConfig) -> Self {
        Self {
            data_dir: config.data_dir.clone(),
            shard: config.shard,
            shard_count: config.shard_count,
            sequence: Cell::new(config.durable_ends.sequences.get(&config.shard).copied().unwrap_or(0)),
            written_version: Cell::new(0),
            turn: Semaphore::new(1),
        }
    }

    /// Returns once everything up to the present `version` is written down; calls at the same time share a write.
    pub(super) async fn write(
        &self,
        version: &Cell<u64>,
        entries: impl Fn() -> Vec<DurableEnd>,
    ) -> Result<(), FileError> {
        let wanted = version.get();
        if self.written_version.get() >= wanted {
            return Ok(());
        }
        let turn = self.turn.acquire_permit(1).await;
        let _turn = turn.map_err(|error| FileError::new("writing", &self.data_dir, error))?;
        // Another call may have written it meanwhile.
        if self.written_version.get() >= wanted {
            return Ok(());
        }
        let (sequence, version) = (self.sequence.get() + 1, version.get());
        let bytes = DurableEndsFile { sequence, entries: entries() }.encode();
        let path = data_dir::durable_ends_path(&self.data_dir, self.shard, sequence);
        off_the_shard(move || write_durably(&path, &bytes)).await?;
        // After a failed write the same file is written again: the other one is whole.
        self.sequence.set(sequence);
        self.written_version.set(version);
        Ok(())
    }

    /// Removes the files of shards that there are no more.
    pub(super) async fn remove_strays(&self) -> Result<(), FileError> {
        if self.shard != 0 {
            return Ok(());
        }
        let data_dir = self.data_dir.clone();
        let strays = off_the_shard(move || files(&data_dir)).await?;
        let strays: Vec<_> = strays.into_iter().filter(|(shard, _)| *shard >= self.shard_count).collect();
        for (_, path) in &strays {
            remove_file(path.clone()).await?;
        }
        if strays.is_empty() { Ok(()) } else { sync_directory(&self.data_dir).await }
    }
}

/// Reads what all shards had written down; blocks.
///
/// # Errors
/// A file that can't be read, or that a newer version has written.
pub fn read_durable_ends(data_dir: &Path) -> Result<DurableEnds, String> {
    let mut all = DurableEnds::default();
    for (shard, path) in files(data_dir).map_err(|error| error.to_string())? {
        let read = std::fs::read(&path).map_err(|error| FileError::of_io("reading", &path, error));
        match DurableEndsFile::decode(&read.map_err(|error| error.to_string())?) {
            Ok(file) => {
                all.entries.extend(file.entries);
                let sequence = all.sequences.entry(shard).or_default();
                *sequence = file.sequence.max(*sequence);
            }
            Err(error @ DurableEndsError::Version { .. }) => return Err(format!("{}: {error}", path.display())),
            // It was being written when the node died; the other of the two files counts.
            Err(error) => tracing::warn!(path = %path.display(), %error, "a durable-ends file is passed over"),
        }
    }
    Ok(all)
}

/// The durable-ends files in a data directory, with their shards.
fn files(data_dir: &Path) -> Result<Vec<(usize, PathBuf)>, FileError> {
    let error = |error: std::io::Error| FileError::of_io("listing", data_dir, error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(data_dir).map_err(error)? {
        let entry = entry.map_err(error)?;
        let shard = entry.file_name().to_str().and_then(data_dir::durable_ends_shard);
        files.extend(shard.map(|shard| (shard, entry.path())));
    }
    files.sort_unstable();
    Ok(files)
}

/// Writes over what is in the file, so that a full disk does not keep it from being written.
fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let error = |error: std::io::Error| FileError::of_io("writing", path, error);
    let is_new = !path.exists();
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(error)?;
    file.write_all(bytes).map_err(error)?;
    file.set_len(u64::try_from(bytes.len()).unwrap_or(u64::MAX)).map_err(error)?;
    file.sync_data().map_err(error)?;
    match path.parent() {
        Some(parent) if is_new => std::fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(error),
        Some(_) | None => Ok(()),
    }
}
