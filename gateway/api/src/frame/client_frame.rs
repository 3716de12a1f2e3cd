//! What a client sends over WebSocket.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::tagged::{self, TaggedFrame};
use crate::cow_str::CowStr;
use crate::cursor::{CursorError, CursorToken};
use crate::object;
use crate::publish::PublishMessage;
use crate::topics::Acks;

/// A frame from a client. `reference` is `ref` in JSON: the answer carries it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum ClientFrame<'a> {
    /// Publishes messages.
    Publish(Publish<'a>),
    /// Starts a delivery.
    Subscribe(Subscribe<'a>),
    /// Messages are done.
    Ack(Ack<'a>),
    /// Messages are to be delivered again.
    Nack(Nack<'a>),
    /// Messages need more time.
    Extend(Extend<'a>),
    /// More messages may be sent.
    Credit(Credit<'a>),
    /// Ends a delivery.
    Unsubscribe(Unsubscribe<'a>),
    /// Asks for a `pong`.
    Ping(Ping),
}

/// Why a frame was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ClientFrameError {
    /// The frame's `ref`, where it can be read all the same.
    pub reference: Option<u64>,
    /// Whether it is no JSON at all.
    pub syntax: bool,
    /// What is wrong with it.
    pub detail: String,
}

/// Publishes messages; answered by `published`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Publish<'a> {
    /// Comes back in the answer.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<u64>,
    /// Where they go.
    #[serde(borrow)]
    pub topic: CowStr<'a>,
    /// The messages, in order.
    #[serde(borrow, deserialize_with = "object::list")]
    pub messages: Vec<PublishMessage<'a>>,
    /// Makes it safe to send the frame again; excludes a producer.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<CowStr<'a>>,
    /// When it is answered where several nodes keep the topic; as the topic says if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acks: Option<Acks>,
    /// The producer that numbers the messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer_id: Option<u64>,
    /// The producer's epoch; 0 if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer_epoch: Option<u16>,
    /// The number of the first message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer_seq: Option<u32>,
}

/// Starts a delivery from a durable subscription, or from a topic without one; answered by `subscribed`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Subscribe<'a> {
    /// Comes back in the answer.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<u64>,
    /// The subscription; excludes `topic`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<CowStr<'a>>,
    /// The topic; excludes `subscription`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<CowStr<'a>>,
    /// Where reading a topic starts; `latest` if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<SubscribeFrom>,
    /// Which messages of a topic are delivered; all if it is not given.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<CowStr<'a>>,
    /// How many messages may be sent before more credit comes; none if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit: Option<u32>,
    /// The consumer that comes back, where partitions are assigned to consumers.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub consumer_id: Option<CowStr<'a>>,
}

/// Messages are done; answered by `acked` if there is a `ref`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Ack<'a> {
    /// Comes back in the answer.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<u64>,
    /// Whose messages they are.
    #[serde(borrow)]
    pub subscription: CowStr<'a>,
    /// The messages.
    #[serde(borrow)]
    pub ack_ids: Vec<CowStr<'a>>,
}

/// Messages are to be delivered again; answered by `acked` if there is a `ref`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Nack<'a> {
    /// Comes back in the answer.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<u64>,
    /// Whose messages they are.
    #[serde(borrow)]
    pub subscription: CowStr<'a>,
    /// The messages.
    #[serde(borrow)]
    pub ack_ids: Vec<CowStr<'a>>,
    /// After how long; the subscription's back-off if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// Makes them dead letters instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<bool>,
}

/// Messages need more time; answered by `acked` if there is a `ref`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Extend<'a> {
    /// Comes back in the answer.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<u64>,
    /// Whose messages they are.
    #[serde(borrow)]
    pub subscription: CowStr<'a>,
    /// The messages.
    #[serde(borrow)]
    pub ack_ids: Vec<CowStr<'a>>,
    /// Their new ack deadline, counted from now; the subscription's if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
}

/// So many more messages may be sent; has no answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Credit<'a> {
    /// The subscription; excludes `topic`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<CowStr<'a>>,
    /// The topic; excludes `subscription`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<CowStr<'a>>,
    /// How many more.
    pub add: u32,
}

/// Ends a delivery; what is still leased is delivered again at once. Answered by `unsubscribed`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Unsubscribe<'a> {
    /// Comes back in the answer.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<u64>,
    /// The subscription; excludes `topic`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<CowStr<'a>>,
    /// The topic; excludes `subscription`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<CowStr<'a>>,
}

/// Asks for a `pong`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Ping {
    /// Comes back in the answer.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<u64>,
}

/// Where reading a topic starts, as text: `latest`, `earliest` or a cursor token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscribeFrom {
    /// Only what is published from now on.
    Latest,
    /// The oldest message that is still kept.
    Earliest,
    /// Where a token says.
    Cursor(CursorToken),
}

impl<'a> ClientFrame<'a> {
    /// Reads one frame; strings without escapes and raw JSON borrow from `text`.
    ///
    /// # Errors
    /// Says what is wrong, and the frame's `ref` if that much can be read.
    pub fn parse(text: &'a str) -> Result<Self, ClientFrameError> {
        tagged::parse(text).map_err(|error| ClientFrameError::of(&error, text))
    }

    /// The frame's `ref`.
    #[must_use]
    pub fn reference(&self) -> Option<u64> {
        match self {
            Self::Publish(publish) => publish.reference,
            Self::Subscribe(subscribe) => subscribe.reference,
            Self::Ack(ack) => ack.reference,
            Self::Nack(nack) => nack.reference,
            Self::Extend(extend) => extend.reference,
            Self::Credit(_) => None,
            Self::Unsubscribe(unsubscribe) => unsubscribe.reference,
            Self::Ping(ping) => ping.reference,
        }
    }
}

