//! Reads a segment in large pieces, cut as the node cuts them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use bytes::Bytes;

use crate::limits;

const BLOCK: u64 = shard_core::limits::BLOCK_BYTES;

/// A segment open for reading.
#[derive(Debug)]
pub(super) struct SegmentFile {
    file: File,
    bytes: u64,
}

/// A piece of a segment.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    /// The file has none behind them.
    pub(super) at_end: bool,
}

impl SegmentFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { file, bytes })
    }

    /// How long it is.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn first_block(&self) -> io::Result<Bytes> {
        self.fill(0, usize::try_from(BLOCK).unwrap_or(usize::MAX))
    }

    /// The bytes from `position` on, at least `bytes_min` of them if the file has so many. A piece ends where a block
    /// does: of a block that is read in part it could not be told whether anything is written in it.
    pub(super) fn read(&self, position: u64, bytes_min: usize) -> io::Result<Piece> {
        let aligned = position - position % BLOCK;
        let skip = usize::try_from(position - aligned).unwrap_or_default();
        let block = usize::try_from(BLOCK).unwrap_or(usize::MAX);
        let length = (skip + bytes_min.max(limits::SEGMENT_READ_BYTES)).next_multiple_of(block);
        let bytes = self.fill(aligned, length)?;
        let at_end = bytes.len() < length;
        let bytes = if bytes.len() > skip { bytes.slice(skip..) } else { Bytes::new() };
        Ok(Piece { bytes, at_end })
    }

    /// How far the file holds anything but zeros from `position` on.
    pub(super) fn used_end(&self, position: u64) -> io::Result<u64> {
        let (mut at, mut end) = (position, position);
        loop {
            let piece = self.read(at, 1)?;
            if let Some(last) = piece.bytes.iter().rposition(|&byte| byte != 0) {
                end = at + u64::try_from(last).unwrap_or_default() + 1;
            }
            if piece.at_end {
                return Ok(end);
            }
            at += u64::try_from(piece.bytes.len()).unwrap_or_default();
        }
    }

    /// Up to `length` bytes; fewer at the end of the file only.
    fn fill(&self, position: u64, length: usize) -> io::Result<Bytes> {
        let mut buffer = vec![0; length];
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, position + u64::try_from(filled).unwrap_or_default()) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        buffer.truncate(filled);
        Ok(Bytes::from(buffer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> SegmentFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        SegmentFile::open(file.path()).unwrap()
    }

    #[test]
    fn pieces_end_with_a_block_or_with_the_file() {
        let file = file(&vec![7; limits::SEGMENT_READ_BYTES + 5_000]);
        let first = file.read(4_096 + 100, 1).unwrap();
        assert_eq!((first.bytes.len(), first.at_end), (limits::SEGMENT_READ_BYTES + 4_096 - 4_096 - 100 + 904, true));
        let first = file.read(100, 1).unwrap();
        assert_eq!((first.bytes.len(), first.at_end), (limits::SEGMENT_READ_BYTES + 4_096 - 100, false));
        let behind = file.read(10 << 20, 1).unwrap();
        assert_eq!((behind.bytes.len(), behind.at_end), (0, true));
    }

    #[test]
    fn what_is_zero_to_the_end_is_not_used() {
        let mut bytes = vec![0; 3 << 20];
        bytes[2_000_000] = 1;
        let file = file(&bytes);
        assert_eq!(file.used_end(4_096).unwrap(), 2_000_001);
        assert_eq!(file.used_end(2_000_001).unwrap(), 2_000_001);
    }
}
