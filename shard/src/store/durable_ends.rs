//! What the shards of the last run knew to be durable, read before any shard starts.

use std::path::Path;

use shard_core::format::durable_ends::{DurableEnd, DurableEndsError, DurableEndsFile};

use super::{StoreError, data_dir};

/// The durable ends of all shards of the last run, however many there were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DurableEnds {
    /// Perhaps several for one partition: the highest counts.
    pub entries: Vec<DurableEnd>,
    /// The highest sequence of any file.
    pub sequence: u64,
}

/// Reads them; blocks.
///
/// # Errors
/// A file that can't be read, or that a newer version has written.
pub fn read_durable_ends(data_dir: &Path) -> Result<DurableEnds, String> {
    let mut all = DurableEnds::default();
    let error = |error| StoreError::new("reading", data_dir, error).to_string();
    for entry in std::fs::read_dir(data_dir).map_err(error)? {
        let entry = entry.map_err(error)?;
        if !entry.file_name().to_str().is_some_and(data_dir::is_durable_ends) {
            continue;
        }
        let path = entry.path();
        let bytes = std::fs::read(&path).map_err(|error| StoreError::new("reading", &path, error).to_string())?;
        match DurableEndsFile::decode(&bytes) {
            Ok(file) => {
                all.entries.extend(file.entries);
                all.sequence = all.sequence.max(file.sequence);
            }
            Err(error @ DurableEndsError::Version { .. }) => return Err(format!("{}: {error}", path.display())),
            // It was being written when the node died; the other of the two files counts.
            Err(error) => tracing::warn!(path = %path.display(), %error, "a durable-ends file is passed over"),
        }
    }
    Ok(all)
}
