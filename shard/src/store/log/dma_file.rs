//! One file by direct I/O: whole aligned blocks in, whole aligned blocks out.

use std::{
    path::{Path, PathBuf},
    rc::Rc,
};

use bytes::Bytes;
use glommio::io::{Directory, DmaBuffer, DmaFile, OpenOptions};

use super::{file_error::FileError, path_turn::PathTurn};
use crate::blocking::off_the_shard;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// For reading what is there.
    Read,
    /// For writing; a write is on the disk when it ends.
    WriteDurable,
    /// For writing; a write is on the disk after the next `sync`.
    WriteBuffered,
}

/// An open file. Closed when the last clone is.
#[derive(Clone, Debug)]
pub(super) struct BlockFile {
    file: Rc<DmaFile>,
    path: Rc<Path>,
}

impl BlockFile {
    /// Makes an empty file in the place of whatever was there; its directory is to be synced by the caller.
    pub(super) async fn create(path: PathBuf, access: Access) -> Result<Self, FileError> {
        let mut options = options(access);
        options.create(true).truncate(true);
        Self::open_with(path, &options, "creating").await
    }

    /// Opens a file that exists.
    pub(super) async fn open(path: PathBuf, access: Access) -> Result<Self, FileError> {
        Self::open_with(path, &options(access), "opening").await
    }

    /// An aligned buffer for a write of `length` bytes.
    pub(super) fn buffer(&self, length: usize) -> DmaBuffer {
        self.file.alloc_dma_buffer(length)
    }

    /// Writes all of `buffer` at `position`, both aligned. After an error any part of it may have been written.
    pub(super) async fn write(&self, position: u64, buffer: DmaBuffer) -> Result<(), FileError> {
        let length = buffer.len();
        let written = self.file.write_at(buffer, position).await.map_err(|error| self.error("writing", error))?;
        // A short write means that the disk is full; what is missing is not written behind it later.
        if written == length { Ok(()) } else { Err(FileError::short(&self.path, written, length, position)) }
    }

    /// Reads up to `length` bytes at `position`, both aligned; fewer at the end of the file.
    pub(super) async fn read(&self, position: u64, length: usize) -> Result<Bytes, FileError> {
        let read = self.file.read_at_aligned(position, length).await.map_err(|error| self.error("reading", error))?;
        Ok(Bytes::copy_from_slice(&read))
    }

    /// Puts what lies at `position`, but for its first `skip` bytes, behind `known`; also says how much was read, up to
    /// `length`. Position and length are aligned; less is read at the end of the file.
    pub(super) async fn read_behind(
        &self,
        known: &[u8],
        (position, skip): (u64, usize),
        length: usize,
    ) -> Result<(Bytes, usize), FileError> {
        let read = self.file.read_at_aligned(position, length).await.map_err(|error| self.error("reading", error))?;
        let bytes = [known, read.get(skip..).unwrap_or_default()].concat();
        Ok((bytes.into(), read.len()))
    }

    /// Returns when everything written before is on the disk.
    pub(super) async fn sync(&self) -> Result<(), FileError> {
        self.file.fdatasync().await.map_err(|error| self.error("syncing", error))
    }

    /// Cuts the file to `length`; durable after the next `sync`.
    pub(super) async fn truncate(&self, length: u64) -> Result<(), FileError> {
        self.file.truncate(length).await.map_err(|error| self.error("cutting", error))
    }

    /// Whether nobody else has it in use.
    pub(super) fn is_idle(&self) -> bool {
        Rc::strong_count(&self.file) == 1
    }

    /// Closes the file, unless another clone is in use.
    pub(super) async fn close(self) {
        if let Err(error) = self.file.close_rc().await {
            tracing::warn!(path = %self.path.display(), %error, "a file could not be closed");
        }
    }

    async fn open_with(path: PathBuf, options: &OpenOptions, operation: &'static str) -> Result<Self, FileError> {
        let _turn = PathTurn::take(&path).await;
        let opened = options.dma_open(&path).await;
        let file = opened.map_err(|error| FileError::of_executor(operation, &path, error))?;
        Ok(Self { file: Rc::new(file), path: path.into() })
    }

    fn error(&self, operation: &'static str, error: glommio::GlommioError<()>) -> FileError {
        FileError::of_executor(operation, &self.path, error)
    }
}

/// What is in the file that is opened first.
const PROBE: [u8; 4096] = [0; 4096];

/// Opens a file with something in it, before any other: glommio finds out by a read of the first file it opens whether
/// the device can be polled, and takes the empty answer of an empty file for a yes. It stays there: on a disk that is full
/// another one could not be made, and a node has to start there all the same.
pub(super) async fn probe_device(directory: &Path, shard: usize) -> Result<(), FileError> {
    let path = directory.join(format!("io-probe.{shard}"));
    let (directory, written) = (directory.to_owned(), path.clone());
    off_the_shard(move || {
        std::fs::create_dir_all(&directory).map_err(|error| FileError::of_io("making", &directory, error))?;
        if std::fs::metadata(&written).is_ok_and(|found| found.len() > 0) {
            return Ok(());
        }
        std::fs::write(&written, PROBE).map_err(|error| FileError::of_io("writing", &written, error))
    })
    .await?;
    BlockFile::open(path, Access::Read).await?.close().await;
    Ok(())
}

/// Makes the names in a directory durable: files made, renamed and removed.
pub(super) async fn sync_directory(path: &Path) -> Result<(), FileError> {
    let error = |error: glommio::GlommioError<()>| FileError::of_executor("syncing", path, error);
    let directory = Directory::open(path).await.map_err(error)?;
    directory.sync().await.map_err(error)?;
    directory.close().await.map_err(error)
}

/// Removes a file; it need not exist. The directory is to be synced by the caller.
pub(super) async fn remove_file(path: PathBuf) -> Result<(), FileError> {
    let _turn = PathTurn::take(&path).await;
    off_the_shard(move || match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(FileError::of_io("removing", &path, error)),
        Ok(()) | Err(_) => Ok(()),
    })
    .await
}

fn options(access: Access) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    match access {
        Access::Read => {}
        Access::WriteBuffered => {
            options.write(true);
        }
        Access::WriteDurable => {
            options.write(true).custom_flags(libc::O_DSYNC);
        }
    }
    options
}
