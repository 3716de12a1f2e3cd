//! Where a shard's messages and cursors are kept: one contract, and the stores behind it.

mod any;
mod contract;
mod ends;
pub mod log;
pub mod memory;
pub mod redis;

pub(crate) use any::{AnyPartition, AnyStore};
pub use contract::{
    AppendFault, CursorsStored, Found, MessageStore, Opened, ReadFault, ShardStore, StoreError, StoreErrorKind,
};
pub use ends::{DurableEnds, EndsConfig, read_durable_ends};

/// Which store a shard uses.
#[derive(Clone, Debug)]
pub enum StoreConfig {
    /// Segment files below the data directory.
    Log(log::LogStoreConfig),
    /// This process's memory.
    Memory(memory::MemoryStoreConfig),
    /// Streams in a Redis.
    Redis(Box<redis::RedisStoreConfig>),
}
