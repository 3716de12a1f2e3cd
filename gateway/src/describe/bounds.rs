//! What a field takes beyond its type: the limits that the handlers check, from where they have them.

use gateway_api::limits as api;
use serde_json::{Map, Value, json};
use shard_core::limits as core;

use crate::limits;

/// The names of topics and subscriptions.
pub(super) const NAME_PATTERN: &str = r"^(?!\.{1,2}$)(?!__)[A-Za-z0-9._-]+$";
/// Ids of consumers; a `/` would end them in a path.
pub(super) const CONSUMER_PATTERN: &str = "^[!-.0-~]+$";
/// Visible ASCII characters: ids of messages, keys of retries.
pub(super) const VISIBLE_PATTERN: &str = "^[!-~]+$";
/// Unpadded base64url: tokens.
pub(super) const TOKEN_PATTERN: &str = "^[A-Za-z0-9_-]*$";
/// Ids of keys.
pub(super) const KEY_ID_PATTERN: &str = "^[a-z0-9]{12}$";
/// Names of principals.
pub(super) const PRINCIPAL_PATTERN: &str = "^[A-Za-z0-9._@:/-]+$";
/// A name of a topic or subscription, or the beginning of names with a star behind it.
const PREFIX_PATTERN: &str = r"^[A-Za-z0-9._-]*(?:[A-Za-z0-9._-]|\*)$";
/// Text that could stand in a header.
const TEXT_PATTERN: &str = r"^[^\u0000-\u001F\u007F]*$";
/// Printable ASCII that is not all spaces.
const CONTENT_TYPE_PATTERN: &str = "^ *[!-~][ -~]*$";
/// Padded base64 in its one form.
const BASE64_PATTERN: &str = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";

/// Adds to a schema what its type can't say. Frames have the names of their `op`.
pub(super) fn apply(name: &str, schema: &mut Value) {
    for (field, keywords) in fields(name) {
        extend(schema.pointer_mut(&format!("/properties/{field}")), &keywords);
    }
    extend(Some(schema), &whole(name));
    fit_integers(schema);
}

fn extend(schema: Option<&mut Value>, keywords: &Value) {
    if let (Some(Value::Object(schema)), Value::Object(keywords)) = (schema, keywords) {
        schema.extend(keywords.clone());
    }
}

/// A whole number within bounds, as keywords.
fn within(min: u64, max: u64) -> Value {
    json!({ "minimum": min, "maximum": max })
}

/// A text of so many characters, as keywords. Where the limit is of bytes, no text of more characters is taken either.
fn text(pattern: &str, min: usize, max: usize) -> Value {
    json!({ "pattern": pattern, "minLength": min, "maxLength": max })
}

fn name() -> Value {
    text(NAME_PATTERN, 1, core::NAME_LENGTH_MAX)
}

fn consumer_id() -> Value {
    text(CONSUMER_PATTERN, 1, api::CONSUMER_ID_LENGTH_MAX)
}

fn ack_ids(min: usize) -> Value {
    json!({ "minItems": min, "maxItems": api::ACK_IDS_MAX })
}

