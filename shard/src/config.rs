//! How a shard is set up.

use std::path::PathBuf;

use shard_core::log::IoLimits;

use crate::{
    peer::PeerConfig,
    replication::ReplicationConfig,
    store::{StoreConfig, log::LogStoreConfig, redis::RedisStoreConfig},
    tracer::Tracer,
};

/// The settings of one shard; those of all shards of a node differ only in `index` and `tracer`.
#[derive(Clone, Debug)]
pub struct ShardConfig {
    /// Which shard this is, from 0.
    pub index: usize,
    /// How many the node has.
    pub count: usize,
    /// The node's data directory.
    pub data_dir: PathBuf,
    /// Where messages and cursors are kept.
    pub store: StoreConfig,
    /// How many bytes of one partition may wait for the store before publishers are refused.
    pub unflushed_bytes_max: u64,
    /// How many bytes of the newest batches the shard keeps in memory.
    pub tail_cache_bytes_max: usize,
    /// How many bytes the shard takes to recognise what is published again.
    pub dedup_bytes_max: usize,
    /// A secret: the key of the tags that make ack ids unguessable, the same on every node, and of the hashes
    /// of message ids.
    pub ack_key: [u8; 16],
    /// From which age of the oldest operation on the disk on somebody is told, and nothing more is taken.
    pub io_limits: IoLimits,
    /// How other nodes are found and spoken with; none on a node that is alone.
    pub peers: Option<PeerConfig>,
    /// How partitions are kept on several nodes; none on a node that is alone, or whose store every node reaches.
    pub replication: Option<ReplicationConfig>,
    /// What begins spans on the shard's core.
    pub tracer: Tracer,
}

impl ShardConfig {
    /// The same for another shard of the node.
    #[must_use]
    pub fn of_shard(&self, index: usize) -> Self {
        let store = match &self.store {
            StoreConfig::Log(log) => StoreConfig::Log(LogStoreConfig { ends: log.ends.of_shard(index), ..log.clone() }),
            StoreConfig::Memory(memory) => StoreConfig::Memory(*memory),
            StoreConfig::Redis(redis) => {
                let ends = redis.ends.of_shard(index);
                StoreConfig::Redis(Box::new(RedisStoreConfig { ends, ..(**redis).clone() }))
            }
        };
        Self { index, store, ..self.clone() }
    }
}
