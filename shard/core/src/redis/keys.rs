//! The keys of a partition: all under one hash tag, so that a cluster keeps them on one node.

use std::fmt;

use crate::model::{NameError, TopicName, TopicPartition};

/// Tells the keys of one PubSubRing cluster from those of another in the same Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterName(TopicName);

/// The keys that hold one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionKeys {
    /// A hash: who owns the partition, and what is not in its log.
    pub metadata: String,
    /// A stream: the log, one entry a batch. The key ends with the session of the owner that opened it last.
    pub log: String,
    /// A list: the cursor journal.
    pub cursors: String,
    /// A stream that exists only while the log is being cut: the part that is kept.
    pub kept: String,
}

impl ClusterName {
    /// Checks and takes a name; the rules are those of a topic's name, so no brace can break the hash tag.
    ///
    /// # Errors
    /// Says which rule the name breaks.
    pub fn new(name: &str) -> Result<Self, NameError> {
        TopicName::new(name).map(Self)
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartitionKeys {
    /// The keys of `partition` in `cluster`; the log's lacks its session.
    #[must_use]
    pub fn new(cluster: &ClusterName, partition: TopicPartition) -> Self {
        let tag = format!("{{pubsub:{cluster}:{}:{}}}", partition.topic, partition.partition);
        Self {
            metadata: format!("{tag}:metadata"),
            log: format!("{tag}:log:"),
            cursors: format!("{tag}:cursors"),
            kept: format!("{tag}:kept"),
        }
    }

    /// The key of the log as opened by `session`.
    #[must_use]
    pub fn log_of(&self, session: &str) -> String {
        format!("{}{session}", self.log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PartitionIndex, TopicId};

    #[test]
    fn the_keys_of_a_partition_share_one_hash_tag() {
        let partition = TopicPartition::new(TopicId::new(7), PartitionIndex::new(3));
        let keys = PartitionKeys::new(&ClusterName::new("main").unwrap(), partition);
        assert_eq!(keys.log, "{pubsub:main:7:3}:log:");
        for key in [keys.log_of("a1"), keys.metadata, keys.cursors, keys.kept] {
            assert!(key.starts_with("{pubsub:main:7:3}:"), "{key}");
        }
    }

    #[test]
    fn a_name_that_would_break_the_hash_tag_is_refused() {
        assert_eq!(ClusterName::new("a}b"), Err(NameError::Character { position: 1 }));
    }
}
