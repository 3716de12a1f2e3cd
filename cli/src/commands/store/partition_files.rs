//! The files in the directory of one partition.

use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;

use shard_core::format::offset_index::INDEX_BYTES_MAX;
use shard_core::layout;
use shard_core::log::KnownLog;
use shard_core::model::{Offset, TopicPartition};

use super::directory::{file_names, reading};
use super::segment_file::SegmentFile;
use crate::error::CliError;

/// What there is, in order; nothing of it was read yet.
#[derive(Debug)]
pub(super) struct PartitionFiles {
    pub(super) partition: TopicPartition,
    directory: PathBuf,
    /// The whole directory is missing.
    pub(super) is_missing: bool,
    /// The segments that count.
    pub(super) segments: Vec<Offset>,
    pub(super) indexes: Vec<Offset>,
    pub(super) journals: Vec<u64>,
    /// Of no use any more: a start removes them.
    pub(super) removed: Vec<String>,
}

impl PartitionFiles {
    pub(super) fn list(directory: PathBuf, partition: TopicPartition) -> Result<Self, CliError> {
        let is_missing = !directory.exists();
        let names = if is_missing { Vec::new() } else { file_names(&directory)? };
        Ok(Self {
            partition,
            is_missing,
            segments: names.iter().filter_map(|name| layout::segment_base(name)).collect(),
            indexes: names.iter().filter_map(|name| layout::index_base(name)).collect(),
            journals: names.iter().filter_map(|name| layout::journal_generation(name)).collect(),
            removed: Vec::new(),
            directory,
        })
    }

    /// Leaves out what a start removes before it looks at anything.
    pub(super) fn without_expired(mut self, known: KnownLog) -> Self {
        let expired: Vec<_> = self.segments.drain(..known.expired_segments(&self.segments)).collect();
        self.removed.extend(expired.iter().map(|&base| file_name(&layout::segment_path(&self.directory, base))));
        let (kept, orphans) = self.indexes.iter().partition::<Vec<_>, _>(|base| self.segments.contains(base));
        self.removed.extend(orphans.iter().map(|&base| file_name(&layout::index_path(&self.directory, base))));
        self.indexes = kept;
        self
    }

    /// The segments with the base of the one after each.
    pub(super) fn with_following(&self) -> impl Iterator<Item = (Offset, Option<Offset>)> {
        let following = self.segments.iter().skip(1).copied().map(Some).chain([None]);
        self.segments.iter().copied().zip(following)
    }

    pub(super) fn segment_path(&self, base: Offset) -> PathBuf {
        layout::segment_path(&self.directory, base)
    }

    pub(super) fn open(&self, base: Offset) -> io::Result<SegmentFile> {
        SegmentFile::open(&self.segment_path(base))
    }

    /// How long a segment's file is; 0 if that can't be told.
    pub(super) fn segment_bytes(&self, base: Offset) -> u64 {
        fs::metadata(self.segment_path(base)).map_or(0, |metadata| metadata.len())
    }

    /// A segment's index, as far as a start would read it; nothing where there is none.
    pub(super) fn index(&self, base: Offset) -> Vec<u8> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(INDEX_BYTES_MAX).unwrap_or(u64::MAX);
        let read = fs::File::open(layout::index_path(&self.directory, base))
            .and_then(|file| file.take(limit).read_to_end(&mut bytes));
        // One that can't be read is as good as none: a start reads the segment instead.
        if read.is_ok() { bytes } else { Vec::new() }
    }

    /// All of a cursor journal, which compaction keeps small.
    pub(super) fn journal(&self, generation: u64) -> Result<Vec<u8>, CliError> {
        let path = self.journal_path(generation);
        fs::read(&path).map_err(reading(&path))
    }

    pub(super) fn journal_path(&self, generation: u64) -> PathBuf {
        layout::journal_path(&self.directory, generation)
    }
}

/// The last part of a path that we made ourselves.
pub(super) fn file_name(path: &std::path::Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
