//! Memory stays within what the configuration allows, whoever reads too slowly or sends too much.

mod budget;
mod slow_disk;
mod slow_events;
mod slow_publishers;
mod tiny_frames;
mod unread;

use std::fmt::Write as _;

use futures_util::future::{join, join_all};
use gateway_api::{
    client::{ReadFrom, WebSocketClient},
    frame::{ClientFrame, Credit, ServerFrame, Subscribe, SubscribeFrom},
    publish::{PublishMessage, PublishRequest, PublishResult},
};
use serde_json::json;

use self::budget::{Budget, MIB, Peak};
use crate::{
    harness::TestNode,
    http::Connection,
    publish_consume::{from_earliest, partitions},
    websocket::{Frame, RawWebSocket},
};

const SLOW_WEBSOCKETS: usize = 50;
const SLOW_HTTP_READERS: usize = 10;
const PUBLISHERS: usize = 4;
const MESSAGE_BYTES: usize = 32 << 10;
const BATCH: usize = 16;
const MESSAGES: usize = 8192;

/// What all nodes of this file may use, small enough that holding what is published would show.
fn settings() -> [(&'static str, &'static str); 6] {
    [
        ("server.shards", "2"),
        ("server.ping_interval_ms", "4000"),
        ("server.body_bytes_max", "4194304"),
        ("server.bodies_bytes_max", "33554432"),
        ("storage.tail_cache_bytes", "16777216"),
        ("storage.unflushed_bytes_max", "4194304"),
    ]
}

/// A node with these settings too, and the topics `orders` and `silent`.
async fn node_with_topics(more: &[(&str, &str)]) -> TestNode {
    let node = TestNode::start_with(&[&settings()[..], more].concat());
    node.client().create_topic("orders", &partitions(2)).await.unwrap();
    node.client().create_topic("silent", &partitions(1)).await.unwrap();
    node
}

/// F54.
#[tokio::test]
async fn slow_readers_are_not_buffered_and_disturb_nobody() {
    let node = node_with_topics(&[]).await;
    let mut readers: Vec<_> = join_all((0..SLOW_WEBSOCKETS).map(|number| slow_websocket(&node, number))).await;
    // A healthy one from the beginning, over the same cores.
    let mut healthy = WebSocketClient::connect(&node.endpoint(), None).await.unwrap();
    subscribe(&mut healthy).await;
    let peak = Peak::begin(&node);
    // The answers to these are more than the system buffers for them.
    let mut http_readers: Vec<_> = (0..SLOW_HTTP_READERS).map(|_| Connection::open(node.address())).collect();

    let others = async {
        join_all((0..PUBLISHERS).map(async |_| publish(&node, MESSAGES / PUBLISHERS).await)).await;
        let request = "GET /v1/topics/orders/partitions/0/messages?offset=0&limit=1000 HTTP/1.1\r\nHost: node\r\n\r\n";
        for reader in &mut http_readers {
            reader.send(request.repeat(20).as_bytes());
        }
        await_slow_consumers(&node, SLOW_WEBSOCKETS).await;
        publish(&node, BATCH).await;
    };
    let ((), received) = join(others, receive(&mut healthy, MESSAGES + BATCH)).await;
    assert_eq!(received, MESSAGES + BATCH);
    let budget = Budget {
        websockets: SLOW_WEBSOCKETS + 1,
        http_readers: SLOW_HTTP_READERS,
        bodies_bytes: 32 * MIB,
        cache_bytes: 16 * MIB,
        unflushed_bytes: 2 * 4 * MIB,
    };
    peak.assert_within(
        &budget,
        &format!("{} MiB for {SLOW_WEBSOCKETS} that don't read", MESSAGES * MESSAGE_BYTES / MIB),
    );

    // Those that did not read find what the system had taken for them, and the end of their connections.
    for reader in &mut readers {
        while let Frame::Text(_) = reader.next() {}
    }
}

