//! The durable-ends file: how far the log of each of a shard's partitions is known to be on disk.
//!
//! A shard writes two such files in turn, each with a higher sequence, so that one of them is always whole.
//!
//! ```text
//!  0 u32 magic "PSDE"                         24 the entries, 48 bytes each, by topic and partition:
//!  4 u8  version, 3 zero bytes                   u64 topic, u32 partition, u32 leader epoch,
//!  8 u32 CRC-32C of 0..8 and 12..end             u64 base offset of the segment, u64 position in it,
//! 12 u32 number of entries                       u64 durable end, u64 log start
//! 16 u64 sequence
//! ```

use super::{
    checksum::crc32c,
    fields::{put, u32_at, u64_at},
};
use crate::{
    limits,
    model::{LeaderEpoch, Offset, PartitionIndex, TopicId, TopicPartition},
};

/// The first bytes of a durable-ends file, `PSDE`.
pub const MAGIC: u32 = u32::from_le_bytes(*b"PSDE");
/// The version this code writes, and the only one it reads.
pub const VERSION: u8 = 1;

const HEADER_BYTES: usize = 24;
const ENTRY_BYTES: usize = 48;

/// How far one partition's log is known to be on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurableEnd {
    /// The partition.
    pub partition: TopicPartition,
    /// The owner that wrote it down.
    pub leader_epoch: LeaderEpoch,
    /// The base offset of the segment that was being written.
    pub segment: Offset,
    /// Everything below this position of that segment is on disk; on a block boundary.
    pub position: u64,
    /// Every offset below it is on disk.
    pub durable_end: Offset,
    /// Offsets below it have been given up by retention.
    pub log_start: Offset,
}

/// A durable-ends file, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurableEndsFile {
    /// Higher in the newer of two files.
    pub sequence: u64,
    /// At most one per partition.
    pub entries: Vec<DurableEnd>,
}

/// Why bytes are not a durable-ends file that this version can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum DurableEndsError {
    #[error("{available} bytes are there, the file needs {needed}")]
    Truncated { needed: usize, available: usize },
    #[error("a durable-ends file starts with PSDE, not with {found:#010x}")]
    Magic { found: u32 },
    #[error("durable-ends version {found} is unknown, this is version {VERSION}")]
    Version { found: u8 },
    #[error("the file has {count} entries, the most is {}", limits::DURABLE_ENDS_MAX)]
    Entries { count: u32 },
    #[error("the file's checksum is {stored:#010x}, its bytes give {computed:#010x}")]
    Checksum { stored: u32, computed: u32 },
}

