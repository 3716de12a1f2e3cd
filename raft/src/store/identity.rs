//! A file beside the log that says that there was one, and whose: sled opens a database that it can't read as an empty
//! one, and a node that forgot its vote and its log must not start as if it were new.
//!
//! ```text
//!  0  [u8;4]  magic, "PSRI"
//!  4  u16     version, 2              (all numbers little-endian)
//!  6  u16     reserved, 0
//!  8  u64     the node's number
//! 16  [u8;16] the incarnation: random, of this directory alone
//! 32  u32     CRC-32C of bytes 0..32
//! ```
//!
//! Version 1 had no incarnation, and the checksum at 16; such a file is replaced.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use crate::{checksum::crc32c, metadata::Incarnation};

const MAGIC: [u8; 4] = *b"PSRI";
const VERSION: u16 = 2;
const CHECKED_BYTES: usize = 32;
/// What version 1 checked.
const V1_CHECKED_BYTES: usize = 16;
const UNFINISHED_EXTENSION: &str = "tmp";

/// Whose log lies beside the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) node_id: u64,
    /// `UNKNOWN` in a file of version 1.
    pub(super) incarnation: Incarnation,
}

/// Why an identity file can't be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum IdentityError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is damaged")]
    Damaged,
    #[error("its version is {version}, this program knows {VERSION}")]
    Version { version: u16 },
}

impl Identity {
    /// Reads the file; `None` if there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, IdentityError> {
        match fs::read(path) {
            Ok(bytes) => Self::decode(&bytes).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the file whole or not at all. Its directory is the caller's to sync.
    pub(super) fn write(self, path: &Path) -> io::Result<()> {
        let unfinished = path.with_extension(UNFINISHED_EXTENSION);
        let mut file = File::create(&unfinished)?;
        file.write_all(&self.encode())?;
        file.sync_data()?;
        fs::rename(unfinished, path)
    }

    fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(CHECKED_BYTES + 4);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&self.node_id.to_le_bytes());
        bytes.extend_from_slice(self.incarnation.bytes());
        let checksum = crc32c(&[&bytes]);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, IdentityError> {
        let (head, rest) = bytes.split_first_chunk::<V1_CHECKED_BYTES>().ok_or(IdentityError::Damaged)?;
        let [magic @ .., v0, v1, _, _, n0, n1, n2, n3, n4, n5, n6, n7] = *head;
        let node_id = u64::from_le_bytes([n0, n1, n2, n3, n4, n5, n6, n7]);
        let incarnation = match (u16::from_le_bytes([v0, v1]), rest.split_first_chunk::<16>()) {
            (1, None) => {
                check(head, rest)?;
                Incarnation::UNKNOWN
            }
            (VERSION, Some((incarnation, checksum))) => {
                check(bytes.get(..CHECKED_BYTES).unwrap_or_default(), checksum)?;
                Incarnation::new(*incarnation)
            }
            (1 | VERSION, _) => return Err(IdentityError::Damaged),
            // The checksum of whatever it is stands at its end.
            (version, _) => {
                let (checked, checksum) = bytes.split_last_chunk::<4>().ok_or(IdentityError::Damaged)?;
                check(checked, checksum)?;
                return Err(IdentityError::Version { version });
            }
        };
        if magic != MAGIC {
            return Err(IdentityError::Damaged);
        }
        Ok(Self { node_id, incarnation })
    }
}

fn check(checked: &[u8], checksum: &[u8]) -> Result<(), IdentityError> {
    if checksum == crc32c(&[checked]).to_le_bytes() { Ok(()) } else { Err(IdentityError::Damaged) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::golden::{assert_golden, golden};

    const IDENTITY: Identity = Identity { node_id: 42, incarnation: Incarnation::new([7; 16]) };

    #[test]
    fn identity_v2_is_frozen() {
        assert_golden("metadata_identity.v2.hex", &IDENTITY.encode());
        assert_eq!(Identity::decode(&IDENTITY.encode()).unwrap(), IDENTITY);
    }

    #[test]
    fn identity_v1_is_read() {
        let bytes = golden("metadata_identity.v1.hex");
        assert_eq!(Identity::decode(&bytes).unwrap(), Identity { node_id: 42, incarnation: Incarnation::UNKNOWN });
    }

    #[test]
    fn an_unknown_version_is_refused_by_its_number() {
        let mut bytes = IDENTITY.encode();
        bytes[4] = 3;
        let checksum = crc32c(&[&bytes[..CHECKED_BYTES]]);
        bytes[CHECKED_BYTES..].copy_from_slice(&checksum.to_le_bytes());
        assert!(matches!(Identity::decode(&bytes), Err(IdentityError::Version { version: 3 })));
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_noticed(node_id: u64, at in 0..CHECKED_BYTES + 4, bit in 0..8) {
            let mut bytes = Identity { node_id, ..IDENTITY }.encode();
            bytes[at] ^= 1_u8 << bit;
            prop_assert!(Identity::decode(&bytes).is_err());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            drop(Identity::decode(&bytes));
        }
    }
}
