//! The index file beside a segment: where some of its batches begin, and how far the segment goes.
//!
//! It is written when a segment is sealed and when a node stops cleanly; a missing or damaged one is rebuilt by a scan.
//!
//! ```text
//!  0 u32 magic "PSIX"                         40 u64 end offset: the first one after the segment
//!  4 u8  version                              48 u64 length of the segment, whole blocks
//!  5 u8  1 if not all batches are plain,      56 i64 latest timestamp in the segment, ms
//!        2 zero bytes                         64 i64 latest time of delivery in the segment, ms
//!  8 u32 CRC-32C of 0..8 and 12..end          72 the entries, 24 bytes each, in rising order:
//! 12 u32 number of entries                       u64 offset, u64 position,
//! 16 u64 topic, 24 u32 partition                 i64 latest timestamp before it in the segment, ms
//! 28 u32 last leader epoch in the segment
//! 32 u64 base offset of the segment
//! ```
//! The latest timestamp *before* a batch finds a time although the clock may have jumped: whatever lies before an entry
//! whose field is earlier than the time sought is earlier too.

use super::{
    checksum::crc32c,
    fields::{i64_at, put, u32_at, u64_at},
};
use crate::{
    limits,
    model::{LeaderEpoch, Offset, PartitionIndex, Timestamp, TopicId, TopicPartition},
};

/// The first bytes of an index file, `PSIX`.
pub const MAGIC: u32 = u32::from_le_bytes(*b"PSIX");
/// The version this code writes, and the only one it reads.
pub const VERSION: u8 = 2;
/// The size of the largest index file.
pub const INDEX_BYTES_MAX: usize = HEADER_BYTES + limits::INDEX_ENTRIES_MAX * ENTRY_BYTES;

const HEADER_BYTES: usize = 72;
const ENTRY_BYTES: usize = 24;

/// An index file, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetIndexFile {
    /// Whose log the segment is a piece of.
    pub partition: TopicPartition,
    /// The segment's base offset.
    pub base_offset: Offset,
    /// The first offset after the segment.
    pub end_offset: Offset,
    /// How much of the segment file is in use, header included.
    pub segment_bytes: u64,
    /// The epoch of the segment's last batch, or of its header if it holds none.
    pub last_epoch: LeaderEpoch,
    /// The latest timestamp in the segment; the earliest there is if it holds no batch.
    pub max_timestamp: Timestamp,
    /// The latest time at which a message in the segment is to be delivered; the earliest there is if none has one.
    pub max_deliver_at: Timestamp,
    /// Whether all batches of the segment are plain.
    pub plain: bool,
    /// Some of its batches, in rising order.
    pub entries: Vec<IndexEntry>,
}

/// Where one batch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// The batch's first offset.
    pub offset: Offset,
    /// Where in the segment file the batch begins; not on a block boundary as a rule.
    pub position: u64,
    /// The latest timestamp of all batches before it in the segment.
    pub max_timestamp_before: Timestamp,
}

/// Why bytes are not an index that this version can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum OffsetIndexError {
    #[error("{available} bytes are there, the index needs {needed}")]
    Truncated { needed: usize, available: usize },
    #[error("an index starts with PSIX, not with {found:#010x}")]
    Magic { found: u32 },
    #[error("index version {found} is unknown, this is version {VERSION}")]
    Version { found: u8 },
    #[error("the index has {count} entries, the most is {}", limits::INDEX_ENTRIES_MAX)]
    Entries { count: u32 },
    #[error("the index's checksum is {stored:#010x}, its bytes give {computed:#010x}")]
    Checksum { stored: u32, computed: u32 },
    #[error("entry {entry} of the index is not between its neighbours")]
    Order { entry: usize },
}

