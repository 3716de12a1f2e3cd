//! A disk that is nearly full: publishes are refused, the rest goes on, and nothing needs a restart.

use std::{fs, io::Write as _};

use serde_json::{Value, json};

use crate::{
    filesystem::LoopFilesystem,
    harness::{TestNode, data_directory},
    http::{Connection, get},
};

const BODY_BYTES: usize = 1 << 20;
/// More than any filesystem has that these tests fill, so that a loop ends.
const PUBLISHES_MAX: usize = 1_000;

/// Publishes to partition 0 until it is refused; returns the offset of each message that was taken.
fn publish_until_refused(connection: &mut Connection) -> Vec<u64> {
    let body = vec![b'x'; BODY_BYTES];
    let mut taken = Vec::new();
    while taken.len() < PUBLISHES_MAX {
        let answer = connection.request("POST", "/v1/topics/orders/publish?partition=0", &[], &body);
        let told = answer.json();
        if answer.status == 200 {
            taken.push(told["offset"].as_u64().unwrap());
            continue;
        }
        assert_eq!((answer.status, told["code"].as_str()), (503, Some("store_unavailable")), "{told}");
        assert_eq!((&told["outcome"], &told["retryable"]), (&json!("not_applied"), &json!(true)), "{told}");
        assert!(answer.header("retry-after").is_some(), "{}", answer.head);
        return taken;
    }
    panic!("{PUBLISHES_MAX} publishes were taken");
}

