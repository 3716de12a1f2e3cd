//! The frames of the WebSocket: an example of each, and what answers it.

use gateway_api::{ClientFrame, ServerFrame};
use serde_json::{Value, json};

use super::{bounds, schemas::Schemas};

/// One frame, as a message of AsyncAPI.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) op: String,
    pub(super) description: String,
    pub(super) schema: Value,
}

/// What clients send.
pub(super) fn of_clients(schemas: &mut Schemas) -> Vec<Frame> {
    let all = schemas.request::<ClientFrame<'static>>();
    frames(&all, |reference| schemas.take_request(reference))
}

/// What nodes send.
pub(super) fn of_nodes(schemas: &mut Schemas) -> Vec<Frame> {
    let all = schemas.answer::<ServerFrame>();
    frames(&all, |reference| schemas.take_answer(reference))
}

/// Splits the schema of all frames of a direction. A variant that refers to the fields of its frame gets them written out:
/// readers of AsyncAPI overlook what stands beside a reference.
fn frames(all: &Value, mut take: impl FnMut(&Value) -> Option<Value>) -> Vec<Frame> {
    let Some(Value::Array(variants)) = take(all).and_then(|mut all| all.get_mut("oneOf").map(Value::take)) else {
        return Vec::new();
    };
    let text = |schema: &Value, at: &str| schema.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    let frame = |variant: Value| {
        let (op, description) = (text(&variant, "/properties/op/const"), text(&variant, "/description"));
        let mut schema = match take(&variant) {
            Some(fields) => joined(variant, fields),
            None => variant,
        };
        bounds::apply(&op, &mut schema);
        Frame { op, description, schema }
    };
    variants.into_iter().map(frame).collect()
}

/// The variant with the fields that it refers to; what both say, the variant says.
fn joined(mut variant: Value, fields: Value) -> Value {
    if let (Value::Object(variant), Value::Object(fields)) = (&mut variant, fields) {
        variant.remove("$ref");
        for (keyword, theirs) in fields {
            match (variant.get_mut(&keyword), theirs) {
                (None, theirs) => drop(variant.insert(keyword, theirs)),
                (Some(Value::Object(ours)), Value::Object(theirs)) => ours.extend(theirs),
                (Some(Value::Array(ours)), Value::Array(theirs)) => ours.extend(theirs),
                (Some(_), _) => {}
            }
        }
    }
    variant
}

/// The frames that answer one of a client, besides `error`; none for one that is not answered.
pub(super) fn answers(op: &str) -> &'static [&'static str] {
    match op {
        "publish" => &["published"],
        "subscribe" => &["subscribed"],
        "ack" | "nack" | "extend" => &["acked"],
        "unsubscribe" => &["unsubscribed"],
        "ping" => &["pong"],
        _ => &[],
    }
}

/// A frame with this `op` as it may be sent; `None` if there is no such frame.
pub(super) fn example(op: &str) -> Option<Value> {
    let ack_id = "AQEAAAAAAAAAAQAAAAAAAAABAAAAAAAAAAAAAAAAAAOALhXmiYPkBfhrWYDk5";
    Some(match op {
        "publish" => json!({ "op": op, "ref": 1, "topic": "orders", "messages": [{ "text": "one espresso" }] }),
        "subscribe" => json!({ "op": op, "ref": 2, "subscription": "kitchen", "credit": 100 }),
        "ack" => json!({ "op": op, "ref": 3, "subscription": "kitchen", "ack_ids": [ack_id] }),
        "nack" => json!({ "op": op, "ref": 4, "subscription": "kitchen", "ack_ids": [ack_id], "delay_ms": 5_000 }),
        "extend" => {
            json!({ "op": op, "ref": 5, "subscription": "kitchen", "ack_ids": [ack_id], "deadline_ms": 60_000 })
        }
        "credit" => json!({ "op": op, "subscription": "kitchen", "add": 100 }),
        "unsubscribe" => json!({ "op": op, "ref": 6, "subscription": "kitchen" }),
        "ping" => json!({ "op": op, "ref": 7 }),
        "published" => json!({ "op": op, "ref": 1, "results": [
            { "id": "01a20848-304b-777e-96a1-dac063cf5de4", "partition": 1, "offset": 0, "duplicate": false,
                "durability": "leader" }] }),
        "subscribed" | "unsubscribed" | "pong" => json!({ "op": op, "ref": 2 }),
        "messages" => json!({ "op": op, "subscription": "kitchen", "messages": [
            { "ack_id": ack_id, "topic": "orders", "partition": 1, "offset": 0,
                "id": "01a20848-304b-777e-96a1-dac063cf5de4", "key": "table-7", "data": "b25lIGVzcHJlc3Nv",
                "content_type": "text/plain; charset=utf-8", "attributes": {}, "priority": 4,
                "publish_time": "2026-11-23T09:30:00.250Z", "delivery_attempt": 1 }] }),
        "acked" => json!({ "op": op, "ref": 3, "succeeded": 0, "failed": [
            { "ack_id": ack_id, "code": "lease_expired" }] }),
        "assigned" => json!({ "op": op, "subscription": "kitchen-assigned", "generation": 4, "partitions": [1] }),
        "error" => json!({ "op": op, "ref": 1, "code": "topic_not_found", "detail": "there is no topic of this name" }),
        _ => return None,
    })
}
