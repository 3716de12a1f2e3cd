//! What a subscription says of itself, against what has happened to its messages.

use serde_json::{Value, json};

use crate::{harness::TestNode, http::Connection};

fn call(connection: &mut Connection, method: &str, path: &str, body: &Value) -> Value {
    let answer = connection.request(method, path, &[], body.to_string().as_bytes());
    assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.json());
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

/// The counts of the subscription or of one of its cursors.
fn counts(of: &Value) -> [u64; 4] {
    ["backlog", "leased", "redeliveries", "dead_letters"].map(|field| of[field].as_u64().unwrap())
}

#[test]
fn a_subscription_counts_what_becomes_of_its_messages() {
    let mut node = TestNode::start();
    let mut connection = Connection::open(node.address());
    for topic in ["orders", "dead"] {
        call(&mut connection, "PUT", &format!("/v1/topics/{topic}"), &json!({ "partitions": 2 }));
    }
    let settings = json!({ "topic": "orders", "start": "earliest", "dead_letter_topic": "dead",
        "filter": "NOT attributes:skip" });
    call(&mut connection, "PUT", "/v1/subscriptions/billing", &settings);
    let message = |partition| json!({ "text": "a", "partition": partition });
    let skipped = json!({ "text": "a", "partition": 0, "attributes": { "skip": "" } });
    let expiring = json!({ "text": "a", "partition": 1, "ttl_ms": 1 });
    let messages = json!([message(0), message(0), message(0), skipped, message(1), expiring]);
    call(&mut connection, "POST", "/v1/topics/orders/messages", &json!({ "messages": messages }));

    let before = call(&mut connection, "GET", "/v1/subscriptions/billing", &Value::Null);
    assert_eq!(counts(&before), [6, 0, 0, 0]);
    assert!(before["oldest_unacked_ms"].is_u64(), "{before}");
    // What expires is a dead letter too, so that nothing is delivered for ever; the pull waits for what comes again.
    let pull = |connection: &mut Connection, count: u64| {
        let body = json!({ "max_messages": count, "wait_ms": 20_000 });
        call(connection, "POST", "/v1/subscriptions/billing/pull", &body)["messages"].as_array().unwrap().clone()
    };
    let mut held = Vec::new();
    while held.len() < 4 {
        held.extend(pull(&mut connection, 10));
    }
    let of_partition = |partition: u64| {
        let ids = held.iter().filter(|message| message["partition"] == json!(partition));
        ids.map(|message| message["ack_id"].clone()).collect::<Vec<_>>()
    };
    let ids = of_partition(0);
    call(&mut connection, "POST", "/v1/subscriptions/billing/ack", &json!({ "ack_ids": ids[..1] }));
    let reject = json!({ "ack_ids": ids[1..2], "dead_letter": true });
    call(&mut connection, "POST", "/v1/subscriptions/billing/nack", &reject);
    call(&mut connection, "POST", "/v1/subscriptions/billing/nack", &json!({ "ack_ids": ids[2..], "delay_ms": 0 }));
    assert_eq!(pull(&mut connection, 1)[0]["delivery_attempt"], json!(2));

    // A dead letter counts once it is where it belongs.
    let described = loop {
        let described = call(&mut connection, "GET", "/v1/subscriptions/billing", &Value::Null);
        if described["dead_letters"] == json!(2) {
            break described;
        }
    };
    assert_eq!(counts(&described), [2, 2, 1, 2], "{described}");
    assert_eq!((&described["expired"], &described["filtered"]), (&json!(1), &json!(1)), "{described}");
    assert_eq!(counts(&described["cursors"][0]), [1, 1, 1, 1], "{described}");
    assert_eq!(counts(&described["cursors"][1]), [1, 1, 0, 1], "{described}");
    assert!(described["cursors"][1]["oldest_unacked_ms"].is_u64(), "{described}");

    // After a restart the oldest message has to be read for its age, and what was counted begins anew.
    node.restart();
    connection = Connection::open(node.address());
    let described = call(&mut connection, "GET", "/v1/subscriptions/billing", &Value::Null);
    assert_eq!(counts(&described), [2, 0, 0, 0], "{described}");
    assert!(described["oldest_unacked_ms"].is_u64(), "{described}");
    let body = json!({ "to": "latest" });
    let sought = call(&mut connection, "POST", "/v1/subscriptions/billing/seek", &body);
    assert_eq!(counts(&sought["cursors"][0]), [0, 0, 0, 0], "{sought}");
    assert!(sought["cursors"][0]["oldest_unacked_ms"].is_null(), "{sought}");
}
