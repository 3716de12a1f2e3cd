//! Brings a partition back from its directory, or makes the directory of a new one.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use shard_core::{
    delivery::{JournalError, JournalFile, RecoveredJournal, recover},
    format::{cursor_journal::HeaderError, offset_index::INDEX_BYTES_MAX},
    log::{Cut, DamagedLog, KnownLog, LogRecovery, RecoveredLog, RecoveryStep},
    model::{Offset, TopicPartition},
};

use super::{
    data_dir,
    dma_file::{Access, BlockFile, remove_file, sync_directory},
    file_error::FileError,
};
use crate::{blocking::off_the_shard, limits, store::StoreError};

const BLOCK: u64 = shard_core::limits::BLOCK_BYTES;

/// What a partition's directory held, made safe to go on with.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) log: RecoveredLog,
    pub(super) journal: RecoveredJournal,
}

/// Reads, verifies and mends what is in a partition's directory; everything that is `known` has to be there.
pub(super) async fn open_partition(
    directory: PathBuf,
    partition: TopicPartition,
    known: KnownLog,
) -> Result<Recovered, StoreError> {
    let log = recover_log(&directory, partition, known).await?;
    let journal = recover_journal(&directory, partition).await?;
    Ok(Recovered { log, journal })
}

/// Recovers the log alone.
pub(super) async fn recover_log(
    directory: &Path,
    partition: TopicPartition,
    known: KnownLog,
) -> Result<RecoveredLog, StoreError> {
    let bases = kept_segments(directory, known).await.map_err(StoreError::new)?;
    let mut recovery = LogRecovery::new(partition, known);
    let mut following = bases.as_slice();
    while let [base, rest @ ..] = following {
        following = rest;
        let path = data_dir::segment_path(directory, *base);
        let index = read_index(path.clone(), data_dir::index_path(directory, *base)).await.map_err(StoreError::new)?;
        let file = BlockFile::open(path.clone(), Access::Read).await.map_err(StoreError::new)?;
        let result = recover_segment(&mut recovery, &file, (*base, following), &index).await;
        file.close().await;
        if result? == RecoveryStep::Discard {
            remove_file(path).await.map_err(StoreError::new)?;
            sync_directory(directory).await.map_err(StoreError::new)?;
        }
    }
    let recovered = recovery.finish().map_err(damaged)?;
    if let Some(cut) = &recovered.cut {
        if let Some(torn) = &cut.torn {
            tracing::warn!(%partition, segment = %cut.segment, position = cut.position, torn, "a torn tail is cut off");
        }
        cut_segment(directory, cut).await.map_err(StoreError::new)?;
    }
    Ok(recovered)
}

/// The base offsets of the segments, without those that retention had given up, whose files are removed.
async fn kept_segments(directory: &Path, known: KnownLog) -> Result<Vec<Offset>, FileError> {
    let names = list(directory.to_owned()).await?;
    let mut bases: Vec<_> = names.iter().filter_map(|name| data_dir::segment_base(name)).collect();
    let expired: Vec<_> = bases.drain(..known.expired_segments(&bases)).collect();
    for &base in &expired {
        remove_file(data_dir::segment_path(directory, base)).await?;
    }
    // An index outlives its segment if the node stops between the two deletions.
    let orphans: Vec<_> =
        names.iter().filter_map(|name| data_dir::index_base(name)).filter(|base| !bases.contains(base)).collect();
    for &base in &orphans {
        remove_file(data_dir::index_path(directory, base)).await?;
    }
    if !expired.is_empty() || !orphans.is_empty() {
        sync_directory(directory).await?;
    }
    Ok(bases)
}

