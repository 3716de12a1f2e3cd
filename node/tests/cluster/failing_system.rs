//! A disk that fails, writes that are cut short, file descriptors that run out: nothing is acknowledged that is not kept.

use std::fs;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::{Value, json};

use crate::{
    harness::TestNode,
    http::{Answer, Connection, get},
    volatile_disk::{EXT4, VolatileDisk},
};

/// More than any of these tests has room for, so that a loop ends.
const PUBLISHES_MAX: usize = 1_000;
const BODY_BYTES: usize = 16 << 10;

/// A node whose writes are cut short by a limit gets an error for those beyond it, and no signal that ends it.
const WITHOUT_SIGNAL: [&str; 2] = ["/usr/bin/env", "--ignore-signal=XFSZ"];

fn with_topic(node: &TestNode) -> Connection {
    let mut connection = Connection::open(node.address());
    assert_eq!(connection.request("PUT", "/v1/topics/orders", &[], br#"{"partitions":1}"#).status, 201);
    connection
}

fn publish(connection: &mut Connection) -> Answer {
    connection.request("POST", "/v1/topics/orders/publish?partition=0", &[], &[b'x'; BODY_BYTES])
}

/// Publishes until it is refused; how many messages were taken before, and the refusal.
fn publish_until_refused(connection: &mut Connection) -> (u64, Answer) {
    for taken in 0..PUBLISHES_MAX {
        let answer = publish(connection);
        if answer.status != 200 {
            return (u64::try_from(taken).unwrap(), answer);
        }
    }
    panic!("{PUBLISHES_MAX} publishes were taken");
}

fn messages(node: &TestNode, offset: u64) -> Answer {
    get(node.address(), &messages_path(offset))
}

fn messages_path(offset: u64) -> String {
    format!("/v1/topics/orders/partitions/0/messages?offset={offset}&limit=1")
}

fn end_offset(node: &TestNode) -> u64 {
    get(node.address(), "/v1/topics/orders").json()["layout"][0]["end_offset"].as_u64().unwrap()
}

/// The message may be there or not, and its publisher is told so.
#[track_caller]
fn assert_unknown(answer: &Answer) {
    let problem = answer.json();
    assert_eq!((answer.status, &problem["outcome"]), (504, &json!("unknown")), "{problem}");
}

/// Nothing is tried on a partition whose last write failed.
#[track_caller]
fn assert_closed(answer: &Answer) {
    let problem = answer.json();
    let told = (answer.status, &problem["code"], &problem["outcome"]);
    assert_eq!(told, (503, &json!("partition_closed"), &json!("not_applied")), "{problem}");
}

/// Limits the process as it runs; what it has is not taken away.
fn limit(node: &TestNode, resource: Resource, most: u64) {
    let limit = Rlimit { current: Some(most), ..getrlimit(resource) };
    prlimit(Pid::from_raw(node.pid().try_into().unwrap()), resource, limit).unwrap();
}

/// F24, F25: a write or sync that failed is not tried again, and what can't be read is not passed over.
#[test]
fn a_disk_that_fails_is_told_and_what_it_had_taken_is_there_after_a_restart() {
    let disk = match VolatileDisk::mount(EXT4) {
        Ok(disk) => disk,
        Err(reason) => {
            eprintln!("SKIPPED: a disk that fails needs root, python3 and loop devices: {reason}");
            return;
        }
    };
    let settings = [("storage.reserve_bytes", "8388608"), ("storage.tail_cache_bytes", "0")];
    let mut node = TestNode::start_at(disk.path(), &settings);
    let mut connection = with_topic(&node);
    assert_eq!(publish(&mut connection).json()["offset"], json!(0));

    disk.cut();
    assert_unknown(&publish(&mut connection));
    for _ in 0..2 {
        assert_closed(&publish(&mut connection));
    }
    let unread = messages(&node, 0).json();
    assert_eq!(unread["messages"], Value::Null, "{unread}");
    assert_eq!(get(node.address(), "/healthz").status, 200);

    node.kill();
    let disk = disk.into_cut().mount();
    let node = TestNode::start_at(disk.path(), &settings);
    assert_eq!(messages(&node, 0).json()["messages"].as_array().map(Vec::len), Some(1));
    assert_eq!(publish(&mut Connection::open(node.address())).status, 200);
}

/// F23: what was written in part is not acknowledged, and what was acknowledged before is there.
#[test]
fn a_write_that_was_cut_short_is_not_acknowledged() {
    let mut node = TestNode::start_under(&WITHOUT_SIGNAL, &[]);
    let mut connection = with_topic(&node);
    limit(&node, Resource::Fsize, (4 << 20) + 4096);
    let (taken, refused) = publish_until_refused(&mut connection);
    assert_unknown(&refused);
    assert_closed(&publish(&mut connection));
    assert_eq!(messages(&node, taken - 1).status, 200);

    node.restart();
    let cut = node.log().iter().any(|line| line.contains("a torn tail is cut off"));
    assert!(cut, "nothing of the last message was written, so it was not cut short");
    assert_eq!(end_offset(&node), taken);
    assert_eq!(publish(&mut Connection::open(node.address())).status, 200);
}

/// F29: without file descriptors new connections wait and a segment that is full is not followed by another; what is
/// there goes on.
#[test]
fn without_file_descriptors_what_is_there_goes_on() {
    let mut node = TestNode::start_with(&[("storage.segment_bytes", "1048576")]);
    let mut connection = with_topic(&node);
    let mut other = Connection::open(node.address());
    assert_eq!(other.request("GET", "/healthz", &[], b"").status, 200);
    assert_eq!(publish(&mut connection).status, 200);
    let most = getrlimit(Resource::Nofile).maximum.unwrap();
    let open = fs::read_dir(format!("/proc/{}/fd", node.pid())).unwrap().count();
    limit(&node, Resource::Nofile, open.try_into().unwrap());
    let mut late = Connection::open(node.address());
    late.send(b"GET /healthz HTTP/1.1\r\nHost: node\r\n\r\n");
    let (taken, refused) = publish_until_refused(&mut connection);
    assert_ne!(refused.json()["outcome"], json!("applied"), "{refused:?}");
    assert_eq!(other.request("GET", "/healthz", &[], b"").status, 200, "who is connected is served");

    limit(&node, Resource::Nofile, most);
    assert_eq!(late.answer().unwrap().status, 200);
    let page = other.request("GET", &messages_path(taken), &[], b"").json();
    assert_eq!(page["messages"][0]["offset"], json!(taken), "what was taken is served: {page}");
    node.restart();
    assert!(end_offset(&node) > taken);
    assert_eq!(publish(&mut Connection::open(node.address())).status, 200);
}
