//! Subscriptions: how they are created, changed, moved and shown.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::nullable::{Nullable, given};
use crate::object;
use crate::push::{Push, PushSettings};
use crate::rfc3339::{Timestamp, TimestampError};

/// The body of `PUT /v1/subscriptions/{subscription}` (what is not given takes its default) and of `PATCH` (what is not
/// given stays). `topic` is required to create one and can't be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SubscriptionSettings {
    /// The topic that is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Whether consumers fetch messages or the node sends them.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<SubscriptionKind>,
    /// How messages are shared between consumers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumption: Option<Consumption>,
    /// What is delivered in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering: Option<Ordering>,
    /// How often a message may be delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// How long a consumer may hold a message before it is delivered again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack_deadline_ms: Option<u64>,
    /// After how many deliveries a message becomes a dead letter; 0 is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_delivery_attempts: Option<u32>,
    /// Where dead letters go; `null` takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub dead_letter_topic: Option<Nullable<String>>,
    /// How long a message rests before it is delivered again.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "object::optional")]
    pub backoff: Option<Backoff>,
    /// Which messages are delivered; `null` is all.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub filter: Option<Nullable<String>>,
    /// Where a new subscription starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Position>,
    /// How long a consumer may be silent before its partitions go to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_timeout_ms: Option<u64>,
    /// Where the messages of a push subscription are sent.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "object::optional")]
    pub push: Option<PushSettings>,
}

/// A subscription's configuration as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubscriptionConfig {
    /// The topic that is read.
    pub topic: String,
    /// Whether consumers fetch messages or the node sends them.
    #[serde(rename = "type")]
    pub kind: SubscriptionKind,
    /// How messages are shared between consumers.
    pub consumption: Consumption,
    /// What is delivered in order.
    pub ordering: Ordering,
    /// How often a message may be delivered.
    pub delivery: Delivery,
    /// How long a consumer may hold a message before it is delivered again.
    pub ack_deadline_ms: u64,
    /// After how many deliveries a message becomes a dead letter; 0 is never.
    pub max_delivery_attempts: u32,
    /// Where dead letters go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter_topic: Option<String>,
    /// How long a message rests before it is delivered again.
    pub backoff: Backoff,
    /// Which messages are delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Where the subscription started.
    pub start: Position,
    /// How long a consumer may be silent before its partitions go to others.
    pub session_timeout_ms: u64,
    /// Where the messages of a push subscription are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<Push>,
}

/// A subscription in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubscriptionSummary {
    /// Its name.
    pub name: String,
    /// Its configuration.
    #[serde(flatten)]
    pub config: SubscriptionConfig,
}

/// The answer of `GET /v1/subscriptions/{subscription}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Subscription {
    /// Its name.
    pub name: String,
    /// Its configuration.
    #[serde(flatten)]
    pub config: SubscriptionConfig,
    /// Messages that are not acked, leased ones too.
    pub backlog: u64,
    /// Messages in consumers' hands.
    pub leased: u64,
    /// How old the oldest message is that is not acked; `None` if there is none.
    #[serde(default)]
    pub oldest_unacked_ms: Option<u64>,
    /// Messages that were delivered again since the node started.
    pub redeliveries: u64,
    /// Messages that became dead letters since the node started.
    pub dead_letters: u64,
    /// Messages that expired before they were acked, since the node started.
    #[serde(default)]
    pub expired: u64,
    /// Messages that the filter kept out, since the node started.
    #[serde(default)]
    pub filtered: u64,
    /// Rises with each new assignment of partitions to consumers.
    pub generation: u64,
    /// The consumers that have joined.
    pub consumers: Vec<Consumer>,
    /// How far each partition has been read.
    pub cursors: Vec<PartitionCursor>,
}

/// A consumer that has joined a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Consumer {
    /// Its id.
    pub consumer_id: String,
    /// The node that it is connected to.
    pub node: u64,
    /// The partitions that are assigned to it.
    pub partitions: Vec<u32>,
    /// When it was last heard of.
    pub last_heartbeat: Timestamp,
}

/// How far a subscription has read one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PartitionCursor {
    /// The partition's number.
    pub partition: u32,
    /// Every offset below it is acked.
    pub ack_floor: u64,
    /// Messages that are not acked, leased ones too.
    pub backlog: u64,
    /// Messages in consumers' hands.
    pub leased: u64,
    /// How old the oldest message is that is not acked; `None` if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_unacked_ms: Option<u64>,
    /// Messages that were delivered again since the node started.
    #[serde(default)]
    pub redeliveries: u64,
    /// Messages that became dead letters since the node started.
    #[serde(default)]
    pub dead_letters: u64,
    /// The consumer that the partition is assigned to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer_id: Option<String>,
}

/// The body of `POST /v1/subscriptions/{subscription}/seek`: exactly one of the two fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SeekRequest {
    /// Moves every partition there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Position>,
    /// Moves these partitions to these offsets; the others stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offsets: Option<BTreeMap<u32, u64>>,
}

/// The answer to a seek.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SeekResponse {
    /// Where every partition stands now.
    pub cursors: Vec<PartitionCursor>,
}

/// How long a message rests before it is delivered again: doubling from `min_ms` to `max_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Backoff {
    /// The first rest.
    pub min_ms: u64,
    /// The longest rest.
    pub max_ms: u64,
}

/// A place in a topic, as text: `earliest`, `latest` or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The oldest message that is still kept.
    Earliest,
    /// Only what is published from now on.
    Latest,
    /// The first message that was published then or later.
    Time(Timestamp),
}

/// Whether consumers fetch messages or the node sends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionKind {
    /// Consumers fetch them, by HTTP or WebSocket.
    Pull,
    /// The node sends them to an address.
    Push,
}

/// How messages are shared between consumers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Consumption {
    /// Any consumer gets messages of any partition.
    Shared,
    /// Each partition belongs to one consumer at a time.
    Assigned,
}

/// What is delivered in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Ordering {
    /// Nothing is promised.
    None,
    /// A message waits until the earlier ones of its key are acked.
    Key,
}

/// How often a message may be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Until it is acked.
    AtLeastOnce,
    /// Once, and perhaps lost.
    AtMostOnce,
    /// Until it is acked, where each ack is accepted once.
    ExactlyOnce,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { min_ms: 100, max_ms: 60_000 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Earliest => f.write_str("earliest"),
            Self::Latest => f.write_str("latest"),
            Self::Time(time) => time.fmt(f),
        }
    }
}

impl FromStr for Position {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            time => time.parse().map(Self::Time),
        }
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = crate::cow_str::CowStr::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| de::Error::custom(format_args!("`{text}` is not earliest, latest or an RFC 3339 time")))
    }
}
