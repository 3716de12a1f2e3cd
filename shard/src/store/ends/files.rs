//! The files in which shards write down what is durable: two for each shard, written in turn.
//!
//! A write goes to the older of the two, so a crash at any moment leaves the newer one whole. What was written down is
//! lost by no change of the number of shards: each writes down its share of what all knew before any of them writes a
//! second time.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use glommio::sync::Semaphore;
use shard_core::{
    format::durable_ends::{DurableEnd, DurableEndsError, DurableEndsFile},
    layout::{EndsOwner, durable_ends_path, durable_ends_shard},
};

use super::EndsConfig;
use crate::{blocking::off_the_shard, store::StoreError};

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
    owner: EndsOwner,
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
    pub(super) fn new(config: &EndsConfig) -> Self {
        Self {
            data_dir: config.data_dir.clone(),
            owner: config.owner,
            shard: config.shard,
            shard_count: config.shard_count,
            sequence: Cell::new(config.known.sequences.get(&config.shard).copied().unwrap_or(0)),
            written_version: Cell::new(0),
            turn: Semaphore::new(1),
        }
    }

    /// Returns once everything up to the present `version` is written down; calls at the same time share a write.
    pub(super) async fn write(
        &self,
        version: &Cell<u64>,
        entries: impl Fn() -> Vec<DurableEnd>,
    ) -> Result<(), StoreError> {
        let wanted = version.get();
        if self.written_version.get() >= wanted {
            return Ok(());
        }
        let _turn = self.turn.acquire_permit(1).await.map_err(StoreError::new)?;
        // Another call may have written it meanwhile.
        if self.written_version.get() >= wanted {
            return Ok(());
        }
        let (sequence, version) = (self.sequence.get() + 1, version.get());
        let bytes = DurableEndsFile { sequence, entries: entries() }.encode();
        let path = durable_ends_path(&self.data_dir, self.owner, self.shard, sequence);
        let written = off_the_shard({
            let path = path.clone();
            move || write_durably(&path, &bytes)
        });
        written.await.map_err(|error| failed("writing", &path, &error))?;
        // After a failed write the same file is written again: the other one is whole.
        self.sequence.set(sequence);
        self.written_version.set(version);
        Ok(())
    }

    /// Removes the files of shards that there are no more.
    pub(super) async fn remove_strays(&self) -> Result<(), StoreError> {
        if self.shard != 0 {
            return Ok(());
        }
        let (data_dir, owner, shard_count) = (self.data_dir.clone(), self.owner, self.shard_count);
        let removed = off_the_shard(move || {
            let files = files(&data_dir, owner)?;
            let strays: Vec<_> = files.into_iter().filter(|(shard, _)| *shard >= shard_count).collect();
            strays.iter().try_for_each(|(_, path)| fs::remove_file(path))?;
            if strays.is_empty() { Ok(()) } else { File::open(&data_dir)?.sync_all() }
        });
        removed.await.map_err(|error| failed("removing old files in", &self.data_dir, &error))
    }
}

/// Reads what all shards had written down; blocks.
///
/// # Errors
/// A file that can't be read, or that a newer version has written.
pub fn read_durable_ends(data_dir: &Path, owner: EndsOwner) -> Result<DurableEnds, String> {
    let mut all = DurableEnds::default();
    for (shard, path) in files(data_dir, owner).map_err(|error| format!("listing {}: {error}", data_dir.display()))? {
        let read = fs::read(&path).map_err(|error| format!("reading {}: {error}", path.display()))?;
        match DurableEndsFile::decode(&read) {
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

/// The files of one store in a data directory, with their shards.
fn files(data_dir: &Path, owner: EndsOwner) -> io::Result<Vec<(usize, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(data_dir)? {
        let entry = entry?;
        let shard = entry.file_name().to_str().and_then(|name| durable_ends_shard(owner, name));
        files.extend(shard.map(|shard| (shard, entry.path())));
    }
    files.sort_unstable();
    Ok(files)
}

/// Writes over what is in the file, so that a full disk does not keep it from being written.
fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let is_new = !path.exists();
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    file.write_all(bytes)?;
    file.set_len(u64::try_from(bytes.len()).unwrap_or(u64::MAX))?;
    file.sync_data()?;
    match path.parent() {
        Some(parent) if is_new => File::open(parent)?.sync_all(),
        Some(_) | None => Ok(()),
    }
}

fn failed(operation: &str, path: &Path, error: &io::Error) -> StoreError {
    StoreError::new(format_args!("{operation} {}: {error}", path.display()))
}
