//! From a message to an event in the JSON format.

use gateway_api::rfc3339;
use shard_core::format::record::Record;

use super::{PREFIX, REQUIRED, SPEC_VERSION, is_json, media_type};
use crate::{
    json_write,
    message_json::{self, Delivery, Source},
};

/// The type of a message that did not come as an event.
const MESSAGE_TYPE: &str = "pubsubring.message";
/// Names that mean something else in an event than a message's own attribute of that name would.
const RESERVED: [&str; 11] = [
    "id",
    "source",
    "specversion",
    "type",
    "data",
    "datacontenttype",
    "dataschema",
    "subject",
    "time",
    "partitionkey",
    "data_base64",
];
/// What is written in a place of its own.
const KEPT: [&str; 3] = ["specversion", "data", "datacontenttype"];
/// How names begin that we give.
const OWN: &str = "pubsub";

/// Appends a message as an event.
pub(crate) fn append(out: &mut Vec<u8>, source: Source<'_>, record: &Record<'_>, delivery: Option<&Delivery>) {
    out.extend_from_slice(b"{\"specversion\":");
    json_write::string(out, SPEC_VERSION);
    if is_event(record) {
        for (name, value) in context_attributes(record) {
            if is_plain(name) && !KEPT.contains(&name) && !name.starts_with(OWN) {
                member(out, name, value);
            }
        }
    } else {
        append_made_up(out, source, record);
    }
    for (name, value) in record.attributes.iter() {
        if is_extension(name) && !context_attributes(record).any(|(context, _)| context == name) {
            member(out, name, value);
        }
    }
    out.extend_from_slice(b",\"pubsubpartition\":");
    json_write::number(out, u64::from(source.partition.get()));
    // Numbers of events have 32 bits, so that this one is text.
    member(out, "pubsuboffset", &record.offset.get().to_string());
    if let Some(delivery) = delivery {
        out.extend_from_slice(b",\"pubsubackid\":\"");
        out.extend_from_slice(&delivery.ack_id.encode());
        out.extend_from_slice(b"\",\"pubsubattempt\":");
        json_write::number(out, u64::from(delivery.attempt));
    }
    member(out, "datacontenttype", record.head.content_type);
    append_data(out, record);
    out.push(b'}');
}

/// The attributes of a message that came as an event, without the prefix.
fn context_attributes<'r>(record: &Record<'r>) -> impl Iterator<Item = (&'r str, &'r str)> + use<'r> {
    record.attributes.iter().filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?, value)))
}

fn is_event(record: &Record<'_>) -> bool {
    REQUIRED
        .iter()
        .all(|required| context_attributes(record).any(|(name, value)| name == *required && !value.is_empty()))
}

/// What every event has, for a message that did not come as one.
fn append_made_up(out: &mut Vec<u8>, source: Source<'_>, record: &Record<'_>) {
    out.extend_from_slice(b",\"id\":");
    message_json::append_id(out, &record.head.id);
    member(out, "source", &format!("/v1/topics/{}", source.topic));
    member(out, "type", MESSAGE_TYPE);
    out.extend_from_slice(b",\"time\":\"");
    out.extend_from_slice(&rfc3339::format(record.timestamp.as_millis()));
    out.push(b'"');
    if let Some(key) = record.head.key.filter(|key| !key.is_empty()) {
        member(out, "partitionkey", key);
    }
}

