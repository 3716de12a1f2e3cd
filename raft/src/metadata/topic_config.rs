//! What the owner of a topic chose for it.

use serde::{Deserialize, Serialize};

use crate::limits;

/// The configuration of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicConfig {
    /// How many partitions it has; it may only grow.
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
    pub flush: FlushPolicy,
    /// What a message has reached when it is acknowledged.
    pub acks: Acks,
    /// How many replicas must be in sync for a message to be accepted.
    pub min_insync: u16,
    /// How long the id of a message is remembered, to recognise a repetition.
    pub dedup_window_ms: u64,
    /// The largest message: payload, key and attributes.
    pub max_message_bytes: u32,
}

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compression {
    /// Not at all, or as the publisher sent them.
    #[default]
    None,
    /// Snappy's raw format.
    Snappy,
    /// LZ4's block format.
    Lz4,
}

/// When an owner syncs what it has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlushPolicy {
    /// Before it is acknowledged.
    #[default]
    Always,
    /// At an interval, after it is acknowledged.
    Interval,
    /// When the operating system does.
    Os,
}

/// What a message has reached when it is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Acks {
    /// The disk of every replica in sync, of at least `min_insync`.
    #[default]
    Quorum,
    /// The disk of the owner.
    Leader,
    /// The memory of the owner.
    Memory,
}

/// Why a topic's configuration was refused; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum InvalidTopicConfig {
    #[error("partitions: a topic has 1 to {partitions_max}, not {partitions}")]
    Partitions { partitions: u32, partitions_max: u32 },
    #[error("replication_factor: it is at least 1")]
    ReplicationFactor,
    #[error("min_insync: it is 1 to the replication factor, which is {replication_factor}, not {min_insync}")]
    MinInsync { min_insync: u16, replication_factor: u16 },
    #[error("max_message_bytes: it is 1 to {max_message_bytes_max}, not {max_message_bytes}")]
    MaxMessageBytes { max_message_bytes: u32, max_message_bytes_max: u32 },
    #[error("dedup_window_ms: it is at most {dedup_window_ms_max}, not {dedup_window_ms}")]
    DedupWindow { dedup_window_ms: u64, dedup_window_ms_max: u64 },
}

impl TopicConfig {
    /// What a topic gets whose creator chose nothing, in a cluster of `node_count` nodes.
    #[must_use]
    pub const fn defaults(node_count: usize) -> Self {
        let (replication_factor, min_insync) = if node_count >= 3 { (3, 2) } else { (1, 1) };
        Self {
            partitions: limits::PARTITIONS_DEFAULT,
            replication_factor,
            retention_ms: Some(limits::RETENTION_MS_DEFAULT),
            retention_bytes: None,
            compression: Compression::None,
            flush: FlushPolicy::Always,
            acks: Acks::Quorum,
            min_insync,
            dedup_window_ms: limits::DEDUP_WINDOW_MS_DEFAULT,
            max_message_bytes: limits::MESSAGE_BYTES_DEFAULT,
        }
    }

    /// Whether the values make sense by themselves; the cluster's limits are looked at when they are applied.
    ///
    /// # Errors
    /// Names the first field that does not.
    pub const fn validate(&self) -> Result<(), InvalidTopicConfig> {
        let Self { partitions, replication_factor, min_insync, dedup_window_ms, max_message_bytes, .. } = *self;
        if partitions == 0 || partitions > limits::PARTITIONS_PER_TOPIC_MAX {
            let partitions_max = limits::PARTITIONS_PER_TOPIC_MAX;
            return Err(InvalidTopicConfig::Partitions { partitions, partitions_max });
        }
        if replication_factor == 0 {
            return Err(InvalidTopicConfig::ReplicationFactor);
        }
        if min_insync == 0 || min_insync > replication_factor {
            return Err(InvalidTopicConfig::MinInsync { min_insync, replication_factor });
        }
        if max_message_bytes == 0 || max_message_bytes > limits::MESSAGE_BYTES_MAX {
            let max_message_bytes_max = limits::MESSAGE_BYTES_MAX;
            return Err(InvalidTopicConfig::MaxMessageBytes { max_message_bytes, max_message_bytes_max });
        }
        if dedup_window_ms > limits::DEDUP_WINDOW_MS_MAX {
            let dedup_window_ms_max = limits::DEDUP_WINDOW_MS_MAX;
            return Err(InvalidTopicConfig::DedupWindow { dedup_window_ms, dedup_window_ms_max });
        }
        Ok(())
    }
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self::defaults(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_for_any_number_of_nodes() {
        for node_count in 0..5 {
            assert_eq!(TopicConfig::defaults(node_count).validate(), Ok(()));
        }
        assert_eq!(TopicConfig::defaults(3).replication_factor, 3);
        assert_eq!(TopicConfig::default().replication_factor, 1);
    }

    #[test]
    fn each_broken_rule_is_named() {
        let config = TopicConfig { partitions: 0, ..TopicConfig::default() };
        assert!(matches!(config.validate(), Err(InvalidTopicConfig::Partitions { partitions: 0, .. })));
        let config = TopicConfig { partitions: limits::PARTITIONS_PER_TOPIC_MAX + 1, ..TopicConfig::default() };
        assert!(matches!(config.validate(), Err(InvalidTopicConfig::Partitions { .. })));
        let config = TopicConfig { replication_factor: 0, ..TopicConfig::default() };
        assert_eq!(config.validate(), Err(InvalidTopicConfig::ReplicationFactor));
        for min_insync in [0, 2] {
            let config = TopicConfig { min_insync, ..TopicConfig::default() };
            let expected = InvalidTopicConfig::MinInsync { min_insync, replication_factor: 1 };
            assert_eq!(config.validate(), Err(expected));
        }
        for max_message_bytes in [0, limits::MESSAGE_BYTES_MAX + 1] {
            let config = TopicConfig { max_message_bytes, ..TopicConfig::default() };
            assert!(matches!(config.validate(), Err(InvalidTopicConfig::MaxMessageBytes { .. })));
        }
        let config = TopicConfig { dedup_window_ms: limits::DEDUP_WINDOW_MS_MAX + 1, ..TopicConfig::default() };
        assert!(matches!(config.validate(), Err(InvalidTopicConfig::DedupWindow { .. })));
    }
}
