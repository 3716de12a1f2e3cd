//! What is published again is stored once, and each try is told where: over HTTP and WebSocket, at the same time, after a
//! kill -9, and when Redis was away.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use gateway_api::{
    client::{Client, ReadFrom},
    publish::{PublishMessage, PublishRequest, PublishResult},
};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    harness::TestNode,
    http::{Answer, Connection},
    publish_consume::partitions,
    redis::{RedisServer, node_on},
    websocket::{Frame, RawWebSocket},
};

const PARTITIONS: u32 = 4;
const PUBLISHERS: u64 = 4;
const BATCH: u64 = 100;
/// Batches of each publisher.
const BATCHES: u64 = 60;

fn with_topic(node: &TestNode, settings: &Value) -> Connection {
    let mut connection = Connection::open(node.address());
    assert_eq!(connection.request("PUT", "/v1/topics/orders", &[], settings.to_string().as_bytes()).status, 201);
    connection
}

fn post(connection: &mut Connection, headers: &[(&str, &str)], body: &Value) -> Answer {
    connection.request("POST", "/v1/topics/orders/messages", headers, body.to_string().as_bytes())
}

/// Partition, offset and whether it was there before, for each message of a batch.
fn places(connection: &mut Connection, headers: &[(&str, &str)], body: &Value) -> Vec<(u64, u64, bool)> {
    let answer = post(connection, headers, body);
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    answer.json()["results"].as_array().unwrap().iter().map(place).collect()
}

fn place(result: &Value) -> (u64, u64, bool) {
    let number = |field: &str| result[field].as_u64().unwrap_or_else(|| panic!("{result}"));
    (number("partition"), number("offset"), result["duplicate"].as_bool().unwrap())
}

fn as_repeats(places: &[(u64, u64, bool)]) -> Vec<(u64, u64, bool)> {
    places.iter().map(|&(partition, offset, _)| (partition, offset, true)).collect()
}

/// The ids of all messages of a topic.
async fn ids(client: &Client, partitions: u32) -> Vec<String> {
    let mut ids = Vec::new();
    for partition in 0..partitions {
        let mut offset = 0;
        loop {
            let page = client.read(("orders", partition), &ReadFrom::Offset(offset), 1_000, 0).await.unwrap();
            let Some(last) = page.messages.last() else { break };
            offset = last.offset + 1;
            ids.extend(page.messages.into_iter().map(|message| message.id));
        }
    }
    ids
}

