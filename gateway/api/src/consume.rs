//! Consuming: delivered messages, pull, ack, nack, extend, and reading a partition.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base64::Data;
use crate::cow_str::CowStr;
use crate::error::Code;
use crate::limits;
use crate::rfc3339::Timestamp;

/// A message as consumers get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeliveredMessage {
    /// What to send back when the message is done; absent where it is only read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack_id: Option<String>,
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: u32,
    /// Its position in the partition.
    pub offset: u64,
    /// Its id.
    pub id: String,
    /// Its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its payload.
    pub data: Data,
    /// What its payload is.
    pub content_type: String,
    /// Names and values that go with the payload.
    pub attributes: BTreeMap<String, String>,
    /// From 0 to 9.
    pub priority: u8,
    /// When the node took it.
    pub publish_time: Timestamp,
    /// Until when it was held back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_at: Option<Timestamp>,
    /// Until when it may be delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// How often it has been delivered, this time included; absent where it is only read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_attempt: Option<u32>,
}

/// The answer of `GET /v1/topics/{topic}/partitions/{partition}/messages`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReadPage {
    /// The messages, by offset.
    pub messages: Vec<DeliveredMessage>,
    /// Where the next page starts.
    pub next_offset: u64,
    /// The same place as a cursor token.
    pub next_cursor: String,
}

/// The body of `POST /v1/subscriptions/{subscription}/pull`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PullRequest {
    /// At most so many messages.
    pub max_messages: u32,
    /// How long to wait for the first message; 0 answers at once.
    pub wait_ms: u64,
    /// The consumer, where partitions are assigned to consumers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer_id: Option<String>,
    /// The generation in which the consumer got its partitions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
}

/// The answer to a pull.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PullResponse {
    /// The messages, leased until they are acked or their ack deadline has passed.
    pub messages: Vec<DeliveredMessage>,
    /// The newest generation, where partitions are assigned to consumers: who knows an older one has a heartbeat to send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
}

/// The body of `POST /v1/subscriptions/{subscription}/ack`: `ack_ids`, or `partition` with `up_to_offset`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AckRequest<'a> {
    /// The messages that are done.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub ack_ids: Vec<CowStr<'a>>,
    /// The partition whose beginning is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
    /// The last offset of it that is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to_offset: Option<u64>,
    /// The consumer, where partitions are assigned to consumers.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub consumer_id: Option<CowStr<'a>>,
    /// The generation in which the consumer got its partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
}

/// The body of `POST /v1/subscriptions/{subscription}/nack`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NackRequest<'a> {
    /// The messages that are to be delivered again.
    #[serde(borrow)]
    pub ack_ids: Vec<CowStr<'a>>,
    /// After how long; the subscription's back-off if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// Makes them dead letters instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<bool>,
}

/// The body of `POST /v1/subscriptions/{subscription}/extend`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExtendRequest<'a> {
    /// The messages that need more time.
    #[serde(borrow)]
    pub ack_ids: Vec<CowStr<'a>>,
    /// Their new ack deadline, counted from now; the subscription's if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
}

/// The answer to ack, nack and extend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AckResponse {
    /// For how many messages it holds now.
    pub succeeded: u64,
    /// For which ones it does not.
    pub failed: Vec<FailedAck>,
}

/// An ack id that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FailedAck {
    /// The ack id as it was sent.
    pub ack_id: String,
    /// Why.
    pub code: Code,
}

impl Default for PullRequest {
    fn default() -> Self {
        Self { max_messages: limits::PULL_MESSAGES_DEFAULT, wait_ms: 0, consumer_id: None, generation: None }
    }
}
