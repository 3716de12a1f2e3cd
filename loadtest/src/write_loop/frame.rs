//! The frame that the write loop writes: the one that the broker sends to each who reads a topic. Pure.

use std::collections::BTreeMap;
use std::io;

use gateway_api::base64::Data;
use gateway_api::frame::Messages;
use gateway_api::{CursorToken, DeliveredMessage, ServerFrame, Timestamp};
use shard_core::format::record::CONTENT_TYPE_DEFAULT;
use shard_core::limits::PRIORITY_DEFAULT;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data as DataKind, OpCode};

use crate::template::filler;
use crate::workload::Workload;

/// Somewhere in the topic: as many digits as most offsets of a run have.
const OFFSET: u64 = 1_000;
/// As long as the ids that the broker gives.
const ID: &str = "01a21a86-abd6-7019-9f4f-35a79105d1d4";

/// One `messages` frame of JSON behind the header of a WebSocket's text frame, not masked: as many messages as the workload
/// publishes at once, each with its payload in base64 and all that the broker says of it, and the token to go on from. The
/// broker sends one message in a frame to readers that keep up, so that is what `write-loop` has: 655 bytes for 256.
///
/// # Errors
///
/// When it can't be written as JSON, which is not known to happen.
pub(super) fn of(workload: &Workload) -> io::Result<Vec<u8>> {
    let publish = &workload.publish;
    let message = |offset| DeliveredMessage {
        ack_id: None,
        topic: workload.topic.clone(),
        partition: 0,
        offset,
        id: ID.to_owned(),
        key: None,
        data: Data(filler(publish.sizes.max()).collect()),
        content_type: CONTENT_TYPE_DEFAULT.to_owned(),
        attributes: BTreeMap::new(),
        priority: PRIORITY_DEFAULT,
        publish_time: Timestamp::from_unix_ms(0),
        deliver_at: None,
        expires_at: None,
        delivery_attempt: None,
    };
    let end = OFFSET + publish.batch() as u64;
    let token = CursorToken::new(1, vec![(0, end)]).map_err(io::Error::other)?.encode();
    let json = serde_json::to_vec(&ServerFrame::Messages(Messages {
        subscription: None,
        topic: Some(workload.topic.clone()),
        messages: (OFFSET..end).map(message).collect(),
        token: Some(token),
    }))?;
    let header = FrameHeader { opcode: OpCode::Data(DataKind::Text), ..FrameHeader::default() };
    let mut frame = Vec::new();
    header.format(json.len() as u64, &mut frame).map_err(io::Error::other)?;
    frame.extend(json);
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::delivered::Page;
    use crate::workload::Kind;
    use crate::workload::tests::example;

    #[test]
    fn it_is_as_long_as_the_brokers_own() {
        let mut workload = example(Kind::FanOut);
        workload.publish.batch = 1;
        let frame = of(&workload).unwrap();
        // Of a broker: offset 5 of a topic of this name and one partition, in 652 bytes.
        assert_eq!(frame.len(), 652 - "5".len() + "1000".len());
        assert_eq!(frame[..2], [0x81, 126], "the last of its message, text, its length in two bytes");
        assert_eq!(usize::from(u16::from_be_bytes([frame[2], frame[3]])), frame.len() - 4);
    }

    #[test]
    fn a_reader_of_the_broker_can_read_it() {
        let mut workload = example(Kind::FanOut);
        workload.publish.batch = 3;
        let frame = of(&workload).unwrap();
        assert!(frame[4..].starts_with(b"{\"op\":\"messages\""));
        let delivered = Page::parse(&frame[4..]).unwrap().delivered();
        let told: Vec<_> = delivered.iter().map(|one| (one.offset, one.payload_bytes)).collect();
        assert_eq!(told, [(1_000, 256), (1_001, 256), (1_002, 256)]);
    }
}
