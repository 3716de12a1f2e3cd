//! Changes of a configuration: they name only what they change, so that two of them at once don't undo each other.

use serde::{Deserialize, Serialize};
use shard_core::model::TopicName;

use super::{Acks, Backoff, Compression, DeliveryMode, FlushPolicy, PushPatch, SubscriptionConfig, TopicConfig, wire};

/// What a change does to one field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It becomes this.
    Set(T),
}

/// A change of a topic's configuration; the default changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicPatch {
    /// The number of partitions; it may only grow.
    pub partitions: Change<u32>,
    /// On how many nodes each partition is kept.
    pub replication_factor: Change<u16>,
    /// How long messages are kept.
    pub retention_ms: Change<Option<u64>>,
    /// How many bytes each partition keeps.
    pub retention_bytes: Change<Option<u64>>,
    /// How batches are compressed.
    pub compression: Change<Compression>,
    /// When writes are synced.
    pub flush: Change<FlushPolicy>,
    /// What a message has reached when it is acknowledged.
    pub acks: Change<Acks>,
    /// How many replicas must be in sync.
    pub min_insync: Change<u16>,
    /// How long message ids are remembered.
    pub dedup_window_ms: Change<u64>,
    /// The largest message.
    pub max_message_bytes: Change<u32>,
}

/// A change of a subscription's configuration; the default changes nothing. What is not here can't be changed: it
/// decides how cursors are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionPatch {
    /// How long a consumer may hold a message.
    pub ack_deadline_ms: Change<u64>,
    /// After how many deliveries a message becomes a dead letter.
    pub max_delivery_attempts: Change<u32>,
    /// Where dead letters go.
    #[serde(with = "wire::changed_topic_name")]
    pub dead_letter_topic: Change<Option<TopicName>>,
    /// How long a message rests before it is delivered again.
    pub backoff: Change<Backoff>,
    /// Which messages are delivered.
    pub filter: Change<Option<String>>,
    /// How often a message may be delivered.
    pub delivery: Change<DeliveryMode>,
    /// How long a consumer may be silent.
    pub session_timeout_ms: Change<u64>,
    /// Where the messages of a push subscription are sent, and how; of another one nothing is changed.
    pub push: PushPatch,
}

impl<T> Change<T> {
    /// A change to `Some` value; `None` keeps what is there.
    #[must_use]
    pub fn from_option(value: Option<T>) -> Self {
        value.map_or(Self::Keep, Self::Set)
    }

    pub(super) fn apply_to(&self, field: &mut T)
    where
        T: Clone,
    {
        match self {
            Self::Keep => {}
            Self::Set(value) => field.clone_from(value),
        }
    }
}

impl TopicPatch {
    /// The configuration after the change.
    #[must_use]
    pub fn applied_to(&self, config: &TopicConfig) -> TopicConfig {
        let mut config = config.clone();
        self.partitions.apply_to(&mut config.partitions);
        self.replication_factor.apply_to(&mut config.replication_factor);
        self.retention_ms.apply_to(&mut config.retention_ms);
        self.retention_bytes.apply_to(&mut config.retention_bytes);
        self.compression.apply_to(&mut config.compression);
        self.flush.apply_to(&mut config.flush);
        self.acks.apply_to(&mut config.acks);
        self.min_insync.apply_to(&mut config.min_insync);
        self.dedup_window_ms.apply_to(&mut config.dedup_window_ms);
        self.max_message_bytes.apply_to(&mut config.max_message_bytes);
        config
    }
}

impl SubscriptionPatch {
    /// The configuration after the change.
    #[must_use]
    pub fn applied_to(&self, config: &SubscriptionConfig) -> SubscriptionConfig {
        let mut config = config.clone();
        self.ack_deadline_ms.apply_to(&mut config.ack_deadline_ms);
        self.max_delivery_attempts.apply_to(&mut config.max_delivery_attempts);
        self.dead_letter_topic.apply_to(&mut config.dead_letter_topic);
        self.backoff.apply_to(&mut config.backoff);
        self.filter.apply_to(&mut config.filter);
        self.delivery.apply_to(&mut config.delivery);
        self.session_timeout_ms.apply_to(&mut config.session_timeout_ms);
        if let Some(push) = &mut config.push {
            self.push.apply_to(push);
        }
        config
    }
}
