//! What goes with a payload.

use gateway_api::limits::PRIORITY_MAX;
use gateway_api::publish::{Attributes, PublishMessage};

use crate::values::{attribute, milliseconds};

/// Key, attributes and the rest: the same for every message of a call.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct MessageArgs {
    /// Messages of one key go to one partition, in order
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// A name and a value that go with the message; may be given several times
    #[arg(long = "attribute", short, value_name = "NAME=VALUE", value_parser = attribute)]
    attributes: Vec<(String, String)>,
    /// From 0 to 9; the highest is delivered first
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..=i64::from(PRIORITY_MAX)))]
    priority: Option<u8>,
    /// How long the message may be delivered, such as 10m
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    ttl: Option<u64>,
    /// How long the message is held back, such as 30s
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    delay: Option<u64>,
    /// What the message is, such as application/json
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// The message's id; the node makes one if none is given
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// The partition it goes to; chosen by the node if none is given
    #[arg(long, value_name = "N")]
    partition: Option<u32>,
}

impl MessageArgs {
    /// A message with this payload: as text if it is text and was not said to be bytes.
    pub(super) fn message<'a>(&'a self, payload: &'a [u8], is_bytes: bool) -> PublishMessage<'a> {
        let text = if is_bytes { None } else { str::from_utf8(payload).ok() };
        let attributes: Attributes<'_> =
            self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        PublishMessage {
            key: self.key.as_deref().map(Into::into),
            attributes,
            priority: self.priority,
            ttl_ms: self.ttl,
            delay_ms: self.delay,
            content_type: self.content_type.as_deref().map(Into::into),
            id: self.id.as_deref().map(Into::into),
            partition: self.partition,
            ..text.map_or_else(|| PublishMessage::data(payload), PublishMessage::text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(options: &MessageArgs, payload: &[u8], is_bytes: bool) -> String {
        serde_json::to_string(&options.message(payload, is_bytes)).unwrap()
    }

    #[test]
    fn typed_text_is_text_and_all_else_is_bytes() {
        let options = MessageArgs::default();
        assert_eq!(json(&options, b"hello", false), r#"{"text":"hello"}"#);
        assert_eq!(json(&options, &[0xff], false), r#"{"data":"/w=="}"#);
        assert_eq!(json(&options, b"hello", true), r#"{"data":"aGVsbG8="}"#);
    }

    #[test]
    fn options_go_with_the_message() {
        let options = MessageArgs {
            key: Some("k".to_owned()),
            attributes: vec![("Colour".to_owned(), "red".to_owned())],
            priority: Some(9),
            ttl: Some(600_000),
            delay: Some(30_000),
            content_type: Some("text/csv".to_owned()),
            id: None,
            partition: Some(2),
        };
        let expected = concat!(
            r#"{"text":"a","key":"k","attributes":{"Colour":"red"},"priority":9,"ttl_ms":600000,"delay_ms":30000,"partition":2,"#,
            r#""content_type":"text/csv"}"#
        );
        assert_eq!(json(&options, b"a", false), expected);
    }
}
