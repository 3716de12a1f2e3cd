//! How far a shard's partitions are known to be safe: noted as it happens, and written down every second or so.
//!
//! The log store tells a torn tail from damage by it; the Redis store tells a log that has lost its end from one that
//! never had it.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use shard_core::{
    format::durable_ends::DurableEnd,
    layout::EndsOwner,
    log::{KnownLog, further},
    model::{Offset, TopicPartition},
};

use super::StoreError;
use crate::placement::shard_of;

mod files;

use files::EndsFiles;
pub use files::{DurableEnds, read_durable_ends};

/// Where a shard writes down its ends, and what all shards of the last run had written.
#[derive(Clone, Debug)]
pub struct EndsConfig {
    /// The node's data directory.
    pub data_dir: PathBuf,
    /// Which store's ends they are.
    pub owner: EndsOwner,
    /// Which shard this is, from 0.
    pub shard: usize,
    /// How many the node has.
    pub shard_count: usize,
    /// What every shard of the last run had written down.
    pub known: Arc<DurableEnds>,
}

impl EndsConfig {
    /// Reads what the last run knew, for the first of so many shards; blocks.
    ///
    /// # Errors
    /// As for [`read_durable_ends`].
    pub fn read(data_dir: &Path, owner: EndsOwner, shard_count: usize) -> Result<Self, String> {
        let known = Arc::new(read_durable_ends(data_dir, owner)?);
        Ok(Self { data_dir: data_dir.to_owned(), owner, shard: 0, shard_count, known })
    }

    /// The same for another shard.
    #[must_use]
    pub fn of_shard(&self, shard: usize) -> Self {
        Self { shard, ..self.clone() }
    }
}

/// What is known of each partition of one shard.
#[derive(Debug)]
pub(super) struct Ends {
    files: EndsFiles,
    /// Of this run if the partition was opened, of the last one if not.
    points: RefCell<BTreeMap<TopicPartition, Rc<Cell<DurableEnd>>>>,
    /// Rises with each change of a point.
    version: Cell<u64>,
}

impl Ends {
    /// Takes what concerns this shard of what all shards of the last run knew, and writes that down.
    pub(super) async fn start(config: &EndsConfig) -> Result<Self, StoreError> {
        let mut points: BTreeMap<TopicPartition, Rc<Cell<DurableEnd>>> = BTreeMap::new();
        let ours = |end: &&DurableEnd| shard_of(end.partition, config.shard_count) == config.shard;
        for end in config.known.entries.iter().filter(ours) {
            let point = points.entry(end.partition).or_insert_with(|| Rc::new(Cell::new(*end)));
            point.set(further(point.get(), *end));
        }
        let ends = Self { files: EndsFiles::new(config), points: RefCell::new(points), version: Cell::new(1) };
        ends.checkpoint().await?;
        Ok(ends)
    }

    /// Goes on once every shard has started: now what each has written down is complete, and may replace the rest of what
    /// the last run left, which may have had another number of shards.
    pub(super) async fn settle(&self) -> Result<(), StoreError> {
        self.touch();
        self.checkpoint().await?;
        self.files.remove_strays().await
    }

    /// What was written down of a partition, perhaps nothing.
    pub(super) fn known(&self, partition: TopicPartition) -> KnownLog {
        let known = self.points.borrow().get(&partition).map(|point| point.get());
        known.map_or_else(KnownLog::default, KnownLog::from)
    }

    /// The place in which a partition notes how far it is safe; `touch` follows each change.
    pub(super) fn point(&self, partition: TopicPartition, now: DurableEnd) -> Rc<Cell<DurableEnd>> {
        let mut points = self.points.borrow_mut();
        let point = Rc::clone(points.entry(partition).or_insert_with(|| Rc::new(Cell::new(now))));
        drop(points);
        point.set(now);
        self.touch();
        point
    }

    /// A point has changed, and is to be written down with the next checkpoint.
    pub(super) fn touch(&self) {
        self.version.set(self.version.get() + 1);
    }

    /// Forgets a partition that is gone for good.
    pub(super) fn remove(&self, partition: TopicPartition) {
        if self.points.borrow_mut().remove(&partition).is_some() {
            self.touch();
        }
    }

    /// Takes a point back, before what it speaks of is removed: the older of the two files that say more is written too.
    pub(super) async fn take_back(&self, point: &Cell<DurableEnd>, to: DurableEnd) -> Result<(), StoreError> {
        point.set(to);
        for _ in 0..2 {
            self.touch();
            self.checkpoint().await?;
        }
        Ok(())
    }

    /// Returns once everything that was noted before the call is written down.
    pub(super) async fn checkpoint(&self) -> Result<(), StoreError> {
        let written = self.files.write(&self.version, || {
            // In the order of partitions, as the map has them.
            self.points.borrow().values().map(|point| point.get()).filter(is_worth_noting).collect()
        });
        written.await
    }
}

/// Whether a start would learn anything from it.
fn is_worth_noting(point: &DurableEnd) -> bool {
    point.durable_end > Offset::ZERO
}
