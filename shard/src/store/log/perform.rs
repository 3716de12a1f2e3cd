//! From a segment log's effect to I/O on files, and from its end to an event.

use std::path::Path;

use shard_core::{
    format::record_batch::RecordBatch,
    log::{SegmentEffect, SegmentEvent},
    model::Offset,
};

use super::{
    data_dir,
    dma_file::{Access, BlockFile, remove_file, sync_directory},
    file_error::FileError,
    files::FileKind,
    partition::{ActiveSegment, Inner},
};
use crate::blocking::off_the_shard;

/// What a publisher is told when the disk is full in spite of the reserve.
const NO_ROOM: &str = "the disk has no room for it";
/// What a publisher is told when the process can't open one more file.
const NO_FILE: &str = "too many files are open";

/// Where a flush goes.
#[derive(Clone, Copy)]
struct Place {
    segment: Offset,
    position: u64,
    padded_bytes: usize,
    durable: bool,
}

impl Inner {
    /// Performs one effect; `batches` are those of the append that it belongs to.
    pub(super) async fn perform(&self, effect: SegmentEffect, batches: &[RecordBatch]) -> SegmentEvent {
        if let SegmentEffect::NoteStart { .. } = effect {
            return self.note_start().await;
        }
        let _turn = self.shared.files.turn().await;
        let _io = self.shared.watch.begin();
        match effect {
            SegmentEffect::Write { segment, position, padded_bytes, durable } => {
                let place = Place { segment, position, padded_bytes, durable };
                self.written(self.write(place, batches).await)
            }
            SegmentEffect::Undo { segment, length } => {
                or_failed(self.undo(segment, length).await, SegmentEvent::Undone)
            }
            SegmentEffect::Create { segment, header } => {
                let created = self.create_segment(segment, &header).await;
                self.created(segment, created).await
            }
            SegmentEffect::Sync { segment } => or_failed(self.sync_segment(segment).await, SegmentEvent::Synced),
            SegmentEffect::Prepare { segment, position, length } => self.prepare(segment, position, length).await,
            SegmentEffect::Seal { segment, length, index } => {
                self.seal(segment, length, index).await;
                SegmentEvent::Sealed
            }
            SegmentEffect::NoteStart { .. } => SegmentEvent::StartNoted { durable: false },
            SegmentEffect::Delete { segment } => {
                report(remove_file(data_dir::segment_path(&self.directory, segment)).await);
                report(remove_file(data_dir::index_path(&self.directory, segment)).await);
                SegmentEvent::Deleted
            }
            SegmentEffect::SyncDirectory => {
                report(sync_directory(&self.directory).await);
                SegmentEvent::DirectorySynced
            }
        }
    }

    async fn note_start(&self) -> SegmentEvent {
        self.note_point();
        let noted = self.shared.checkpoint().await;
        if let Err(error) = &noted {
            tracing::warn!(%error, "what retention gives up could not be written down, so it is kept");
        }
        SegmentEvent::StartNoted { durable: noted.is_ok() }
    }

    /// What a write has come to: one that found no room, or no file, may be tried again when there is one.
    fn written(&self, written: Result<(), FileError>) -> SegmentEvent {
        match written {
            Err(error) if error.is_no_space() => {
                self.shared.space.on_no_room(&error);
                SegmentEvent::NotWritten { reason: NO_ROOM.to_owned(), touched: true }
            }
            Err(error) if error.is_no_file() => {
                tracing::warn!(%error, "messages are refused");
                SegmentEvent::NotWritten { reason: NO_FILE.to_owned(), touched: false }
            }
            written => or_failed(written, SegmentEvent::Written),
        }
    }

