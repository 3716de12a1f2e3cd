//! Server-Sent Events from a real node: what a client sees over reconnects, kills and changes of the topic.

mod reader;

use std::collections::BTreeMap;

use gateway_api::{
    client::Client,
    publish::{PublishMessage, PublishRequest, PublishResult},
};
use rustix::process::Signal;
use serde_json::json;

pub(crate) use self::reader::EventReader;
use crate::{
    harness::{TestNode, eventually},
    http::{self, Connection},
    publish_consume::partitions,
};

const PARTITIONS: u32 = 3;

/// Publishes so many messages, spread over the partitions, and returns once they are acknowledged.
async fn publish(client: &Client, topic: &str, count: u32) {
    let spread = |number: u32| {
        let mut message = PublishMessage::text("m");
        message.partition = Some(number % PARTITIONS);
        message
    };
    let messages = (0..count).map(spread).collect();
    let answer = client.publish(topic, &PublishRequest { messages }).await.unwrap();
    assert!(answer.results.iter().all(|result| matches!(result, PublishResult::Published(_))), "{answer:?}");
}

/// Reads so many messages; each must be the next one of its partition.
fn read_in_order(reader: &mut EventReader, count: usize, next: &mut BTreeMap<u64, u64>) {
    for _ in 0..count {
        let (partition, offset) = reader.place();
        let expected = next.entry(partition).or_default();
        assert_eq!(offset, *expected, "partition {partition}");
        *expected += 1;
    }
}

#[tokio::test]
async fn events_resume_without_gap_or_repeat_over_kills_and_reconnects() {
    let mut node = TestNode::start();
    node.client().create_topic("orders", &partitions(PARTITIONS)).await.unwrap();
    publish(&node.client(), "orders", 300).await;
    let mut next = BTreeMap::new();
    let mut reader = EventReader::open(node.address(), "orders", "?from=earliest");
    read_in_order(&mut reader, 70, &mut next);
    // The connection is lost in the middle of what was sent.
    for count in [1, 2, 50] {
        reader = EventReader::resume(node.address(), "orders", &reader.last_id);
        read_in_order(&mut reader, count, &mut next);
    }
    node.restart();
    publish(&node.client(), "orders", 300).await;
    reader = EventReader::resume(node.address(), "orders", &reader.last_id);
    read_in_order(&mut reader, 300, &mut next);
    node.kill();
    node.restart();
    // The same token in the query.
    reader = EventReader::open(node.address(), "orders", &format!("?cursor={}", reader.last_id));
    read_in_order(&mut reader, 600 - 423, &mut next);
    publish(&node.client(), "orders", 3).await;
    read_in_order(&mut reader, 3, &mut next);
    assert_eq!(next, BTreeMap::from([(0, 201), (1, 201), (2, 201)]));
    // And in a read of one partition.
    let path = format!("/v1/topics/orders/partitions/1/messages?cursor={}", reader.last_id);
    assert_eq!(http::get(node.address(), &path).json()["next_offset"], 201);
}

#[tokio::test]
async fn who_begins_at_the_end_can_come_back_before_the_first_message() {
    let node = TestNode::start();
    node.client().create_topic("orders", &partitions(PARTITIONS)).await.unwrap();
    publish(&node.client(), "orders", 30).await;
    let mut reader = EventReader::open(node.address(), "orders", "");
    for header in ["cache-control: no-store\r\n", "x-accel-buffering: no\r\n", "pubsub-request-id: "] {
        assert!(reader.head.contains(header), "{}", reader.head);
    }
    publish(&node.client(), "orders", 1).await;
    assert_eq!(reader.place(), (0, 10));
    let mut idle = EventReader::open(node.address(), "orders", "?from=latest");
    publish(&node.client(), "orders", 3).await;
    idle.place();
    // Of the time the stream was opened: what came since is there.
    let mut first = EventReader::open(node.address(), "orders", "?from=2000-01-01T00:00:00Z");
    let mut next = BTreeMap::new();
    read_in_order(&mut first, 34, &mut next);
}

#[tokio::test]
async fn a_filter_lets_through_what_it_matches_and_the_token_goes_on() {
    let node = TestNode::start();
    let client = node.client();
    client.create_topic("orders", &partitions(1)).await.unwrap();
    let red = |number: u32| {
        let mut message = PublishMessage::text("m");
        message.priority = Some(if number.is_multiple_of(10) { 9 } else { 1 });
        message
    };
    for _ in 0..3 {
        client.publish("orders", &PublishRequest { messages: (0..100).map(red).collect() }).await.unwrap();
    }
    let mut reader = EventReader::open(node.address(), "orders", "?from=earliest&filter=priority%20%3E%3D%205");
    let offsets: Vec<_> = (0..30).map(|_| reader.place().1).collect();
    assert_eq!(offsets, (0..30).map(|number| number * 10).collect::<Vec<_>>());
    let mut resumed = EventReader::resume(node.address(), "orders", &reader.last_id);
    assert_eq!(resumed.place(), (0, 291));
}