/// The fields of a type that have bounds.
pub(super) fn fields(schema: &str) -> Vec<(&'static str, Value)> {
    match schema {
        "TopicSettings" => vec![
            ("partitions", within(1, raft::limits::PARTITIONS_PER_TOPIC_MAX.into())),
            ("replication_factor", json!({ "minimum": 1 })),
            ("min_insync", json!({ "minimum": 1 })),
            ("dedup_window_ms", within(0, raft::limits::DEDUP_WINDOW_MS_MAX)),
            ("max_message_bytes", within(1, raft::limits::MESSAGE_BYTES_MAX.into())),
        ],
        "SubscriptionSettings" => vec![
            ("topic", name()),
            ("ack_deadline_ms", json!({ "minimum": raft::limits::ACK_DEADLINE_MS_MIN })),
            ("dead_letter_topic", name()),
            ("filter", json!({ "maxLength": raft::limits::FILTER_BYTES_MAX })),
            ("session_timeout_ms", within(raft::limits::SESSION_TIMEOUT_MS_MIN, raft::limits::SESSION_TIMEOUT_MS_MAX)),
        ],
        "PushSettings" => vec![
            ("url", json!({ "format": "uri", "maxLength": raft::limits::PUSH_BYTES_MAX })),
            ("secret", json!({ "minLength": 1, "maxLength": limits::PUSH_SECRET_BYTES_MAX, "writeOnly": true })),
            ("max_in_flight", within(1, raft::limits::PUSH_IN_FLIGHT_MAX.into())),
            ("max_per_second", within(1, raft::limits::PUSH_PER_SECOND_MAX.into())),
            ("timeout_ms", within(raft::limits::PUSH_TIMEOUT_MS_MIN, raft::limits::PUSH_TIMEOUT_MS_MAX)),
        ],
        "PublishRequest" => vec![("messages", json!({ "minItems": 1, "maxItems": api::BATCH_MESSAGES_MAX }))],
        "PublishMessage" => message_fields(),
        "KeyRequest" => vec![
            ("principal", text(PRINCIPAL_PATTERN, 1, raft::limits::PRINCIPAL_NAME_BYTES_MAX)),
            ("grants", json!({ "maxItems": raft::limits::GRANTS_PER_PRINCIPAL_MAX })),
        ],
        "PrincipalSettings" => vec![("grants", json!({ "maxItems": raft::limits::GRANTS_PER_PRINCIPAL_MAX }))],
        "Grant" => vec![
            ("topic_prefix", text(PREFIX_PATTERN, 1, raft::limits::NAME_PATTERN_BYTES_MAX)),
            ("subscription_prefix", text(PREFIX_PATTERN, 1, raft::limits::NAME_PATTERN_BYTES_MAX)),
            ("actions", json!({ "minItems": 1, "uniqueItems": true })),
        ],
        "Limits" => {
            let names = [
                "messages_per_s",
                "bytes_per_s",
                "requests_per_s",
                "connections",
                "topics",
                "subscriptions",
                "in_flight",
            ];
            names.map(|name| (name, within(1, raft::limits::PRINCIPAL_LIMIT_MAX))).to_vec()
        }
        "PullRequest" => vec![
            ("max_messages", within(1, api::PULL_MESSAGES_MAX.into())),
            ("wait_ms", within(0, api::WAIT_MS_MAX)),
            ("consumer_id", consumer_id()),
        ],
        "AckRequest" => vec![("ack_ids", ack_ids(0)), ("consumer_id", consumer_id())],
        "NackRequest" => vec![("ack_ids", ack_ids(0)), ("delay_ms", within(0, limits::DELAY_MS_MAX))],
        "ExtendRequest" => {
            vec![("ack_ids", ack_ids(0)), ("deadline_ms", within(api::ACK_DEADLINE_MS_MIN, limits::DELAY_MS_MAX))]
        }
        "JoinRequest" => vec![("consumer_id", consumer_id())],
        "RedriveRequest" => vec![
            ("ids", json!({ "minItems": 1, "maxItems": api::REDRIVE_IDS_MAX })),
            ("limit", within(1, api::REDRIVE_MAX.into())),
            ("page_token", json!({ "pattern": TOKEN_PATTERN })),
        ],
        frame => frame_fields(frame),
    }
}

fn message_fields() -> Vec<(&'static str, Value)> {
    let value = text(TEXT_PATTERN, 0, api::ATTRIBUTE_BYTES_MAX);
    let attributes = json!({
        "maxProperties": api::ATTRIBUTES_MAX,
        "propertyNames": text(TEXT_PATTERN, 1, api::ATTRIBUTE_BYTES_MAX),
        "additionalProperties": with_type("string", &value),
    });
    vec![
        ("data", json!({ "contentEncoding": "base64", "pattern": BASE64_PATTERN })),
        ("id", text(VISIBLE_PATTERN, 1, api::MESSAGE_ID_LENGTH_MAX)),
        ("key", text(TEXT_PATTERN, 0, core::KEY_BYTES_MAX)),
        ("content_type", text(CONTENT_TYPE_PATTERN, 1, core::CONTENT_TYPE_BYTES_MAX)),
        ("attributes", attributes),
        ("priority", within(0, api::PRIORITY_MAX.into())),
        ("ttl_ms", within(1, api::TTL_MS_MAX)),
        ("delay_ms", within(0, api::DELAY_MS_MAX)),
    ]
}