    /// What a new segment has come to.
    async fn created(&self, segment: Offset, created: Result<(), FileError>) -> SegmentEvent {
        match created {
            Err(error) if error.is_no_space() => {
                self.shared.space.on_no_room(&error);
                self.leave_away(segment).await
            }
            // Then nothing was made either.
            Err(error) if error.is_no_file() => {
                tracing::warn!(%error, "messages are refused");
                SegmentEvent::NotCreated { reason: NO_FILE.to_owned() }
            }
            created => or_failed(created, SegmentEvent::Created),
        }
    }

    /// Writes batches to the end of a segment, which is opened first if it is not open that way.
    async fn write(&self, place: Place, batches: &[RecordBatch]) -> Result<(), FileError> {
        let started = self.shared.clock.monotonic();
        let active = self.active.borrow().clone();
        let active = match active {
            Some(active) if active.base == place.segment && active.durable == place.durable => {
                self.shared.files.note_use(self.id, FileKind::Segment);
                active
            }
            Some(_) | None => self.open_active(place).await?,
        };
        let mut buffer = active.file.buffer(place.padded_bytes);
        let mut rest = buffer.as_bytes_mut();
        for batch in batches {
            let (to, behind) = rest.split_at_mut(batch.bytes().len());
            to.copy_from_slice(batch.bytes());
            rest = behind;
        }
        rest.fill(0);
        active.file.write(place.position, buffer).await?;
        self.shared.space.on_written();
        let metrics = &self.shared.metrics;
        metrics.flushes.add(1);
        metrics.flushed_bytes.add(u64::try_from(place.padded_bytes).unwrap_or(u64::MAX));
        metrics.flush_latency.observe(self.shared.clock.monotonic().since(started));
        Ok(())
    }

    async fn open_active(&self, place: Place) -> Result<ActiveSegment, FileError> {
        self.shared.files.make_room(self.id, FileKind::Segment).await;
        let access = if place.durable { Access::WriteDurable } else { Access::WriteBuffered };
        let file = BlockFile::open(data_dir::segment_path(&self.directory, place.segment), access).await?;
        let active = ActiveSegment { base: place.segment, file, durable: place.durable };
        self.replace_active(Some(active.clone())).await;
        Ok(active)
    }

    pub(super) async fn create_segment(&self, segment: Offset, header: &[u8]) -> Result<(), FileError> {
        let path = data_dir::segment_path(&self.directory, segment);
        self.shared.files.make_room(self.id, FileKind::Segment).await;
        let file = create_file(path, &self.directory, header).await?;
        self.replace_active(Some(ActiveSegment { base: segment, file, durable: true })).await;
        Ok(())
    }

    /// Cuts off what is left of a write that found no room.
    async fn undo(&self, segment: Offset, length: u64) -> Result<(), FileError> {
        let open = self.active.borrow().clone().filter(|active| active.base == segment);
        let file = match open {
            Some(active) => active.file,
            None => BlockFile::open(data_dir::segment_path(&self.directory, segment), Access::WriteBuffered).await?,
        };
        file.truncate(length).await?;
        file.sync().await
    }

    /// Removes what there is of a segment that found no room: a full disk must not close a partition for it.
    async fn leave_away(&self, segment: Offset) -> SegmentEvent {
        let removed = remove_file(data_dir::segment_path(&self.directory, segment)).await;
        let synced = sync_directory(&self.directory).await;
        or_failed(removed.and(synced), SegmentEvent::NotCreated { reason: NO_ROOM.to_owned() })
    }

    async fn sync_segment(&self, segment: Offset) -> Result<(), FileError> {
        let path = data_dir::segment_path(&self.directory, segment);
        let file = BlockFile::open(path, Access::WriteBuffered).await?;
        file.sync().await?;
        file.close().await;
        Ok(())
    }

    /// Space ahead is a convenience, so a full disk is no harm yet; a disk that can't write is.
    async fn prepare(&self, segment: Offset, position: u64, length: u64) -> SegmentEvent {
        let active = self.active.borrow().clone().filter(|active| active.base == segment);
        let (Some(active), Ok(length)) = (active, usize::try_from(length)) else { return SegmentEvent::Unprepared };
        if !self.shared.space.take_spare(u64::try_from(length).unwrap_or(u64::MAX)).await {
            return SegmentEvent::Unprepared;
        }
        let mut zeros = active.file.buffer(length);
        zeros.as_bytes_mut().fill(0);
        prepared(active.file.write(position, zeros).await)
    }

