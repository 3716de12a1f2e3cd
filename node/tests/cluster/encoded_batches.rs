//! Batches that the publisher encoded and compressed: stored as they came, or refused as a whole.

use std::convert::Infallible;

use serde_json::{Value, json};
use shard_core::{
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, Producer, RecordBatch},
    },
    model::{LeaderEpoch, Offset, Timestamp},
};

use crate::{
    harness::TestNode,
    http::{Answer, Connection, get},
};

const PATH: &str = "/v1/topics/orders/messages?partition=0";

/// A batch of messages with these texts, as a publisher would send it.
fn encoded(texts: &[String], codec: Codec, producer: Option<Producer>) -> Vec<u8> {
    let mut builder = BatchBuilder::new(0);
    for text in texts {
        let head = RecordHead {
            id: MessageId::Text("own-id"),
            key: Some("key"),
            content_type: "text/plain",
            priority: 9,
            ttl_ms: None,
            deliver_at: None,
        };
        let Ok(()) = builder.push(&head, &[("name", "value")], |out| {
            out.extend_from_slice(text.as_bytes());
            Ok::<_, Infallible>(())
        });
    }
    let batch = builder.finish(codec, producer).unwrap();
    // Where it will be is for the broker to say.
    batch.assign(Offset::ZERO, LeaderEpoch::default(), Timestamp::default()).bytes().to_vec()
}

fn publish(connection: &mut Connection, body: &[u8]) -> Answer {
    connection.request("POST", PATH, &[("Content-Type", "application/vnd.pubsub.batch")], body)
}

fn with_topic(settings: &Value) -> (TestNode, Connection) {
    let node = TestNode::start();
    let mut connection = Connection::open(node.address());
    let settings = settings.to_string();
    assert_eq!(connection.request("PUT", "/v1/topics/orders", &[], settings.as_bytes()).status, 201);
    (node, connection)
}

fn texts() -> Vec<String> {
    (0..50).map(|number| format!("message {number} {}", "x".repeat(100))).collect()
}

#[test]
fn a_compressed_batch_is_stored_as_it_came() {
    // Ids are names only here, as all messages of the batch have one.
    let (mut node, mut connection) = with_topic(&json!({ "partitions": 1, "dedup_window_ms": 0 }));
    let producer = Some(Producer { id: 7, epoch: 0, first_sequence: 0 });
    assert_eq!(
        publish(&mut connection, &encoded(&texts(), Codec::None, producer)).status,
        400,
        "it is not remembered here"
    );
    for (round, codec) in [Codec::None, Codec::Snappy, Codec::Lz4].into_iter().enumerate() {
        let told = publish(&mut connection, &encoded(&texts(), codec, None)).json();
        let results = told["results"].as_array().unwrap_or_else(|| panic!("{told}"));
        let last = json!({ "id": "own-id", "partition": 0, "offset": round * 50 + 49, "duplicate": false, "durability": "leader" });
        assert_eq!((results.len(), &results[49]), (50, &last));
    }
    node.restart();
    let page = get(node.address(), "/v1/topics/orders/partitions/0/messages?offset=149&limit=1").json();
    let message = &page["messages"][0];
    assert_eq!((&message["key"], &message["priority"]), (&json!("key"), &json!(9)), "{page}");
    assert_eq!(message["attributes"], json!({ "name": "value" }));
    let topic = get(node.address(), "/v1/topics/orders").json();
    let bytes = topic["layout"][0]["bytes"].as_u64().unwrap();
    let plain = encoded(&texts(), Codec::None, None).len();
    assert!(
        bytes < u64::try_from(2 * plain).unwrap() + 16_384,
        "{bytes} bytes: the compressed ones were stored compressed"
    );
}

