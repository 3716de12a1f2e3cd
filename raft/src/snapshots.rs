//! The snapshots of this node: files that are whole or not there, the newest two of them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use crate::limits;

mod format;

pub use format::DamagedSnapshot;
pub(crate) use format::StateSnapshot;

const EXTENSION: &str = "snapshot";
const UNFINISHED_EXTENSION: &str = "tmp";

/// The directory of the snapshots. Its methods block: they belong on a blocking thread.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotDirectory {
    path: PathBuf,
}

/// Why no snapshot could be read or written. What was there before is still there.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum SnapshotError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: it has {bytes} bytes, at most {} are read", path.display(), limits::SNAPSHOT_BYTES_MAX)]
    TooLarge { path: PathBuf, bytes: u64 },
    #[error("{}: {source}", path.display())]
    Damaged { path: PathBuf, source: DamagedSnapshot },
    #[error("the snapshot has no encoding: {0}")]
    Encoding(#[from] postcard::Error),
}

impl SnapshotDirectory {
    /// Opens or makes the directory, and clears away what a crash left unfinished.
    ///
    /// # Errors
    /// The directory can't be made, read or synced.
    pub(crate) fn open(path: &Path) -> Result<Self, SnapshotError> {
        let directory = Self { path: path.to_owned() };
        fs::create_dir_all(path).map_err(|source| at(path, source))?;
        for unfinished in directory.files(UNFINISHED_EXTENSION)? {
            fs::remove_file(&unfinished).map_err(|source| at(&unfinished, source))?;
        }
        directory.sync()?;
        Ok(directory)
    }

    /// Writes a snapshot. It counts once all its bytes and its name are durable; until then the one before does.
    ///
    /// # Errors
    /// The snapshot may be there or not; those before it are.
    pub(crate) fn write(&self, snapshot: &StateSnapshot) -> Result<Vec<u8>, SnapshotError> {
        let bytes = snapshot.encode()?;
        let index = snapshot.last_log_id.map_or(0, |log_id| log_id.index);
        let path = self.path.join(format!("{index:020}.{EXTENSION}"));
        let unfinished = path.with_extension(UNFINISHED_EXTENSION);
        write_durably(&unfinished, &bytes).map_err(|source| at(&unfinished, source))?;
        fs::rename(&unfinished, &path).map_err(|source| at(&path, source))?;
        self.sync()?;
        self.delete_old()?;
        Ok(bytes)
    }

    /// The newest snapshot that is whole, with its bytes; `None` if there never was one. A damaged one is passed over
    /// with a warning: the log reaches back to the one before it.
    ///
    /// # Errors
    /// Every snapshot is damaged: starting without one would be starting with another state.
    pub(crate) fn newest(&self) -> Result<Option<(StateSnapshot, Vec<u8>)>, SnapshotError> {
        let mut newest_failure = None;
        for path in self.files(EXTENSION)?.into_iter().rev() {
            match read(&path) {
                Ok(found) => return Ok(Some(found)),
                Err(error) => {
                    tracing::warn!(%error, "a snapshot of the metadata can't be read; the one before it is used");
                    newest_failure.get_or_insert(error);
                }
            }
        }
        newest_failure.map_or(Ok(None), Err)
    }

    fn delete_old(&self) -> Result<(), SnapshotError> {
        for path in self.files(EXTENSION)?.into_iter().rev().skip(limits::SNAPSHOTS_KEPT) {
            fs::remove_file(&path).map_err(|source| at(&path, source))?;
        }
        Ok(())
    }

    /// The files of one kind, by name, which is by age.
    fn files(&self, extension: &str) -> Result<Vec<PathBuf>, SnapshotError> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(|source| at(&self.path, source))? {
            let path = entry.map_err(|source| at(&self.path, source))?.path();
            if path.extension().is_some_and(|found| found == extension) {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    fn sync(&self) -> Result<(), SnapshotError> {
        File::open(&self.path).and_then(|directory| directory.sync_all()).map_err(|source| at(&self.path, source))
    }
}

fn read(path: &Path) -> Result<(StateSnapshot, Vec<u8>), SnapshotError> {
    let file = File::open(path).map_err(|source| at(path, source))?;
    let length = file.metadata().map_err(|source| at(path, source))?.len();
    if length > limits::SNAPSHOT_BYTES_MAX {
        return Err(SnapshotError::TooLarge { path: path.to_owned(), bytes: length });
    }
    let mut bytes = Vec::new();
    file.take(limits::SNAPSHOT_BYTES_MAX).read_to_end(&mut bytes).map_err(|source| at(path, source))?;
    match StateSnapshot::decode(&bytes) {
        Ok(snapshot) => Ok((snapshot, bytes)),
        Err(source) => Err(SnapshotError::Damaged { path: path.to_owned(), source }),
    }
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

fn at(path: &Path, source: io::Error) -> SnapshotError {
    SnapshotError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
