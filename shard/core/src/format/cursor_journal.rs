//! The cursor journal: what a partition's subscriptions have acked, as a snapshot and the changes since.
//!
//! A file is a header block, then groups of entries. Each group starts on a block of its own and is zero-padded to the
//! next one, so that no write touches bytes that are synced already. Group 0 is the snapshot.
//!
//! ```text
//! header block                                group
//!  0 u32 magic "PSCJ"                          0 u32 magic "PSCG"
//!  4 u8  version, 3 zero bytes                 4 u32 CRC-32C of everything from 8 to the last entry
//!  8 u32 CRC-32C of 0..8 and 12..40            8 u32 length of the entries
//! 12 u32 block size                           12 u32 partition
//! 16 u64 topic                                16 u64 generation of the file
//! 24 u64 generation of the file               24 u64 sequence in the file, from 0
//! 32 u32 partition                            32 the entries, one behind the other
//! 36 u32 zero
//! ```

mod entry;
mod varint;

pub use entry::{CursorChange, CursorSnapshot, EntryError, decode_entries, encode_entry};

use super::checksum::crc32c;
use crate::model::{PartitionIndex, TopicId, TopicPartition};

/// The first bytes of a journal file, `PSCJ`.
pub const MAGIC: u32 = u32::from_le_bytes(*b"PSCJ");
/// The first bytes of each group, `PSCG`.
pub const GROUP_MAGIC: u32 = u32::from_le_bytes(*b"PSCG");
/// The version this code writes, and the only one it reads.
pub const VERSION: u8 = 1;
/// The size of a block: groups start on multiples of it.
pub const BLOCK_BYTES: usize = 4096;
/// The size of a group's header.
pub const GROUP_HEADER_BYTES: usize = 32;

const HEADER_BYTES: usize = 40;

/// Which file of which partition bytes belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalIdentity {
    /// The partition whose cursors they are.
    pub partition: TopicPartition,
    /// Rises with each file that replaces an older one.
    pub generation: u64,
}

/// A group as it was read, its checksum verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// Its number in the file.
    pub sequence: u64,
    /// Its entries, not decoded yet.
    pub entries: &'a [u8],
    /// Its size in the file, padding included.
    pub padded_bytes: usize,
}

/// Why a block is not the header of this journal file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum HeaderError {
    #[error("{available} bytes are there, the header has {HEADER_BYTES}")]
    Truncated { available: usize },
    #[error("a cursor journal starts with PSCJ, not with {found:#010x}")]
    Magic { found: u32 },
    #[error("cursor journal version {found} is unknown, this is version {VERSION}")]
    Version { found: u8 },
    #[error("the header's checksum is {stored:#010x}, its bytes give {computed:#010x}")]
    Checksum { stored: u32, computed: u32 },
    #[error("the block size is {found}, this version writes {BLOCK_BYTES}")]
    BlockBytes { found: u32 },
    #[error("it is generation {} of partition {}", found.generation, found.partition)]
    Identity { found: JournalIdentity },
}

/// Why no group of this file starts here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum GroupError {
    #[error("nothing was written here")]
    Blank,
    #[error("{available} bytes are there, the group needs {needed}")]
    Truncated { needed: usize, available: usize },
    #[error("a group starts with PSCG, not with {found:#010x}")]
    Magic { found: u32 },
    #[error("the group's checksum is {stored:#010x}, its bytes give {computed:#010x}")]
    Checksum { stored: u32, computed: u32 },
    #[error("the group belongs to generation {} of partition {}", found.generation, found.partition)]
    Identity { found: JournalIdentity },
}

/// The header block of a journal file.
#[must_use]
pub fn encode_header(identity: JournalIdentity) -> Vec<u8> {
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    block.extend_from_slice(&MAGIC.to_le_bytes());
    block.extend_from_slice(&[VERSION, 0, 0, 0]);
    block.extend_from_slice(&[0; 4]);
    block.extend_from_slice(&block_bytes().to_le_bytes());
    block.extend_from_slice(&identity.partition.topic.get().to_le_bytes());
    block.extend_from_slice(&identity.generation.to_le_bytes());
    block.extend_from_slice(&identity.partition.partition.get().to_le_bytes());
    block.extend_from_slice(&[0; 4]);
    let crc = header_checksum(&block);
    put(&mut block, 8, &crc.to_le_bytes());
    pad(&mut block);
    block
}

