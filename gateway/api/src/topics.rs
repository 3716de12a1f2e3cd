//! Topics: how they are created, changed and shown.

use serde::{Deserialize, Serialize};

use crate::nullable::{Nullable, given};

/// The body of `PUT /v1/topics/{topic}` (what is not given takes its default) and of `PATCH` (what is not given stays).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TopicSettings {
    /// How many partitions; a change can only raise it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<u32>,
    /// On how many nodes each partition is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication_factor: Option<u16>,
    /// How long messages are kept; `null` is for ever.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub retention_ms: Option<Nullable<u64>>,
    /// How many bytes each partition keeps; `null` is without limit.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub retention_bytes: Option<Nullable<u64>>,
    /// How batches are compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// When writes are synced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush: Option<Flush>,
    /// What an acknowledged message has reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acks: Option<Acks>,
    /// How many replicas must be in sync for a message to be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_insync: Option<u16>,
    /// How long the id of a message is remembered to recognise a repetition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedup_window_ms: Option<u64>,
    /// The largest message: payload, key and attributes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_message_bytes: Option<u32>,
}

/// A topic's configuration as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TopicConfig {
    /// How many partitions the topic has.
    pub partitions: u32,
    /// On how many nodes each partition is kept.
    pub replication_factor: u16,
    /// How long messages are kept; `None` is for ever.
    pub retention_ms: Option<u64>,
    /// How many bytes each partition keeps; `None` is without limit.
    pub retention_bytes: Option<u64>,
    /// How batches are compressed.
    pub compression: Compression,
    /// When writes are synced.
    pub flush: Flush,
    /// What an acknowledged message has reached.
    pub acks: Acks,
    /// How many replicas must be in sync for a message to be accepted.
    pub min_insync: u16,
    /// How long the id of a message is remembered to recognise a repetition.
    pub dedup_window_ms: u64,
    /// The largest message: payload, key and attributes.
    pub max_message_bytes: u32,
}

/// A topic in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TopicSummary {
    /// Its name.
    pub name: String,
    /// Its configuration.
    #[serde(flatten)]
    pub config: TopicConfig,
}

/// The answer of `GET /v1/topics/{topic}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its configuration.
    #[serde(flatten)]
    pub config: TopicConfig,
    /// Where each partition lies and what it holds.
    pub layout: Vec<PartitionLayout>,
}

/// Where one partition lies and what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PartitionLayout {
    /// Its number, from 0.
    pub partition: u32,
    /// The shard that serves it; `None` while no node does.
    pub owner: Option<Owner>,
    /// Rises by one with each new owner.
    pub leader_epoch: u32,
    /// The nodes that keep it.
    pub replicas: Vec<u64>,
    /// The replicas that are in sync.
    pub isr: Vec<u64>,
    /// Replicas that left the ISR but hold all that was acknowledged: one of them takes over if nobody else can.
    pub elr: Vec<u64>,
    /// Rises by one each time an operator gives up what was acknowledged (`unclean-elect`): offsets before and after may
    /// name different messages.
    pub incarnation: u32,
    /// How far the replicas that follow the owner are behind it.
    pub followers: Vec<FollowerLag>,
    /// The first offset that can still be read.
    pub start_offset: u64,
    /// Consumers see the offsets below it.
    pub high_watermark: u64,
    /// The next offset to be assigned.
    pub end_offset: u64,
    /// What its segments take on disk.
    pub bytes: u64,
    /// Whether it is served.
    pub state: PartitionState,
}

/// How far a replica is behind the owner, by what it has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FollowerLag {
    /// The number of its node.
    pub node: u64,
    /// Messages that the owner has on its disk and this replica is not known to have.
    pub lag_messages: u64,
    /// For how long it has been behind, in milliseconds; 0 if it is not.
    pub lag_ms: u64,
}

/// The shard that serves a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Owner {
    /// The node's configured id.
    pub node: u64,
    /// The core on that node.
    pub shard: u32,
}

/// Whether a partition is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PartitionState {
    /// It is served.
    Open,
    /// Damage was found in it: it is kept as it is, and not served.
    Closed,
    /// No node serves it now, or nobody lives who could lead it.
    Offline,
}

/// How batches are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    None,
    /// Snappy, raw format.
    Snappy,
    /// LZ4, block format.
    Lz4,
}

/// When writes are synced to disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Flush {
    /// Before they are acknowledged.
    Always,
    /// At an interval, after they are acknowledged.
    Interval,
    /// When the operating system does.
    Os,
}

/// What an acknowledged message has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Acks {
    /// Every replica in sync has it on disk.
    Quorum,
    /// The owner has it on disk.
    Leader,
    /// The owner has it in memory.
    Memory,
}
