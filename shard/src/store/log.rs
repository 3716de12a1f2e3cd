//! The log store: each partition a directory of segment files and a cursor journal, written by direct I/O.
//!
//! A write is durable when it ends (`O_DSYNC`) or after a sync, as asked. How far each partition is durable, and where its
//! log starts, is written down every second: by that a start tells a torn tail from damage, and what retention had given
//! up from what it had not.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    path::PathBuf,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use shard_core::{
    format::durable_ends::DurableEnd,
    log::{KnownLog, LogExtent, SegmentLog, SegmentLogConfig, further},
    model::{LeaderEpoch, Offset, TopicPartition},
};

use super::{Found, Opened, ShardStore, StoreError};
use crate::{blocking::off_the_shard, clock::Clock, metrics::ShardMetrics, placement::shard_of};

mod data_dir;
mod dma_file;
mod durable_ends;
mod file_error;
mod files;
mod journal;
mod open;
mod partition;
mod perform;
mod read_ahead;
mod reading;
mod segment_reader;
mod space;
mod truncate;
mod watch;

use dma_file::{probe_device, sync_directory};
use durable_ends::EndsFiles;
pub use durable_ends::{DurableEnds, read_durable_ends};
use file_error::FileError;
use files::Files;
pub use partition::LogPartition;
use read_ahead::ReadAhead;
use segment_reader::SegmentReader;
use space::Space;
use watch::Watch;

/// The settings of one shard's log store.
#[derive(Clone, Debug)]
pub struct LogStoreConfig {
    /// The node's data directory.
    pub data_dir: PathBuf,
    /// Which shard this is, from 0.
    pub shard: usize,
    /// How many the node has.
    pub shard_count: usize,
    /// The size at which a segment is left and the next begun.
    pub segment_bytes_max: u64,
    /// How much room is kept on the disk: beyond it no messages are taken.
    pub reserve_bytes: u64,
    /// How many files the shard may have open for its partitions; those used longest ago are closed first.
    pub open_files_max: usize,
    /// What every shard of the last run had written down.
    pub durable_ends: Arc<DurableEnds>,
}

/// The log store of one shard.
#[derive(Clone, Debug)]
pub struct LogStore {
    shared: Rc<Shared>,
}

/// What the partitions of a shard share.
#[derive(Debug)]
struct Shared {
    config: LogStoreConfig,
    reader: SegmentReader,
    metrics: Arc<ShardMetrics>,
    clock: Clock,
    space: Space,
    files: Files,
    read_ahead: ReadAhead,
    watch: Rc<Watch>,
    ends: EndsFiles,
    /// What is known of each partition of this shard: of this run if it was opened, of the last one if not.
    points: RefCell<BTreeMap<TopicPartition, Rc<Cell<DurableEnd>>>>,
    /// Rises with each change of a point.
    points_version: Cell<u64>,
}

impl LogStore {
    /// Starts the store of one shard, and writes down once what concerns it of what all shards of the last run knew.
    ///
    /// # Errors
    /// The data directory can't be used, or that could not be written; what the last run left is as it was.
    pub async fn start(mut config: LogStoreConfig, metrics: Arc<ShardMetrics>) -> Result<Self, StoreError> {
        // A relative path has parents that can't be opened, and none that the executor can open at all.
        config.data_dir = std::path::absolute(&config.data_dir).map_err(StoreError::new)?;
        probe_device(&config.data_dir, config.shard).await.map_err(StoreError::new)?;
        let mut points: BTreeMap<TopicPartition, Rc<Cell<DurableEnd>>> = BTreeMap::new();
        let ours = |end: &&DurableEnd| shard_of(end.partition, config.shard_count) == config.shard;
        for end in config.durable_ends.entries.iter().filter(ours) {
            let point = points.entry(end.partition).or_insert_with(|| Rc::new(Cell::new(*end)));
            point.set(further(point.get(), *end));
        }
        let clock = Clock::start();
        let watch = Watch::new(clock);
        let shared = Shared {
            reader: SegmentReader::new(Arc::clone(&metrics), Rc::clone(&watch)),
            files: Files::new(config.open_files_max, Arc::clone(&metrics)),
            read_ahead: ReadAhead::default(),
            watch,
            metrics,
            clock,
            space: Space::new(&config.data_dir, config.reserve_bytes, config.shard_count),
            ends: EndsFiles::new(&config),
            points: RefCell::new(points),
            points_version: Cell::new(1),
            config,
        };
        let store = Self { shared: Rc::new(shared) };
        store.checkpoint().await?;
        Ok(store)
    }

