//! What the owner of a subscription chose for it.

use serde::{Deserialize, Serialize};
use shard_core::model::{Timestamp, TopicName};

use super::{InvalidPushConfig, PushConfig, wire};
use crate::limits;

/// The configuration of a subscription. All of it is kept; what this version can't do yet, the gateway refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionConfig {
    /// Whether consumers fetch messages or the node sends them.
    pub kind: SubscriptionKind,
    /// How messages are shared between consumers.
    pub consumption: Consumption,
    /// What is delivered in order.
    pub ordering: Ordering,
    /// How often a message may be delivered.
    pub delivery: DeliveryMode,
    /// How long a consumer may hold a message before it is delivered again.
    pub ack_deadline_ms: u64,
    /// After how many deliveries a message becomes a dead letter; 0 is never.
    pub max_delivery_attempts: u32,
    /// Where dead letters go. Whether it exists is not looked at here.
    #[serde(with = "wire::optional_topic_name")]
    pub dead_letter_topic: Option<TopicName>,
    /// How long a message rests before it is delivered again.
    pub backoff: Backoff,
    /// Which messages are delivered; `None` is all. Its language is not looked at here.
    pub filter: Option<String>,
    /// Where the subscription started.
    pub start: StartPosition,
    /// How long a consumer may be silent before its partitions go to others.
    pub session_timeout_ms: u64,
    /// Where the messages of a push subscription are sent.
    pub push: Option<PushConfig>,
}

/// Whether consumers fetch messages or the node sends them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SubscriptionKind {
    /// Consumers fetch them.
    #[default]
    Pull,
    /// The node sends them to an address.
    Push,
}

/// How messages are shared between consumers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Consumption {
    /// Any consumer gets messages of any partition.
    #[default]
    Shared,
    /// Each partition belongs to one consumer of the generation.
    Assigned,
}

/// What is delivered in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ordering {
    /// Nothing.
    #[default]
    None,
    /// The messages of one key.
    Key,
}

/// How often a message may be delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryMode {
    /// Until it is acked.
    #[default]
    AtLeastOnce,
    /// Once: it counts as acked when it is handed out.
    AtMostOnce,
    /// Until it is acked by the live lease, which holds for good.
    ExactlyOnce,
}

/// How long a message rests before it is delivered again: doubling from `min_ms` to `max_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// The first rest.
    pub min_ms: u64,
    /// The longest rest.
    pub max_ms: u64,
}

/// Where a new subscription starts on each partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartPosition {
    /// At the oldest message that is still kept.
    Earliest,
    /// After the newest message.
    #[default]
    Latest,
    /// At the first message that was taken then or later.
    Time(#[serde(with = "wire::timestamp")] Timestamp),
}

/// Why a subscription's configuration was refused; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum InvalidSubscriptionConfig {
    #[error("ack_deadline_ms: it is at least {ack_deadline_ms_min}, not {ack_deadline_ms}")]
    AckDeadline { ack_deadline_ms: u64, ack_deadline_ms_min: u64 },
    #[error("backoff: min_ms is {min_ms}, which is more than max_ms, {max_ms}")]
    Backoff { min_ms: u64, max_ms: u64 },
    #[error("session_timeout_ms: it is {session_timeout_ms_min} to {session_timeout_ms_max}, not {session_timeout_ms}")]
    SessionTimeout { session_timeout_ms: u64, session_timeout_ms_min: u64, session_timeout_ms_max: u64 },
    #[error("consumption: a push subscription has no consumers that its partitions could be assigned to")]
    PushConsumption,
    #[error("filter: it has {filter_bytes} bytes, at most {filter_bytes_max} are allowed")]
    Filter { filter_bytes: usize, filter_bytes_max: usize },
    #[error("push.{0}")]
    Push(InvalidPushConfig),
    #[error("push: a push subscription needs it, and no other has it")]
    PushKind,
}

impl SubscriptionConfig {
    /// Whether its partitions are assigned to consumers, which are a group then.
    #[must_use]
    pub fn has_group(&self) -> bool {
        self.kind == SubscriptionKind::Pull && self.consumption == Consumption::Assigned
    }