impl ClientFrameError {
    /// What serde found wrong with a frame.
    pub(super) fn of(error: &serde_json::Error, text: &str) -> Self {
        Self {
            reference: serde_json::from_str(text).map_or(None, |RefOnly { reference }| reference),
            syntax: !error.is_data(),
            detail: error.to_string(),
        }
    }
}

impl<'de> TaggedFrame<'de> for ClientFrame<'de> {
    fn read_fields<D: Deserializer<'de>>(op: &str, fields: D) -> Result<Self, D::Error> {
        const OPS: &[&str] = &["publish", "subscribe", "ack", "nack", "extend", "credit", "unsubscribe", "ping"];
        match op {
            "publish" => Publish::deserialize(fields).map(Self::Publish),
            "subscribe" => Subscribe::deserialize(fields).map(Self::Subscribe),
            "ack" => Ack::deserialize(fields).map(Self::Ack),
            "nack" => Nack::deserialize(fields).map(Self::Nack),
            "extend" => Extend::deserialize(fields).map(Self::Extend),
            "credit" => Credit::deserialize(fields).map(Self::Credit),
            "unsubscribe" => Unsubscribe::deserialize(fields).map(Self::Unsubscribe),
            "ping" => Ping::deserialize(fields).map(Self::Ping),
            other => Err(de::Error::unknown_variant(other, OPS)),
        }
    }
}

impl std::str::FromStr for SubscribeFrom {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        match text {
            "latest" => Ok(Self::Latest),
            "earliest" => Ok(Self::Earliest),
            token => CursorToken::decode(token).map(Self::Cursor),
        }
    }
}

impl fmt::Display for SubscribeFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Earliest => f.write_str("earliest"),
            Self::Cursor(token) => token.fmt(f),
        }
    }
}

impl Serialize for SubscribeFrom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SubscribeFrom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = CowStr::deserialize(deserializer)?;
        text.parse().map_err(|error| de::Error::custom(format_args!("`from` is latest, earliest or a cursor: {error}")))
    }
}

#[derive(Deserialize)]
struct RefOnly {
    #[serde(rename = "ref")]
    reference: Option<u64>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Parses, writes again, and expects the same text.
    fn check(text: &str) -> ClientFrame<'_> {
        let frame = ClientFrame::parse(text).unwrap();
        assert_eq!(serde_json::to_string(&frame).unwrap(), text);
        frame
    }

    #[test]
    fn every_frame_of_the_protocol_comes_back() {
        check(r#"{"op":"publish","ref":1,"topic":"t","messages":[{"text":"a","key":"k"},{"json":{"a": [1, null]}}]}"#);
        check(r#"{"op":"publish","topic":"t","messages":[{"text":"a"}],"idempotency_key":"k"}"#);
        check(r#"{"op":"publish","topic":"t","messages":[],"producer_id":7,"producer_epoch":1,"producer_seq":9}"#);
        check(r#"{"op":"subscribe","ref":2,"subscription":"s","credit":1000,"consumer_id":"c"}"#);
        check(r#"{"op":"subscribe","ref":2,"topic":"t","from":"latest","credit":10}"#);
        check(r#"{"op":"subscribe","topic":"t","from":"AQcAAAAAAAAAAQAAAAAAAQAAAAAAAAA","filter":"key = \"a\""}"#);
        check(r#"{"op":"ack","ref":3,"subscription":"s","ack_ids":["a","b"]}"#);
        check(r#"{"op":"nack","subscription":"s","ack_ids":["a"],"delay_ms":0,"dead_letter":true}"#);
        check(r#"{"op":"extend","subscription":"s","ack_ids":["a"],"deadline_ms":1000}"#);
        check(r#"{"op":"credit","subscription":"s","add":500}"#);
        check(r#"{"op":"unsubscribe","ref":4,"topic":"t"}"#);
        check(r#"{"op":"ping"}"#);
    }

    #[test]
    fn op_may_come_at_any_place() {
        let text = r#"{"messages":[{"json":{"op": 1}}],"ref":1,"op":"publish","topic":"t"}"#;
        let ClientFrame::Publish(publish) = ClientFrame::parse(text).unwrap() else { panic!("not a publish") };
        assert_eq!(publish.messages[0].json.unwrap().get(), r#"{"op": 1}"#);
        assert!(ClientFrame::parse(r#"{"add":1,"\u006fp":"credit","topic":"t"}"#).is_ok());
    }

    #[test]
    fn a_refused_frame_still_gives_its_ref() {
        let refused = |text| ClientFrame::parse(text).unwrap_err();
        let error = refused(r#"{"op":"publish","ref":9,"topic":"t","mesages":[]}"#);
        assert_eq!(error.reference, Some(9));
        assert!(error.detail.contains("unknown field `mesages`"), "{error}");
        assert!(refused(r#"{"op":"fly","ref":9}"#).detail.contains("unknown variant `fly`"));
        assert!(refused(r#"{"ref":9}"#).detail.contains("missing field `op`"));
        assert!(refused("{}").detail.contains("missing field `op`"));
        assert!(!refused("[]").syntax);
        assert!(refused(r#"{"op":"ping"} x"#).syntax);
        assert!(refused(r#"{"op":"ping""#).syntax);
    }

    proptest! {
        #[test]
        fn any_text_parses_or_is_refused(text in r#"\{?("[a-z]{0,4}":?|op|\[|\}|,|[0-9]|.){0,40}"#) {
            let _ = ClientFrame::parse(&text);
        }
    }
}
