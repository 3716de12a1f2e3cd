//! A disk that stands still: it is noticed, told, and keeps new messages out until it goes on.

use std::time::Instant;

use serde_json::json;

use crate::{
    filesystem::LoopFilesystem,
    harness::{DEADLINE, TestNode},
    http::{Connection, get},
};

const PUBLISH: &[u8] =
    b"POST /v1/topics/orders/publish?partition=0 HTTP/1.1\r\nHost: node\r\nContent-Length: 5\r\n\r\nhello";

/// The age of the oldest operation on the disk, over all shards.
fn oldest_io_seconds(node: &TestNode) -> f64 {
    node.metric("pubsub_store_oldest_io_seconds").into_iter().map(|(_, age)| age).fold(0.0, f64::max)
}

/// Asks until something holds.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
    }
}

/// F26.
#[test]
fn a_disk_that_stands_still_is_told_and_takes_nothing_new_until_it_goes_on() {
    let filesystem = match LoopFilesystem::mount(256) {
        Ok(filesystem) => filesystem,
        Err(reason) => {
            eprintln!("SKIPPED: a disk that stands still needs root and a loop device: {reason}");
            return;
        }
    };
    let settings = [("storage.io_slow_ms", "100"), ("storage.io_stuck_ms", "300")];
    let node = TestNode::start_in(filesystem.directory(), &settings);
    let mut connection = Connection::open(node.address());
    assert_eq!(connection.request("PUT", "/v1/topics/orders", &[], br#"{"partitions":1}"#).status, 201);
    connection.send(PUBLISH);
    assert_eq!(connection.answer().unwrap().status, 200);
    assert_eq!(get(node.address(), "/readyz").json(), json!({ "status": "ok" }));

    let frozen = filesystem.freeze();
    let mut waiting = Connection::open(node.address());
    waiting.send(PUBLISH);
    wait_until("the node says that its disk stands still", || {
        let health = get(node.address(), "/readyz").json();
        let closed = health["closed"][0]["reason"].as_str().unwrap_or_default();
        health["status"] == json!("degraded") && closed.contains("the disk has not answered for")
    });
    connection.send(PUBLISH);
    let refused = connection.answer().unwrap();
    let told = refused.json();
    assert_eq!((refused.status, &told["code"]), (503, &json!("store_unavailable")), "{told}");
    assert_eq!((&told["outcome"], &told["retryable"]), (&json!("not_applied"), &json!(true)), "{told}");
    wait_until("the metric says so", || oldest_io_seconds(&node) >= 0.3);
    let page = get(node.address(), "/v1/topics/orders/partitions/0/messages?offset=0&limit=1").json();
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(1), "what is in memory is served: {page}");

    drop(frozen);
    assert_eq!(waiting.answer().unwrap().json()["offset"], json!(1), "what was let in ends with the disk's answer");
    wait_until("the node is well again", || get(node.address(), "/readyz").json() == json!({ "status": "ok" }));
    connection.send(PUBLISH);
    assert_eq!(connection.answer().unwrap().json()["offset"], json!(2), "what was refused is not there");
    assert!(node.log().iter().any(|line| line.contains("the disk does not answer")), "{:?}", node.log());
    wait_until("the metric falls", || oldest_io_seconds(&node) < 0.1);
}

#[test]
fn what_is_answered_from_memory_does_not_wait_for_the_disk_and_is_stored_all_the_same() {
    let filesystem = match LoopFilesystem::mount(256) {
        Ok(filesystem) => filesystem,
        Err(reason) => {
            eprintln!("SKIPPED: a disk that stands still needs root and a loop device: {reason}");
            return;
        }
    };
    let mut node = TestNode::start_in(filesystem.directory(), &[]);
    let mut connection = Connection::open(node.address());
    let settings = br#"{"partitions":1,"acks":"memory","dedup_window_ms":60000}"#;
    assert_eq!(connection.request("PUT", "/v1/topics/orders", &[], settings).status, 201);
    let publish = |connection: &mut Connection, query: &str| {
        connection.request("POST", &format!("/v1/topics/orders/publish?{query}"), &[], b"hello").json()
    };
    let seen = |node: &TestNode| {
        let page = get(node.address(), "/v1/topics/orders/partitions/0/messages?offset=0&limit=10").json();
        page["messages"].as_array().map_or(0, Vec::len)
    };

    let frozen = filesystem.freeze();
    let first = publish(&mut connection, "id=first");
    assert_eq!((&first["offset"], &first["durability"]), (&json!(0), &json!("memory")), "{first}");
    let again = publish(&mut connection, "id=first");
    assert_eq!((&again["duplicate"], &again["durability"]), (&json!(true), &json!("memory")), "{again}");
    assert_eq!(seen(&node), 0, "nobody sees what is stored nowhere");
    let mut waiting = Connection::open(node.address());
    waiting.send(
        b"POST /v1/topics/orders/publish?id=second&acks=quorum HTTP/1.1\r\nHost: node\r\nContent-Length: 0\r\n\r\n",
    );

    drop(frozen);
    let second = waiting.answer().unwrap().json();
    assert_eq!((&second["offset"], &second["durability"]), (&json!(1), &json!("leader")), "{second}");
    node.restart();
    assert_eq!(seen(&node), 2, "what waited before it is stored as well");
}
