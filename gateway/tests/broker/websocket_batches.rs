//! `pubsub.v1.batch`: batches come and go as they are stored.

use std::convert::Infallible;

use gateway_api::{
    error::Code,
    frame::{
        ErrorFrame, ServerFrame,
        batch::{BatchServerFrame, MessageBatches, join},
    },
    publish::PublishResult,
};
use serde_json::{Value, json};
use shard_core::{
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, RecordBatch},
    },
    model::{LeaderEpoch, Offset, Timestamp},
};

use crate::{
    client::{Received, WebSocketClient},
    harness::{Broker, OTHER_TOPIC, SUBSCRIPTION, TOPIC, with_broker},
};

/// A batch of messages with these texts, as a publisher would send it.
fn encoded(texts: &[&str]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(0);
    for text in texts {
        let head = RecordHead {
            id: MessageId::Text(text),
            key: Some("key"),
            content_type: "text/plain",
            priority: 4,
            ttl_ms: None,
            deliver_at: None,
        };
        let Ok(()) = builder.push(&head, &[], |out| {
            out.extend_from_slice(text.as_bytes());
            Ok::<_, Infallible>(())
        });
    }
    let batch = builder.finish(Codec::Lz4, None).unwrap();
    batch.assign(Offset::ZERO, LeaderEpoch::default(), Timestamp::default()).bytes().to_vec()
}

/// The offsets and texts in batches, one behind the other.
fn decoded(mut bytes: &[u8]) -> Vec<(u64, String)> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let length = RecordBatch::parse(bytes.to_vec().into()).unwrap().bytes().len();
        let batch = RecordBatch::parse(bytes[..length].to_vec().into()).unwrap();
        batch
            .for_each_record(|record| {
                messages.push((record.offset.get(), String::from_utf8(record.payload.to_vec()).unwrap()));
            })
            .unwrap();
        bytes = &bytes[length..];
    }
    messages
}

async fn connect(broker: &Broker) -> WebSocketClient {
    WebSocketClient::connect_with(broker.address, "", "sec-websocket-protocol: pubsub.v1.batch\r\n").await
}

async fn ask(client: &mut WebSocketClient, header: Value, batch: &[u8]) {
    client.send_binary(join(&header.to_string(), batch)).await;
}

/// An answer that has nothing behind its header.
async fn answer(client: &mut WebSocketClient) -> ServerFrame {
    let (header, batches) = client.batch_frame().await;
    let BatchServerFrame::Other(frame) = header else { panic!("{header:?}") };
    assert_eq!(batches, b"");
    frame
}

async fn messages(client: &mut WebSocketClient) -> (MessageBatches, Vec<(u64, String)>) {
    let (header, batches) = client.batch_frame().await;
    let BatchServerFrame::Messages(messages) = header else { panic!("{header:?}") };
    (messages, decoded(&batches))
}

/// Nothing is on its way: the answer to a ping comes first.
async fn assert_silent(client: &mut WebSocketClient) {
    ask(client, json!({ "op": "ping", "ref": 99 }), b"").await;
    assert!(matches!(answer(client).await, ServerFrame::Pong(_)));
}

async fn publish(client: &mut WebSocketClient, topic: &str, texts: &[&str]) -> Vec<PublishResult> {
    ask(client, json!({ "op": "publish", "ref": 1, "topic": topic, "partition": 0 }), &encoded(texts)).await;
    let frame = answer(client).await;
    let ServerFrame::Published(published) = frame else { panic!("{frame:?}") };
    assert_eq!(published.reference, Some(1));
    published.results
}

fn owned(messages: &[(u64, &str)]) -> Vec<(u64, String)> {
    messages.iter().map(|(offset, text)| (*offset, (*text).to_owned())).collect()
}

#[test]
fn batches_go_in_and_come_out_whole() {
    with_broker(async |broker| {
        let mut client = connect(&broker).await;
        let results = publish(&mut client, OTHER_TOPIC, &["a", "b", "c"]).await;
        let PublishResult::Published(last) = &results[2] else { panic!("{results:?}") };
        assert_eq!((results.len(), last.offset, last.id.as_str()), (3, 2, "c"));
        publish(&mut client, OTHER_TOPIC, &["d", "e"]).await;
        publish(&mut client, OTHER_TOPIC, &["f"]).await;
        let subscribe = json!({ "op": "subscribe", "ref": 2, "topic": OTHER_TOPIC, "from": "earliest", "credit": 4 });
        ask(&mut client, subscribe, b"").await;
        assert!(matches!(answer(&mut client).await, ServerFrame::Subscribed(_)));
        let (first, read) = messages(&mut client).await;
        assert_eq!((first.topic.as_deref(), first.partition, first.from), (Some(OTHER_TOPIC), 0, Some(0)));
        assert_eq!(read, owned(&[(0, "a"), (1, "b"), (2, "c"), (3, "d"), (4, "e")]), "the batch is not cut in two");

        // One message was sent on tick: the next comes for the second credit.
        ask(&mut client, json!({ "op": "credit", "topic": OTHER_TOPIC, "add": 1 }), b"").await;
        assert_silent(&mut client).await;
        ask(&mut client, json!({ "op": "credit", "topic": OTHER_TOPIC, "add": 1 }), b"").await;
        assert_eq!(messages(&mut client).await.1, owned(&[(5, "f")]));

        let mut next = connect(&broker).await;
        let resume = json!({ "op": "subscribe", "topic": OTHER_TOPIC, "from": first.token, "credit": 9 });
        ask(&mut next, resume, b"").await;
        assert!(matches!(answer(&mut next).await, ServerFrame::Subscribed(_)));
        assert_eq!(messages(&mut next).await.1, owned(&[(5, "f")]));
    });
}

