//! The memory-incarnation file: how often a node was started with the memory store.
//!
//! ```text
//!  0 u32 magic "PSMI"
//!  4 u8  version, 3 zero bytes
//!  8 u32 CRC-32C of 0..8 and 12..20
//! 12 u64 number of the last start
//! ```

use super::{
    checksum::crc32c,
    fields::{put, u32_at, u64_at},
};

/// The first bytes of the file, `PSMI`.
pub const MAGIC: u32 = u32::from_le_bytes(*b"PSMI");
/// The version this code writes, and the only one it reads.
pub const VERSION: u8 = 1;

const FILE_BYTES: usize = 20;

/// The file, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncarnationFile {
    /// The number of the last start.
    pub number: u64,
}

/// Why bytes are not such a file that this version can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum IncarnationError {
    #[error("{available} bytes are there, the file has {FILE_BYTES}")]
    Truncated { available: usize },
    #[error("a memory-incarnation file starts with PSMI, not with {found:#010x}")]
    Magic { found: u32 },
    #[error("memory-incarnation version {found} is unknown, this is version {VERSION}")]
    Version { found: u8 },
    #[error("the file's checksum is {stored:#010x}, its bytes give {computed:#010x}")]
    Checksum { stored: u32, computed: u32 },
}

impl IncarnationFile {
    /// The bytes of the file.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let mut bytes = vec![0; FILE_BYTES];
        put(&mut bytes, 0, &MAGIC.to_le_bytes());
        put(&mut bytes, 4, &[VERSION]);
        put(&mut bytes, 12, &self.number.to_le_bytes());
        let crc = checksum(&bytes);
        put(&mut bytes, 8, &crc.to_le_bytes());
        bytes
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Says what is wrong with it; any bytes are safe to give.
    pub fn decode(bytes: &[u8]) -> Result<Self, IncarnationError> {
        let file: &[u8; FILE_BYTES] =
            bytes.first_chunk().ok_or(IncarnationError::Truncated { available: bytes.len() })?;
        let found = u32_at(file, 0);
        if found != MAGIC {
            return Err(IncarnationError::Magic { found });
        }
        let [_, _, _, _, version, ..] = *file;
        if version != VERSION {
            return Err(IncarnationError::Version { found: version });
        }
        let (stored, computed) = (u32_at(file, 8), checksum(file));
        if stored != computed {
            return Err(IncarnationError::Checksum { stored, computed });
        }
        Ok(Self { number: u64_at(file, 12) })
    }
}

fn checksum(file: &[u8]) -> u32 {
    crc32c(&[file.get(..8).unwrap_or_default(), file.get(12..).unwrap_or_default()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::golden::assert_golden;

    #[test]
    fn incarnation_v1_is_frozen() {
        let bytes = IncarnationFile { number: 42 }.encode();
        assert_golden("incarnation.v1.hex", &bytes);
        assert_eq!(IncarnationFile::decode(&bytes), Ok(IncarnationFile { number: 42 }));
    }

    #[test]
    fn every_changed_byte_and_every_shorter_prefix_is_noticed() {
        let bytes = IncarnationFile { number: 42 }.encode();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            assert!(IncarnationFile::decode(&changed).is_err(), "byte {at}");
            assert!(IncarnationFile::decode(&bytes[..at]).is_err(), "{at} bytes");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = IncarnationFile::decode(&bytes);
        }
    }
}
