//! Any operations in any order, against a plain vector.

use std::time::Duration;

use proptest::{prelude::*, test_runner::TestRunner};
use shard::store::{MessageStore as _, Opened, ReadFault, ShardStore};
use shard_core::{
    log::Retention,
    model::{Offset, OffsetRange, Timestamp},
};

use crate::{
    batches::Writer,
    cursors::Cursors,
    factory::{Factory, on_executor, open, read_all},
};

const CASES: u32 = 60;

/// One operation; places are given in percent of what is there.
#[derive(Clone, Debug)]
enum Operation {
    Append { batches: Vec<(usize, usize)>, durable: bool },
    Sync,
    Read { percent: u64, bytes_max: usize },
    ReadOutside { below: bool },
    FindTime { percent: u64 },
    Truncate { percent: u64 },
    Retain { percent: u64, bytes: Option<u64> },
    Ack { subscription: u64, offset: u64 },
    Snapshot,
    Checkpoint,
    Reopen,
    Restart { closed: bool },
}

fn operation() -> impl Strategy<Value = Operation> {
    let payload_bytes = prop_oneof![4 => 1..400_usize, 2 => 400..9_000_usize, 1 => 9_000..90_000_usize];
    let batches = prop::collection::vec((1..5_usize, payload_bytes), 1..4);
    prop_oneof![
        14 => (batches, any::<bool>()).prop_map(|(batches, durable)| Operation::Append { batches, durable }),
        2 => Just(Operation::Sync),
        10 => (0..=100_u64, 0..100_000_usize).prop_map(|(percent, bytes_max)| Operation::Read { percent, bytes_max }),
        1 => any::<bool>().prop_map(|below| Operation::ReadOutside { below }),
        4 => (0..=110_u64).prop_map(|percent| Operation::FindTime { percent }),
        2 => (0..=100_u64).prop_map(|percent| Operation::Truncate { percent }),
        3 => (0..=120_u64, prop::option::of(0..200_000_u64))
            .prop_map(|(percent, bytes)| Operation::Retain { percent, bytes }),
        4 => (1..4_u64, 0..100_u64).prop_map(|(subscription, offset)| Operation::Ack { subscription, offset }),
        1 => Just(Operation::Snapshot),
        1 => Just(Operation::Checkpoint),
        1 => Just(Operation::Reopen),
        2 => any::<bool>().prop_map(|closed| Operation::Restart { closed }),
    ]
}

/// A store and what it has to hold.
struct World<F: Factory> {
    factory: F,
    store: F::Store,
    opened: Opened<<F::Store as ShardStore>::Partition>,
    writer: Writer,
    cursors: Cursors,
}