#[test]
fn what_is_stored_is_what_is_sent() {
    with_broker(async |broker| {
        let mut client = connect(&broker).await;
        publish(&mut client, OTHER_TOPIC, &["a", "b"]).await;
        let mut http = broker.http().await;
        let line = format!("GET /v1/topics/{OTHER_TOPIC}/partitions/0/messages?offset=0");
        http.send(&line, "accept: application/vnd.pubsub.batch\r\n", b"").await;
        let stored = http.receive().await;
        assert_eq!(stored.status, 200);
        ask(&mut client, json!({ "op": "subscribe", "topic": OTHER_TOPIC, "from": "earliest", "credit": 9 }), b"")
            .await;
        assert!(matches!(answer(&mut client).await, ServerFrame::Subscribed(_)));
        assert_eq!(client.batch_frame().await.1, stored.body);
    });
}

#[test]
fn leased_messages_are_named_and_acked() {
    with_broker(async |broker| {
        let mut client = connect(&broker).await;
        publish(&mut client, TOPIC, &["a", "b", "c"]).await;
        ask(&mut client, json!({ "op": "subscribe", "subscription": SUBSCRIPTION, "credit": 2 }), b"").await;
        assert!(matches!(answer(&mut client).await, ServerFrame::Subscribed(_)));
        let (header, in_batches) = messages(&mut client).await;
        let leased = header.leased.unwrap();
        assert_eq!((header.subscription.as_deref(), header.topic, header.token), (Some(SUBSCRIPTION), None, None));
        assert_eq!(leased.iter().map(|message| message.offset).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(in_batches.len(), 3, "the batch holds others too");
        assert!(leased.iter().all(|message| message.delivery_attempt == 1));
        assert_silent(&mut client).await;

        let ack_ids: Vec<_> = leased.iter().map(|message| &message.ack_id).collect();
        ask(&mut client, json!({ "op": "ack", "ref": 3, "subscription": SUBSCRIPTION, "ack_ids": ack_ids }), b"").await;
        let frame = answer(&mut client).await;
        let ServerFrame::Acked(acked) = frame else { panic!("{frame:?}") };
        assert_eq!((acked.succeeded, acked.failed), (2, Vec::new()));
        ask(&mut client, json!({ "op": "credit", "subscription": SUBSCRIPTION, "add": 5 }), b"").await;
        let (header, _) = messages(&mut client).await;
        assert_eq!(header.leased.unwrap().iter().map(|message| message.offset).collect::<Vec<_>>(), [2]);
    });
}

#[test]
fn what_is_wrong_with_a_frame_is_told_and_the_connection_goes_on() {
    let publish = json!({ "op": "publish", "ref": 5, "topic": OTHER_TOPIC });
    let filtered = json!({ "op": "subscribe", "ref": 6, "topic": OTHER_TOPIC, "filter": "priority > 4" });
    let mut damaged = encoded(&["a"]);
    *damaged.last_mut().unwrap() ^= 1;
    let cases = [
        (b"\x05\0\0\0{}".to_vec(), None, Code::InvalidArgument),
        (join("{", b""), None, Code::InvalidJson),
        (join(&publish.to_string(), b""), Some(5), Code::InvalidArgument),
        (join(&publish.to_string(), &damaged), Some(5), Code::InvalidArgument),
        (join(&publish.to_string(), &encoded(&["a"]).repeat(2)), Some(5), Code::InvalidArgument),
        (join(r#"{"op":"publish","ref":5,"topic":"none"}"#, &encoded(&["a"])), Some(5), Code::TopicNotFound),
        (
            join(r#"{"op":"publish","ref":5,"topic":"audit","partition":1}"#, &encoded(&["a"])),
            Some(5),
            Code::InvalidArgument,
        ),
        (join(r#"{"op":"publish","ref":5,"topic":"audit","messages":[]}"#, b""), Some(5), Code::InvalidArgument),
        (join(r#"{"op":"ping","ref":7}"#, &encoded(&["a"])), Some(7), Code::InvalidArgument),
        (join(&filtered.to_string(), b""), Some(6), Code::InvalidArgument),
    ];
    with_broker(async move |broker| {
        let mut client = connect(&broker).await;
        for (frame, expected, code) in cases {
            client.send_binary(frame.clone()).await;
            let answered = answer(&mut client).await;
            let ServerFrame::Error(ErrorFrame { reference, code: told, .. }) = answered else { panic!("{answered:?}") };
            assert_eq!((reference, told), (expected, code), "{}", String::from_utf8_lossy(&frame));
        }
        assert_silent(&mut client).await;
    });
}

#[test]
fn frames_are_of_the_kind_of_the_subprotocol() {
    with_broker(async |broker| {
        let mut client = connect(&broker).await;
        client.send_text(r#"{"op":"ping"}"#).await;
        assert_eq!(client.receive().await, Received::Closed(1003));
        let mut client = broker.websocket().await;
        client.send_binary(join(r#"{"op":"ping"}"#, b"")).await;
        assert_eq!(client.receive().await, Received::Closed(1003));
    });
}
