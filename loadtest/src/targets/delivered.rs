//! The parts of delivered messages that a load test looks at, borrowed from the answer.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::account::Delivered;
use crate::stamp::{STAMP_BYTES, Stamp};
use crate::targets::TargetError;

/// Characters of base64 that hold a stamp.
const STAMP_CHARACTERS: usize = STAMP_BYTES / 3 * 4;

/// A page of messages: the answer to a pull or a read, or a `messages` frame.
#[derive(Debug, Deserialize)]
pub struct Page<'a> {
    /// The messages.
    #[serde(borrow)]
    pub messages: Vec<Message<'a>>,
    /// Where a read goes on.
    #[serde(default)]
    pub next_offset: Option<u64>,
}

/// One message.
#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    /// What to send back to acknowledge it; absent in reads.
    #[serde(borrow, default)]
    pub ack_id: Option<Cow<'a, str>>,
    /// Its partition.
    pub partition: u32,
    /// Its offset.
    pub offset: u64,
    /// Its payload in base64.
    #[serde(borrow)]
    pub data: Cow<'a, str>,
}

impl<'a> Page<'a> {
    /// The page in an answer's body or in a frame.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn parse(json: &'a [u8]) -> Result<Self, TargetError> {
        serde_json::from_slice(json).map_err(|error| TargetError::protocol(format!("not a page of messages: {error}")))
    }

    /// What the account needs to know of each message.
    #[must_use]
    pub fn delivered(&self) -> Vec<Delivered> {
        self.messages.iter().map(Message::delivered).collect()
    }

    /// A JSON array of the ack ids.
    #[must_use]
    pub fn ack_ids(&self) -> String {
        let ids: Vec<&str> = self.messages.iter().filter_map(|message| message.ack_id.as_deref()).collect();
        serde_json::to_string(&ids).unwrap_or_default()
    }
}

impl<'a> Message<'a> {
    /// One message by itself.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn parse(json: &'a [u8]) -> Result<Self, TargetError> {
        serde_json::from_slice(json).map_err(|error| TargetError::protocol(format!("not a message: {error}")))
    }

    /// Size of the payload.
    #[must_use]
    pub fn payload_bytes(&self) -> u64 {
        let padding = self.data.bytes().rev().take_while(|byte| *byte == b'=').count();
        u64::try_from((self.data.len() / 4 * 3).saturating_sub(padding)).unwrap_or(u64::MAX)
    }

    /// What the account needs to know of it.
    #[must_use]
    pub fn delivered(&self) -> Delivered {
        Delivered {
            stamp: self.stamp(),
            partition: self.partition,
            offset: self.offset,
            payload_bytes: self.payload_bytes(),
        }
    }

    /// Only the characters of the stamp are decoded.
    fn stamp(&self) -> Option<Stamp> {
        let mut stamp = [0; STAMP_BYTES];
        STANDARD.decode_slice(self.data.as_bytes().get(..STAMP_CHARACTERS)?, &mut stamp).ok()?;
        Stamp::decode(&stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(payload: &[u8]) -> String {
        let data = STANDARD.encode(payload);
        format!(
            r#"{{"messages":[{{"ack_id":"a\"1","topic":"t","partition":3,"offset":42,"id":"x","data":"{data}","priority":4}}],"next_offset":43}}"#
        )
    }

    #[test]
    fn a_page_gives_what_the_account_needs() {
        let stamp = Stamp { run: 1, stream: 2, sequence: 3, intended_micros: 4 };
        let mut payload = stamp.encode().to_vec();
        payload.extend([0xff; 52]);
        let json = page(&payload);
        let page = Page::parse(json.as_bytes()).unwrap();
        let delivered = page.delivered()[0];
        assert_eq!((delivered.stamp, delivered.partition, delivered.offset), (Some(stamp), 3, 42));
        assert_eq!((delivered.payload_bytes, page.next_offset), (100, Some(43)));
        assert_eq!(page.ack_ids(), r#"["a\"1"]"#);
    }

    #[test]
    fn a_message_without_a_stamp_is_told() {
        let json = page(b"hello");
        assert!(Page::parse(json.as_bytes()).unwrap().delivered()[0].stamp.is_none());
        assert!(Page::parse(br#"{"op":"error"}"#).is_err());
    }

    proptest! {
        #[test]
        fn payload_bytes_are_those_of_the_decoded_payload(payload: Vec<u8>) {
            let json = page(&payload);
            prop_assert_eq!(Page::parse(json.as_bytes()).unwrap().messages[0].payload_bytes(), payload.len() as u64);
        }
    }
}
