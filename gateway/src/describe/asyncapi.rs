//! Puts the description of the WebSocket together: its channel, its frames, who sends which.

use serde_json::{Map, Value, json};

use super::{
    VERSION, batch_frames,
    frames::{self, Frame},
    schemas::Schemas,
};

/// The whole description.
pub(super) fn document() -> Value {
    let mut schemas = Schemas::new();
    let (of_clients, of_nodes) = (frames::of_clients(&mut schemas), frames::of_nodes(&mut schemas));
    let named: Vec<_> = of_clients.iter().chain(&of_nodes).collect();
    let in_batches = batch_frames::messages(&mut schemas);
    let (batch_channel, batches) = batch_frames::channel(named.iter().map(|frame| frame.op.as_str()));
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "PubSubRing over WebSocket",
            "version": VERSION,
            "description": INTRODUCTION,
            "license": { "name": "Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": { "node": {
            "host": "localhost:8081", "protocol": "ws", "description": "A node, by default on its own machine.",
            "security": [{ "$ref": "#/components/securitySchemes/bearerAuth" }],
        } },
        "channels": { "websocket": {
            "address": "/v1/ws",
            "title": "The WebSocket",
            "servers": [{ "$ref": "#/servers/node" }],
            "messages": named.iter().map(|frame| (frame.op.clone(), refer("components/messages", &frame.op))).collect::<Map<_, _>>(),
            "bindings": { "ws": { "method": "GET", "headers": upgrade_headers(), "bindingVersion": "0.1.0" } },
        }, batch_channel: batches },
        "operations": operations(&of_clients, &of_nodes),
        "components": {
            "messages": named.iter().map(|frame| (frame.op.clone(), message(frame))).chain(in_batches).collect::<Map<_, _>>(),
            "schemas": schemas.into_components(),
            "securitySchemes": { "bearerAuth": { "type": "http", "scheme": "bearer", "description": "An API key." } },
        },
    })
}

const INTRODUCTION: &str = "The frames of `/v1/ws`, subprotocol `pubsub.v1.json`: one JSON object each, in text frames, told \
    apart by `op`. An answer carries the `ref` of the frame that it answers and may come behind that of a later one. What \
    the node delivers spends credit, one for each message; without credit it delivers nothing. The node pings every 20 \
    seconds. What goes over plain HTTP, Server-Sent Events among it, is described in `/openapi.json`.";

fn upgrade_headers() -> Value {
    let protocol = "What the client speaks: `pubsub.v1.json`, also if there is none, or `pubsub.v1.batch`.";
    json!({ "type": "object", "properties": {
        "Sec-WebSocket-Protocol": { "type": "string", "description": protocol } } })
}

/// What the node does: it receives what clients send, and answers, or sends by itself.
fn operations(of_clients: &[Frame], of_nodes: &[Frame]) -> Map<String, Value> {
    let channel = json!({ "$ref": "#/channels/websocket" });
    let mut operations = Map::new();
    for Frame { op, description, .. } in of_clients {
        let answers = frames::answers(op);
        let mut operation = json!({
            "action": "receive", "channel": channel, "summary": description,
            "messages": [refer("channels/websocket/messages", op)],
        });
        if let (Value::Object(operation), [_, ..]) = (&mut operation, answers) {
            let messages = answers.iter().chain(&["error"]).map(|answer| refer("channels/websocket/messages", answer));
            let reply = json!({ "channel": channel, "messages": messages.collect::<Vec<_>>() });
            operation.insert("reply".to_owned(), reply);
        }
        operations.insert(format!("receive_{op}"), operation);
    }
    let is_answer = |op: &str| of_clients.iter().any(|frame| frames::answers(&frame.op).contains(&op));
    for Frame { op, description, .. } in of_nodes.iter().filter(|frame| !is_answer(&frame.op)) {
        let operation = json!({
            "action": "send", "channel": channel, "summary": description,
            "messages": [refer("channels/websocket/messages", op)],
        });
        operations.insert(format!("send_{op}"), operation);
    }
    operations.extend(batch_frames::operations());
    operations
}

fn message(frame: &Frame) -> Value {
    let mut message = json!({
        "name": frame.op, "title": frame.op, "summary": frame.description, "payload": frame.schema,
    });
    if let Value::Object(message) = &mut message {
        if frame.schema.pointer("/properties/ref").is_some() {
            message.insert("correlationId".to_owned(), json!({ "location": "$message.payload#/ref" }));
        }
        if let Some(example) = frames::example(&frame.op) {
            message.insert("examples".to_owned(), json!([{ "payload": example }]));
        }
    }
    message
}

fn refer(place: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/{place}/{name}") })
}
