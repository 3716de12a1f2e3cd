//! Delivered messages as JSON, written by hand into the answer: reads, pulls and WebSocket frames are made of them.

use gateway_api::rfc3339;
use shard_core::{
    format::record::{MessageId, Record},
    model::{PartitionIndex, Timestamp},
};
use uuid::Uuid;

use crate::{ack_id::AckId, cloud_events, json_write};

/// Where the messages of one batch come from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// The partition.
    pub partition: PartitionIndex,
    /// How they are written.
    pub form: MessageForm,
}

/// How delivered messages are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageForm {
    /// With the fields of this broker's messages.
    #[default]
    Message,
    /// As events of `CloudEvents` in the JSON format.
    CloudEvent,
}

impl<'a> Source<'a> {
    /// Messages of a partition in their own form.
    #[must_use]
    pub const fn new(topic: &'a str, partition: PartitionIndex) -> Self {
        Self { topic, partition, form: MessageForm::Message }
    }

    /// The same in another form.
    #[must_use]
    pub const fn in_form(self, form: MessageForm) -> Self {
        Self { form, ..self }
    }
}

/// What a message carries when it was leased to a consumer.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// What acks it.
    pub ack_id: AckId,
    /// How often it has been delivered, this time included.
    pub attempt: u32,
}

/// Appends one message as a JSON object.
pub fn append(out: &mut Vec<u8>, source: Source<'_>, record: &Record<'_>, delivery: Option<&Delivery>) {
    if source.form == MessageForm::CloudEvent {
        return cloud_events::append(out, source, record, delivery);
    }
    out.push(b'{');
    if let Some(delivery) = delivery {
        out.extend_from_slice(b"\"ack_id\":\"");
        out.extend_from_slice(&delivery.ack_id.encode());
        out.extend_from_slice(b"\",");
    }
    out.extend_from_slice(b"\"topic\":");
    json_write::string(out, source.topic);
    out.extend_from_slice(b",\"partition\":");
    json_write::number(out, u64::from(source.partition.get()));
    out.extend_from_slice(b",\"offset\":");
    json_write::number(out, record.offset.get());
    out.extend_from_slice(b",\"id\":");
    append_id(out, &record.head.id);
    if let Some(key) = record.head.key {
        out.extend_from_slice(b",\"key\":");
        json_write::string(out, key);
    }
    out.extend_from_slice(b",\"data\":");
    json_write::base64(out, record.payload);
    out.extend_from_slice(b",\"content_type\":");
    json_write::string(out, record.head.content_type);
    append_attributes(out, record);
    out.extend_from_slice(b",\"priority\":");
    json_write::number(out, u64::from(record.head.priority));
    append_times(out, record);
    if let Some(delivery) = delivery {
        out.extend_from_slice(b",\"delivery_attempt\":");
        json_write::number(out, u64::from(delivery.attempt));
    }
    out.push(b'}');
}

/// Appends a message's id as a JSON string.
pub fn append_id(out: &mut Vec<u8>, id: &MessageId<'_>) {
    match id {
        MessageId::Uuid(bytes) => {
            let mut text = Uuid::encode_buffer();
            let text = Uuid::from_bytes(*bytes).hyphenated().encode_lower(&mut text);
            out.push(b'"');
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
        }
        MessageId::Text(text) => json_write::string(out, text),
    }
}

fn append_attributes(out: &mut Vec<u8>, record: &Record<'_>) {
    out.extend_from_slice(b",\"attributes\":{");
    for (index, (name, value)) in record.attributes.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json_write::string(out, name);
        out.push(b':');
        json_write::string(out, value);
    }
    out.push(b'}');
}

fn append_times(out: &mut Vec<u8>, record: &Record<'_>) {
    append_time(out, b",\"publish_time\":\"", record.timestamp);
    if let Some(deliver_at) = record.head.deliver_at {
        append_time(out, b",\"deliver_at\":\"", deliver_at);
    }
    if let Some(ttl_ms) = record.head.ttl_ms {
        let ttl_ms = i64::try_from(ttl_ms).unwrap_or(i64::MAX);
        append_time(out, b",\"expires_at\":\"", record.timestamp.plus_millis(ttl_ms));
    }
}

