//! The newest batches of a shard's partitions, within one byte budget: consumers who keep up never read the disk.

use std::collections::{HashMap, VecDeque};

use shard_core::{
    format::record_batch::RecordBatch,
    model::{OffsetRange, TopicPartition},
};

/// What a cached batch costs beside its bytes.
const BATCH_OVERHEAD_BYTES: usize = 160;

/// Batches in order per partition; the oldest of the whole shard goes first when the budget is used up.
#[derive(Debug)]
pub(crate) struct TailCache {
    partitions: HashMap<TopicPartition, VecDeque<RecordBatch>>,
    /// The partition of each batch, in the order they came.
    arrivals: VecDeque<TopicPartition>,
    bytes: usize,
    bytes_max: usize,
}

impl TailCache {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { partitions: HashMap::new(), arrivals: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// Adds a batch that was appended behind those already there.
    pub(crate) fn insert(&mut self, partition: TopicPartition, batch: RecordBatch) {
        self.bytes += cost(&batch);
        let cached_end = self.partitions.get(&partition).and_then(VecDeque::back).map(|last| last.offsets().end);
        if cached_end.is_some_and(|end| end != batch.offsets().start) {
            self.remove(partition);
        }
        self.partitions.entry(partition).or_default().push_back(batch);
        self.arrivals.push_back(partition);
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.arrivals.pop_front() else { break };
            self.drop_oldest(oldest);
        }
    }

    /// The batches from the one that holds `range.start`, up to `range.end` and to `bytes_max` (one is always
    /// given); `None` if the cache does not reach back that far.
    pub(crate) fn read(
        &self,
        partition: TopicPartition,
        range: OffsetRange,
        bytes_max: usize,
    ) -> Option<Vec<RecordBatch>> {
        let batches = self.partitions.get(&partition)?;
        if batches.front()?.offsets().start > range.start {
            return None;
        }
        let first = batches.partition_point(|batch| batch.offsets().end <= range.start);
        let mut bytes = 0;
        let mut found = Vec::new();
        for batch in batches.range(first..) {
            let fits = found.is_empty() || bytes + batch.bytes().len() <= bytes_max;
            if batch.offsets().end > range.end || !fits {
                break;
            }
            bytes += batch.bytes().len();
            found.push(batch.clone());
        }
        (!found.is_empty()).then_some(found)
    }

    /// Forgets a partition.
    pub(crate) fn remove(&mut self, partition: TopicPartition) {
        if let Some(batches) = self.partitions.remove(&partition) {
            self.bytes -= batches.iter().map(cost).sum::<usize>();
            self.arrivals.retain(|arrival| *arrival != partition);
        }
    }

    /// What the cached batches take.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    fn drop_oldest(&mut self, partition: TopicPartition) {
        let batches = self.partitions.get_mut(&partition).expect("each arrival has its batch");
        let batch = batches.pop_front().expect("each arrival has its batch");
        self.bytes -= cost(&batch);
        if batches.is_empty() {
            self.partitions.remove(&partition);
        }
    }
}

fn cost(batch: &RecordBatch) -> usize {
    batch.bytes().len() + BATCH_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use shard_core::{
        format::{
            record::{MessageId, RecordHead},
            record_batch::{BatchBuilder, Codec},
        },
        model::{LeaderEpoch, Offset, PartitionIndex, Timestamp, TopicId},
    };

    use super::*;

    fn partition(index: u32) -> TopicPartition {
        TopicPartition::new(TopicId::new(1), PartitionIndex::new(index))
    }

    fn batch(base: u64, payload_bytes: usize) -> RecordBatch {
        let mut builder = BatchBuilder::new(payload_bytes);
        let head = RecordHead {
            id: MessageId::Text("id"),
            key: None,
            content_type: "text/plain",
            priority: 4,
            ttl_ms: None,
            deliver_at: None,
        };
        let Ok(()) = builder.push(&head, &[], |out| {
            out.resize(out.len() + payload_bytes, b'x');
            Ok::<(), Infallible>(())
        });
        let batch = builder.finish(Codec::None, None).unwrap();
        batch.assign(Offset::new(base), LeaderEpoch::new(1), Timestamp::default())
    }

    fn range(start: u64, end: u64) -> OffsetRange {
        OffsetRange::new(Offset::new(start), Offset::new(end))
    }

    fn starts(batches: Option<Vec<RecordBatch>>) -> Option<Vec<u64>> {
        batches.map(|batches| batches.iter().map(|batch| batch.offsets().start.get()).collect())
    }

    #[test]
    fn a_read_begins_at_its_offset_and_ends_below_the_range() {
        let mut cache = TailCache::new(1 << 20);
        for base in 5..10 {
            cache.insert(partition(0), batch(base, 10));
        }
        assert_eq!(starts(cache.read(partition(0), range(6, 9), 1 << 20)), Some(vec![6, 7, 8]));
        assert_eq!(starts(cache.read(partition(0), range(6, 9), 1)), Some(vec![6]));
        assert_eq!(starts(cache.read(partition(0), range(4, 9), 1 << 20)), None);
        assert_eq!(starts(cache.read(partition(0), range(10, 10), 1 << 20)), None);
        assert_eq!(starts(cache.read(partition(1), range(6, 9), 1 << 20)), None);
    }

    #[test]
    fn the_budget_is_kept_by_dropping_the_oldest_of_all() {
        let mut cache = TailCache::new(4 * (1_000 + BATCH_OVERHEAD_BYTES));
        for base in 0..100 {
            cache.insert(partition(u32::try_from(base % 2).unwrap()), batch(base / 2, 900));
            assert!(cache.bytes() <= 4 * (1_000 + BATCH_OVERHEAD_BYTES));
        }
        assert_eq!(starts(cache.read(partition(0), range(47, 50), 1 << 20)), None);
        assert_eq!(starts(cache.read(partition(1), range(48, 50), 1 << 20)), Some(vec![48, 49]));
    }

    #[test]
    fn a_gap_empties_the_partition_first() {
        let mut cache = TailCache::new(1 << 20);
        cache.insert(partition(0), batch(0, 10));
        cache.insert(partition(0), batch(7, 10));
        assert_eq!(starts(cache.read(partition(0), range(0, 8), 1 << 20)), None);
        assert_eq!(starts(cache.read(partition(0), range(7, 8), 1 << 20)), Some(vec![7]));
    }

    #[test]
    fn what_was_cut_off_a_log_is_not_given_for_what_follows_in_its_place() {
        let mut cache = TailCache::new(1 << 20);
        for base in 0..5 {
            cache.insert(partition(0), batch(base, 10));
        }
        // The log was cut to 3, and goes on from there.
        let anew = batch(3, 20);
        cache.insert(partition(0), anew.clone());
        assert_eq!(cache.read(partition(0), range(3, 4), 1 << 20), Some(vec![anew]));
        assert_eq!(starts(cache.read(partition(0), range(2, 4), 1 << 20)), None);
        assert_eq!(starts(cache.read(partition(0), range(4, 5), 1 << 20)), None);
    }

    #[test]
    fn a_removed_partition_costs_nothing() {
        let mut cache = TailCache::new(1 << 20);
        cache.insert(partition(0), batch(0, 10));
        cache.remove(partition(0));
        assert_eq!((cache.bytes(), starts(cache.read(partition(0), range(0, 1), 1))), (0, None));
    }
}