/// Runs the model against one kind of store.
pub(crate) fn run<F: Factory>() {
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    let operations = prop::collection::vec(operation(), 1..40);
    let outcome = TestRunner::new(config).run(&operations, |operations| {
        on_executor(F::new(), async move |factory| {
            let mut world = World::new(factory).await;
            for operation in operations {
                world.perform(operation).await;
            }
            world.check().await;
        });
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
}

impl<F: Factory> World<F> {
    async fn new(factory: F) -> Self {
        let store = factory.start().await;
        let opened = open(&store).await;
        let writer = Writer::behind(&opened.found);
        Self { factory, store, opened, writer, cursors: Cursors::default() }
    }

    async fn perform(&mut self, operation: Operation) {
        let store = &self.opened.store;
        match operation {
            Operation::Append { batches, durable } => {
                let batches = batches.into_iter().map(|(records, bytes)| self.writer.next(records, bytes)).collect();
                let reached = store.append(batches, durable).await.unwrap();
                assert!(!durable || reached == F::REACHED);
            }
            Operation::Sync => store.sync().await.unwrap(),
            Operation::Read { percent, bytes_max } => self.read(percent, bytes_max).await,
            Operation::ReadOutside { below } => self.read_outside(below).await,
            Operation::FindTime { percent } => self.find_time(percent).await,
            Operation::Truncate { percent } => {
                let to = self.offset_at(percent);
                let holds = |batch: &&shard_core::format::record_batch::RecordBatch| batch.offsets().contains(to);
                let end = self.writer.batches.iter().find(holds).map_or(to, |batch| batch.offsets().start);
                assert_eq!(store.truncate(to).await, Ok(end));
                self.writer.cut(end);
            }
            Operation::Retain { percent, bytes } => self.retain(percent, bytes).await,
            Operation::Ack { subscription, offset } => {
                store.append_cursors(self.cursors.ack(subscription, offset)).await.unwrap();
            }
            Operation::Snapshot => {
                store.replace_cursors(self.cursors.snapshot()).await.unwrap();
            }
            Operation::Checkpoint => self.store.checkpoint().await.unwrap(),
            Operation::Reopen => {
                store.close().await.unwrap();
                self.open_again().await;
            }
            Operation::Restart { closed } => {
                if closed {
                    store.close().await.unwrap();
                    self.store.checkpoint().await.unwrap();
                }
                self.store = self.factory.start().await;
                self.open_again().await;
            }
        }
    }

    async fn open_again(&mut self) {
        self.opened = open(&self.store).await;
        let found = &self.opened.found;
        assert!(found.extent.end >= self.writer.end(), "no offset is given twice");
        if F::SURVIVES {
            assert_eq!((found.extent.start, found.extent.end), (self.writer.start, self.writer.end()));
            assert_eq!(found.cursors, self.cursors.0);
        } else {
            assert_eq!(found.extent.start, found.extent.end);
            assert!(found.cursors.is_empty());
            self.cursors = Cursors::default();
            self.writer.start_anew(found);
        }
        self.check().await;
    }

    async fn read(&self, percent: u64, bytes_max: usize) {
        let wanted = OffsetRange::new(self.offset_at(percent), self.writer.end());
        let read = self.opened.store.read(wanted, bytes_max).await.unwrap();
        let expected = self.writer.batches.iter().filter(|batch| batch.offsets().end > wanted.start);
        let expected: Vec<_> = expected.take(read.len()).cloned().collect();
        assert_eq!(read, expected);
        assert_eq!(read.is_empty(), wanted.is_empty());
        let bytes: usize = read.iter().map(|batch| batch.bytes().len()).sum();
        assert!(read.len() <= 1 || bytes <= bytes_max);
    }

    async fn read_outside(&self, below: bool) {
        let (start, end) = (self.writer.start, self.writer.end());
        if below && start > Offset::ZERO {
            let offset = Offset::new(start.get() - 1);
            let read = self.opened.store.read(OffsetRange::new(offset, end), 100).await;
            assert_eq!(read, Err(ReadFault::Expired { offset, start }));
        } else {
            let offset = end.next();
            let read = self.opened.store.read(OffsetRange::new(offset, offset.next()), 100).await;
            assert_eq!(read, Err(ReadFault::PastEnd { offset, end }));
        }
    }

    async fn find_time(&self, percent: u64) {
        let at = self.time_at(percent);
        let found = self.opened.store.find_time(at, self.writer.end()).await.unwrap();
        let reaches = self.writer.batches.iter().find(|batch| batch.header().last_timestamp() >= at);
        assert_eq!(found, reaches.map_or(self.writer.end(), |batch| batch.offsets().start));
    }

    async fn retain(&mut self, percent: u64, bytes: Option<u64>) {
        let age = Duration::from_secs(10);
        let keep = Retention { age: Some(age), bytes, below: None };
        let now = self.time_at(percent).plus_millis(10_000);
        let start = self.opened.store.retain(now, keep).await.unwrap();
        assert!(start >= self.writer.start && start <= self.writer.end());
        let gone = self.writer.batches.iter().filter(|batch| batch.offsets().start < start);
        let all_old = gone.clone().all(|batch| keep.has_passed(batch.header().last_timestamp(), now));
        let enough_left = bytes.is_some_and(|kept| self.opened.store.bytes() >= kept);
        assert!(all_old || enough_left, "only what need not be kept goes");
        assert!(gone.clone().all(|batch| batch.offsets().end <= start), "batches go whole");
        self.writer.trim(start);
    }

    async fn check(&self) {
        assert_eq!(read_all(&self.opened.store, self.writer.range()).await, self.writer.batches);
    }

    fn offset_at(&self, percent: u64) -> Offset {
        let range = self.writer.range();
        range.start.plus(range.len() * percent / 100)
    }

    fn time_at(&self, percent: u64) -> Timestamp {
        Timestamp::from_millis(self.writer.at_ms * i64::try_from(percent).unwrap() / 100)
    }
}
