//! Somebody who may publish to the topics of one prefix, and nothing else: what the node lets them do, however they prove it.

use std::io::{Read, Write};

use serde_json::{Value, json};

use crate::websocket::{Frame, RawWebSocket};

/// A topic within the prefix.
pub(crate) const OURS: &str = "shop-orders";
/// One beside it.
pub(crate) const THEIRS: &str = "bills";

/// Makes the topics, a subscription, and the principal with its grant; `ask` sends a request of one who may do everything.
pub(crate) fn prepare(principal: &str, mut ask: impl FnMut(&str, &str, &Value) -> u16) {
    let path = |kind: &str, name: &str| format!("/v1/{kind}/{}", name.replace(':', "%3A").replace('/', "%2F"));
    for topic in [OURS, THEIRS] {
        assert_eq!(ask("PUT", &path("topics", topic), &json!({})), 201);
    }
    assert_eq!(ask("PUT", &path("subscriptions", "shop-kitchen"), &json!({ "topic": OURS })), 201);
    let grants = json!({ "grants": [{ "topic_prefix": "shop-*", "actions": ["publish"] }] });
    assert_eq!(ask("PUT", &path("principals", principal), &grants), 201);
}

/// Over HTTP: publishing within the prefix, and nothing else. `ask` gives the status and the body of an answer.
pub(crate) fn assert_publishes_only(mut ask: impl FnMut(&str, &str, &[u8]) -> (u16, Value)) {
    let (status, published) = ask("POST", &format!("/v1/topics/{OURS}/publish"), b"x");
    assert_eq!((status, &published["duplicate"]), (200, &json!(false)), "{published}");
    for (method, path, body) in [
        ("POST", format!("/v1/topics/{THEIRS}/publish"), "x"),
        ("POST", "/v1/topics/shop/publish".to_owned(), "x"),
        ("GET", format!("/v1/topics/{OURS}/partitions/0/messages"), ""),
        ("GET", format!("/v1/topics/{OURS}/events"), ""),
        ("POST", "/v1/subscriptions/shop-kitchen/pull".to_owned(), "{}"),
        ("DELETE", format!("/v1/topics/{OURS}"), ""),
        ("GET", "/v1/keys".to_owned(), ""),
    ] {
        let (status, refused) = ask(method, &path, body.as_bytes());
        assert_eq!((status, &refused["code"]), (403, &json!("forbidden")), "{method} {path}: {refused}");
    }
}

/// The same over WebSocket.
pub(crate) fn assert_socket_publishes_only<S: Read + Write>(socket: &mut RawWebSocket<S>) {
    let publish = |topic: &str| json!({ "op": "publish", "ref": 1, "topic": topic, "messages": [{ "text": "x" }] });
    assert_eq!(answer(socket, &publish(OURS))["op"], "published");
    for refused in [
        publish(THEIRS),
        json!({ "op": "subscribe", "ref": 1, "topic": OURS, "credit": 1 }),
        json!({ "op": "subscribe", "ref": 1, "subscription": "shop-kitchen", "credit": 1 }),
    ] {
        let answer = answer(socket, &refused);
        assert_eq!((&answer["op"], &answer["code"]), (&json!("error"), &json!("forbidden")), "{refused}: {answer}");
    }
}

fn answer<S: Read + Write>(socket: &mut RawWebSocket<S>, frame: &Value) -> Value {
    socket.send_text(&frame.to_string());
    let answer = socket.next();
    let Frame::Text(text) = answer else { panic!("{frame}: {answer:?}") };
    serde_json::from_str(&text).unwrap()
}