impl OffsetIndexFile {
    /// The bytes of the file.
    ///
    /// # Panics
    /// On more entries than `limits::INDEX_ENTRIES_MAX`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        assert!(self.entries.len() <= limits::INDEX_ENTRIES_MAX, "an index is bounded");
        let count = u32::try_from(self.entries.len()).expect("an index is bounded");
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.entries.len() * ENTRY_BYTES);
        bytes.resize(HEADER_BYTES, 0);
        put(&mut bytes, 0, &MAGIC.to_le_bytes());
        put(&mut bytes, 4, &[VERSION, u8::from(!self.plain)]);
        put(&mut bytes, 12, &count.to_le_bytes());
        put(&mut bytes, 16, &self.partition.topic.get().to_le_bytes());
        put(&mut bytes, 24, &self.partition.partition.get().to_le_bytes());
        put(&mut bytes, 28, &self.last_epoch.get().to_le_bytes());
        put(&mut bytes, 32, &self.base_offset.get().to_le_bytes());
        put(&mut bytes, 40, &self.end_offset.get().to_le_bytes());
        put(&mut bytes, 48, &self.segment_bytes.to_le_bytes());
        put(&mut bytes, 56, &self.max_timestamp.as_millis().to_le_bytes());
        put(&mut bytes, 64, &self.max_deliver_at.as_millis().to_le_bytes());
        for entry in &self.entries {
            bytes.extend_from_slice(&entry.offset.get().to_le_bytes());
            bytes.extend_from_slice(&entry.position.to_le_bytes());
            bytes.extend_from_slice(&entry.max_timestamp_before.as_millis().to_le_bytes());
        }
        let crc = checksum(&bytes);
        put(&mut bytes, 8, &crc.to_le_bytes());
        bytes
    }

    /// Reads an index; what follows its last entry is not looked at.
    ///
    /// # Errors
    /// Says what is wrong with it; any bytes are safe to give.
    pub fn decode(bytes: &[u8]) -> Result<Self, OffsetIndexError> {
        let available = bytes.len();
        let header: &[u8; HEADER_BYTES] =
            bytes.first_chunk().ok_or(OffsetIndexError::Truncated { needed: HEADER_BYTES, available })?;
        let found = u32_at(header, 0);
        if found != MAGIC {
            return Err(OffsetIndexError::Magic { found });
        }
        let [_, _, _, _, version, not_plain, ..] = *header;
        if version != VERSION {
            return Err(OffsetIndexError::Version { found: version });
        }
        let count = u32_at(header, 12);
        let entry_count = usize::try_from(count).unwrap_or(usize::MAX);
        if entry_count > limits::INDEX_ENTRIES_MAX {
            return Err(OffsetIndexError::Entries { count });
        }
        let needed = HEADER_BYTES + entry_count * ENTRY_BYTES;
        let bytes = bytes.get(..needed).ok_or(OffsetIndexError::Truncated { needed, available })?;
        let (stored, computed) = (u32_at(header, 8), checksum(bytes));
        if stored != computed {
            return Err(OffsetIndexError::Checksum { stored, computed });
        }
        let partition = TopicPartition::new(TopicId::new(u64_at(header, 16)), PartitionIndex::new(u32_at(header, 24)));
        let entries = bytes.get(HEADER_BYTES..).unwrap_or_default().chunks_exact(ENTRY_BYTES);
        let index = Self {
            partition,
            base_offset: Offset::new(u64_at(header, 32)),
            end_offset: Offset::new(u64_at(header, 40)),
            segment_bytes: u64_at(header, 48),
            last_epoch: LeaderEpoch::new(u32_at(header, 28)),
            max_timestamp: Timestamp::from_millis(i64_at(header, 56)),
            max_deliver_at: Timestamp::from_millis(i64_at(header, 64)),
            plain: not_plain == 0,
            entries: entries.map(decode_entry).collect(),
        };
        index.check_order()?;
        Ok(index)
    }

    fn check_order(&self) -> Result<(), OffsetIndexError> {
        let mut before: Option<&IndexEntry> = None;
        for (at, entry) in self.entries.iter().enumerate() {
            let inside = self.base_offset <= entry.offset
                && entry.offset < self.end_offset
                && entry.position < self.segment_bytes;
            let rising = before.is_none_or(|before| before.offset < entry.offset && before.position < entry.position);
            if !(inside && rising) {
                return Err(OffsetIndexError::Order { entry: at });
            }
            before = Some(entry);
        }
        Ok(())
    }
}

fn decode_entry(bytes: &[u8]) -> IndexEntry {
    IndexEntry {
        offset: Offset::new(u64_at(bytes, 0)),
        position: u64_at(bytes, 8),
        max_timestamp_before: Timestamp::from_millis(i64_at(bytes, 16)),
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

    fn index() -> OffsetIndexFile {
        let entry = |offset, position, millis| IndexEntry {
            offset: Offset::new(offset),
            position,
            max_timestamp_before: Timestamp::from_millis(millis),
        };
        OffsetIndexFile {
            partition: TopicPartition::new(TopicId::new(7), PartitionIndex::new(3)),
            base_offset: Offset::new(42),
            end_offset: Offset::new(1_000),
            segment_bytes: 204_800,
            last_epoch: LeaderEpoch::new(5),
            max_timestamp: Timestamp::from_millis(1_700_000_000_777),
            max_deliver_at: Timestamp::from_millis(1_700_000_500_000),
            plain: false,
            entries: vec![entry(42, 4_096, i64::MIN), entry(300, 70_123, 1_700_000_000_001)],
        }
    }

    #[test]
    fn offset_index_v2_is_frozen() {
        let bytes = index().encode();
        assert_golden("offset_index.v2.hex", &bytes);
        assert_eq!(OffsetIndexFile::decode(&bytes), Ok(index()));
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let bytes = index().encode();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            assert!(OffsetIndexFile::decode(&changed).is_err(), "byte {at}");
        }
    }

    #[test]
    fn every_shorter_prefix_is_refused() {
        let bytes = index().encode();
        for length in 0..bytes.len() {
            assert!(OffsetIndexFile::decode(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn what_follows_the_entries_is_not_looked_at() {
        let mut bytes = index().encode();
        bytes.resize(4_096, 0xee);
        assert_eq!(OffsetIndexFile::decode(&bytes), Ok(index()));
    }

    #[test]
    fn entries_out_of_order_are_refused() {
        let mut swapped = index();
        swapped.entries.swap(0, 1);
        assert_eq!(OffsetIndexFile::decode(&swapped.encode()), Err(OffsetIndexError::Order { entry: 1 }));
        let mut outside = index();
        outside.end_offset = Offset::new(300);
        assert_eq!(OffsetIndexFile::decode(&outside.encode()), Err(OffsetIndexError::Order { entry: 1 }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(mut bytes in prop::collection::vec(any::<u8>(), 0..200), count in any::<Option<u8>>()) {
            if bytes.len() >= HEADER_BYTES && let Some(count) = count {
                put(&mut bytes, 0, &MAGIC.to_le_bytes());
                bytes[4] = VERSION;
                put(&mut bytes, 12, &u32::from(count % 8).to_le_bytes());
                let needed = HEADER_BYTES + usize::from(count % 8) * ENTRY_BYTES;
                let crc = checksum(&bytes[..needed.min(bytes.len())]);
                put(&mut bytes, 8, &crc.to_le_bytes());
            }
            let _ = OffsetIndexFile::decode(&bytes);
        }
    }
}
