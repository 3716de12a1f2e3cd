//! Where a shard's bytes are kept: the data directory's layout, and its files by direct I/O.

pub(crate) mod data_dir;
pub(crate) mod dma_file;
pub(crate) mod durable_ends;
pub(crate) mod open;
pub mod redis;
pub(crate) mod segment_reader;

/// Why a file operation failed; what it left behind is for recovery to find out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} {path}: {reason}")]
pub(crate) struct StoreError {
    pub(crate) operation: &'static str,
    pub(crate) path: String,
    pub(crate) reason: String,
}

impl StoreError {
    pub(crate) fn new(operation: &'static str, path: &std::path::Path, reason: impl std::fmt::Display) -> Self {
        Self { operation, path: path.display().to_string(), reason: reason.to_string() }
    }
}
