//! Which partition a message goes to: the one it names, else by its key, else by its id, else in turn.
//!
//! Keys and ids are hashed as Kafka's default partitioner hashes keys (murmur2, sign bit cleared, modulo the number
//! of partitions), so that a topic moved from there keeps its keys where they were. The hash is part of what clients
//! rely on: changing it would break the order of every key.

use shard_core::model::PartitionIndex;

const SEED: u32 = 0x9747_b28c;
const MULTIPLIER: u32 = 0x5bd1_e995;
const SHIFT: u32 = 24;

/// Chooses partitions for the messages of one call.
#[derive(Clone, Copy, Debug)]
pub struct Partitioner {
    partitions: u32,
    turn: PartitionIndex,
}

impl Partitioner {
    /// A partitioner over `partitions` partitions; messages that state nothing go to the one `turn` points at.
    ///
    /// # Panics
    /// Without a partition, which no topic is.
    #[must_use]
    pub fn new(partitions: u32, turn: u32) -> Self {
        assert!(partitions > 0, "a topic has at least one partition");
        Self { partitions, turn: PartitionIndex::new(turn % partitions) }
    }

    /// The partition a message asks for, if there is such a one.
    #[must_use]
    pub const fn explicit(self, partition: u32) -> Option<PartitionIndex> {
        if partition < self.partitions { Some(PartitionIndex::new(partition)) } else { None }
    }

    /// The partition of a message by what it states: its key, else the id its publisher gave, else the call's turn.
    #[must_use]
    pub fn choose(self, key: Option<&str>, id: Option<&str>) -> PartitionIndex {
        key.or(id).map_or(self.turn, |text| self.by_hash(text.as_bytes()))
    }

    fn by_hash(self, bytes: &[u8]) -> PartitionIndex {
        let positive = murmur2(bytes) & 0x7fff_ffff;
        PartitionIndex::new(positive % self.partitions)
    }
}

/// `MurmurHash2` of 32 bits with Kafka's seed.
fn murmur2(bytes: &[u8]) -> u32 {
    // The length is folded in modulo 2^32; keys are far shorter.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        k ^= k >> SHIFT;
        hash = hash.wrapping_mul(MULTIPLIER) ^ k.wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of Kafka's own test of its murmur2.
    #[test]
    fn the_hash_is_kafkas() {
        let vectors = [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ];
        for (text, hash) in vectors {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
        }
    }

    /// Frozen: where keys lie may never change under a topic.
    #[test]
    fn keys_stay_where_they_were() {
        let partitioner = Partitioner::new(8, 3);
        let places: Vec<_> = ["", "a", "order-1", "order-2", "ключ", "k\u{0}"]
            .map(|key| partitioner.choose(Some(key), None).get())
            .into();
        assert_eq!(places, GOLDEN);
    }

    const GOLDEN: [u32; 6] = [1, 4, 6, 3, 0, 5];

    #[test]
    fn the_key_goes_before_the_id_and_the_id_before_the_turn() {
        let partitioner = Partitioner::new(1024, 1027);
        assert_eq!(partitioner.choose(Some("k"), Some("i")), partitioner.choose(Some("k"), None));
        assert_eq!(partitioner.choose(None, Some("i")), partitioner.choose(Some("i"), None));
        assert_eq!(partitioner.choose(None, None), PartitionIndex::new(3));
    }

    #[test]
    fn a_partition_that_is_not_there_can_not_be_asked_for() {
        let partitioner = Partitioner::new(4, 0);
        assert_eq!(partitioner.explicit(3), Some(PartitionIndex::new(3)));
        assert_eq!(partitioner.explicit(4), None);
    }

    #[test]
    fn every_partition_gets_keys() {
        let partitioner = Partitioner::new(16, 0);
        let mut counts = [0_u32; 16];
        for key in 0..1_600 {
            let place = partitioner.choose(Some(&key.to_string()), None).get();
            counts[usize::try_from(place).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
    }
}