#[tokio::test]
async fn a_new_partition_is_read_from_its_beginning_and_a_deleted_topic_says_so() {
    let node = TestNode::start();
    let client = node.client();
    client.create_topic("orders", &partitions(1)).await.unwrap();
    let mut reader = EventReader::open(node.address(), "orders", "");
    let body = json!({ "partitions": 2 }).to_string();
    let json = [("Content-Type", "application/json")];
    let changed = Connection::open(node.address()).request("PATCH", "/v1/topics/orders", &json, body.as_bytes());
    assert_eq!(changed.status, 200, "{}", changed.body_text());
    let mut message = PublishMessage::text("new");
    message.partition = Some(1);
    client.publish("orders", &PublishRequest { messages: vec![message] }).await.unwrap();
    assert_eq!(reader.place(), (1, 0));
    client.delete_topic("orders", None).await.unwrap();
    let event = reader.next().unwrap();
    assert_eq!((event.name.as_str(), &event.data["code"]), ("error", &json!("topic_not_found")));
    assert!(reader.next().is_none());
}

#[tokio::test]
async fn http_1_0_gets_events_up_to_the_end_of_the_connection() {
    let mut node = TestNode::start();
    node.client().create_topic("orders", &partitions(PARTITIONS)).await.unwrap();
    publish(&node.client(), "orders", 30).await;
    let mut reader =
        EventReader::request(node.address(), "GET /v1/topics/orders/events?from=earliest HTTP/1.0\r\n\r\n");
    assert!(!reader.head.contains("transfer-encoding"), "{}", reader.head);
    read_in_order(&mut reader, 30, &mut BTreeMap::new());
    node.signal(Signal::TERM);
    assert!(reader.next().is_none());
    assert!(node.wait_for_end().success());
}

/// A client that was away for longer than messages are kept is told so, and can begin anew.
#[test]
fn who_comes_back_later_than_retention_is_told_that_it_missed_something() {
    let (node, mut connection) = node_that_keeps_little();
    publish_large(&mut connection);
    let mut reader = EventReader::open(node.address(), "orders", "?from=earliest");
    assert_eq!(reader.place(), (0, 0));
    let token = std::mem::take(&mut reader.last_id);
    drop(reader);
    (0..8).for_each(|_| publish_large(&mut connection));
    // Whole segments go, in rounds.
    let start = || http::get(node.address(), "/v1/topics/orders").json()["layout"][0]["start_offset"].as_u64().unwrap();
    assert!(eventually(|| start() > 1), "nothing was given up");
    let queries = [("", Some(token.as_str())), (&*format!("?cursor={token}"), None)];
    for (query, last_id) in queries {
        let headers: Vec<_> = last_id.map(|id| ("Last-Event-ID", id)).into_iter().collect();
        let path = format!("/v1/topics/orders/events{query}");
        let gone = connection.request("GET", &path, &headers, b"");
        assert_eq!(gone.status, 410, "{gone:?}");
        assert_eq!(gone.json()["code"], "offset_expired", "{gone:?}");
        assert_eq!(gone.header("content-type"), Some("application/problem+json"));
    }
    assert!(EventReader::open(node.address(), "orders", "?from=earliest").place().1 > 1);
}

/// Retention takes messages away between the moment a reader is told where a partition begins and its first read.
#[test]
fn who_reads_from_the_beginning_is_served_while_that_moves() {
    let (node, mut connection) = node_that_keeps_little();
    let mut first = || {
        publish_large(&mut connection);
        EventReader::open(node.address(), "orders", "?from=earliest").place().1
    };
    assert!(eventually(|| first() > 0), "nothing was given up");
}

/// A topic of one partition whose segments are small, and of which it keeps hardly more than one.
fn node_that_keeps_little() -> (TestNode, Connection) {
    let node = TestNode::start_with(&[("storage.segment_bytes", "1048576")]);
    let body = json!({ "partitions": 1, "retention_bytes": 1 << 20 }).to_string();
    let mut connection = Connection::open(node.address());
    assert_eq!(connection.request("PUT", "/v1/topics/orders", &[], body.as_bytes()).status, 201);
    (node, connection)
}

/// Publishes a message that fills half a segment.
fn publish_large(connection: &mut Connection) {
    let published = connection.request("POST", "/v1/topics/orders/publish", &[], &vec![b'x'; 512 << 10]);
    assert_eq!(published.status, 200, "{published:?}");
}

#[tokio::test]
async fn what_is_wrong_before_the_first_event_is_a_plain_problem() {
    let node = TestNode::start();
    node.client().create_topic("orders", &partitions(1)).await.unwrap();
    for (path, status, code) in [
        ("/v1/topics/none/events", 404, "topic_not_found"),
        ("/v1/topics/orders/events?cursor=x", 400, "invalid_cursor"),
        ("/v1/topics/orders/events?from=x", 400, "invalid_argument"),
        ("/v1/topics/orders/events?filter=x", 400, "invalid_argument"),
        ("/v1/topics/orders/events?limit=1", 400, "unknown_field"),
    ] {
        let answer = http::get(node.address(), path);
        assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    let mut connection = Connection::open(node.address());
    let answer = connection.request("GET", "/v1/topics/orders/events", &[("Accept", "application/json")], b"");
    assert_eq!(answer.status, 406);
    connection.send(b"HEAD /v1/topics/orders/events HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = connection.answer().unwrap();
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!(connection.request("GET", "/healthz", &[], b"").status, 200);
}
