//! Which core of the node owns a partition.

use shard_core::model::TopicPartition;

/// The shard of `partition` on a node of `shard_count` shards: the partitions of a topic are dealt out in turn, each
/// topic beginning at another core.
///
/// # Panics
/// If there are no shards.
#[must_use]
pub fn shard_of(partition: TopicPartition, shard_count: usize) -> usize {
    let turn = partition.topic.get().wrapping_add(u64::from(partition.partition.get()));
    let count = u64::try_from(shard_count).expect("a core count fits in 64 bits");
    usize::try_from(turn % count).expect("the remainder is below a usize")
}

#[cfg(test)]
mod tests {
    use shard_core::model::{PartitionIndex, TopicId};

    use super::*;

    #[test]
    fn the_partitions_of_a_topic_are_spread_evenly() {
        for shards in 1..=5 {
            let mut load = vec![0; shards];
            for partition in 0..20 {
                let partition = TopicPartition::new(TopicId::new(9), PartitionIndex::new(partition));
                load[shard_of(partition, shards)] += 1;
            }
            assert!(load.iter().all(|&count| count >= 20 / shards), "{load:?}");
        }
    }

    #[test]
    fn topics_of_one_partition_use_every_core() {
        let shard = |topic| shard_of(TopicPartition::new(TopicId::new(topic), PartitionIndex::new(0)), 2);
        assert_ne!(shard(1), shard(2));
    }
}