    /// Goes on once every shard has started: now what each has written down is complete, and may replace the rest of what
    /// the last run left, which may have had another number of shards.
    ///
    /// # Errors
    /// It could not be written.
    pub async fn settle(&self) -> Result<(), StoreError> {
        self.shared.touch_points();
        self.checkpoint().await?;
        self.shared.ends.remove_strays().await.map_err(StoreError::new)
    }
}

impl ShardStore for LogStore {
    type Partition = LogPartition;

    async fn open(&self, partition: TopicPartition, epoch: LeaderEpoch) -> Result<Opened<LogPartition>, StoreError> {
        let shared = &self.shared;
        let directory = data_dir::partition_dir(&shared.config.data_dir, partition);
        let known = shared.known(partition);
        let recovered = open::open_partition(directory.clone(), partition, known).await?;
        let (log, journal) = (recovered.log, recovered.journal);
        let mut cut: Vec<_> = log.cut.iter().filter_map(|cut| cut.torn.clone()).collect();
        cut.extend(journal.torn.map(|torn| format!("cursor journal {}: {}", torn.generation, torn.found)));
        let found = Found {
            extent: LogExtent { start: log.log_start, end: log.log_end, newest: log.newest() },
            cursors: journal.cursors,
            replace_cursors: journal.files.is_large(),
            cut,
        };
        let config = SegmentLogConfig { partition, epoch, segment_bytes_max: shared.config.segment_bytes_max };
        let log = SegmentLog::open(config, log);
        let point = shared.point(partition, log.durable_point());
        let store = LogPartition::new(Rc::clone(shared), directory.into(), (log, point), journal.files);
        Ok(Opened { store, found })
    }

    async fn delete(&self, partition: TopicPartition) -> Result<(), StoreError> {
        if self.shared.points.borrow_mut().remove(&partition).is_some() {
            self.shared.touch_points();
        }
        drop(self.shared.read_ahead.take(partition));
        let data_dir = &self.shared.config.data_dir;
        let directory = data_dir::partition_dir(data_dir, partition);
        let removed = off_the_shard({
            let directory = directory.clone();
            move || std::fs::remove_dir_all(directory)
        });
        match removed.await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::new(FileError::new("removing", &directory, error)));
            }
            Ok(()) | Err(_) => {}
        }
        let topic = data_dir::topic_dir(data_dir, partition);
        if topic.exists() { sync_directory(&topic).await.map_err(StoreError::new) } else { Ok(()) }
    }

    async fn checkpoint(&self) -> Result<(), StoreError> {
        self.shared.checkpoint().await
    }

    fn oldest_io(&self) -> Duration {
        self.shared.watch.oldest_age()
    }
}

impl Shared {
    /// What was written down of a partition before it was opened.
    fn known(&self, partition: TopicPartition) -> KnownLog {
        let known = self.points.borrow().get(&partition).map(|point| point.get());
        known.map_or_else(KnownLog::default, KnownLog::from)
    }

    /// The place in which a partition notes how far it is durable.
    fn point(&self, partition: TopicPartition, now: DurableEnd) -> Rc<Cell<DurableEnd>> {
        let mut points = self.points.borrow_mut();
        let point = Rc::clone(points.entry(partition).or_insert_with(|| Rc::new(Cell::new(now))));
        drop(points);
        point.set(now);
        self.touch_points();
        point
    }

    fn touch_points(&self) {
        self.points_version.set(self.points_version.get() + 1);
    }

    /// Returns once everything that was noted before the call is written down.
    async fn checkpoint(&self) -> Result<(), StoreError> {
        let _io = self.watch.begin();
        let written = self.ends.write(&self.points_version, || {
            // In the order of partitions, as the map has them.
            self.points.borrow().values().map(|point| point.get()).filter(is_worth_noting).collect()
        });
        written.await.map_err(StoreError::new)
    }
}

/// Whether a start would learn anything from it.
fn is_worth_noting(point: &DurableEnd) -> bool {
    point.durable_end > Offset::ZERO
}
