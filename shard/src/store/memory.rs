//! The memory store, for development and tests: the same semantics as the others, and nothing survives.
//!
//! A client may hold offsets from before a restart, in a cursor or in its own books. They must not be taken for those of
//! other messages, so each start is an incarnation with a number of its own, and its logs begin at that number times
//! 2^40: an old offset lies below every new one, as if retention had taken what stood there.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use shard_core::{
    log::LogExtent,
    model::{LeaderEpoch, Offset, Timestamp, TopicPartition},
};

use super::{Found, Opened, ShardStore, StoreError};

mod incarnation;
mod partition;

pub use incarnation::next_incarnation;
pub use partition::MemoryPartition;

/// How far apart the first offsets of two incarnations are, as a power of two: more than a partition takes in months.
const INCARNATION_BITS: u32 = 40;

/// The settings of one shard's memory store.
#[derive(Clone, Copy, Debug)]
pub struct MemoryStoreConfig {
    /// How many bytes of batches the shard holds at most; beyond it appends are rejected.
    pub bytes_max: u64,
    /// The number of this start of the node, higher than that of any before.
    pub incarnation: u64,
}

/// The memory store of one shard.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    shared: Rc<Shared>,
}

/// What the partitions of a shard share.
#[derive(Debug)]
struct Shared {
    config: MemoryStoreConfig,
    /// What all partitions hold.
    bytes: Cell<u64>,
    /// Where the logs that were closed ended, so that no offset is given twice within an incarnation either.
    ends: RefCell<BTreeMap<TopicPartition, (Offset, Timestamp)>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(config: MemoryStoreConfig) -> Self {
        let shared = Shared { config, bytes: Cell::new(0), ends: RefCell::default() };
        Self { shared: Rc::new(shared) }
    }
}

impl ShardStore for MemoryStore {
    type Partition = MemoryPartition;

    async fn open(
        &self,
        partition: TopicPartition,
        _epoch: LeaderEpoch,
    ) -> Result<Opened<MemoryPartition>, StoreError> {
        let first = Offset::new(self.shared.config.incarnation << INCARNATION_BITS);
        let (end, newest) = self.shared.ends.borrow().get(&partition).copied().unwrap_or((first, Timestamp::default()));
        let extent = LogExtent { start: end, end, newest };
        let store = MemoryPartition::new(Rc::clone(&self.shared), partition, extent);
        Ok(Opened { store, found: Found { extent, ..Found::default() } })
    }

    async fn delete(&self, partition: TopicPartition) -> Result<(), StoreError> {
        self.shared.ends.borrow_mut().remove(&partition);
        Ok(())
    }

    async fn checkpoint(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