    /// Cuts and closes a segment, and leaves its index beside it.
    async fn seal(&self, segment: Offset, length: u64, index: Vec<u8>) {
        let sealed = match self.take_active(segment) {
            Some(active) => Ok(active.file),
            // It was closed meanwhile, for the sake of others.
            None => BlockFile::open(data_dir::segment_path(&self.directory, segment), Access::WriteBuffered).await,
        };
        match sealed {
            Ok(sealed) => {
                report(sealed.truncate(length).await);
                sealed.close().await;
            }
            Err(error) => report(Err(error)),
        }
        report(write_index(data_dir::index_path(&self.directory, segment), index).await);
    }

    fn take_active(&self, segment: Offset) -> Option<ActiveSegment> {
        let mut active = self.active.borrow_mut();
        let is_it = active.as_ref().is_some_and(|active| active.base == segment);
        if is_it {
            self.shared.files.forget(self.id, FileKind::Segment);
        }
        if is_it { active.take() } else { None }
    }
}

/// Makes a file that holds `bytes`, durably, name and all.
pub(super) async fn create_file(
    path: std::path::PathBuf,
    directory: &Path,
    bytes: &[u8],
) -> Result<BlockFile, FileError> {
    let file = BlockFile::create(path, Access::WriteDurable).await?;
    write_bytes(&file, 0, bytes).await?;
    file.sync().await?;
    sync_directory(directory).await?;
    Ok(file)
}

pub(super) async fn write_bytes(file: &BlockFile, position: u64, bytes: &[u8]) -> Result<(), FileError> {
    let mut buffer = file.buffer(bytes.len());
    buffer.as_bytes_mut().copy_from_slice(bytes);
    file.write(position, buffer).await
}

/// Housekeeping that failed is tried again by the next start; nothing depends on it.
pub(super) fn report(result: Result<(), FileError>) {
    match result {
        Err(error) if error.is_no_space() => tracing::debug!(%error, "housekeeping found no room"),
        Err(error) => tracing::warn!(%error, "housekeeping failed"),
        Ok(()) => {}
    }
}

/// Writes an index without a sync: a torn one is noticed by its checksum, and the segment read instead.
async fn write_index(path: std::path::PathBuf, index: Vec<u8>) -> Result<(), FileError> {
    off_the_shard(move || std::fs::write(&path, index).map_err(|error| FileError::of_io("writing", &path, error))).await
}

fn or_failed(result: Result<(), FileError>, event: SegmentEvent) -> SegmentEvent {
    match result {
        Ok(()) => event,
        Err(error) => SegmentEvent::Failed { reason: error.to_string() },
    }
}

fn prepared(written: Result<(), FileError>) -> SegmentEvent {
    match written {
        Ok(()) => SegmentEvent::Prepared,
        Err(error) if error.is_no_space() => {
            tracing::debug!(%error, "space could not be prepared ahead");
            SegmentEvent::Unprepared
        }
        Err(error) => {
            tracing::error!(%error, "the disk failed, so the partition takes no more messages");
            SegmentEvent::Failed { reason: error.to_string() }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn only_a_full_disk_lets_a_prepare_fail_without_harm() {
        let error = |code| Err(FileError::of_io("writing", Path::new("a"), io::Error::from_raw_os_error(code)));
        assert_eq!(prepared(Ok(())), SegmentEvent::Prepared);
        assert_eq!(prepared(error(libc::ENOSPC)), SegmentEvent::Unprepared);
        assert!(matches!(prepared(error(libc::EIO)), SegmentEvent::Failed { .. }));
    }
}