#[test]
fn a_batch_with_anything_wrong_is_refused_whole() {
    let (node, mut connection) = with_topic(&json!({ "partitions": 1, "max_message_bytes": 1_000 }));
    let good = encoded(&texts(), Codec::Lz4, None);
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut longer = good.clone();
    longer.push(0);
    let large = encoded(&["x".repeat(1_000)], Codec::None, None);
    let cases = [
        (flipped, 400, "invalid_argument"),
        (longer, 400, "invalid_argument"),
        (good[..good.len() - 1].to_vec(), 400, "invalid_argument"),
        (b"{}".to_vec(), 400, "invalid_argument"),
        (Vec::new(), 400, "invalid_argument"),
        (large, 413, "message_too_large"),
    ];
    for (body, status, code) in cases {
        let answer = publish(&mut connection, &body);
        let told = answer.json();
        assert_eq!((answer.status, told["code"].as_str()), (status, Some(code)), "{told}");
    }
    let headers = [("Content-Type", "application/vnd.pubsub.batch")];
    let elsewhere = connection.request("POST", "/v1/topics/orders/messages?partition=1", &headers, &good);
    assert_eq!(elsewhere.status, 400);
    let topic = get(node.address(), "/v1/topics/orders").json();
    assert_eq!(topic["layout"][0]["end_offset"], json!(0), "nothing was stored");
}

#[test]
fn a_producers_batch_is_stored_once() {
    let (_node, mut connection) = with_topic(&json!({ "partitions": 1 }));
    let producer = |first_sequence| Some(Producer { id: 7, epoch: 0, first_sequence });
    let first = encoded(&texts(), Codec::Lz4, producer(0));
    for duplicate in [false, true] {
        let told = publish(&mut connection, &first).json();
        assert_eq!((&told["results"][0]["offset"], &told["results"][0]["duplicate"]), (&json!(0), &json!(duplicate)));
    }
    let gap = publish(&mut connection, &encoded(&texts(), Codec::None, producer(51)));
    assert_eq!((gap.status, gap.json()["expected_sequence"].clone()), (409, json!(50)));
    assert_eq!(
        publish(&mut connection, &encoded(&texts(), Codec::None, producer(50))).json()["results"][0]["offset"],
        json!(50)
    );
}

#[test]
fn batches_are_read_as_they_are_stored_and_can_be_published_again() {
    let (node, mut connection) = with_topic(&json!({ "partitions": 2, "dedup_window_ms": 0 }));
    for codec in [Codec::Lz4, Codec::None, Codec::Snappy] {
        assert_eq!(publish(&mut connection, &encoded(&texts(), codec, None)).status, 200);
    }
    let read = |connection: &mut Connection, query: &str| {
        let path = format!("/v1/topics/orders/partitions/0/messages{query}");
        connection.request("GET", &path, &[("Accept", "application/vnd.pubsub.batch")], b"")
    };
    let all = read(&mut connection, "?offset=0");
    assert_eq!((all.status, all.header("content-type")), (200, Some("application/vnd.pubsub.batch")));
    assert_eq!((all.header("pubsub-next-offset"), all.header("pubsub-high-watermark")), (Some("150"), Some("150")));
    let second = read(&mut connection, "?offset=77&limit=1");
    assert_eq!(second.header("pubsub-next-offset"), Some("100"));
    let batch = RecordBatch::parse(second.body.clone().into()).unwrap();
    assert_eq!((batch.offsets().start.get(), batch.offsets().end.get()), (50, 100));
    assert!(all.body.windows(second.body.len()).any(|window| window == second.body));
    let cursor = second.header("pubsub-next-cursor").unwrap().to_owned();
    let third = read(&mut connection, &format!("?cursor={cursor}"));
    assert!(third.header("pubsub-next-offset") == Some("150") && all.body.ends_with(&third.body));
    let nothing = read(&mut connection, "?offset=150");
    assert_eq!((nothing.body.len(), nothing.header("pubsub-next-offset")), (0, Some("150")));
    // What was read is published as it is.
    let path = "/v1/topics/orders/messages?partition=1";
    let copied = connection.request("POST", path, &[("Content-Type", "application/vnd.pubsub.batch")], &second.body);
    assert_eq!(copied.status, 200, "{}", copied.body_text());
    let page = get(node.address(), "/v1/topics/orders/partitions/1/messages?offset=0").json();
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(50));
}