#[tokio::test]
async fn a_message_with_an_id_is_stored_once_over_http_and_websocket() {
    let mut node = TestNode::start();
    let mut connection = with_topic(&node, &json!({ "partitions": 2 }));
    let one = json!({ "messages": [{ "text": "a", "id": "one" }, { "text": "b" }] });
    let first = places(&mut connection, &[], &one);
    assert_eq!(first[0].2, first[1].2);
    let (partition, offset, _) = first[0];
    let again = connection.request("POST", "/v1/topics/orders/publish?id=one", &[], b"a").json();
    assert_eq!(place(&again), (partition, offset, true), "{again}");
    // Some of it is new, and one is there twice within the call.
    let mixed = json!({ "messages": [
        { "text": "a", "id": "one" }, { "text": "c", "id": "two", "partition": partition },
        { "text": "c", "id": "two", "partition": partition },
    ]});
    let told = places(&mut connection, &[], &mixed);
    assert_eq!(told[0], (partition, offset, true));
    assert_eq!((told[1].0, told[1].2), (partition, false));
    assert_eq!(told[2], (partition, told[1].1, true));

    let mut socket = RawWebSocket::open(node.address(), Some("pubsub.v1.json"));
    socket.send_text(r#"{"op":"publish","ref":1,"topic":"orders","messages":[{"text":"a","id":"one"}]}"#);
    let Frame::Text(text) = socket.next() else { panic!("no answer") };
    let published: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(place(&published["results"][0]), (partition, offset, true), "{text}");

    // Over a kill -9, and over an orderly stop.
    for orderly in [false, true] {
        if orderly {
            assert_eq!(node.terminate().code(), Some(0));
        }
        node.restart();
        let mut connection = Connection::open(node.address());
        let repeated = &places(&mut connection, &[], &mixed);
        assert_eq!(repeated, &as_repeats(&told));
    }
    assert_eq!(ids(&node.client(), 2).await.len(), 3);
    let repeated: f64 = node.metric("pubsub_shard_messages_repeated_total").iter().map(|(_, count)| count).sum();
    assert!((2.5..3.5).contains(&repeated), "{repeated} of the last call were recognised");
}

#[tokio::test]
async fn an_idempotency_key_makes_a_whole_call_safe() {
    let mut node = TestNode::start();
    let mut connection = with_topic(&node, &json!({ "partitions": 4 }));
    let key = [("Idempotency-Key", "checkout-4711")];
    let call = json!({ "messages": [
        { "text": "a" }, { "text": "b", "key": "k" }, { "text": "c" }, { "text": "d", "id": "own" },
    ]});
    let first = places(&mut connection, &key, &call);
    assert!(first.iter().all(|(_, _, repeat)| !repeat));
    assert_eq!(first[0].0, first[2].0, "what states nothing stays together");
    assert_eq!(places(&mut connection, &key, &call), as_repeats(&first));
    let other = places(&mut connection, &[("Idempotency-Key", "checkout-4712")], &call);
    assert_eq!(other.iter().map(|(_, _, repeat)| *repeat).collect::<Vec<_>>(), [false, false, false, true]);
    node.restart();
    let mut connection = Connection::open(node.address());
    assert_eq!(places(&mut connection, &key, &call), as_repeats(&first));
    let single = connection.request("POST", "/v1/topics/orders/publish", &key, b"a").json();
    assert_eq!((place(&single), single["id"].as_str()), ((first[0].0, first[0].1, true), Some("checkout-4711/0")));
    let mut socket = RawWebSocket::open(node.address(), Some("pubsub.v1.json"));
    let frame = r#"{"op":"publish","topic":"orders","messages":[{"text":"a"}],"idempotency_key":"checkout-4711"}"#;
    socket.send_text(frame);
    let Frame::Text(text) = socket.next() else { panic!("no answer") };
    assert!(text.contains(r#""duplicate":true"#), "{text}");
    assert_eq!(ids(&node.client(), 4).await.len(), 7);
}

#[tokio::test]
async fn retries_at_the_same_time_share_the_first_ones_place() {
    let node = TestNode::start();
    drop(with_topic(&node, &json!({ "partitions": 1 })));
    let client = node.client();
    for round in 0..20 {
        let id = format!("id-{round}");
        let tries = (0..16).map(|_| {
            let message = PublishMessage { id: Some(id.as_str().into()), ..PublishMessage::text("a") };
            let client = &client;
            async move { client.publish("orders", &PublishRequest { messages: vec![message] }).await.unwrap() }
        });
        let mut new = 0;
        for answer in join_all(tries).await {
            let [PublishResult::Published(published)] = &answer.results[..] else { panic!("{answer:?}") };
            assert_eq!(published.offset, round);
            new += u32::from(!published.duplicate);
        }
        assert_eq!(new, 1, "one of them is the first");
    }
    assert_eq!(ids(&client, 1).await.len(), 20);
}

#[test]
fn a_producer_is_taken_in_order_and_told_where_to_go_on() {
    let mut node = TestNode::start();
    let mut connection = with_topic(&node, &json!({ "partitions": 3 }));
    let send = |connection: &mut Connection, epoch: &str, sequence: &str, messages: usize| {
        let headers =
            [("Pubsub-Producer-Id", "77"), ("Pubsub-Producer-Epoch", epoch), ("Pubsub-Producer-Seq", sequence)];
        let body = json!({ "messages": vec![json!({ "text": "x" }); messages] });
        let answer = post(connection, &headers, &body);
        (answer.status, answer.json())
    };
    let placed = |(status, answer): (u16, Value)| {
        assert_eq!(status, 200, "{answer}");
        answer["results"].as_array().unwrap().iter().map(place).collect::<Vec<_>>()
    };
    let first = placed(send(&mut connection, "0", "0", 3));
    let second = placed(send(&mut connection, "0", "3", 2));
    assert!(second.iter().all(|&(partition, _, repeat)| partition == first[0].0 && !repeat), "{second:?}");
    let refused = |connection: &mut Connection, epoch, sequence, expected: (&str, Value)| {
        let (status, problem) = send(connection, epoch, sequence, 1);
        assert_eq!((status, problem["code"].as_str()), (409, Some(expected.0)), "{problem}");
        assert_eq!((&problem["expected_sequence"], &problem["retryable"]), (&expected.1, &json!(false)), "{problem}");
    };
    for restarted in [false, true] {
        if restarted {
            node.restart();
            connection = Connection::open(node.address());
        }
        assert_eq!(placed(send(&mut connection, "0", "0", 3)), as_repeats(&first));
        assert_eq!(placed(send(&mut connection, "0", "3", 2)), as_repeats(&second));
        assert_eq!(placed(send(&mut connection, "0", "1", 2)), as_repeats(&first[1..]), "a part of it");
        refused(&mut connection, "0", "6", ("sequence_gap", json!(5)));
        refused(&mut connection, "0", "4294967290", ("sequence_forgotten", json!(5)));
    }
    refused(&mut connection, "1", "5", ("sequence_gap", json!(0)));
    assert!(!placed(send(&mut connection, "1", "0", 1))[0].2);
    refused(&mut connection, "0", "5", ("stale_producer", Value::Null));
    node.restart();
    let mut connection = Connection::open(node.address());
    refused(&mut connection, "0", "5", ("stale_producer", Value::Null));

    let mut socket = RawWebSocket::open(node.address(), Some("pubsub.v1.json"));
    let frame = r#"{"op":"publish","ref":3,"topic":"orders","messages":[{"text":"x"}],
        "producer_id":77,"producer_epoch":1,"producer_seq":9}"#;
    socket.send_text(frame);
    let Frame::Text(text) = socket.next() else { panic!("no answer") };
    let answer: Value = serde_json::from_str(&text).unwrap();
    let (op, code, expected) = (&answer["op"], &answer["code"], &answer["expected_sequence"]);
    assert_eq!((op, code, expected), (&json!("error"), &json!("sequence_gap"), &json!(1)), "{text}");
}

#[test]
fn the_window_is_the_topics_choice() {
    let node = TestNode::start();
    let mut connection = with_topic(&node, &json!({ "partitions": 1, "dedup_window_ms": 0 }));
    let one = json!({ "messages": [{ "text": "a", "id": "one" }] });
    assert!(!places(&mut connection, &[], &one)[0].2 && !places(&mut connection, &[], &one)[0].2);
    let refused = post(&mut connection, &[("Idempotency-Key", "k")], &one);
    assert_eq!((refused.status, &refused.json()["errors"][0]["field"]), (400, &json!("idempotency-key")));
    let change = |connection: &mut Connection, window: u64| {
        let change = json!({ "dedup_window_ms": window }).to_string();
        connection.request("PATCH", "/v1/topics/orders", &[], change.as_bytes()).status
    };
    assert_eq!(change(&mut connection, 60_000), 200);
    assert!(!places(&mut connection, &[], &one)[0].2, "remembered from now on");
    assert!(places(&mut connection, &[], &one)[0].2);
    assert_eq!(change(&mut connection, 1), 200);
    // Its time comes.
    while places(&mut connection, &[], &one)[0].2 {}
    assert_eq!(change(&mut connection, 86_400_001), 400);
}

#[test]
fn what_there_is_no_memory_for_is_forgotten_and_counted() {
    let node = TestNode::start_with(&[("storage.dedup_bytes_max", "100000")]);
    let mut connection = with_topic(&node, &json!({ "partitions": 2 }));
    let batch = |from: u64| {
        let message = |at| json!({ "text": "a", "id": format!("id-{at}"), "partition": at % 2 });
        json!({ "messages": (from..from + 500).map(message).collect::<Vec<_>>() })
    };
    for round in 0..10 {
        assert!(places(&mut connection, &[], &batch(round * 500)).iter().all(|(_, _, repeat)| !repeat));
    }
    let sum = |name| node.metric(name).iter().map(|(_, value)| value).sum::<f64>();
    let forgotten = sum("pubsub_shard_dedup_forgotten_total");
    assert!((3_000.0..4_800.0).contains(&forgotten), "{forgotten} of 5000");
    let newest = json!({ "messages": [{ "text": "a", "id": "id-4998", "partition": 0 }] });
    assert!(places(&mut connection, &[], &newest)[0].2, "the newest are remembered");
}

/// A publisher that sends each batch until it was answered.
struct Publisher {
    number: u64,
    batch: u64,
    repeated: u64,
}

impl Publisher {
    /// Sends the current batch once; whether all of it was acknowledged.
    async fn publish(&mut self, client: &Client) -> bool {
        let key = format!("key-{}", self.number);
        let message = |at| {
            let id = format!("{key}-{at}").into();
            PublishMessage { id: Some(id), key: Some(key.as_str().into()), ..PublishMessage::text("some text") }
        };
        let messages = (self.batch * BATCH..(self.batch + 1) * BATCH).map(message).collect();
        let Ok(answer) = client.publish("orders", &PublishRequest { messages }).await else { return false };
        for result in &answer.results {
            let PublishResult::Published(published) = result else { return false };
            self.repeated += u64::from(published.duplicate);
        }
        self.batch += 1;
        true
    }
}

fn publishers() -> Vec<Publisher> {
    (0..PUBLISHERS).map(|number| Publisher { number, batch: 0, repeated: 0 }).collect()
}

/// Every message is there, once.
async fn check(client: &Client, publishers: &[Publisher]) {
    let found = ids(client, PARTITIONS).await;
    let different: BTreeSet<_> = found.iter().collect();
    assert_eq!(u64::try_from(different.len()).unwrap(), PUBLISHERS * BATCHES * BATCH, "every message is there");
    assert_eq!(found.len(), different.len(), "none is there twice");
    eprintln!("{} were told that they are duplicates", publishers.iter().map(|one| one.repeated).sum::<u64>());
}

/// The publishers go on until each has sent `until` batches, or until one fails where `stops` says so. Says when a
/// quarter of all was acknowledged.
async fn run(client: &Client, publishers: &mut [Publisher], stops: bool, begun: &watch::Sender<bool>) {
    join_all(publishers.iter_mut().map(async |publisher| {
        while publisher.batch < BATCHES && (publisher.publish(client).await || !stops) {
            if publisher.batch >= BATCHES / 4 {
                begun.send_replace(true);
            }
        }
    }))
    .await;
}

/// F4.
#[tokio::test]
async fn publishers_that_send_again_after_a_kill_leave_every_message_once() {
    let mut node = TestNode::start();
    node.client().create_topic("orders", &partitions(PARTITIONS)).await.unwrap();
    let mut publishers = publishers();
    let (begun, mut reached) = watch::channel(false);
    let client = node.client();
    let killed = async {
        reached.wait_for(|reached| *reached).await.unwrap();
        node.kill();
    };
    tokio::join!(run(&client, &mut publishers, true, &begun), killed);
    assert!(publishers.iter().any(|publisher| publisher.batch < BATCHES), "the kill came too late");
    node.restart();
    let client = node.client();
    run(&client, &mut publishers, true, &begun).await;
    check(&client, &publishers).await;
}

#[tokio::test]
async fn publishers_that_send_again_while_redis_is_away_leave_every_message_once() {
    let mut server = RedisServer::start();
    let mut node = node_on(&server);
    node.client().create_topic("orders", &partitions(PARTITIONS)).await.unwrap();
    let mut publishers = publishers();
    let (begun, mut reached) = watch::channel(false);
    let client = node.client();
    let killed = async {
        reached.wait_for(|reached| *reached).await.unwrap();
        server.kill();
        server.restart();
    };
    tokio::join!(run(&client, &mut publishers, false, &begun), killed);
    check(&client, &publishers).await;

    // What Redis holds is known after a restart of the node, too.
    node.restart();
    let client = node.client();
    for publisher in &mut publishers {
        (publisher.batch, publisher.repeated) = (BATCHES - 1, 0);
        assert!(publisher.publish(&client).await);
        assert_eq!(publisher.repeated, BATCH);
    }
    check(&client, &publishers).await;
}
