//! Priorities, ordered keys, delays, times to live and dead letters over one WebSocket, and across kill -9.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    harness::{DEADLINE, TestNode},
    http::Connection,
    websocket::{Frame, RawWebSocket},
};

/// A consumer that takes one message at a time.
struct Consumer(RawWebSocket);

impl Consumer {
    fn connect(node: &TestNode) -> Self {
        let mut socket = RawWebSocket::open(node.address(), None);
        socket.send_text(r#"{"op":"subscribe","ref":1,"subscription":"billing","credit":1}"#);
        let mut consumer = Self(socket);
        assert_eq!(consumer.next()["op"], json!("subscribed"));
        consumer
    }

    fn next(&mut self) -> Value {
        match self.0.next() {
            Frame::Text(text) => serde_json::from_str(&text).unwrap(),
            ended @ (Frame::Close(_) | Frame::End) => panic!("{ended:?}"),
        }
    }

    /// The next message's id, ack id and attempt.
    fn message(&mut self) -> (String, String, u64) {
        loop {
            let frame = self.next();
            if frame["op"] == json!("messages") {
                let message = &frame["messages"][0];
                let text = |field: &str| message[field].as_str().unwrap().to_owned();
                return (text("id"), text("ack_id"), message["delivery_attempt"].as_u64().unwrap());
            }
            assert_eq!((&frame["op"], &frame["failed"]), (&json!("acked"), &json!([])), "{frame}");
        }
    }

    /// Says something of a message, waits until that holds, and takes one more.
    fn settle(&mut self, mut frame: Value, ack_id: &str) {
        frame["subscription"] = json!("billing");
        frame["ack_ids"] = json!([ack_id]);
        frame["ref"] = json!(2);
        self.0.send_text(&frame.to_string());
        let acked = self.next();
        assert_eq!((&acked["op"], &acked["succeeded"]), (&json!("acked"), &json!(1)), "{acked}");
        self.0.send_text(r#"{"op":"credit","subscription":"billing","add":1}"#);
    }
}

#[test]
fn a_websocket_gets_messages_in_their_turn_and_their_time_also_after_a_kill() {
    let mut node = TestNode::start();
    let mut http = Connection::open(node.address());
    for topic in ["/v1/topics/orders", "/v1/topics/dead"] {
        assert_eq!(http.request("PUT", topic, &[], br#"{"partitions":1}"#).status, 201);
    }
    let settings = br#"{"topic":"orders","start":"earliest","ordering":"key","dead_letter_topic":"dead"}"#;
    assert_eq!(http.request("PUT", "/v1/subscriptions/billing", &[], settings).status, 201);
    let messages = json!([
        { "id": "low", "text": "", "priority": 1 },
        { "id": "expired", "text": "", "priority": 2, "ttl_ms": 1 },
        { "id": "key-1", "text": "", "priority": 8, "key": "k" },
        { "id": "key-2", "text": "", "priority": 9, "key": "k" },
        { "id": "high", "text": "", "priority": 9 },
        { "id": "late", "text": "", "priority": 9, "delay_ms": 1_500 },
    ]);
    let mut publisher = RawWebSocket::open(node.address(), None);
    publisher.send_text(&json!({ "op": "publish", "ref": 1, "topic": "orders", "messages": messages }).to_string());
    let Frame::Text(answer) = publisher.next() else { panic!("no answer") };
    assert!(answer.contains(r#""durability":"leader""#), "{answer}");

    // One message's time to live passes.
    std::thread::sleep(Duration::from_millis(5));
    let mut consumer = Consumer::connect(&node);
    for expected in ["high", "key-1"] {
        let (id, ack_id, attempt) = consumer.message();
        assert_eq!((id.as_str(), attempt), (expected, 1));
        consumer.settle(json!({ "op": "ack" }), &ack_id);
    }
    let (id, ack_id, _) = consumer.message();
    assert_eq!(id, "key-2", "it waited for the first");
    consumer.settle(json!({ "op": "nack", "dead_letter": true }), &ack_id);
    // The lease is lost with the node, and the delay is not.
    let (id, _, attempt) = consumer.message();
    assert_eq!((id.as_str(), attempt), ("low", 1));
    node.restart();
    let mut consumer = Consumer::connect(&node);
    let mut left = vec!["late", "low"];
    while !left.is_empty() {
        let (id, ack_id, _) = consumer.message();
        left.retain(|&expected| expected != id);
        // The kill may have been faster than the dead letter.
        let rejected = id == "key-2";
        let frame = if rejected { json!({ "op": "nack", "dead_letter": true }) } else { json!({ "op": "ack" }) };
        consumer.settle(frame, &ack_id);
    }
    let mut http = Connection::open(node.address());
    let begun = Instant::now();
    while http.request("GET", "/v1/subscriptions/billing", &[], b"").json()["backlog"] != json!(0) {
        assert!(begun.elapsed() < DEADLINE, "the dead letters never arrive");
    }
    let letters = http.request("GET", "/v1/subscriptions/billing/dead-letters", &[], b"").json();
    let mut dead: Vec<_> = letters["items"].as_array().unwrap().iter().map(|letter| letter["id"].clone()).collect();
    dead.sort_by_key(ToString::to_string);
    dead.dedup();
    assert_eq!(dead, ["expired", "key-2"], "{letters}");
}