/// Checks that `bytes` start with the header of the file that `identity` names.
///
/// # Errors
/// Says what is there instead. An unknown version is told from damage before anything else is looked at.
pub fn check_header(bytes: &[u8], identity: JournalIdentity) -> Result<(), HeaderError> {
    let header: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(HeaderError::Truncated { available: bytes.len() })?;
    let found = u32_at(header, 0);
    if found != MAGIC {
        return Err(HeaderError::Magic { found });
    }
    let [version] = array_at(header, 4);
    if version != VERSION {
        return Err(HeaderError::Version { found: version });
    }
    let (stored, computed) = (u32_at(header, 8), header_checksum(header));
    if stored != computed {
        return Err(HeaderError::Checksum { stored, computed });
    }
    let found = u32_at(header, 12);
    if found != block_bytes() {
        return Err(HeaderError::BlockBytes { found });
    }
    let found = identity_of(u64_at(header, 16), u32_at(header, 32), u64_at(header, 24));
    if found == identity { Ok(()) } else { Err(HeaderError::Identity { found }) }
}

/// Appends group number `sequence` to `out`, padded to whole blocks.
///
/// # Panics
/// On 4 GiB of entries, which the bound on gaps keeps far away.
pub fn encode_group(identity: JournalIdentity, sequence: u64, entries: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(entries.len()).expect("a group is smaller than 4 GiB");
    let mut header = Vec::with_capacity(GROUP_HEADER_BYTES);
    header.extend_from_slice(&GROUP_MAGIC.to_le_bytes());
    header.extend_from_slice(&[0; 4]);
    header.extend_from_slice(&length.to_le_bytes());
    header.extend_from_slice(&identity.partition.partition.get().to_le_bytes());
    header.extend_from_slice(&identity.generation.to_le_bytes());
    header.extend_from_slice(&sequence.to_le_bytes());
    let crc = crc32c(&[header.get(8..).unwrap_or_default(), entries]);
    put(&mut header, 4, &crc.to_le_bytes());
    out.reserve(padded(GROUP_HEADER_BYTES + entries.len()));
    out.extend_from_slice(&header);
    out.extend_from_slice(entries);
    pad(out);
}

/// Reads the group that `bytes` start with; what follows it does not matter.
///
/// # Errors
/// Says why no group of the file that `identity` names is there.
pub fn decode_group(bytes: &[u8], identity: JournalIdentity) -> Result<Group<'_>, GroupError> {
    let block = bytes.get(..BLOCK_BYTES).unwrap_or(bytes);
    if block.iter().all(|&byte| byte == 0) {
        return Err(GroupError::Blank);
    }
    let available = bytes.len();
    let header: &[u8; GROUP_HEADER_BYTES] =
        bytes.first_chunk().ok_or(GroupError::Truncated { needed: GROUP_HEADER_BYTES, available })?;
    let found = u32_at(header, 0);
    if found != GROUP_MAGIC {
        return Err(GroupError::Magic { found });
    }
    let length = usize::try_from(u32_at(header, 8)).unwrap_or(usize::MAX);
    let needed = GROUP_HEADER_BYTES.saturating_add(length);
    let checked = bytes.get(8..needed).ok_or(GroupError::Truncated { needed, available })?;
    let (stored, computed) = (u32_at(header, 4), crc32c(&[checked]));
    if stored != computed {
        return Err(GroupError::Checksum { stored, computed });
    }
    let found = identity_of(identity.partition.topic.get(), u32_at(header, 12), u64_at(header, 16));
    if found != identity {
        return Err(GroupError::Identity { found });
    }
    let entries = bytes.get(GROUP_HEADER_BYTES..needed).unwrap_or_default();
    Ok(Group { sequence: u64_at(header, 24), entries, padded_bytes: padded(needed) })
}

fn identity_of(topic: u64, partition: u32, generation: u64) -> JournalIdentity {
    let partition = TopicPartition::new(TopicId::new(topic), PartitionIndex::new(partition));
    JournalIdentity { partition, generation }
}

fn header_checksum(header: &[u8]) -> u32 {
    crc32c(&[header.get(..8).unwrap_or_default(), header.get(12..HEADER_BYTES).unwrap_or_default()])
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(padded(bytes.len()), 0);
}

const fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(BLOCK_BYTES)
}

fn block_bytes() -> u32 {
    u32::try_from(BLOCK_BYTES).expect("a block is small")
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes.get_mut(at..at + field.len()).expect("the field lies in the header").copy_from_slice(field);
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(<[u8]>::first_chunk).copied().expect("the field lies in the header")
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

#[cfg(test)]
mod tests;
