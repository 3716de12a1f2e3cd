//! The log store: each partition a directory of segment files and a cursor journal, written by direct I/O.
//!
//! A write is durable when it ends (`O_DSYNC`) or after a sync, as asked. How far each partition is durable, and where its
//! log starts, is written down every second: by that a start tells a torn tail from damage, and what retention had given
//! up from what it had not.

use std::{fs, io, path::Path, rc::Rc, sync::Arc, time::Duration};

use shard_core::{
    layout::partitions_dir,
    log::{LogExtent, SegmentLog, SegmentLogConfig},
    model::{LeaderEpoch, TopicPartition},
};

use super::{EndsConfig, Found, Opened, ShardStore, StoreError, ends::Ends};
use crate::{blocking::off_the_shard, clock::Clock, limits, metrics::ShardMetrics};

mod data_dir;
mod dma_file;
mod file_error;
mod files;
mod journal;
mod open;
mod partition;
mod path_turn;
mod perform;
mod read_ahead;
mod reading;
mod segment_reader;
mod setting_aside;
mod space;
mod truncate;
mod watch;

use dma_file::{probe_device, sync_directory};
use file_error::FileError;
use files::Files;
pub use partition::LogPartition;
use read_ahead::ReadAhead;
use reading::NextPiece;
use segment_reader::SegmentReader;
use space::Space;
use watch::Watch;

/// The settings of one shard's log store.
#[derive(Clone, Debug)]
pub struct LogStoreConfig {
    /// The data directory, and how far the last run knew its partitions to be on disk.
    pub ends: EndsConfig,
    /// The size at which a segment is left and the next begun.
    pub segment_bytes_max: u64,
    /// How much room is kept on the disk: beyond it no messages are taken.
    pub reserve_bytes: u64,
    /// How many files the shard may have open for its partitions; those used longest ago are closed first.
    pub open_files_max: usize,
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
    read_ahead: ReadAhead<NextPiece>,
    watch: Rc<Watch>,
    ends: Ends,
}

impl LogStore {
    /// Starts the store of one shard, and writes down once what concerns it of what all shards of the last run knew.
    ///
    /// # Errors
    /// The data directory can't be used, or that could not be written; what the last run left is as it was.
    pub async fn start(mut config: LogStoreConfig, metrics: Arc<ShardMetrics>) -> Result<Self, StoreError> {
        // A relative path has parents that can't be opened, and none that the executor can open at all.
        config.ends.data_dir = std::path::absolute(&config.ends.data_dir).map_err(StoreError::new)?;
        let data_dir = &config.ends.data_dir;
        // Partitions may lie on another device than the rest.
        for directory in [data_dir.clone(), partitions_dir(data_dir)] {
            probe_device(&directory, config.ends.shard).await.map_err(StoreError::new)?;
        }
        let ends = Ends::start(&config.ends).await?;
        let clock = Clock::start();
        let watch = Watch::new(clock);
        let shared = Shared {
            reader: SegmentReader::new(Arc::clone(&metrics), Rc::clone(&watch)),
            files: Files::new(config.open_files_max, Arc::clone(&metrics)),
            read_ahead: ReadAhead::default(),
            watch,
            metrics,
            clock,
            space: Space::new(&config.ends.data_dir, config.reserve_bytes, config.ends.shard_count),
            ends,
            config,
        };
        Ok(Self { shared: Rc::new(shared) })
    }

    /// Goes on once every shard has started: now what each has written down is complete, and may replace the rest of what
    /// the last run left, which may have had another number of shards.
    ///
    /// # Errors
    /// It could not be written.
    pub async fn settle(&self) -> Result<(), StoreError> {
        self.shared.ends.settle().await
    }
}

impl ShardStore for LogStore {
    type Partition = LogPartition;

    async fn open(&self, partition: TopicPartition, epoch: LeaderEpoch) -> Result<Opened<LogPartition>, StoreError> {
        let shared = &self.shared;
        let directory = data_dir::partition_dir(&shared.config.ends.data_dir, partition);
        let known = shared.ends.known(partition);
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
        let point = shared.ends.point(partition, log.durable_point());
        let store = LogPartition::new(Rc::clone(shared), directory.into(), (log, point), journal.files);
        Ok(Opened { store, found })
    }

    async fn delete(&self, partition: TopicPartition) -> Result<(), StoreError> {
        self.shared.ends.remove(partition);
        self.shared.read_ahead.forget(partition);
        let data_dir = &self.shared.config.ends.data_dir;
        let directory = data_dir::partition_dir(data_dir, partition);
        let removed = off_the_shard({
            let directory = directory.clone();
            move || remove_all(&directory)
        });
        match removed.await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::new(FileError::new("removing", &directory, error)));
            }
            Ok(()) | Err(_) => {}
        }
        let topic = data_dir::topic_dir(data_dir, partition);
        if topic.exists() { sync_directory(&topic).await.map_err(StoreError::new) } else { Ok(()) }
    }

    async fn set_aside(&self, partition: TopicPartition) -> Result<Option<String>, StoreError> {
        self.shared.read_ahead.forget(partition);
        let aside = setting_aside::set_aside(&self.shared.config.ends.data_dir, partition).await?;
        // Only now: without this a start takes a log that is damaged for one that ends early.
        self.shared.ends.remove(partition);
        self.shared.checkpoint().await?;
        Ok(aside.map(|aside| aside.display().to_string()))
    }

    async fn checkpoint(&self) -> Result<(), StoreError> {
        self.shared.checkpoint().await
    }

    fn oldest_io(&self) -> Duration {
        self.shared.watch.oldest_age()
    }
}

impl Shared {
    /// Returns once everything that was noted before the call is written down.
    async fn checkpoint(&self) -> Result<(), StoreError> {
        let _io = self.watch.begin();
        self.ends.checkpoint().await
    }
}

/// Removes a directory in which something may still be written, which finds no place once it is gone.
fn remove_all(directory: &Path) -> io::Result<()> {
    let mut removed = fs::remove_dir_all(directory);
    for _ in 1..limits::REMOVALS_MAX {
        match removed {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => removed = fs::remove_dir_all(directory),
            _ => break,
        }
    }
    removed
}
