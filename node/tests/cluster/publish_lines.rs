//! Messages published a line at a time, by a request whose answer comes meanwhile.

mod publisher;
mod revoked;

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustix::process::Signal;
use serde_json::{Value, json};

pub(crate) use self::publisher::Publisher;
use crate::{harness::TestNode, http::Connection};

const MIB: usize = 1 << 20;

fn node_with_topic(partitions: u32, settings: &[(&str, &str)]) -> TestNode {
    let node = TestNode::start_with(settings);
    create(&node, partitions);
    node
}

fn create(node: &TestNode, partitions: u32) {
    create_with(node, &[], partitions);
}

fn create_with(node: &TestNode, headers: &[(&str, &str)], partitions: u32) {
    let body = json!({ "partitions": partitions }).to_string();
    let created = Connection::open(node.address()).request("PUT", "/v1/topics/orders", headers, body.as_bytes());
    assert_eq!(created.status, 201, "{created:?}");
}

/// Everything in a partition: payloads by offset.
fn stored(node: &TestNode, partition: u64) -> BTreeMap<u64, String> {
    stored_with(node, &[], partition)
}

fn stored_with(node: &TestNode, headers: &[(&str, &str)], partition: u64) -> BTreeMap<u64, String> {
    let (mut connection, mut messages, mut next) = (Connection::open(node.address()), BTreeMap::new(), 0);
    loop {
        let path = format!("/v1/topics/orders/partitions/{partition}/messages?limit=10000&offset={next}");
        let page = connection.request("GET", &path, headers, b"").json();
        for message in page["messages"].as_array().unwrap() {
            let payload = STANDARD.decode(message["data"].as_str().unwrap()).unwrap();
            messages.insert(message["offset"].as_u64().unwrap(), String::from_utf8(payload).unwrap());
        }
        if page["messages"] == json!([]) {
            return messages;
        }
        next = page["next_offset"].as_u64().unwrap();
    }
}

fn place(result: &Value) -> (u64, u64) {
    (result["partition"].as_u64().unwrap_or_else(|| panic!("{result}")), result["offset"].as_u64().unwrap())
}

#[test]
fn results_come_while_the_body_is_open() {
    let node = node_with_topic(1, &[]);
    let mut publisher = Publisher::open(node.address(), "Expect: 100-continue\r\n");
    for header in ["content-type: application/x-ndjson\r\n", "x-accel-buffering: no\r\n"] {
        assert!(publisher.head.contains(header), "{}", publisher.head);
    }
    for number in 0..5 {
        publisher.send(&format!("{{\"text\":\"{number}\",\"id\":\"id-{number}\"}}\n"));
        let result = publisher.next().unwrap();
        assert_eq!((place(&result), &result["id"]), ((0, number), &json!(format!("id-{number}"))));
        assert_eq!((&result["durability"], &result["duplicate"]), (&json!("leader"), &json!(false)));
    }
    // In pieces, several at once, with blank lines, one that is there already, and the last without its end.
    publisher.send("\n\r\n{\"text\":");
    publisher.send("\"5\"}\r\n{\"text\":\"4\",\"id\":\"id-4\"}\n{\"json\":{\"n\":6}}");
    assert_eq!(place(&publisher.next().unwrap()), (0, 5));
    let repeat = publisher.next().unwrap();
    assert_eq!((place(&repeat), &repeat["duplicate"]), ((0, 4), &json!(true)));
    publisher.finish();
    assert_eq!(place(&publisher.next().unwrap()), (0, 6));
    assert_eq!(publisher.next(), None);
    assert!(publisher.ended);
    // The connection goes on.
    assert!(publisher.get("/healthz").starts_with("HTTP/1.1 200 "));
    assert_eq!(stored(&node, 0).into_values().collect::<Vec<_>>(), ["0", "1", "2", "3", "4", "5", "{\"n\":6}"]);
}

#[test]
fn every_line_that_was_answered_is_there_after_a_kill() {
    let mut node = node_with_topic(3, &[]);
    let mut answered = BTreeMap::new();
    for round in 0..3_u64 {
        let mut publisher = Publisher::open(node.address(), "");
        let mut sender = publisher.sender();
        // Sends without waiting for results, until the node is gone.
        let sending = std::thread::spawn(move || {
            for number in 0_u64.. {
                if !sender.try_send(&format!("{{\"text\":\"{round}-{number}\",\"partition\":{}}}\n", number % 3)) {
                    break;
                }
            }
        });
        let mut number = 0_u64;
        while let Some(result) = publisher.next() {
            assert_eq!(result["partition"].as_u64(), Some(number % 3), "{result}");
            answered.insert(place(&result), format!("{round}-{number}"));
            number += 1;
            if number == 2_000 {
                node.kill();
            }
        }
        assert!(number >= 2_000 && !publisher.ended, "{number} results");
        sending.join().unwrap();
        node.restart();
    }
    let partitions: Vec<_> = (0..3).map(|partition| stored(&node, partition)).collect();
    for ((partition, offset), payload) in &answered {
        assert_eq!(partitions[usize::try_from(*partition).unwrap()].get(offset), Some(payload), "{partition}/{offset}");
    }
}

