//! The frames of WebSocket subprotocol `pubsub.v1.batch`: a header of JSON, and batches as they are stored behind it.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | the length of the header, little-endian |
//! | so many | the header: a frame as of `pubsub.v1.json`, but for what a batch holds |
//! | the rest | record batches, one behind the other; none in most frames |

use serde::{Deserialize, Deserializer, Serialize};

use super::client_frame::{ClientFrame, ClientFrameError};
use super::server_frame::ServerFrame;
use super::tagged::{self, TaggedFrame};
use crate::cow_str::CowStr;
use crate::topics::Acks;

/// The bytes before the header.
const LENGTH_BYTES: usize = 4;

/// The header of a frame from a client.
#[derive(Clone, Debug)]
pub enum BatchClientFrame<'a> {
    /// Publishes the batch behind it.
    Publish(PublishBatch<'a>),
    /// What needs no batch is the same in both subprotocols.
    Other(ClientFrame<'a>),
}

/// Publishes the batch that follows, which carries its ids and its producer itself; answered by `published`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PublishBatch<'a> {
    /// Comes back in the answer.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<u64>,
    /// Where it goes.
    #[serde(borrow)]
    pub topic: CowStr<'a>,
    /// To which partition; the node's choice if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
    /// When it is answered where several nodes keep the topic; as the topic says if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acks: Option<Acks>,
}

/// The header of a frame from a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchServerFrame {
    /// Delivers the messages of the batches behind it.
    Messages(MessageBatches),
    /// What needs no batch is the same in both subprotocols.
    Other(ServerFrame),
}

/// Delivered messages of one partition, in the batches that follow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageBatches {
    /// The subscription that they come from: those of `leased` are delivered, the batches hold others too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// The topic that they come from, without a subscription: all messages from offset `from` on are delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The partition.
    pub partition: u32,
    /// The first offset that is delivered; the first batch may begin before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// The messages that are leased, in the order of their delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leased: Option<Vec<LeasedOffset>>,
    /// Where to go on after a reconnect, when a topic is read without a subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// A message that is leased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeasedOffset {
    /// Which one of the batches' messages.
    pub offset: u64,
    /// What acks it.
    pub ack_id: String,
    /// How often it has been delivered, this time included.
    pub delivery_attempt: u32,
}

/// A frame has no whole header in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame begins with the length of its header, 4 bytes little-endian, and the header, which is JSON in UTF-8")]
pub struct MissingHeader;

/// Takes a frame apart: its header, and the batches.
///
/// # Errors
/// The frame is shorter than it says, or its header is no text.
pub fn split(frame: &[u8]) -> Result<(&str, &[u8]), MissingHeader> {
    let (length, rest) = frame.split_first_chunk::<LENGTH_BYTES>().ok_or(MissingHeader)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| MissingHeader)?;
    let (header, batches) = rest.split_at_checked(length).ok_or(MissingHeader)?;
    let header = std::str::from_utf8(header).map_err(|_| MissingHeader)?;
    Ok((header, batches))
}

/// What goes before a header of so many bytes.
#[must_use]
pub fn header_length(header: &[u8]) -> [u8; LENGTH_BYTES] {
    u32::try_from(header.len()).unwrap_or(u32::MAX).to_le_bytes()
}

/// Puts a frame together.
#[must_use]
pub fn join(header: &str, batches: &[u8]) -> Vec<u8> {
    [&header_length(header.as_bytes()), header.as_bytes(), batches].concat()
}

impl<'a> BatchClientFrame<'a> {
    /// Reads a header.
    ///
    /// # Errors
    /// Says what is wrong, and the frame's `ref` if that much can be read.
    pub fn parse(header: &'a str) -> Result<Self, ClientFrameError> {
        tagged::parse(header).map_err(|error| ClientFrameError::of(&error, header))
    }
}

impl BatchServerFrame {
    /// Reads a header.
    ///
    /// # Errors
    /// The text is no frame of this protocol.
    pub fn parse(header: &str) -> Result<Self, serde_json::Error> {
        tagged::parse(header)
    }
}

impl<'de> TaggedFrame<'de> for BatchClientFrame<'de> {
    fn read_fields<D: Deserializer<'de>>(op: &str, fields: D) -> Result<Self, D::Error> {
        match op {
            "publish" => PublishBatch::deserialize(fields).map(Self::Publish),
            other => ClientFrame::read_fields(other, fields).map(Self::Other),
        }
    }
}

impl<'de> TaggedFrame<'de> for BatchServerFrame {
    fn read_fields<D: Deserializer<'de>>(op: &str, fields: D) -> Result<Self, D::Error> {
        match op {
            "messages" => MessageBatches::deserialize(fields).map(Self::Messages),
            other => ServerFrame::read_fields(other, fields).map(Self::Other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_apart_as_it_was_put_together() {
        assert_eq!(split(&join("{}", b"batch")), Ok(("{}", b"batch".as_slice())));
        assert_eq!(split(&join("", b"")), Ok(("", b"".as_slice())));
    }

    #[test]
    fn a_frame_without_a_whole_header_is_none() {
        let mut frame = join("{\"op\":\"ping\"}", b"");
        while frame.pop().is_some() {
            assert_eq!(split(&frame), Err(MissingHeader), "{frame:?}");
        }
        assert_eq!(split(b"\x02\0\0\0\xff\xff"), Err(MissingHeader), "not UTF-8");
        assert_eq!(split(b"\xff\xff\xff\xff{}"), Err(MissingHeader));
    }

    #[test]
    fn a_publish_has_no_messages_in_its_header() {
        let header = r#"{"op":"publish","ref":3,"topic":"t","partition":1}"#;
        let Ok(BatchClientFrame::Publish(publish)) = BatchClientFrame::parse(header) else { panic!("no publish") };
        assert_eq!((publish.reference, publish.topic.as_str(), publish.partition), (Some(3), "t", Some(1)));
        let refused = BatchClientFrame::parse(r#"{"op":"publish","ref":3,"topic":"t","messages":[]}"#).unwrap_err();
        assert_eq!((refused.reference, refused.syntax), (Some(3), false));
        let ping = BatchClientFrame::parse(r#"{"op":"ping","ref":4}"#);
        assert!(matches!(ping, Ok(BatchClientFrame::Other(ClientFrame::Ping(_)))), "{ping:?}");
    }

    #[test]
    fn messages_say_where_they_are_from() {
        let header = r#"{"op":"messages","topic":"t","partition":2,"from":7,"token":"x"}"#;
        let Ok(BatchServerFrame::Messages(messages)) = BatchServerFrame::parse(header) else { panic!("no messages") };
        assert_eq!((messages.partition, messages.from, messages.leased), (2, Some(7), None));
        let pong = BatchServerFrame::parse(r#"{"op":"pong"}"#).unwrap();
        assert!(matches!(pong, BatchServerFrame::Other(ServerFrame::Pong(_))), "{pong:?}");
    }
}