/// The file names in a directory, which is made durably if it is not there.
async fn list(directory: PathBuf) -> Result<Vec<String>, FileError> {
    off_the_shard(move || {
        let error = |error: std::io::Error| FileError::of_io("listing", &directory, error);
        if !directory.exists() {
            make_durably(&directory).map_err(error)?;
        }
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&directory).map_err(error)? {
            names.extend(entry.map_err(error)?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    })
    .await
}

/// Makes a directory and those above it, and syncs each parent, so that the names outlive a power cut.
fn make_durably(directory: &Path) -> std::io::Result<()> {
    let missing: Vec<_> = directory.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    for directory in missing.into_iter().rev() {
        // Another core may be making the same topic's directory.
        match std::fs::create_dir(directory) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        if let Some(parent) = directory.parent() {
            std::fs::File::open(parent)?.sync_all()?;
        }
    }
    Ok(())
}

/// What lies beside a segment.
struct SegmentIndex {
    /// Of the index file; empty if there is none.
    bytes: Vec<u8>,
    /// The length of the segment file.
    segment_bytes: u64,
}

async fn read_index(segment: PathBuf, index: PathBuf) -> Result<SegmentIndex, FileError> {
    use std::io::Read as _;

    off_the_shard(move || {
        let metadata = std::fs::metadata(&segment);
        let segment_bytes = metadata.map_err(|error| FileError::of_io("looking at", &segment, error))?.len();
        let mut bytes = Vec::new();
        // One that can't be read is as good as none: the segment is read instead.
        if let Ok(file) = std::fs::File::open(&index)
            && file.take(u64::try_from(INDEX_BYTES_MAX).unwrap_or(u64::MAX)).read_to_end(&mut bytes).is_err()
        {
            bytes.clear();
        }
        Ok(SegmentIndex { bytes, segment_bytes })
    })
    .await
}

async fn recover_segment(
    recovery: &mut LogRecovery,
    file: &BlockFile,
    (base, following): (Offset, &[Offset]),
    index: &SegmentIndex,
) -> Result<RecoveryStep, StoreError> {
    let block = usize::try_from(BLOCK).map_err(StoreError::new)?;
    let first = file.read(0, block).await.map_err(StoreError::new)?;
    let mut step = recovery.begin(base, following.is_empty(), &first).map_err(damaged)?;
    if let Some(sooner) = recovery.use_index(&index.bytes, index.segment_bytes, following) {
        step = sooner;
    }
    while let RecoveryStep::Read { position, bytes_min } = step {
        let aligned = position - position % BLOCK;
        let skip = usize::try_from(position - aligned).map_err(StoreError::new)?;
        let length = (skip + bytes_min.max(limits::RECOVERY_READ_BYTES)).next_multiple_of(block);
        let bytes = file.read(aligned, length).await.map_err(StoreError::new)?;
        let at_end = bytes.len() < length;
        let piece = bytes.get(skip..).map_or_else(Bytes::new, |_| bytes.slice(skip..));
        step = recovery.feed(position, piece, at_end).map_err(damaged)?;
    }
    Ok(step)
}

/// What another version has written is whole all the same: nothing is to be made in its place.
fn damaged(error: DamagedLog) -> StoreError {
    if error.is_unknown { StoreError::new(error) } else { StoreError::damaged(error) }
}

/// Zeroes what follows the last whole batch in its block and cuts the file behind it, so that nothing stale is ever
/// taken for log.
pub(super) async fn cut_segment(directory: &Path, cut: &Cut) -> Result<(), FileError> {
    let path = data_dir::segment_path(directory, cut.segment);
    let file = BlockFile::open(path, Access::WriteDurable).await?;
    let within = cut.position % BLOCK;
    if cut.torn.is_some() && within != 0 {
        let block = cut.position - within;
        let length = usize::try_from(BLOCK).unwrap_or_default();
        let kept = file.read(block, length).await?;
        let mut buffer = file.buffer(length);
        buffer.as_bytes_mut().fill(0);
        let keep = usize::try_from(within).unwrap_or_default().min(kept.len());
        if let (Some(to), Some(from)) = (buffer.as_bytes_mut().get_mut(..keep), kept.get(..keep)) {
            to.copy_from_slice(from);
        }
        file.write(block, buffer).await?;
    }
    file.truncate(cut.position.next_multiple_of(BLOCK)).await?;
    file.sync().await?;
    file.close().await;
    Ok(())
}

async fn recover_journal(directory: &Path, partition: TopicPartition) -> Result<RecoveredJournal, StoreError> {
    let names = list(directory.to_owned()).await.map_err(StoreError::new)?;
    let mut contents = Vec::new();
    for generation in names.iter().filter_map(|name| data_dir::journal_generation(name)) {
        let path = data_dir::journal_path(directory, generation);
        let bytes =
            off_the_shard(move || std::fs::read(&path).map_err(|error| FileError::of_io("reading", &path, error)));
        contents.push((generation, bytes.await.map_err(StoreError::new)?));
    }
    let files: Vec<_> =
        contents.iter().map(|(generation, bytes)| JournalFile { generation: *generation, bytes }).collect();
    let journal = recover(partition, &files).map_err(|error| match error {
        JournalError::Header { error: HeaderError::Version { .. } | HeaderError::BlockBytes { .. }, .. } => {
            StoreError::new(error)
        }
        JournalError::Header { .. }
        | JournalError::Group { .. }
        | JournalError::Sequence { .. }
        | JournalError::Entry { .. } => StoreError::damaged(error),
    })?;
    for &generation in &journal.obsolete {
        remove_file(data_dir::journal_path(directory, generation)).await.map_err(StoreError::new)?;
    }
    if !journal.obsolete.is_empty() {
        sync_directory(directory).await.map_err(StoreError::new)?;
    }
    Ok(journal)
}
