//! The subprotocol `pubsub.v1.batch`: a channel of its own at the same address, and the headers of the two frames that have
//! batches behind them.

use gateway_api::frame::{
    BATCH_SUBPROTOCOL,
    batch::{MessageBatches, PublishBatch},
};
use serde_json::{Map, Value, json};

use super::{bounds, schemas::Schemas};

/// The names of the two frames among all messages; their `op` is that of the JSON frame they stand for.
const PUBLISH: &str = "publish_batch";
const MESSAGES: &str = "messages_batch";

/// The channel, under its name; `others` are the names of the frames that both subprotocols have.
pub(super) fn channel<'a>(others: impl Iterator<Item = &'a str>) -> (String, Value) {
    let shared = others.filter(|op| !["publish", "messages"].contains(op));
    let messages = shared.chain([PUBLISH, MESSAGES]).map(|name| (name.to_owned(), refer("components/messages", name)));
    let channel = json!({
        "address": "/v1/ws",
        "title": "The WebSocket, with batches",
        "description": DESCRIPTION,
        "servers": [{ "$ref": "#/servers/node" }],
        "messages": messages.collect::<Map<_, _>>(),
        "bindings": { "ws": { "method": "GET", "headers": { "type": "object", "properties": {
            "Sec-WebSocket-Protocol": { "type": "string", "const": BATCH_SUBPROTOCOL } } }, "bindingVersion": "0.1.0" } },
    });
    ("websocket_batches".to_owned(), channel)
}

const DESCRIPTION: &str = "Subprotocol `pubsub.v1.batch`: binary frames of the length of the header (4 bytes, little-endian), \
    the header, which is a frame in JSON, and record batches as they are stored. Only these two frames have batches, and \
    other fields than in JSON; all others are what they are there.";

/// The two frames.
pub(super) fn messages(schemas: &mut Schemas) -> [(String, Value); 2] {
    let publish = schemas.request::<PublishBatch<'static>>();
    let publish = schemas.take_request(&publish).unwrap_or_default();
    let messages = schemas.answer::<MessageBatches>();
    let messages = schemas.take_answer(&messages).unwrap_or_default();
    [(PUBLISH, "publish", publish), (MESSAGES, "messages", messages)].map(|(name, op, mut header)| {
        let summary = header.get("description").cloned().unwrap_or_default();
        if let Some(Value::Object(properties)) = header.get_mut("properties") {
            properties.insert("op".to_owned(), json!({ "type": "string", "const": op }));
        }
        if let Some(Value::Array(required)) = header.get_mut("required") {
            required.push(json!("op"));
        }
        bounds::apply(name, &mut header);
        let message = json!({ "name": name, "title": format!("{op}, with batches"), "summary": summary, "payload": header,
            "contentType": "application/vnd.pubsub.frame", "examples": [{ "payload": example(op) }] });
        (name.to_owned(), message)
    })
}

/// Who sends them.
pub(super) fn operations() -> [(String, Value); 2] {
    let channel = json!({ "$ref": "#/channels/websocket_batches" });
    let message = |name| refer("channels/websocket_batches/messages", name);
    let reply = json!({ "channel": channel, "messages": [message("published"), message("error")] });
    let receive = json!({ "action": "receive", "channel": channel, "summary": "Publishes the batch behind the header.",
        "messages": [message(PUBLISH)], "reply": reply });
    let send = json!({ "action": "send", "channel": channel, "summary": "Delivers messages of the batches behind the header.",
        "messages": [message(MESSAGES)] });
    [("batch_receive_publish".to_owned(), receive), ("batch_send_messages".to_owned(), send)]
}

/// A header as it may be sent.
pub(super) fn example(op: &str) -> Value {
    match op {
        "publish" => json!({ "op": op, "ref": 1, "topic": "orders", "partition": 0 }),
        _ => {
            json!({ "op": op, "topic": "orders", "partition": 0, "from": 17, "token": "AQEAAAAAAAAAAQAAAAAAAAASAAAAAAAAAA" })
        }
    }
}

fn refer(place: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/{place}/{name}") })
}
