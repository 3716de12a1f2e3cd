//! Where the stores keep what is measured.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use glommio::{LocalExecutorBuilder, Placement};
use shard::{
    metrics::ShardMetrics,
    redis::{ClusterName, OnLoss, RedisConfig, RedisStore, RedisStoreConfig, RedisTimeouts, Topology},
    store::{
        EndsConfig, ShardStore,
        log::{LogStore, LogStoreConfig},
        memory::{MemoryStore, MemoryStoreConfig},
    },
};
use shard_core::{
    layout::EndsOwner,
    model::{LeaderEpoch, PartitionIndex, TopicId, TopicPartition},
};
use tempfile::TempDir;

use crate::server::RedisServer;

pub(crate) const EPOCH: LeaderEpoch = LeaderEpoch::new(1);
pub(crate) const PARTITION: TopicPartition = TopicPartition::new(TopicId::new(1), PartitionIndex::new(0));
/// As a node has it if nothing is set.
const SEGMENT_BYTES: u64 = 128 << 20;

/// A place in which a kind of store keeps what it keeps, gone when dropped.
pub(crate) trait Place: Send + 'static {
    type Store: ShardStore;

    /// An empty one.
    fn new() -> Self;

    /// Starts a store on what is there.
    async fn start(&self) -> Self::Store;
}

/// A data directory on the filesystem of the build.
pub(crate) struct LogPlace {
    pub(crate) directory: TempDir,
}

/// Nothing.
pub(crate) struct MemoryPlace;

/// A Redis that syncs before it answers, and a data directory.
pub(crate) struct RedisPlace {
    server: RedisServer,
    directory: TempDir,
}

impl Place for LogPlace {
    type Store = LogStore;

    fn new() -> Self {
        Self { directory: directory() }
    }

    async fn start(&self) -> LogStore {
        start_log(self.directory.path()).await
    }
}

impl Place for MemoryPlace {
    type Store = MemoryStore;

    fn new() -> Self {
        Self
    }

    async fn start(&self) -> MemoryStore {
        MemoryStore::new(MemoryStoreConfig { bytes_max: 4 << 30, incarnation: 0 })
    }
}

impl Place for RedisPlace {
    type Store = RedisStore;

    fn new() -> Self {
        Self { server: RedisServer::start(), directory: directory() }
    }

    async fn start(&self) -> RedisStore {
        let redis = RedisConfig {
            host: "127.0.0.1".to_owned(),
            port: self.server.port(),
            topology: Topology::Single,
            tls: None,
            username: None,
            password: None,
            database: 0,
            cluster: ClusterName::new("bench").unwrap(),
            timeouts: RedisTimeouts::default(),
            wait_replicas: 0,
        };
        let ends = EndsConfig::read(self.directory.path(), EndsOwner::Redis, 1).unwrap();
        let first_offsets = Arc::new(HashMap::new());
        let config = RedisStoreConfig { redis, on_loss: OnLoss::Stop, ends, first_offsets };
        let store = RedisStore::start(config, Arc::new(ShardMetrics::default())).await.unwrap();
        store.settle().await.unwrap();
        store
    }
}

/// Runs one measurement where stores live, on an executor like those of a node.
pub(crate) fn on_executor<T: Send + 'static>(measure: impl AsyncFnOnce() -> T + Send + 'static) -> T {
    let executor = LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 20);
    let executor = executor.spin_before_park(Duration::from_micros(20));
    executor.spawn(|| measure()).unwrap().join().unwrap()
}

/// As a node has it unless it is set: how often the disk is asked for its room follows from it.
const RESERVE_BYTES: u64 = 64 << 20;

/// An empty directory; a temporary one elsewhere is often in memory.
pub(crate) fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Starts a log store on a data directory.
pub(crate) async fn start_log(data_dir: &Path) -> LogStore {
    let ends = EndsConfig::read(data_dir, EndsOwner::Log, 1).unwrap();
    let config =
        LogStoreConfig { ends, segment_bytes_max: SEGMENT_BYTES, reserve_bytes: RESERVE_BYTES, open_files_max: 1_024 };
    let store = LogStore::start(config, Arc::new(ShardMetrics::default())).await.unwrap();
    store.settle().await.unwrap();
    store
}
