//! The cursor token: a place in a topic that a client can keep and come back to, opaque to it.
//!
//! Bytes, little-endian: version `u8`, topic id `u64`, count `u16`, then count × (partition `u32`, next offset `u64`)
//! in rising order of partitions; base64url. What a token says is checked, not trusted: a client may have made it up.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::base64;
use crate::cow_str::CowStr;
use crate::limits::CURSOR_PARTITIONS_MAX;

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 11;
const ENTRY_BYTES: usize = 12;

/// Where to go on reading: for each partition the next offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorToken {
    topic_id: u64,
    offsets: Vec<(u32, u64)>,
}

/// Why a token, or what should become one, was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum CursorError {
    #[error("the cursor is not base64url text")]
    Text,
    #[error("the cursor has version {version}, this node knows {VERSION}")]
    Version { version: u8 },
    #[error("the cursor has {actual} bytes where {expected} are needed")]
    Length { expected: usize, actual: usize },
    #[error("the cursor names {partitions} partitions, the limit is {CURSOR_PARTITIONS_MAX}")]
    TooManyPartitions { partitions: usize },
    #[error("the cursor names its partitions twice or out of order")]
    Order,
}

impl CursorToken {
    /// A place in the topic with this id.
    ///
    /// # Errors
    /// The offsets name a partition twice, or too many.
    pub fn new(topic_id: u64, mut offsets: Vec<(u32, u64)>) -> Result<Self, CursorError> {
        offsets.sort_unstable();
        check(&offsets)?;
        Ok(Self { topic_id, offsets })
    }

    /// Reads a token.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn decode(text: &str) -> Result<Self, CursorError> {
        // Checked before base64 is decoded: a long text costs nothing.
        if text.len() > token_length_max() {
            return Err(CursorError::TooManyPartitions { partitions: text.len() * 3 / 4 / ENTRY_BYTES });
        }
        let bytes = base64::decode_token(text).map_err(|_| CursorError::Text)?;
        let version = *bytes.first().ok_or(CursorError::Length { expected: HEADER_BYTES, actual: 0 })?;
        if version != VERSION {
            return Err(CursorError::Version { version });
        }
        let short = CursorError::Length { expected: HEADER_BYTES, actual: bytes.len() };
        let (header, entries) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(short)?;
        let [_, t0, t1, t2, t3, t4, t5, t6, t7, c0, c1] = *header;
        let expected = HEADER_BYTES + usize::from(u16::from_le_bytes([c0, c1])) * ENTRY_BYTES;
        if bytes.len() != expected {
            return Err(CursorError::Length { expected, actual: bytes.len() });
        }
        let (entries, _) = entries.as_chunks::<ENTRY_BYTES>();
        let offsets: Vec<_> = entries.iter().map(decode_entry).collect();
        check(&offsets)?;
        Ok(Self { topic_id: u64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7]), offsets })
    }

    /// The token as clients carry it.
    #[must_use]
    pub fn encode(&self) -> String {
        let count = u16::try_from(self.offsets.len()).unwrap_or(u16::MAX);
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.offsets.len() * ENTRY_BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.topic_id.to_le_bytes());
        bytes.extend_from_slice(&count.to_le_bytes());
        for (partition, offset) in &self.offsets {
            bytes.extend_from_slice(&partition.to_le_bytes());
            bytes.extend_from_slice(&offset.to_le_bytes());
        }
        base64::encode_token(&bytes)
    }

    /// The topic that the cursor belongs to, for ever: a topic recreated under the same name has another id.
    #[must_use]
    pub fn topic_id(&self) -> u64 {
        self.topic_id
    }

    /// Partitions with their next offsets, in rising order of partitions.
    #[must_use]
    pub fn offsets(&self) -> &[(u32, u64)] {
        &self.offsets
    }

    /// The next offset of a partition; `None` if the cursor doesn't name it.
    #[must_use]
    pub fn offset(&self, partition: u32) -> Option<u64> {
        let found = self.offsets.binary_search_by_key(&partition, |(partition, _)| *partition).ok()?;
        self.offsets.get(found).map(|(_, offset)| *offset)
    }
}

