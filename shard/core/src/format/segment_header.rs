//! The first block of a segment file: which partition's log it is a piece of, and where it begins.
//!
//! ```text
//!  0 u32 magic "PSSG"                         24 u32 partition
//!  4 u32 version                              28 u32 leader epoch that created the file
//!  8 u32 CRC-32C of 12..48                    32 u64 base offset
//! 12 u32 block size                           40 i64 creation time, ms
//! 16 u64 topic                                48 zeros to the end of the block
//! ```
//! Behind it lie flush groups: whole batches one behind the other, zero-padded to the next block.

use super::{
    checksum::crc32c,
    fields::{i64_at, put, u32_at, u64_at},
};
use crate::model::{LeaderEpoch, Offset, PartitionIndex, Timestamp, TopicId, TopicPartition};

/// The first bytes of a segment file, `PSSG`.
pub const MAGIC: u32 = u32::from_le_bytes(*b"PSSG");
/// The version this code writes, and the only one it reads.
pub const VERSION: u32 = 1;
/// The size of a block: each flush starts on a multiple of it. The header fills the first one.
pub const BLOCK_BYTES: usize = 4096;

const HEADER_BYTES: usize = 48;

/// What a segment file says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Whose log it is a piece of.
    pub partition: TopicPartition,
    /// The offset of its first record; also the file's name.
    pub base_offset: Offset,
    /// The owner that created it; its batches have this epoch or a later one.
    pub leader_epoch: LeaderEpoch,
    /// When it was created.
    pub created_at: Timestamp,
}

/// Why a block is not the header of a segment that this version can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum SegmentHeaderError {
    #[error("{available} bytes are there, the header has {HEADER_BYTES}")]
    Truncated { available: usize },
    #[error("a segment starts with PSSG, not with {found:#010x}")]
    Magic { found: u32 },
    #[error("segment version {found} is unknown, this is version {VERSION}")]
    Version { found: u32 },
    #[error("the segment header's checksum is {stored:#010x}, its bytes give {computed:#010x}")]
    Checksum { stored: u32, computed: u32 },
    #[error("the segment's block size is {found}, this version reads {BLOCK_BYTES}")]
    BlockBytes { found: u32 },
}

impl SegmentHeader {
    /// The header as a whole block.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut block = vec![0; BLOCK_BYTES];
        put(&mut block, 0, &MAGIC.to_le_bytes());
        put(&mut block, 4, &VERSION.to_le_bytes());
        put(&mut block, 12, &block_bytes().to_le_bytes());
        put(&mut block, 16, &self.partition.topic.get().to_le_bytes());
        put(&mut block, 24, &self.partition.partition.get().to_le_bytes());
        put(&mut block, 28, &self.leader_epoch.get().to_le_bytes());
        put(&mut block, 32, &self.base_offset.get().to_le_bytes());
        put(&mut block, 40, &self.created_at.as_millis().to_le_bytes());
        let crc = checksum(&block);
        put(&mut block, 8, &crc.to_le_bytes());
        block
    }

    /// Reads the header at the start of `bytes`. An unknown version is told from damage before anything else.
    ///
    /// # Errors
    /// Says what is there instead; any bytes are safe to give.
    pub fn decode(bytes: &[u8]) -> Result<Self, SegmentHeaderError> {
        let header: &[u8; HEADER_BYTES] =
            bytes.first_chunk().ok_or(SegmentHeaderError::Truncated { available: bytes.len() })?;
        let found = u32_at(header, 0);
        if found != MAGIC {
            return Err(SegmentHeaderError::Magic { found });
        }
        let found = u32_at(header, 4);
        if found != VERSION {
            return Err(SegmentHeaderError::Version { found });
        }
        let (stored, computed) = (u32_at(header, 8), checksum(header));
        if stored != computed {
            return Err(SegmentHeaderError::Checksum { stored, computed });
        }
        let found = u32_at(header, 12);
        if found != block_bytes() {
            return Err(SegmentHeaderError::BlockBytes { found });
        }
        let partition = TopicPartition::new(TopicId::new(u64_at(header, 16)), PartitionIndex::new(u32_at(header, 24)));
        Ok(Self {
            partition,
            base_offset: Offset::new(u64_at(header, 32)),
            leader_epoch: LeaderEpoch::new(u32_at(header, 28)),
            created_at: Timestamp::from_millis(i64_at(header, 40)),
        })
    }
}

fn checksum(header: &[u8]) -> u32 {
    crc32c(&[header.get(12..HEADER_BYTES).unwrap_or_default()])
}

fn block_bytes() -> u32 {
    u32::try_from(BLOCK_BYTES).expect("a block is small")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::golden::assert_golden;

    fn header() -> SegmentHeader {
        SegmentHeader {
            partition: TopicPartition::new(TopicId::new(7), PartitionIndex::new(3)),
            base_offset: Offset::new(42),
            leader_epoch: LeaderEpoch::new(5),
            created_at: Timestamp::from_millis(1_700_000_000_000),
        }
    }

    #[test]
    fn segment_header_v1_is_frozen() {
        let block = header().encode();
        assert_eq!(block.len(), BLOCK_BYTES);
        assert!(block[HEADER_BYTES..].iter().all(|byte| *byte == 0));
        assert_golden("segment_header.v1.hex", &block[..64]);
        assert_eq!(SegmentHeader::decode(&block), Ok(header()));
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        for at in 0..HEADER_BYTES {
            let mut block = header().encode();
            block[at] ^= 0x10;
            assert!(SegmentHeader::decode(&block).is_err(), "byte {at}");
        }
    }

    #[test]
    fn an_unknown_version_is_not_taken_for_damage() {
        let mut block = header().encode();
        block[4] = 2;
        assert_eq!(SegmentHeader::decode(&block), Err(SegmentHeaderError::Version { found: 2 }));
    }

    #[test]
    fn another_block_size_is_refused() {
        let mut block = header().encode();
        put(&mut block, 12, &512_u32.to_le_bytes());
        let crc = checksum(&block);
        put(&mut block, 8, &crc.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&block), Err(SegmentHeaderError::BlockBytes { found: 512 }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(mut bytes in prop::collection::vec(any::<u8>(), 0..100), sealed in any::<bool>()) {
            if sealed && bytes.len() >= HEADER_BYTES {
                put(&mut bytes, 0, &MAGIC.to_le_bytes());
                put(&mut bytes, 4, &VERSION.to_le_bytes());
                let crc = checksum(&bytes);
                put(&mut bytes, 8, &crc.to_le_bytes());
            }
            let _ = SegmentHeader::decode(&bytes);
        }
    }
}
