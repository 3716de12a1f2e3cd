//! A data directory that no node uses at the moment.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use shard_core::layout::{self, EndsOwner};
use shard_core::model::TopicPartition;

use super::PlaceArgs;
use super::known::Known;
use super::partition_files::PartitionFiles;
use crate::error::CliError;

/// While this lives, no node can start on the directory.
pub(super) struct DataDirectory {
    path: PathBuf,
    _lock: Option<File>,
}

impl DataDirectory {
    /// Takes the directory for reading, unless a node has it; makes and changes nothing.
    pub(super) fn open(path: &Path) -> Result<Self, CliError> {
        let names = file_names(path)?;
        let is_ours = |name: &String| {
            name == layout::LOCK_FILE
                || name == "partitions"
                || layout::durable_ends_shard(EndsOwner::Log, name).is_some()
        };
        if !names.iter().any(is_ours) {
            let detail = format!("{} is not the data directory of a node: it has no `partitions`", path.display());
            return Err(CliError::Usage { detail });
        }
        Ok(Self { path: path.to_owned(), _lock: share_lock(path)? })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The partitions that are asked for, in order: those with a directory, and those that should have one.
    pub(super) fn partitions(&self, place: &PlaceArgs, known: &Known) -> Result<Vec<TopicPartition>, CliError> {
        let mut found = known.live.clone();
        let root = layout::partitions_dir(&self.path);
        for (topic, directory) in numbered(&root, layout::topic_id)? {
            let partitions = numbered(&directory, layout::partition_index)?;
            found.extend(partitions.into_iter().map(|(partition, _)| TopicPartition::new(topic, partition)));
        }
        let found: Vec<_> = found.into_iter().filter(|&partition| place.contains(partition)).collect();
        place.check_found(&found)?;
        Ok(found)
    }

    /// What lies in one partition's directory.
    pub(super) fn files_of(&self, partition: TopicPartition) -> Result<PartitionFiles, CliError> {
        PartitionFiles::list(layout::partition_dir(&self.path, partition), partition)
    }
}

/// Says which file could not be read.
pub(super) fn reading(path: &Path) -> impl Fn(io::Error) -> CliError + use<> {
    let what = path.display().to_string();
    move |source| CliError::Input { what: what.clone(), source }
}

/// The names in a directory, sorted; what is no text is none of ours.
pub(super) fn file_names(directory: &Path) -> Result<Vec<String>, CliError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(reading(directory))? {
        names.extend(entry.map_err(reading(directory))?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

/// The directories whose names say a number; none where the directory itself is missing.
fn numbered<T>(directory: &Path, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<(T, PathBuf)>, CliError> {
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let names = file_names(directory)?;
    let numbered = names.iter().filter_map(|name| Some((parse(name)?, directory.join(name))));
    Ok(numbered.filter(|(_, path)| path.is_dir()).collect())
}

/// Shares the lock that a node takes for itself. A copy of a directory may have none.
fn share_lock(data_dir: &Path) -> Result<Option<File>, CliError> {
    let path = data_dir.join(layout::LOCK_FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(reading(&path)(error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            let pid = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse::<u32>().ok());
            let holder = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
            Err(CliError::InUse { directory: data_dir.to_owned(), holder })
        }
        Err(TryLockError::Error(error)) => Err(reading(&path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_a_node_has_is_refused_with_the_process() {
        let directory = tempfile::tempdir().unwrap();
        let lock = directory.path().join(layout::LOCK_FILE);
        fs::write(&lock, "4711\n").unwrap();
        let node = File::open(&lock).unwrap();
        node.try_lock().unwrap();
        let refused = DataDirectory::open(directory.path()).map(drop).unwrap_err();
        assert!(refused.to_string().ends_with("is in use by process 4711"), "{refused}");
        drop(node);
        let (one, another) = (DataDirectory::open(directory.path()), DataDirectory::open(directory.path()));
        assert!(one.is_ok() && another.is_ok(), "readers share it");
        assert!(File::open(&lock).unwrap().try_lock().is_err(), "a node can't start meanwhile");
    }

    #[test]
    fn a_directory_of_something_else_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let refused = DataDirectory::open(directory.path()).map(drop).unwrap_err();
        assert!(refused.to_string().contains("is not the data directory of a node"), "{refused}");
        assert!(DataDirectory::open(&directory.path().join("nowhere")).is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "nothing was made");
    }
}
