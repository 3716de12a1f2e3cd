//! Publishing: what a client sends and what it gets back for each message.

mod attributes;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use self::attributes::Attributes;
use crate::base64;
use crate::cow_str::CowStr;
use crate::error::{Code, Outcome};
use crate::nullable::given;
use crate::object;
use crate::rfc3339::Timestamp;

/// The body of `POST /v1/topics/{topic}/messages`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PublishRequest<'a> {
    /// The messages, in order.
    #[serde(borrow, deserialize_with = "object::list")]
    pub messages: Vec<PublishMessage<'a>>,
}

/// Makes it safe to send a call again. Messages with an `id` of their own are safe without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retry<'a> {
    /// Nothing: messages without an `id` would be stored again.
    #[default]
    Unguarded,
    /// One key for the call: its messages without an `id` get `KEY/0`, `KEY/1` and so on.
    Key(&'a str),
    /// The numbers of a producer.
    Producer(ProducerSequence),
}

/// Where a producer's call belongs among its others to the same partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerSequence {
    /// Names the producer; best chosen at random.
    pub id: u64,
    /// Rises each time the producer starts anew; 0 if it never tells.
    pub epoch: u16,
    /// The number of the call's first message; the next call goes on behind its last.
    pub sequence: u32,
}

/// One message to publish; exactly one of `data`, `text` and `json` is its payload.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PublishMessage<'a> {
    /// The payload in base64.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub data: Option<CowStr<'a>>,
    /// The payload as text.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub text: Option<CowStr<'a>>,
    /// The payload as JSON, kept byte by byte as it was sent; `null` is a payload too.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub json: Option<&'a RawValue>,
    /// Messages of one key go to one partition, in order.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub key: Option<CowStr<'a>>,
    /// Names and values that go with the payload.
    #[serde(borrow, default, skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes<'a>,
    /// From 0 to 9; the highest is delivered first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// How long the message may be delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// How long the message is held back; excludes `deliver_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// Until when the message is held back; excludes `delay_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_at: Option<Timestamp>,
    /// The message's id; the node makes one if none is given.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub id: Option<CowStr<'a>>,
    /// The partition it goes to; chosen by key, else by id, else in turn, if none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
    /// What the payload is; follows from its field if none is given.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<CowStr<'a>>,
}

/// A message's payload as the publisher wrote it.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// Base64 of any bytes.
    Data(&'a str),
    /// Text.
    Text(&'a str),
    /// JSON as it was sent.
    Json(&'a RawValue),
}

/// Why a message has no clear payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum PayloadError {
    #[error("a message needs its payload in `data`, `text` or `json`")]
    Missing,
    #[error("a message has one payload: one of `data`, `text` and `json`")]
    Several,
}

/// The answer to a publish request: one result for each message, in its order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PublishResponse {
    /// What became of each message.
    pub results: Vec<PublishResult>,
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum PublishResult {
    /// It is stored.
    Published(Published),
    /// Its partition refused it.
    Failed {
        /// Why, and whether to try again.
        error: PublishFailure,
    },
}

/// Where a message is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Published {
    /// Its id, the publisher's or the node's.
    pub id: String,
    /// Its partition.
    pub partition: u32,
    /// Its position in the partition.
    pub offset: u64,
    /// Whether it was stored before, by an earlier try.
    pub duplicate: bool,
    /// What it had reached when this was answered.
    pub durability: Durability,
}

/// Why one message was not stored while others of the same request were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PublishFailure {
    /// The kind of failure.
    pub code: Code,
    /// What happened, for people.
    #[serde(default)]
    pub detail: String,
    /// Whether the same message may succeed later.
    pub retryable: bool,
    /// Whether it was stored.
    pub outcome: Outcome,
    /// The sequence that the producer has to go on with, where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_sequence: Option<u32>,
}

/// What a message had reached when it was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Synced to disk on every replica in sync.
    Quorum,
    /// Synced to disk on the owner.
    Leader,
    /// Written, not yet synced.
    Buffered,
    /// In memory only.
    Memory,
    /// In Redis, synced to its disk.
    RedisFsync,
    /// In Redis, not yet synced.
    RedisBuffered,
}

impl<'a> PublishMessage<'a> {
    /// A message of any bytes.
    #[must_use]
    pub fn data(payload: &[u8]) -> Self {
        Self { data: Some(CowStr::from(base64::encode(payload))), ..Self::default() }
    }

    /// A message of text.
    #[must_use]
    pub fn text(payload: &'a str) -> Self {
        Self { text: Some(CowStr::from(payload)), ..Self::default() }
    }

    /// A message of JSON.
    #[must_use]
    pub fn json(payload: &'a RawValue) -> Self {
        Self { json: Some(payload), ..Self::default() }
    }

    /// The payload, whichever field it is in.
    ///
    /// # Errors
    /// No field or more than one holds a payload.
    pub fn payload(&self) -> Result<Payload<'_>, PayloadError> {
        match (&self.data, &self.text, self.json) {
            (Some(data), None, None) => Ok(Payload::Data(data)),
            (None, Some(text), None) => Ok(Payload::Text(text)),
            (None, None, Some(json)) => Ok(Payload::Json(json)),
            (None, None, None) => Err(PayloadError::Missing),
            _ => Err(PayloadError::Several),
        }
    }
}

impl Payload<'_> {
    /// The content type of a message that names none.
    #[must_use]
    pub fn default_content_type(&self) -> &'static str {
        match self {
            Self::Data(_) => "application/octet-stream",
            Self::Text(_) => "text/plain; charset=utf-8",
            Self::Json(_) => "application/json",
        }
    }
}