impl fmt::Display for CursorToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.encode())
    }
}

impl Serialize for CursorToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.encode())
    }
}

impl<'de> Deserialize<'de> for CursorToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::decode(&CowStr::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

const fn token_length_max() -> usize {
    (HEADER_BYTES + CURSOR_PARTITIONS_MAX * ENTRY_BYTES).div_ceil(3) * 4
}

fn decode_entry(entry: &[u8; ENTRY_BYTES]) -> (u32, u64) {
    let [p0, p1, p2, p3, o0, o1, o2, o3, o4, o5, o6, o7] = *entry;
    (u32::from_le_bytes([p0, p1, p2, p3]), u64::from_le_bytes([o0, o1, o2, o3, o4, o5, o6, o7]))
}

fn check(offsets: &[(u32, u64)]) -> Result<(), CursorError> {
    if offsets.len() > CURSOR_PARTITIONS_MAX {
        return Err(CursorError::TooManyPartitions { partitions: offsets.len() });
    }
    if !offsets.is_sorted_by(|(left, _), (right, _)| left < right) {
        return Err(CursorError::Order);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cursor_token_v1_is_frozen() {
        let token = CursorToken::new(7, vec![(3, 42), (0, 1)]).unwrap();
        assert_eq!(token.encode(), "AQcAAAAAAAAAAgAAAAAAAQAAAAAAAAADAAAAKgAAAAAAAAA");
        assert_eq!(CursorToken::decode("AQcAAAAAAAAAAgAAAAAAAQAAAAAAAAADAAAAKgAAAAAAAAA"), Ok(token));
    }

    #[test]
    fn offsets_are_found_by_partition() {
        let token = CursorToken::new(7, vec![(3, 42), (0, 1)]).unwrap();
        assert_eq!((token.offset(3), token.offset(0), token.offset(1)), (Some(42), Some(1), None));
    }

    #[test]
    fn each_kind_of_damage_is_named() {
        let bytes = base64::decode_token(&CursorToken::new(7, vec![(0, 1), (3, 42)]).unwrap().encode()).unwrap();
        let decode = |bytes: &[u8]| CursorToken::decode(&base64::encode_token(bytes)).unwrap_err();
        assert_eq!(CursorToken::decode("a cursor"), Err(CursorError::Text));
        assert_eq!(decode(&[]), CursorError::Length { expected: 11, actual: 0 });
        assert_eq!(decode(&[2]), CursorError::Version { version: 2 });
        assert_eq!(decode(&bytes[..5]), CursorError::Length { expected: 11, actual: 5 });
        assert_eq!(decode(&bytes[..34]), CursorError::Length { expected: 35, actual: 34 });
        let mut swapped = bytes.clone();
        swapped.swap(11, 23);
        assert_eq!(decode(&swapped), CursorError::Order);
        let long = "A".repeat(1_000_000);
        assert!(matches!(CursorToken::decode(&long), Err(CursorError::TooManyPartitions { .. })));
        let many = (0..2_000).map(|partition| (partition, 0)).collect();
        assert_eq!(CursorToken::new(7, many), Err(CursorError::TooManyPartitions { partitions: 2_000 }));
    }

    proptest! {
        #[test]
        fn every_cursor_comes_back(
            topic_id: u64,
            offsets in proptest::collection::btree_map(any::<u32>(), any::<u64>(), 0..CURSOR_PARTITIONS_MAX),
        ) {
            let offsets: BTreeMap<u32, u64> = offsets;
            let token = CursorToken::new(topic_id, offsets.into_iter().collect()).unwrap();
            prop_assert_eq!(CursorToken::decode(&token.encode()), Ok(token));
        }

        #[test]
        fn any_bytes_decode_or_are_refused(mut bytes: Vec<u8>, text: String) {
            let _ = CursorToken::decode(&text);
            bytes.insert(0, VERSION);
            if let Ok(token) = CursorToken::decode(&base64::encode_token(&bytes)) {
                prop_assert_eq!(token.encode(), base64::encode_token(&bytes));
            }
        }
    }
}
