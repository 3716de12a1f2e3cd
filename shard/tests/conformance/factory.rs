//! Makes the stores that are held to the contract.

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use glommio::{LocalExecutorBuilder, Placement};
use shard::{
    metrics::ShardMetrics,
    store::{
        EndsConfig, MessageStore, Opened, ShardStore,
        log::{LogStore, LogStoreConfig},
        memory::{MemoryStore, MemoryStoreConfig, next_incarnation},
    },
};
use shard_core::{
    format::record_batch::RecordBatch,
    layout::EndsOwner,
    log::{Reached, Retention},
    model::{LeaderEpoch, OffsetRange, PartitionIndex, TopicId, TopicPartition},
};
use tempfile::TempDir;

pub(crate) const EPOCH: LeaderEpoch = LeaderEpoch::new(3);
pub(crate) const KEEP_ALL: Retention = Retention { age: None, bytes: None, below: None };

/// A place in which a kind of store keeps what it keeps.
pub(crate) trait Factory: Sized + Send + 'static {
    type Store: ShardStore;

    /// What a durable append has reached.
    const REACHED: Reached;
    /// Whether what was stored is there after a restart.
    const SURVIVES: bool;

    /// An empty place.
    fn new() -> Self;

    /// Starts a process with the store; the one before has ended, whether it had closed its partitions or not.
    async fn start(&self) -> Self::Store;

    /// Changes a byte of a batch where it is stored; false if there is no way to it.
    fn damage(&self, batch: &RecordBatch) -> bool;

    /// Makes it impossible to go on writing to a partition for long; false if there is no way to.
    fn break_writes(&self, partition: TopicPartition) -> bool;
}

/// A data directory.
pub(crate) struct LogFactory {
    directory: TempDir,
}

/// Nothing but the number of starts.
pub(crate) struct MemoryFactory {
    directory: TempDir,
    pub(crate) bytes_max: Cell<u64>,
}

impl Factory for LogFactory {
    type Store = LogStore;

    const REACHED: Reached = Reached::Disk;
    const SURVIVES: bool = true;

    fn new() -> Self {
        Self { directory: directory() }
    }

    async fn start(&self) -> LogStore {
        let ends = EndsConfig::read(self.directory.path(), EndsOwner::Log, 1).unwrap();
        // Small segments, so that each test has several.
        let config = LogStoreConfig { ends, segment_bytes_max: 64 << 10, reserve_bytes: 0, open_files_max: 256 };
        let store = LogStore::start(config, Arc::new(ShardMetrics::default())).await.unwrap();
        store.settle().await.unwrap();
        store
    }

    fn damage(&self, batch: &RecordBatch) -> bool {
        for path in files_below(self.directory.path()) {
            let mut bytes = fs::read(&path).unwrap();
            let wanted = batch.bytes();
            if let Some(at) = bytes.windows(wanted.len()).position(|window| window == &wanted[..]) {
                bytes[at + wanted.len() - 1] ^= 1;
                fs::write(&path, bytes).unwrap();
                fs::File::open(&path).unwrap().sync_all().unwrap();
                return true;
            }
        }
        panic!("the batch is not stored as it is");
    }

    fn break_writes(&self, partition: TopicPartition) -> bool {
        let below = format!("partitions/{}/{}", partition.topic, partition.partition);
        fs::remove_dir_all(self.directory.path().join(below)).unwrap();
        true
    }
}

impl Factory for MemoryFactory {
    type Store = MemoryStore;

    const REACHED: Reached = Reached::Memory;
    const SURVIVES: bool = false;

    fn new() -> Self {
        Self { directory: directory(), bytes_max: Cell::new(1 << 30) }
    }

    async fn start(&self) -> MemoryStore {
        let incarnation = next_incarnation(self.directory.path()).unwrap();
        MemoryStore::new(MemoryStoreConfig { bytes_max: self.bytes_max.get(), incarnation })
    }

    fn damage(&self, _batch: &RecordBatch) -> bool {
        false
    }

    fn break_writes(&self, _partition: TopicPartition) -> bool {
        false
    }
}

/// The partition that most tests use.
pub(crate) fn partition(index: u32) -> TopicPartition {
    TopicPartition::new(TopicId::new(7), PartitionIndex::new(index))
}

/// Opens it.
pub(crate) async fn open<S: ShardStore>(store: &S) -> Opened<S::Partition> {
    store.open(partition(0), EPOCH).await.unwrap()
}

/// All batches from the log's start on, read piece by piece.
pub(crate) async fn read_all(store: &impl MessageStore, mut range: OffsetRange) -> Vec<RecordBatch> {
    let mut batches = Vec::new();
    loop {
        let read = store.read(range, 16 << 10).await.unwrap();
        let Some(last) = read.last() else { return batches };
        range.start = last.offsets().end;
        batches.extend(read);
    }
}

/// Runs a test where stores live; when it ends, so does everything.
pub(crate) fn on_executor<F: Factory>(factory: F, test: impl AsyncFnOnce(F) + Send + 'static) {
    let executor = LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 20);
    executor.spawn(move || test(factory)).unwrap().join().unwrap();
}

pub(crate) fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}
