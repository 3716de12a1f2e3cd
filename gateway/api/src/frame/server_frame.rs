//! What a node sends over WebSocket.

use serde::{Deserialize, Deserializer, Serialize, de};

use super::tagged::{self, TaggedFrame};
use crate::consume::{DeliveredMessage, FailedAck};
use crate::error::{Code, FieldError};
use crate::publish::PublishResult;

/// A frame from a node. `reference` is `ref` in JSON: that of the frame which it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum ServerFrame {
    /// Answers `publish`.
    Published(Published),
    /// Answers `subscribe`: messages follow as far as there is credit.
    Subscribed(Subscribed),
    /// Delivers messages.
    Messages(Messages),
    /// Answers `ack`, `nack` and `extend` that have a `ref`.
    Acked(Acked),
    /// The consumer's partitions have changed.
    Assigned(Assigned),
    /// Answers `unsubscribe`.
    Unsubscribed(Unsubscribed),
    /// Answers a frame that was refused; without `ref` it is about the connection.
    Error(ErrorFrame),
    /// Answers `ping`.
    Pong(Pong),
}

/// What became of published messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Published {
    /// The `ref` of the publish.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<u64>,
    /// One for each message, in its order.
    pub results: Vec<PublishResult>,
}

/// A delivery has started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Subscribed {
    /// The `ref` of the subscribe.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<u64>,
    /// The consumer's id, where partitions are assigned to consumers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer_id: Option<String>,
    /// For how long the consumer keeps its partitions over a reconnect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_timeout_ms: Option<u64>,
    /// The generation of the assignment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The consumer's partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<Vec<u32>>,
}

/// Delivered messages, of the subscription or the topic that was subscribed to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Messages {
    /// The subscription that they come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// The topic that they come from, without a subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The messages.
    pub messages: Vec<DeliveredMessage>,
    /// Where to go on after a reconnect, when a topic is read without a subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// What became of acks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Acked {
    /// The `ref` of the ack, nack or extend.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<u64>,
    /// For how many messages it holds now.
    pub succeeded: u64,
    /// For which ones it does not.
    pub failed: Vec<FailedAck>,
}

/// The consumer's partitions have changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Assigned {
    /// The subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// The new generation.
    pub generation: u64,
    /// The consumer's partitions from now on.
    pub partitions: Vec<u32>,
}

/// A delivery has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unsubscribed {
    /// The `ref` of the unsubscribe.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<u64>,
}

/// Why a frame was refused, or a delivery has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorFrame {
    /// The `ref` of the frame that was refused.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<u64>,
    /// The kind of problem.
    pub code: Code,
    /// What happened, for people.
    #[serde(default)]
    pub detail: String,
    /// What is wrong with which part of the frame.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The sequence that the producer has to go on with, where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_sequence: Option<u32>,
    /// After how long the same frame may succeed, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// Answers a ping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pong {
    /// The `ref` of the ping.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<u64>,
}

impl ServerFrame {
    /// Reads one frame.
    ///
    /// # Errors
    /// The text is no frame of this protocol.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        tagged::parse(text)
    }
}

impl<'de> TaggedFrame<'de> for ServerFrame {
    fn read_fields<D: Deserializer<'de>>(op: &str, fields: D) -> Result<Self, D::Error> {
        const OPS: &[&str] =
            &["published", "subscribed", "messages", "acked", "assigned", "unsubscribed", "error", "pong"];
        match op {
            "published" => Published::deserialize(fields).map(Self::Published),
            "subscribed" => Subscribed::deserialize(fields).map(Self::Subscribed),
            "messages" => Messages::deserialize(fields).map(Self::Messages),
            "acked" => Acked::deserialize(fields).map(Self::Acked),
            "assigned" => Assigned::deserialize(fields).map(Self::Assigned),
            "unsubscribed" => Unsubscribed::deserialize(fields).map(Self::Unsubscribed),
            "error" => ErrorFrame::deserialize(fields).map(Self::Error),
            "pong" => Pong::deserialize(fields).map(Self::Pong),
            other => Err(de::Error::unknown_variant(other, OPS)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses, writes again, and expects the same text.
    fn check(text: &str) {
        let frame = ServerFrame::parse(text).unwrap();
        assert_eq!(serde_json::to_string(&frame).unwrap(), text);
    }

    #[test]
    fn every_frame_of_the_protocol_comes_back() {
        check(concat!(
            r#"{"op":"published","ref":1,"results":[{"id":"a","partition":0,"offset":7,"duplicate":false,"#,
            r#""durability":"leader"},{"error":{"code":"overloaded","detail":"full","retryable":true,"#,
            r#""outcome":"not_applied"}}]}"#
        ));
        check(
            r#"{"op":"subscribed","ref":2,"consumer_id":"c","session_timeout_ms":10000,"generation":3,"partitions":[0]}"#,
        );
        check(r#"{"op":"subscribed","ref":2}"#);
        check(concat!(
            r#"{"op":"messages","subscription":"s","messages":[{"ack_id":"x","topic":"t","partition":0,"offset":1,"#,
            r#""id":"i","key":"k","data":"AP8=","content_type":"application/octet-stream","attributes":{"a":"b"},"#,
            r#""priority":4,"publish_time":"2026-11-23T09:30:00.250Z","delivery_attempt":1}]}"#
        ));
        check(r#"{"op":"messages","topic":"t","messages":[],"token":"abc"}"#);
        check(r#"{"op":"acked","ref":3,"succeeded":1,"failed":[{"ack_id":"x","code":"lease_expired"}]}"#);
        check(r#"{"op":"assigned","subscription":"s","generation":4,"partitions":[1,2]}"#);
        check(r#"{"op":"unsubscribed","ref":4}"#);
        check(r#"{"op":"error","ref":5,"code":"topic_not_found","detail":"no topic `t`"}"#);
        check(r#"{"op":"pong"}"#);
    }

    #[test]
    fn fields_of_a_newer_node_are_tolerated() {
        let frame = ServerFrame::parse(r#"{"added":true,"op":"pong","ref":1,"more":{}}"#).unwrap();
        assert_eq!(frame, ServerFrame::Pong(Pong { reference: Some(1) }));
    }
}
