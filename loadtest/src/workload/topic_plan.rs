//! The topics of a run, as far as the run makes them.

use gateway_api::topics::{Acks, Compression, Flush, TopicSettings};
use serde::{Deserialize, Serialize};

/// What a topic that is created is set to; what is not given is the server's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TopicPlan {
    /// On how many nodes each partition is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication_factor: Option<u16>,
    /// How many replicas must be in sync.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_insync: Option<u16>,
    /// How batches are compressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// When writes are synced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flush: Option<Flush>,
    /// What an acknowledged message has reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acks: Option<Acks>,
    /// How long ids are remembered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedup_window_ms: Option<u64>,
}

impl TopicPlan {
    /// Whether all is the server's to say.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// As the server is asked for it.
    #[must_use]
    pub fn settings(&self, partitions: u32) -> TopicSettings {
        TopicSettings {
            partitions: Some(partitions),
            replication_factor: self.replication_factor,
            min_insync: self.min_insync,
            compression: self.compression,
            flush: self.flush,
            acks: self.acks,
            dedup_window_ms: self.dedup_window_ms,
            ..TopicSettings::default()
        }
    }
}
