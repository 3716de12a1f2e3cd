//! The store that the configuration chose: a closed set, so that calls are resolved where the stores are known.

use std::{sync::Arc, time::Duration};

use shard_core::{
    format::record_batch::RecordBatch,
    log::{Reached, Retention},
    model::{LeaderEpoch, Offset, OffsetRange, Timestamp, TopicPartition},
};

use super::{
    AppendFault, CursorsStored, MessageStore, Opened, ReadFault, ShardStore, StoreConfig, StoreError,
    log::{LogPartition, LogStore},
    memory::{MemoryPartition, MemoryStore},
    redis::{RedisStore, StoredPartition},
};
use crate::metrics::ShardMetrics;

/// A shard's store, of whatever kind.
#[derive(Clone, Debug)]
pub(crate) enum AnyStore {
    Log(LogStore),
    Memory(MemoryStore),
    Redis(RedisStore),
}

/// A partition in a store of whatever kind.
#[derive(Clone, Debug)]
pub(crate) enum AnyPartition {
    Log(LogPartition),
    Memory(MemoryPartition),
    Redis(StoredPartition),
}

/// Asks whichever store it is.
macro_rules! ask {
    ($any:ident, $store:ident => $answer:expr) => {
        match $any {
            Self::Log($store) => $answer,
            Self::Memory($store) => $answer,
            Self::Redis($store) => $answer,
        }
    };
}

impl AnyStore {
    /// Starts the store; `settle` follows when every shard of the node has done so.
    pub(crate) async fn start(config: StoreConfig, metrics: &Arc<ShardMetrics>) -> Result<Self, StoreError> {
        Ok(match config {
            StoreConfig::Log(config) => Self::Log(LogStore::start(config, Arc::clone(metrics)).await?),
            StoreConfig::Memory(config) => Self::Memory(MemoryStore::new(config)),
            StoreConfig::Redis(config) => Self::Redis(RedisStore::start(*config, Arc::clone(metrics)).await?),
        })
    }

    /// Goes on once every shard of the node has started its store.
    pub(crate) async fn settle(&self) -> Result<(), StoreError> {
        match self {
            Self::Log(store) => store.settle().await,
            Self::Memory(_) => Ok(()),
            Self::Redis(store) => store.settle().await,
        }
    }
}

impl ShardStore for AnyStore {
    type Partition = AnyPartition;

    async fn open(&self, partition: TopicPartition, epoch: LeaderEpoch) -> Result<Opened<AnyPartition>, StoreError> {
        Ok(match self {
            Self::Log(store) => store.open(partition, epoch).await?.map(AnyPartition::Log),
            Self::Memory(store) => store.open(partition, epoch).await?.map(AnyPartition::Memory),
            Self::Redis(store) => store.open(partition, epoch).await?.map(AnyPartition::Redis),
        })
    }

    async fn delete(&self, partition: TopicPartition) -> Result<(), StoreError> {
        ask!(self, store => store.delete(partition).await)
    }

    async fn set_aside(&self, partition: TopicPartition) -> Result<Option<String>, StoreError> {
        ask!(self, store => store.set_aside(partition).await)
    }

    async fn checkpoint(&self) -> Result<(), StoreError> {
        ask!(self, store => store.checkpoint().await)
    }

    fn oldest_io(&self) -> Duration {
        if let Self::Log(store) = self { store.oldest_io() } else { Duration::ZERO }
    }
}

impl AnyPartition {
    /// How safe what was found when it was opened is at least, until an append says what the store makes of it.
    pub(crate) const fn found_reached(&self) -> Reached {
        match self {
            Self::Log(_) => Reached::Disk,
            Self::Memory(_) => Reached::Memory,
            Self::Redis(_) => Reached::RedisBuffered,
        }
    }
}

impl MessageStore for AnyPartition {
    async fn append(&self, batches: Vec<RecordBatch>, durable: bool) -> Result<Reached, AppendFault> {
        ask!(self, partition => partition.append(batches, durable).await)
    }

    fn finds_room(&self, batches: &[RecordBatch]) -> bool {
        ask!(self, partition => partition.finds_room(batches))
    }

    async fn sync(&self) -> Result<(), StoreError> {
        ask!(self, partition => partition.sync().await)
    }

    async fn read(&self, wanted: OffsetRange, bytes_max: usize) -> Result<Vec<RecordBatch>, ReadFault> {
        ask!(self, partition => partition.read(wanted, bytes_max).await)
    }

    async fn read_stored(&self, wanted: OffsetRange, bytes_max: usize) -> Result<Vec<RecordBatch>, ReadFault> {
        ask!(self, partition => partition.read_stored(wanted, bytes_max).await)
    }

    async fn find_time(&self, at: Timestamp, end: Offset) -> Result<Offset, ReadFault> {
        ask!(self, partition => partition.find_time(at, end).await)
    }

    fn scheduled_from(&self, from: Offset, at: Timestamp) -> Offset {
        ask!(self, partition => partition.scheduled_from(from, at))
    }

    fn plain_to(&self, from: Offset) -> Offset {
        ask!(self, partition => partition.plain_to(from))
    }

    async fn truncate(&self, to: Offset) -> Result<Offset, StoreError> {
        ask!(self, partition => partition.truncate(to).await)
    }

    async fn restart(&self, start: Offset) -> Result<(), StoreError> {
        ask!(self, partition => partition.restart(start).await)
    }

    async fn retain(&self, now: Timestamp, keep: Retention) -> Result<Offset, StoreError> {
        ask!(self, partition => partition.retain(now, keep).await)
    }

    async fn append_cursors(&self, entries: Vec<u8>) -> Result<CursorsStored, StoreError> {
        ask!(self, partition => partition.append_cursors(entries).await)
    }

    async fn replace_cursors(&self, entries: Vec<u8>) -> Result<CursorsStored, StoreError> {
        ask!(self, partition => partition.replace_cursors(entries).await)
    }

    async fn confirm(&self) -> Result<(), StoreError> {
        ask!(self, store => store.confirm().await)
    }

    async fn close(&self) -> Result<(), StoreError> {
        ask!(self, partition => partition.close().await)
    }

    fn bytes(&self) -> u64 {
        ask!(self, partition => partition.bytes())
    }
}

impl<P> Opened<P> {
    fn map<Q>(self, wrap: impl FnOnce(P) -> Q) -> Opened<Q> {
        Opened { store: wrap(self.store), found: self.found }
    }
}
