//! The disk by itself, by direct I/O: it shows how far the broker is from what its disk gives.

pub mod read;
pub mod write;

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// Direct I/O takes whole blocks, from memory that is aligned to them.
const BLOCK_BYTES: usize = 4_096;

/// Memory that direct I/O takes.
struct Blocks {
    memory: Vec<u8>,
    aligned: Range<usize>,
}

impl Blocks {
    /// As many whole blocks as hold so many bytes. They are not zero, which a disk might treat as nothing.
    fn holding(bytes: usize) -> Self {
        let length = bytes.next_multiple_of(BLOCK_BYTES);
        let memory = vec![0x5a_u8; length + BLOCK_BYTES];
        let start = memory.as_ptr().align_offset(BLOCK_BYTES);
        Self { memory, aligned: start..start + length }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.aligned.clone()).unwrap_or_default()
    }

    fn bytes(&self) -> &[u8] {
        self.memory.get(self.aligned.clone()).unwrap_or_default()
    }
}

/// Opens a file past the page cache; a file system in memory knows no direct I/O.
fn open_direct(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let direct = i32::try_from(OFlags::DIRECT.bits()).map_err(io::Error::other)?;
    options.custom_flags(direct).open(path)
}

/// Opens a file of this name past the page cache, empty.
fn create_direct(path: &Path) -> io::Result<File> {
    open_direct(path, File::options().write(true).create(true).truncate(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_of_whole_aligned_blocks() {
        for (bytes, expected) in [(1, 4_096), (4_096, 4_096), (4_097, 8_192)] {
            let mut blocks = Blocks::holding(bytes);
            assert_eq!(blocks.bytes().as_ptr().align_offset(BLOCK_BYTES), 0);
            assert_eq!((blocks.bytes().len(), blocks.bytes_mut().len()), (expected, expected));
        }
    }
}