fn append_time(out: &mut Vec<u8>, name: &[u8], time: Timestamp) {
    out.extend_from_slice(name);
    out.extend_from_slice(&rfc3339::format(time.as_millis()));
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use gateway_api::DeliveredMessage;
    use proptest::prelude::*;
    use shard::{LeaseId, PartitionSubscription};
    use shard_core::{
        format::record::RecordHead,
        model::{Offset, SubscriptionId, TopicId, TopicPartition},
    };

    use super::*;

    const SOURCE: Source<'static> = Source::new("orders", PartitionIndex::new(3));

    fn head<'a>(id: MessageId<'a>, key: Option<&'a str>, content_type: &'a str) -> RecordHead<'a> {
        RecordHead { id, key, content_type, priority: 7, ttl_ms: None, deliver_at: None }
    }

    fn json_of(
        head: &RecordHead<'_>,
        attributes: &[(&str, &str)],
        payload: &[u8],
        delivery: Option<&Delivery>,
    ) -> String {
        let mut bytes = Vec::new();
        let Ok(()) = head.encode(0, attributes, &mut bytes, |out| {
            out.extend_from_slice(payload);
            Ok::<(), std::convert::Infallible>(())
        });
        let (record, _) = Record::decode(&bytes, Offset::new(42), Timestamp::from_millis(1_700_000_000_250)).unwrap();
        let mut out = Vec::new();
        append(&mut out, SOURCE, &record, delivery);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_message_that_is_read_has_the_fields_clients_rely_on() {
        let id = MessageId::Uuid(*b"0123456789abcdef");
        let expected = concat!(
            r#"{"topic":"orders","partition":3,"offset":42,"id":"30313233-3435-3637-3839-616263646566","data":"aGk=","#,
            r#""content_type":"text/plain","attributes":{"a":"b","c":"d"},"priority":7,"#,
            r#""publish_time":"2023-11-14T22:13:20.250Z"}"#
        );
        assert_eq!(json_of(&head(id, None, "text/plain"), &[("a", "b"), ("c", "d")], b"hi", None), expected);
    }

    #[test]
    fn a_delivery_has_its_ack_id_and_attempt() {
        let cursor = PartitionSubscription {
            partition: TopicPartition::new(TopicId::new(1), SOURCE.partition),
            subscription: SubscriptionId::new(2),
        };
        let ack_id = AckId { cursor, offset: Offset::new(42), lease: LeaseId { sequence: 3, tag: 4 } };
        let delivery = Delivery { ack_id, attempt: 5 };
        let json = json_of(&head(MessageId::Text("m"), Some(""), "a/b"), &[], b"", Some(&delivery));
        let message: DeliveredMessage = serde_json::from_str(&json).unwrap();
        assert_eq!(message.ack_id.as_deref().and_then(AckId::decode), Some(ack_id));
        assert_eq!(message.delivery_attempt, Some(5));
        assert_eq!(message.key.as_deref(), Some(""), "an empty key is not a missing one");
    }

    #[test]
    fn times_of_delayed_and_expiring_messages_are_shown() {
        let deliver_at = Some(Timestamp::from_millis(1_700_000_001_000));
        let head = RecordHead { ttl_ms: Some(750), deliver_at, ..head(MessageId::Text("m"), None, "a/b") };
        let json = json_of(&head, &[], b"", None);
        assert!(json.contains(r#""deliver_at":"2023-11-14T22:13:21.000Z""#), "{json}");
        assert!(json.contains(r#""expires_at":"2023-11-14T22:13:21.000Z""#), "{json}");
    }

    proptest! {
        #[test]
        fn any_message_parses_back(
            id in "[!-~]{1,128}",
            key in any::<Option<String>>(),
            content_type in "(?s).{1,40}",
            attributes in prop::collection::btree_map(any::<String>(), any::<String>(), 0..9),
            payload in any::<Vec<u8>>(),
        ) {
            let pairs: Vec<_> = attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let key = key.filter(|key| key.len() <= 1024);
            let json = json_of(&head(MessageId::Text(&id), key.as_deref(), &content_type), &pairs, &payload, None);
            let message: DeliveredMessage = serde_json::from_str(&json).unwrap();
            prop_assert_eq!((message.topic.as_str(), message.partition, message.offset), ("orders", 3, 42));
            prop_assert_eq!((message.id, message.key, message.content_type), (id, key, content_type));
            prop_assert_eq!((message.attributes, message.data.0, message.priority), (attributes, payload, 7));
            prop_assert_eq!(message.publish_time.unix_ms(), 1_700_000_000_250);
        }
    }
}