impl DurableEndsFile {
    /// The bytes of the file.
    ///
    /// # Panics
    /// On more entries than `limits::DURABLE_ENDS_MAX`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        assert!(self.entries.len() <= limits::DURABLE_ENDS_MAX, "a shard's partitions are bounded");
        let count = u32::try_from(self.entries.len()).expect("a shard's partitions are bounded");
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.entries.len() * ENTRY_BYTES);
        bytes.resize(HEADER_BYTES, 0);
        put(&mut bytes, 0, &MAGIC.to_le_bytes());
        put(&mut bytes, 4, &[VERSION]);
        put(&mut bytes, 12, &count.to_le_bytes());
        put(&mut bytes, 16, &self.sequence.to_le_bytes());
        for entry in &self.entries {
            bytes.extend_from_slice(&entry.partition.topic.get().to_le_bytes());
            bytes.extend_from_slice(&entry.partition.partition.get().to_le_bytes());
            bytes.extend_from_slice(&entry.leader_epoch.get().to_le_bytes());
            bytes.extend_from_slice(&entry.segment.get().to_le_bytes());
            bytes.extend_from_slice(&entry.position.to_le_bytes());
            bytes.extend_from_slice(&entry.durable_end.get().to_le_bytes());
            bytes.extend_from_slice(&entry.log_start.get().to_le_bytes());
        }
        let crc = checksum(&bytes);
        put(&mut bytes, 8, &crc.to_le_bytes());
        bytes
    }

    /// Reads a file; what follows its last entry is not looked at.
    ///
    /// # Errors
    /// Says what is wrong with it; any bytes are safe to give. An unknown version must stop the start; any other error
    /// means that this file was being written when the node died, and the other one of the two counts.
    pub fn decode(bytes: &[u8]) -> Result<Self, DurableEndsError> {
        let available = bytes.len();
        let header: &[u8; HEADER_BYTES] =
            bytes.first_chunk().ok_or(DurableEndsError::Truncated { needed: HEADER_BYTES, available })?;
        let found = u32_at(header, 0);
        if found != MAGIC {
            return Err(DurableEndsError::Magic { found });
        }
        let [_, _, _, _, version, ..] = *header;
        if version != VERSION {
            return Err(DurableEndsError::Version { found: version });
        }
        let count = u32_at(header, 12);
        let entry_count = usize::try_from(count).unwrap_or(usize::MAX);
        if entry_count > limits::DURABLE_ENDS_MAX {
            return Err(DurableEndsError::Entries { count });
        }
        let needed = HEADER_BYTES + entry_count * ENTRY_BYTES;
        let bytes = bytes.get(..needed).ok_or(DurableEndsError::Truncated { needed, available })?;
        let (stored, computed) = (u32_at(header, 8), checksum(bytes));
        if stored != computed {
            return Err(DurableEndsError::Checksum { stored, computed });
        }
        let entries = bytes.get(HEADER_BYTES..).unwrap_or_default().chunks_exact(ENTRY_BYTES);
        Ok(Self { sequence: u64_at(header, 16), entries: entries.map(decode_entry).collect() })
    }
}

fn decode_entry(bytes: &[u8]) -> DurableEnd {
    DurableEnd {
        partition: TopicPartition::new(TopicId::new(u64_at(bytes, 0)), PartitionIndex::new(u32_at(bytes, 8))),
        leader_epoch: LeaderEpoch::new(u32_at(bytes, 12)),
        segment: Offset::new(u64_at(bytes, 16)),
        position: u64_at(bytes, 24),
        durable_end: Offset::new(u64_at(bytes, 32)),
        log_start: Offset::new(u64_at(bytes, 40)),
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

    fn file() -> DurableEndsFile {
        let entry = |topic, partition| DurableEnd {
            partition: TopicPartition::new(TopicId::new(topic), PartitionIndex::new(partition)),
            leader_epoch: LeaderEpoch::new(5),
            segment: Offset::new(42),
            position: 8_192,
            durable_end: Offset::new(50),
            log_start: Offset::new(40),
        };
        DurableEndsFile { sequence: 9, entries: vec![entry(7, 3), entry(8, 0)] }
    }

    #[test]
    fn durable_ends_v1_is_frozen() {
        let bytes = file().encode();
        assert_golden("durable_ends.v1.hex", &bytes);
        assert_eq!(DurableEndsFile::decode(&bytes), Ok(file()));
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let bytes = file().encode();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            assert!(DurableEndsFile::decode(&changed).is_err(), "byte {at}");
        }
    }

    #[test]
    fn every_shorter_prefix_is_refused() {
        let bytes = file().encode();
        for length in 0..bytes.len() {
            assert!(DurableEndsFile::decode(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(mut bytes in prop::collection::vec(any::<u8>(), 0..200), count in any::<Option<u8>>()) {
            if bytes.len() >= HEADER_BYTES && let Some(count) = count {
                put(&mut bytes, 0, &MAGIC.to_le_bytes());
                bytes[4] = VERSION;
                put(&mut bytes, 12, &u32::from(count % 5).to_le_bytes());
                let needed = HEADER_BYTES + usize::from(count % 5) * ENTRY_BYTES;
                let crc = checksum(&bytes[..needed.min(bytes.len())]);
                put(&mut bytes, 8, &crc.to_le_bytes());
            }
            let _ = DurableEndsFile::decode(&bytes);
        }
    }
}
