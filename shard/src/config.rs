//! How a shard is set up.

use std::{path::PathBuf, sync::Arc};

use shard_core::format::durable_ends::DurableEnd;

/// The settings of one shard; those of all shards of a node differ only in `index`.
#[derive(Clone, Debug)]
pub struct ShardConfig {
    /// Which shard this is, from 0.
    pub index: usize,
    /// How many the node has.
    pub count: usize,
    /// The node's data directory.
    pub data_dir: PathBuf,
    /// The size at which a segment is closed and the next begun.
    pub segment_bytes_max: u64,
    /// How many bytes of one partition may wait for the disk before publishers are refused.
    pub unflushed_bytes_max: u64,
    /// How many bytes of the newest batches the shard keeps in memory.
    pub tail_cache_bytes_max: usize,
    /// The key of the tags that make ack ids unguessable, the same on every node.
    pub ack_key: [u8; 16],
    /// What every shard of the last run knew to be durable.
    pub durable_ends: Arc<Vec<DurableEnd>>,
    /// The highest sequence of those files.
    pub durable_ends_sequence: u64,
}
