//! A data directory, and log stores that use it.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use glommio::{LocalExecutorBuilder, Placement};
use shard::{
    metrics::ShardMetrics,
    shard_of,
    store::{
        DurableEnds, EndsConfig,
        log::{LogStore, LogStoreConfig},
        read_durable_ends,
    },
};
use shard_core::{
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, RecordBatch},
    },
    layout::EndsOwner,
    model::{LeaderEpoch, Offset, PartitionIndex, Timestamp, TopicId, TopicPartition},
};
use tempfile::TempDir;

/// A data directory.
pub(crate) struct Rig {
    directory: TempDir,
    reserve_bytes: u64,
    open_files_max: usize,
    segment_bytes_max: u64,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with_reserve(Path::new(env!("CARGO_TARGET_TMPDIR")), 0)
    }

    /// A data directory below another one, on whose disk so much room is kept.
    pub(crate) fn with_reserve(below: &Path, reserve_bytes: u64) -> Self {
        let directory = tempfile::tempdir_in(below).unwrap();
        Self { directory, reserve_bytes, open_files_max: 256, segment_bytes_max: 64 << 10 }
    }

    /// The same with so many files for each shard.
    pub(crate) fn with_files(mut self, open_files_max: usize) -> Self {
        self.open_files_max = open_files_max;
        self
    }

    /// The same with segments of so many bytes.
    pub(crate) fn with_segments(mut self, segment_bytes_max: u64) -> Self {
        self.segment_bytes_max = segment_bytes_max;
        self
    }

    /// Removes what was written down of how far logs are durable.
    pub(crate) fn forget_ends(&self) {
        for entry in fs::read_dir(self.directory.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().contains("ends") {
                fs::remove_file(path).unwrap();
            }
        }
    }

    /// What a start is told of the last run.
    pub(crate) fn durable_ends(&self) -> Arc<DurableEnds> {
        Arc::new(read_durable_ends(self.directory.path(), EndsOwner::Log).unwrap())
    }

    /// Starts a shard's store as a node does before the shards have met.
    pub(crate) async fn begin(&self, shard: usize, shard_count: usize, ends: &Arc<DurableEnds>) -> LogStore {
        self.begin_at(self.directory.path().to_owned(), shard, shard_count, ends).await
    }

    /// Starts the store of a shard that meets no other, and gives what it counts.
    pub(crate) async fn start_counted(&self) -> (LogStore, Arc<ShardMetrics>) {
        let metrics = Arc::new(ShardMetrics::default());
        let config = self.config(self.directory.path().to_owned(), 0, 1, &self.durable_ends());
        (LogStore::start(config, Arc::clone(&metrics)).await.unwrap(), metrics)
    }

    /// Starts the store of the only shard, by a path from the working directory on.
    pub(crate) async fn start_by_relative_path(&self) -> LogStore {
        let mut path: PathBuf = std::env::current_dir().unwrap().components().skip(1).map(|_| "..").collect();
        path.extend(self.directory.path().components().skip(1));
        assert!(path.is_relative() && path.exists(), "{}", path.display());
        let store = self.begin_at(path, 0, 1, &self.durable_ends()).await;
        store.settle().await.unwrap();
        store
    }

    async fn begin_at(&self, data_dir: PathBuf, shard: usize, shard_count: usize, ends: &Arc<DurableEnds>) -> LogStore {
        let config = self.config(data_dir, shard, shard_count, ends);
        LogStore::start(config, Arc::new(ShardMetrics::default())).await.unwrap()
    }

    fn config(&self, data_dir: PathBuf, shard: usize, shard_count: usize, ends: &Arc<DurableEnds>) -> LogStoreConfig {
        LogStoreConfig {
            ends: EndsConfig { data_dir, owner: EndsOwner::Log, shard, shard_count, known: Arc::clone(ends) },
            segment_bytes_max: self.segment_bytes_max,
            reserve_bytes: self.reserve_bytes,
            open_files_max: self.open_files_max,
        }
    }

    /// Starts the store of a shard that meets no other.
    pub(crate) async fn start(&self, shard: usize, shard_count: usize) -> LogStore {
        let store = self.begin(shard, shard_count, &self.durable_ends()).await;
        store.settle().await.unwrap();
        store
    }

    /// Starts the stores of all shards.
    pub(crate) async fn start_all(&self, shard_count: usize) -> Vec<LogStore> {
        let ends = self.durable_ends();
        let mut stores = Vec::new();
        for shard in 0..shard_count {
            stores.push(self.begin(shard, shard_count, &ends).await);
        }
        for store in &stores {
            store.settle().await.unwrap();
        }
        stores
    }

    /// The files of a partition.
    pub(crate) fn files(&self, partition: TopicPartition) -> BTreeMap<PathBuf, Vec<u8>> {
        let below = format!("partitions/{}/{}", partition.topic, partition.partition);
        files_in(self.directory.path().join(below))
    }

    /// The files in which shards write down what is durable.
    pub(crate) fn ends_files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = files_in(self.directory.path().to_owned());
        files.retain(|path, _| path.file_name().unwrap().to_str().unwrap().starts_with("durable-ends."));
        files
    }
}

pub(crate) fn partition(index: u32) -> TopicPartition {
    TopicPartition::new(TopicId::new(1), PartitionIndex::new(index))
}

/// Which shard has the partition.
pub(crate) fn owner(index: u32, shard_count: usize) -> usize {
    shard_of(partition(index), shard_count)
}

/// A batch of one record, taken at as many milliseconds as its offset.
pub(crate) fn batch(offset: u64, payload_bytes: usize) -> RecordBatch {
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
    let at = Timestamp::from_millis(i64::try_from(offset).unwrap());
    builder.finish(Codec::None, None).unwrap().assign(Offset::new(offset), LeaderEpoch::new(1), at)
}

pub(crate) fn on_executor(test: impl AsyncFnOnce() + Send + 'static) {
    let executor = LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 20);
    executor.spawn(move || test()).unwrap().join().unwrap();
}

fn files_in(directory: PathBuf) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    entries.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}