#[test]
fn messages_that_never_end_are_bounded_together() {
    let node = TestNode::start_with(&settings());
    let peak = Peak::begin(&node);
    // Together ten times what is allowed for bodies.
    let mut senders: Vec<_> = (0..80).map(|_| RawWebSocket::open(node.address(), None)).collect();
    for sender in &mut senders {
        // A sender that was closed meanwhile can't send the rest.
        drop(sender.send_text_partly(4 * MIB, 4 * MIB - 1).map_err(|error| error.to_string()));
    }
    let refused = senders.iter_mut().filter_map(RawWebSocket::close_if_ended).collect::<Vec<_>>();
    assert!(!refused.is_empty(), "none of them was refused");
    assert!(refused.iter().all(|frame| matches!(frame, Frame::Close(1013) | Frame::End)), "{refused:?}");
    let budget = Budget { websockets: 80, bodies_bytes: 32 * MIB, ..Budget::default() };
    peak.assert_within(&budget, "320 MiB of messages without an end");
    // Who is not in the way gets the room of those that go.
    drop(senders);
    let mut socket = RawWebSocket::open(node.address(), None);
    socket.send_text(r#"{"op":"ping"}"#);
    assert_eq!(socket.next(), Frame::Text(r#"{"op":"pong"}"#.to_owned()));
}

#[test]
fn a_flood_of_connections_is_turned_away_beyond_the_limit() {
    let mut settings = settings().to_vec();
    settings.push(("server.connections_max", "64"));
    let node = TestNode::start_with(&settings);
    let peak = Peak::begin(&node);
    let mut connections: Vec<_> = (0..500).map(|_| Connection::open(node.address())).collect();
    // Whoever is turned away is told so without having asked.
    let mut served = Vec::new();
    for connection in &mut connections {
        match connection.try_request("GET", "/healthz") {
            Some(answer) if answer.status == 200 => served.push(connection),
            Some(answer) => {
                assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("overloaded")));
                assert!(answer.header("retry-after").is_some(), "{}", answer.head);
            }
            // The answer was lost with the reset that followed the request.
            None => {}
        }
    }
    assert!((1..=64).contains(&served.len()), "{} are served", served.len());
    for connection in served {
        assert_eq!(connection.request("GET", "/healthz", &[], b"").status, 200, "those that are in stay in");
    }
    peak.assert_within(&Budget { websockets: 64, ..Budget::default() }, "500 connections");
    let refused = node.metric("pubsub_connections_refused_total")[0].1;
    assert!(refused >= 436.0, "{refused}");
    drop(connections);
    let again = std::iter::repeat_with(|| Connection::open(node.address()).try_request("GET", "/healthz"));
    let mut served = again.flatten().filter(|answer| answer.status == 200);
    assert!(served.next().is_some(), "there is room again");
}

/// A WebSocket that asks for more than it will ever read; half of them by a subscription.
async fn slow_websocket(node: &TestNode, number: usize) -> RawWebSocket {
    let mut subscribe = json!({ "op": "subscribe", "ref": 1, "credit": MESSAGES });
    if number.is_multiple_of(2) {
        let name = format!("slow-{number}");
        node.client().create_subscription(&name, &from_earliest("orders")).await.unwrap();
        subscribe["subscription"] = name.into();
    } else {
        subscribe["topic"] = "orders".into();
        subscribe["from"] = "earliest".into();
    }
    let mut socket = RawWebSocket::open(node.address(), Some("pubsub.v1.json"));
    socket.send_text(&subscribe.to_string());
    assert_eq!(socket.next(), Frame::Text(r#"{"op":"subscribed","ref":1}"#.to_owned()));
    socket
}

async fn subscribe(socket: &mut WebSocketClient) {
    let subscribe = Subscribe {
        topic: Some("orders".into()),
        from: Some(SubscribeFrom::Earliest),
        credit: Some(1_000),
        ..Subscribe::default()
    };
    socket.send(&ClientFrame::Subscribe(subscribe)).await.unwrap();
    assert!(matches!(socket.next().await, Ok(Some(ServerFrame::Subscribed(_)))));
}

/// Receives so many messages, and gives back the credit for them.
async fn receive(socket: &mut WebSocketClient, count: usize) -> usize {
    let mut received = 0;
    while received < count {
        let frame = socket.next().await.unwrap();
        let Some(ServerFrame::Messages(frame)) = frame else { panic!("{frame:?}") };
        received += frame.messages.len();
        let add = u32::try_from(frame.messages.len()).unwrap();
        let credit = Credit { subscription: None, topic: Some("orders".into()), add };
        socket.send(&ClientFrame::Credit(credit)).await.unwrap();
    }
    received
}

async fn publish(node: &TestNode, count: usize) {
    let client = node.client();
    let text = "x".repeat(MESSAGE_BYTES);
    for _ in 0..count / BATCH {
        let messages = (0..BATCH).map(|_| PublishMessage::text(text.as_str())).collect();
        let answer = client.publish("orders", &PublishRequest { messages }).await.unwrap();
        assert!(answer.results.iter().all(|result| matches!(result, PublishResult::Published(_))), "{answer:?}");
    }
}

/// Asks until so many slow consumers were closed; each question waits for a message that does not come.
async fn await_slow_consumers(node: &TestNode, count: usize) {
    let client = node.client();
    let mut seen = String::new();
    for _ in 0..120 {
        let closed = node.metric("pubsub_slow_consumers_total")[0].1;
        if closed >= f64::from(u32::try_from(count).unwrap()) {
            return;
        }
        write!(seen, "{closed} ").unwrap();
        client.read(("silent", 0), &ReadFrom::Offset(0), 1, 500).await.unwrap();
    }
    panic!("slow consumers that were closed, twice a second: {seen}");
}