/// Those of the frames that clients send.
fn frame_fields(op: &str) -> Vec<(&'static str, Value)> {
    match op {
        "publish" => {
            let mut fields = fields("PublishRequest");
            let key = text(VISIBLE_PATTERN, 1, limits::IDEMPOTENCY_KEY_BYTES_MAX);
            fields.extend([("topic", name()), ("idempotency_key", key)]);
            fields
        }
        "publish_batch" => vec![("topic", name())],
        "subscribe" => vec![
            ("topic", name()),
            ("subscription", name()),
            ("consumer_id", consumer_id()),
            ("credit", within(0, api::CREDIT_MAX.into())),
            ("filter", json!({ "maxLength": core::FILTER_BYTES_MAX })),
        ],
        "ack" => vec![("subscription", name()), ("ack_ids", ack_ids(0))],
        "nack" => {
            vec![("subscription", name()), ("ack_ids", ack_ids(0)), ("delay_ms", within(0, limits::DELAY_MS_MAX))]
        }
        "extend" => {
            let deadline = within(api::ACK_DEADLINE_MS_MIN, limits::DELAY_MS_MAX);
            vec![("subscription", name()), ("ack_ids", ack_ids(0)), ("deadline_ms", deadline)]
        }
        "credit" | "unsubscribe" => vec![("topic", name()), ("subscription", name())],
        _ => Vec::new(),
    }
}

/// What holds between the fields of a type.
fn whole(schema: &str) -> Value {
    let one_of = |first: &str, second: &str| {
        json!([
            { "required": [first], "properties": { second: { "type": "null" } } },
            { "required": [second], "properties": { first: { "type": "null" } } },
        ])
    };
    match schema {
        "PublishMessage" => json!({
            "oneOf": [
                { "required": ["data"], "properties": {
                    "data": { "type": "string" }, "text": { "type": "null" }, "json": false } },
                { "required": ["text"], "properties": {
                    "text": { "type": "string" }, "data": { "type": "null" }, "json": false } },
                { "required": ["json"], "properties": { "data": { "type": "null" }, "text": { "type": "null" } } },
            ],
            "not": { "required": ["delay_ms", "deliver_at"], "properties": {
                "delay_ms": { "type": "integer" }, "deliver_at": { "type": "string" } } },
        }),
        "NackRequest" | "nack" => json!({
            "not": { "required": ["delay_ms", "dead_letter"], "properties": {
                "delay_ms": { "type": "integer" }, "dead_letter": { "const": true } } },
        }),
        "KeyRequest" => json!({
            "if": { "required": ["limits"], "properties": { "limits": { "type": "object" } } },
            "then": { "required": ["grants"], "properties": { "grants": { "type": "array" } } },
        }),
        "Grant" => json!({ "oneOf": [
            { "required": ["topic_prefix"], "properties": { "topic_prefix": { "type": "string" },
                "subscription_prefix": { "type": "null" }, "actions": { "not": { "contains": { "const": "admin" } } } } },
            { "required": ["subscription_prefix"], "properties": { "subscription_prefix": { "type": "string" },
                "topic_prefix": { "type": "null" }, "actions": { "not": { "contains": { "const": "admin" } } } } },
            { "properties": { "topic_prefix": { "type": "null" }, "subscription_prefix": { "type": "null" },
                "actions": { "const": ["admin"] } } },
        ] }),
        "SeekRequest" => json!({ "oneOf": one_of("to", "offsets") }),
        "subscribe" | "credit" | "unsubscribe" => json!({ "oneOf": one_of("topic", "subscription") }),
        "AckRequest" => json!({
            "oneOf": [
                { "required": ["ack_ids"], "properties": {
                    "ack_ids": { "minItems": 1 }, "partition": { "type": "null" }, "up_to_offset": { "type": "null" },
                    "consumer_id": { "type": "null" }, "generation": { "type": "null" } } },
                { "required": ["partition", "up_to_offset"], "properties": {
                    "ack_ids": { "maxItems": 0 }, "partition": { "type": "integer" },
                    "up_to_offset": { "type": "integer" } } },
            ],
        }),
        _ => Value::Object(Map::new()),
    }
}

fn with_type(name: &str, keywords: &Value) -> Value {
    let mut schema = json!({ "type": name });
    extend(Some(&mut schema), keywords);
    schema
}

/// Gives every integer the maximum of its width.
pub(super) fn fit_integers(schema: &mut Value) {
    match schema {
        Value::Object(keywords) => {
            let max = keywords.get("format").and_then(Value::as_str).and_then(|format| match format {
                "uint8" => Some(u64::from(u8::MAX)),
                "uint16" => Some(u64::from(u16::MAX)),
                "uint32" => Some(u64::from(u32::MAX)),
                "uint64" => Some(u64::MAX),
                _ => None,
            });
            if let Some(max) = max {
                keywords.entry("maximum").or_insert_with(|| max.into());
            }
            keywords.values_mut().for_each(fit_integers);
        }
        Value::Array(schemas) => schemas.iter_mut().for_each(fit_integers),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