    /// Whether the values make sense by themselves.
    ///
    /// # Errors
    /// Names the first field that does not.
    pub fn validate(&self) -> Result<(), InvalidSubscriptionConfig> {
        if self.ack_deadline_ms < limits::ACK_DEADLINE_MS_MIN {
            return Err(InvalidSubscriptionConfig::AckDeadline {
                ack_deadline_ms: self.ack_deadline_ms,
                ack_deadline_ms_min: limits::ACK_DEADLINE_MS_MIN,
            });
        }
        let Backoff { min_ms, max_ms } = self.backoff;
        if min_ms > max_ms {
            return Err(InvalidSubscriptionConfig::Backoff { min_ms, max_ms });
        }
        let filter_bytes = self.filter.as_ref().map_or(0, String::len);
        if filter_bytes > limits::FILTER_BYTES_MAX {
            let filter_bytes_max = limits::FILTER_BYTES_MAX;
            return Err(InvalidSubscriptionConfig::Filter { filter_bytes, filter_bytes_max });
        }
        let (session_timeout_ms_min, session_timeout_ms_max) =
            (limits::SESSION_TIMEOUT_MS_MIN, limits::SESSION_TIMEOUT_MS_MAX);
        if !(session_timeout_ms_min..=session_timeout_ms_max).contains(&self.session_timeout_ms) {
            return Err(InvalidSubscriptionConfig::SessionTimeout {
                session_timeout_ms: self.session_timeout_ms,
                session_timeout_ms_min,
                session_timeout_ms_max,
            });
        }
        if self.kind == SubscriptionKind::Push && self.consumption == Consumption::Assigned {
            return Err(InvalidSubscriptionConfig::PushConsumption);
        }
        if (self.kind == SubscriptionKind::Push) != self.push.is_some() {
            return Err(InvalidSubscriptionConfig::PushKind);
        }
        self.push.as_ref().map_or(Ok(()), PushConfig::validate).map_err(InvalidSubscriptionConfig::Push)
    }

    /// Whether creating a subscription with `other` where one with this is means to create the same again. That it was
    /// paused meanwhile is what became of it, not what was asked for.
    pub(crate) fn is_same_request(&self, other: &Self) -> bool {
        let unpaused = |config: &Self| {
            let push = config.push.as_ref().map(|push| PushConfig { paused: None, ..push.clone() });
            Self { push, ..config.clone() }
        };
        self == other || unpaused(self) == unpaused(other)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self { min_ms: limits::BACKOFF_MIN_MS_DEFAULT, max_ms: limits::BACKOFF_MAX_MS_DEFAULT }
    }
}

impl Default for SubscriptionConfig {
    fn default() -> Self {
        Self {
            kind: SubscriptionKind::default(),
            consumption: Consumption::default(),
            ordering: Ordering::default(),
            delivery: DeliveryMode::default(),
            ack_deadline_ms: limits::ACK_DEADLINE_MS_DEFAULT,
            max_delivery_attempts: 0,
            dead_letter_topic: None,
            backoff: Backoff::default(),
            filter: None,
            start: StartPosition::default(),
            session_timeout_ms: limits::SESSION_TIMEOUT_MS_DEFAULT,
            push: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(SubscriptionConfig::default().validate(), Ok(()));
    }

    #[test]
    fn each_broken_rule_is_named() {
        let config = SubscriptionConfig { ack_deadline_ms: 99, ..SubscriptionConfig::default() };
        assert!(matches!(config.validate(), Err(InvalidSubscriptionConfig::AckDeadline { .. })));
        let backoff = Backoff { min_ms: 2, max_ms: 1 };
        let config = SubscriptionConfig { backoff, ..SubscriptionConfig::default() };
        assert_eq!(config.validate(), Err(InvalidSubscriptionConfig::Backoff { min_ms: 2, max_ms: 1 }));
        for session_timeout_ms in [limits::SESSION_TIMEOUT_MS_MIN - 1, limits::SESSION_TIMEOUT_MS_MAX + 1] {
            let config = SubscriptionConfig { session_timeout_ms, ..SubscriptionConfig::default() };
            assert!(matches!(config.validate(), Err(InvalidSubscriptionConfig::SessionTimeout { .. })));
        }
        let push = Some(PushConfig::default());
        let (kind, consumption) = (SubscriptionKind::Push, Consumption::Assigned);
        let config = SubscriptionConfig { kind, consumption, push, ..SubscriptionConfig::default() };
        assert_eq!(config.validate(), Err(InvalidSubscriptionConfig::PushConsumption));
        let filter = Some("x".repeat(limits::FILTER_BYTES_MAX + 1));
        let config = SubscriptionConfig { filter, ..SubscriptionConfig::default() };
        assert!(matches!(config.validate(), Err(InvalidSubscriptionConfig::Filter { .. })));
        let config = SubscriptionConfig { kind: SubscriptionKind::Push, ..SubscriptionConfig::default() };
        assert_eq!(config.validate(), Err(InvalidSubscriptionConfig::PushKind));
        let push = Some(PushConfig { url: "x".repeat(limits::PUSH_BYTES_MAX + 1), ..PushConfig::default() });
        let config = SubscriptionConfig { kind: SubscriptionKind::Push, push, ..SubscriptionConfig::default() };
        assert!(matches!(config.validate(), Err(InvalidSubscriptionConfig::Push(_))));
    }
}
