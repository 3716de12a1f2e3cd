//! Tries a direct, durable write in the data directory: where it is not possible, an acknowledgement would be a lie.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use super::PreflightError;
use crate::limits::DIRECT_IO_BLOCK_BYTES;

/// The file that is written and removed again.
const PROBE_FILE: &str = "direct-io-probe";
/// The number by which the kernel names tmpfs.
const TMPFS_MAGIC: u64 = 0x0102_1994;

/// Room for one block at any alignment of the buffer itself.
struct Block([u8; 2 * DIRECT_IO_BLOCK_BYTES]);

/// Refuses memory filesystems and those without direct I/O.
pub(super) fn check(directory: &Path) -> Result<(), PreflightError> {
    let path = directory.display().to_string();
    let is_tmpfs = rustix::fs::statfs(directory).is_ok_and(|found| u64::try_from(found.f_type) == Ok(TMPFS_MAGIC));
    if is_tmpfs {
        let reason = "nothing on it survives a restart of the machine".to_owned();
        return Err(PreflightError::DirectIo { path, filesystem: "tmpfs", reason });
    }
    let probe = directory.join(PROBE_FILE);
    let outcome = write_block(&probe);
    // Left behind it would only be written over at the next start.
    drop(std::fs::remove_file(&probe));
    outcome.or_else(|error| {
        // Then a write is possible once there is room; until then a node serves what it has.
        if error.kind() == io::ErrorKind::StorageFull {
            return Ok(());
        }
        Err(if error.kind() == io::ErrorKind::InvalidInput || error.raw_os_error() == Some(libc::EOPNOTSUPP) {
            PreflightError::DirectIo { path, filesystem: "a filesystem", reason: error.to_string() }
        } else {
            PreflightError::DataDirectory { path, operation: "a direct write", error }
        })
    })
}

fn write_block(probe: &Path) -> io::Result<()> {
    let file: File = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(libc::O_DIRECT | libc::O_DSYNC)
        .open(probe)?;
    let block = Block([0; 2 * DIRECT_IO_BLOCK_BYTES]);
    let aligned = block.0.as_ptr().align_offset(DIRECT_IO_BLOCK_BYTES);
    let bytes = block.0.get(aligned..aligned + DIRECT_IO_BLOCK_BYTES).ok_or(io::ErrorKind::InvalidInput)?;
    file.write_all_at(bytes, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_filesystem_is_refused_and_the_reason_given() {
        let Ok(directory) = tempfile::tempdir_in("/dev/shm") else { return };
        let refused = check(directory.path()).unwrap_err();
        assert!(refused.to_string().contains("tmpfs"), "{refused}");
    }

    #[test]
    fn the_probe_leaves_nothing_behind() {
        let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        drop(check(directory.path()));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