fn with_topic(node: &TestNode) -> Connection {
    let mut connection = Connection::open(node.address());
    assert_eq!(connection.request("PUT", "/v1/topics/orders", &[], br#"{"partitions":1}"#).status, 201);
    let settings = br#"{"topic":"orders","start":"earliest"}"#;
    assert_eq!(connection.request("PUT", "/v1/subscriptions/billing", &[], settings).status, 201);
    connection
}

/// F22.
#[test]
fn without_room_beside_the_reserve_no_message_is_taken() {
    let node = TestNode::start_in(data_directory(), &[("storage.reserve_bytes", "1125899906842624")]);
    let mut connection = with_topic(&node);
    assert_eq!(publish_until_refused(&mut connection), Vec::<u64>::new());
    assert_eq!(get(node.address(), "/readyz").status, 200);
}

/// F22.
#[test]
fn a_full_disk_refuses_publishes_and_goes_on_by_itself_once_there_is_room() {
    let filesystem = match LoopFilesystem::mount(160) {
        Ok(filesystem) => filesystem,
        Err(reason) => {
            eprintln!("SKIPPED: a disk to fill needs root and a loop device: {reason}");
            return;
        }
    };
    let ballast = filesystem.directory();
    fs::write(ballast.path().join("ballast"), vec![0; 48 << 20]).unwrap();
    let settings = [("storage.reserve_bytes", "25165824"), ("storage.segment_bytes", "8388608")];
    let mut node = TestNode::start_in(filesystem.directory(), &settings);
    let mut connection = with_topic(&node);

    let before = publish_until_refused(&mut connection);
    assert!(before.len() > 16, "only {} messages found room", before.len());
    // Reads, leases, acks and changes of the metadata go on.
    let page = get(node.address(), "/v1/topics/orders/partitions/0/messages?offset=0&limit=1").json();
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(1), "{page}");
    let pulled = connection.request("POST", "/v1/subscriptions/billing/pull", &[], br#"{"max_messages":1}"#).json();
    let ids: Vec<Value> = pulled["messages"].as_array().unwrap().iter().map(|one| one["ack_id"].clone()).collect();
    let ack = json!({ "ack_ids": ids }).to_string();
    let acked = connection.request("POST", "/v1/subscriptions/billing/ack", &[], ack.as_bytes()).json();
    assert_eq!(acked, json!({ "succeeded": 1, "failed": [] }));
    assert_eq!(connection.request("PUT", "/v1/topics/others", &[], b"{}").status, 201);

    fs::remove_file(ballast.path().join("ballast")).unwrap();
    let behind = publish_until_refused(&mut connection);
    assert!(behind.len() > 16, "only {} messages found room", behind.len());
    let taken: Vec<u64> = before.into_iter().chain(behind).collect();
    assert_eq!(taken, (0..).take(taken.len()).collect::<Vec<u64>>(), "offsets are dense");

    // What was taken is there after a kill, on the disk that is full again; so is the ack.
    node.restart();
    let topic = get(node.address(), "/v1/topics/orders").json();
    assert_eq!(topic["layout"][0]["end_offset"], json!(taken.len()), "{topic}");
    let subscription = get(node.address(), "/v1/subscriptions/billing").json();
    assert_eq!(subscription["cursors"][0]["ack_floor"], json!(1), "{subscription}");
}

#[test]
fn a_disk_that_others_have_filled_refuses_publishes_and_closes_nothing() {
    let filesystem = match LoopFilesystem::mount(160) {
        Ok(filesystem) => filesystem,
        Err(reason) => {
            eprintln!("SKIPPED: a disk to fill needs root and a loop device: {reason}");
            return;
        }
    };
    // A part of the reserve is written unasked, so the node does not notice in time that the disk is full.
    let mut node = TestNode::start_in(filesystem.directory(), &[("storage.reserve_bytes", "67108864")]);
    let mut connection = with_topic(&node);
    let one = connection.request("POST", "/v1/topics/orders/publish?partition=0", &[], &vec![b'x'; BODY_BYTES]);
    assert_eq!(one.status, 200, "{}", one.head);
    let ballast = filesystem.directory();
    let path = ballast.path().join("ballast");
    let mut file = fs::File::create(&path).unwrap();
    for bytes in [1 << 20, 4096] {
        while file.write_all(&vec![1; bytes]).and_then(|()| file.sync_data()).is_ok() {}
    }
    assert_eq!(publish_until_refused(&mut connection), Vec::<u64>::new());
    let page = get(node.address(), "/v1/topics/orders/partitions/0/messages?offset=0&limit=1").json();
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(1), "{page}");
    assert_eq!(get(node.address(), "/readyz").json(), json!({ "status": "ok" }));

    drop(file);
    fs::remove_file(path).unwrap();
    let taken = publish_until_refused(&mut connection);
    assert!(taken.len() > 16, "only {} messages found room", taken.len());
    assert_eq!(taken, (1..).take(taken.len()).collect::<Vec<u64>>(), "offsets are dense");
    node.restart();
    let topic = get(node.address(), "/v1/topics/orders").json();
    assert_eq!(topic["layout"][0]["end_offset"], json!(1 + taken.len()), "{topic}");
}

/// What a publisher did not wait for is lost when the disk is full: that is counted, and told to all who come thereafter.
#[test]
fn what_is_answered_from_memory_and_finds_no_room_is_counted_and_then_refused() {
    let node = TestNode::start_in(data_directory(), &[("storage.reserve_bytes", "1125899906842624")]);
    let mut connection = Connection::open(node.address());
    let settings = br#"{"partitions":1,"acks":"memory"}"#;
    assert_eq!(connection.request("PUT", "/v1/topics/orders", &[], settings).status, 201);
    let taken = publish_until_refused(&mut connection);
    assert!(
        !taken.is_empty() && taken.iter().all(|offset| *offset == 0),
        "each is lost, and its offset with it: {taken:?}"
    );
    let dropped: f64 = node.metric("pubsub_shard_messages_dropped_total").into_iter().map(|(_, count)| count).sum();
    assert_eq!(dropped.to_string(), taken.len().to_string());
    assert!(node.log().iter().any(|line| line.contains("acknowledged from memory were not stored")));
    let topic = get(node.address(), "/v1/topics/orders").json();
    assert_eq!(topic["layout"][0]["end_offset"], json!(0), "{topic}");
}