/// Whether an attribute of a message can be one of an event under its own name.
fn is_extension(name: &str) -> bool {
    is_plain(name) && !RESERVED.contains(&name) && !name.starts_with(OWN)
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// JSON as it is, text as a string, anything else in base64; nothing for no payload.
fn append_data(out: &mut Vec<u8>, record: &Record<'_>) {
    let payload = record.payload;
    if payload.is_empty() {
        return;
    }
    let text = std::str::from_utf8(payload).ok();
    if is_json(record.head.content_type) {
        if text.is_some() && serde_json::from_slice::<serde::de::IgnoredAny>(payload).is_ok() {
            out.extend_from_slice(b",\"data\":");
            out.extend_from_slice(payload);
            return;
        }
    } else if let Some(text) = text.filter(|_| is_text(record.head.content_type)) {
        member(out, "data", text);
        return;
    }
    out.extend_from_slice(b",\"data_base64\":");
    json_write::base64(out, payload);
}

fn is_text(content_type: &str) -> bool {
    let media = media_type(content_type);
    media.get(..5).is_some_and(|main| main.eq_ignore_ascii_case("text/"))
}

fn member(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b',');
    json_write::string(out, name);
    out.push(b':');
    json_write::string(out, value);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use shard::{LeaseId, PartitionSubscription};
    use shard_core::{
        format::record::{MessageId, RecordHead},
        model::{Offset, PartitionIndex, SubscriptionId, Timestamp, TopicId, TopicPartition},
    };

    use super::*;
    use crate::ack_id::AckId;

    fn event(
        (content_type, payload): (&str, &[u8]),
        key: Option<&str>,
        attributes: &[(&str, &str)],
        delivery: Option<&Delivery>,
    ) -> Value {
        let id = MessageId::Text("m-1");
        let head = RecordHead { id, key, content_type, priority: 4, ttl_ms: None, deliver_at: None };
        let mut bytes = Vec::new();
        let put = |out: &mut Vec<u8>| {
            out.extend_from_slice(payload);
            Ok::<(), std::convert::Infallible>(())
        };
        let Ok(()) = head.encode(0, attributes, &mut bytes, put);
        let (record, _) = Record::decode(&bytes, Offset::new(5_000_000_000), Timestamp::from_millis(1_000)).unwrap();
        let mut out = Vec::new();
        append(&mut out, Source::new("orders", PartitionIndex::new(3)), &record, delivery);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn what_came_as_an_event_goes_as_the_same() {
        let attributes = [
            ("ce-id", "7"),
            ("ce-source", "/shop"),
            ("ce-specversion", "1.0"),
            ("ce-type", "order"),
            ("ce-subject", "é\""),
            ("ce-colour", "green"),
            ("colour", "red"),
            ("size", "2"),
            ("Order-Id", "left out"),
        ];
        let expected = json!({
            "specversion": "1.0", "id": "7", "source": "/shop", "type": "order", "subject": "é\"", "colour": "green", "size": "2",
            "pubsubpartition": 3, "pubsuboffset": "5000000000", "datacontenttype": "application/json", "data": {"a": 1},
        });
        assert_eq!(event(("application/json", b"{\"a\": 1}"), None, &attributes, None), expected);
    }

    #[test]
    fn any_message_is_a_valid_event() {
        let cursor = PartitionSubscription {
            partition: TopicPartition::new(TopicId::new(1), PartitionIndex::new(3)),
            subscription: SubscriptionId::new(2),
        };
        let ack_id = AckId { cursor, offset: Offset::new(1), lease: LeaseId { sequence: 1, tag: 2 } };
        let delivery = Delivery { ack_id, attempt: 2 };
        let encoded = String::from_utf8(ack_id.encode().to_vec()).unwrap();
        let attributes = [("type", "not the event's"), ("ce-type", "alone"), ("pubsubackid", "forged")];
        let expected = json!({
            "specversion": "1.0", "id": "m-1", "source": "/v1/topics/orders", "type": "pubsubring.message",
            "time": "1970-01-01T00:00:01.000Z", "partitionkey": "k", "pubsubpartition": 3, "pubsuboffset": "5000000000",
            "pubsubackid": encoded, "pubsubattempt": 2, "datacontenttype": "text/plain", "data": "hi",
        });
        assert_eq!(event(("text/plain", b"hi"), Some("k"), &attributes, Some(&delivery)), expected);
    }

    #[test]
    fn data_is_what_its_type_can_be() {
        for (content_type, payload, member, expected) in [
            ("application/vnd.a+json; v=1", &b"[1]"[..], "data", json!([1])),
            ("application/json", b"{", "data_base64", json!("ew==")),
            ("application/json", b"1 2", "data_base64", json!("MSAy")),
            ("TEXT/html", b"<a>", "data", json!("<a>")),
            ("text/plain", b"\xff", "data_base64", json!("/w==")),
            ("application/octet-stream", b"a", "data_base64", json!("YQ==")),
            ("text/plain", b"", "data", json!(null)),
        ] {
            let event = event((content_type, payload), None, &[], None);
            assert_eq!(event[member], expected, "{content_type}");
            assert_eq!(event["datacontenttype"], content_type);
        }
    }
}