#[test]
fn a_wrong_line_ends_the_stream_behind_what_was_before_it() {
    let node = node_with_topic(1, &[]);
    let long = format!("{{\"text\":\"{}\"}}", "x".repeat(7 * MIB));
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(MIB + 1));
    let cases = [
        ("{\"text\":", 400, "invalid_json"),
        ("{\"txt\":\"a\"}", 400, "unknown_field"),
        ("{\"text\":\"a\",\"partition\":1}", 400, "invalid_argument"),
        ("{\"data\":\"?\"}", 400, "invalid_base64"),
        (large.as_str(), 413, "message_too_large"),
        (long.as_str(), 413, "message_too_large"),
    ];
    for (number, (wrong, _, code)) in (0_u64..).zip(cases) {
        let mut publisher = Publisher::open(node.address(), "");
        let mut sender = publisher.sender();
        let text = format!("{{\"text\":\"a\"}}\n\n{{\"text\":\"b\"}}\n{wrong}\n{{\"text\":\"c\"}}\n");
        // The node may close before it has taken all of it.
        let sending = std::thread::spawn(move || sender.try_send(&text));
        assert_eq!(place(&publisher.next().unwrap()), (0, 2 * number));
        assert_eq!(place(&publisher.next().unwrap()), (0, 2 * number + 1));
        let error = publisher.next().unwrap();
        assert_eq!((&error["error"]["code"], &error["line"]), (&json!(code), &json!(4)), "{error}");
        assert_eq!((&error["error"]["outcome"], &error["error"]["retryable"]), (&json!("not_applied"), &json!(false)));
        assert_eq!(publisher.next(), None);
        assert!(publisher.ended, "the answer is whole");
        sending.join().unwrap();
    }
    // A line that has no end is given up as early as it can be.
    let mut publisher = Publisher::open(node.address(), "");
    let mut sender = publisher.sender();
    let sending = std::thread::spawn(move || while sender.try_send(&"x".repeat(MIB)) {});
    let error = publisher.next().unwrap();
    assert_eq!((&error["error"]["code"], &error["line"]), (&json!("message_too_large"), &json!(1)));
    drop(publisher);
    sending.join().unwrap();
    assert_eq!(stored(&node, 0).len(), 2 * cases.len());
}

#[test]
fn what_is_wrong_before_the_first_line_is_a_plain_problem() {
    let node = node_with_topic(1, &[]);
    let lines = ("Content-Type", "application/x-ndjson; charset=utf-8");
    for (path, header, status) in [
        ("/v1/topics/none/messages", ("X", "y"), 404),
        ("/v1/topics/orders/messages?partition=0", ("X", "y"), 400),
        ("/v1/topics/orders/messages", ("Idempotency-Key", "a"), 400),
        ("/v1/topics/orders/messages", ("Content-Encoding", "gzip"), 415),
        ("/v1/topics/orders/publish", ("X", "y"), 200),
    ] {
        let answer = Connection::open(node.address()).request("POST", path, &[lines, header], b"{\"text\":\"a\"}\n");
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
}

#[test]
fn a_body_that_breaks_off_loses_the_line_it_broke_in() {
    let node = node_with_topic(1, &[("server.body_timeout_ms", "1000")]);
    for (broken, code) in [("x\r\n", "invalid_request"), ("", "request_timeout")] {
        let mut publisher = Publisher::open(node.address(), "");
        publisher.send("{\"text\":\"a\"}\n{\"text\":");
        publisher.send_raw(broken);
        assert!(publisher.next().unwrap()["offset"].is_u64());
        let error = publisher.next().unwrap();
        assert_eq!((&error["error"]["code"], &error["line"]), (&json!(code), &json!(2)), "{error}");
        assert_eq!(publisher.next(), None);
    }
}

#[test]
fn a_stream_notices_when_its_topic_is_gone_or_its_node_stops() {
    let mut node = node_with_topic(1, &[]);
    let mut publisher = Publisher::open(node.address(), "");
    publisher.send("{\"text\":\"a\"}\n");
    publisher.next().unwrap();
    let mut connection = Connection::open(node.address());
    assert_eq!(connection.request("DELETE", "/v1/topics/orders", &[], b"").status, 204);
    create(&node, 1);
    publisher.send("{\"text\":\"b\"}\n");
    let error = publisher.next().unwrap();
    assert_eq!((&error["error"]["code"], &error["line"]), (&json!("topic_not_found"), &json!(2)));
    assert_eq!(publisher.next(), None);

    let mut publisher = Publisher::open(node.address(), "");
    publisher.send("{\"text\":\"a\"}\n{\"text\":");
    publisher.next().unwrap();
    node.signal(Signal::TERM);
    let error = publisher.next().unwrap();
    assert_eq!((&error["error"]["code"], &error["line"]), (&json!("node_unavailable"), &json!(2)));
    assert_eq!((publisher.next(), publisher.ended), (None, true));
    assert!(node.wait_for_end().success());
}
