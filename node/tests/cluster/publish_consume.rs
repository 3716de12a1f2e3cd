//! A message's way through a real node, over HTTP and WebSocket, and over kill -9.

use gateway_api::{
    client::{ReadFrom, WebSocketClient},
    consume::{AckRequest, PullRequest},
    frame::{Ack, ClientFrame, Publish, ServerFrame, Subscribe},
    publish::{PublishMessage, PublishRequest, PublishResult},
    subscriptions::{Position, SubscriptionSettings},
    topics::TopicSettings,
};

use crate::harness::TestNode;

/// A subscription that begins with the first message there is.
pub(crate) fn from_earliest(topic: &str) -> SubscriptionSettings {
    let topic = Some(topic.to_owned());
    SubscriptionSettings { topic, start: Some(Position::Earliest), ..SubscriptionSettings::default() }
}

/// A topic of so many partitions.
pub(crate) fn partitions(partitions: u32) -> TopicSettings {
    TopicSettings { partitions: Some(partitions), ..TopicSettings::default() }
}

#[tokio::test]
async fn what_was_acknowledged_is_consumed_after_a_kill() {
    let mut node = TestNode::start();
    let client = node.client();
    client.create_topic("orders", &TopicSettings::default()).await.unwrap();
    client.create_subscription("billing", &from_earliest("orders")).await.unwrap();
    let messages = vec![PublishMessage::text("first"), PublishMessage::text("second")];
    let answer = client.publish("orders", &PublishRequest { messages }).await.unwrap();
    assert!(answer.results.iter().all(|result| matches!(result, PublishResult::Published(_))), "{answer:?}");

    node.restart();
    let client = node.client();
    let pulled = client.pull("billing", &PullRequest::default()).await.unwrap().messages;
    let mut texts: Vec<_> = pulled.iter().map(|message| message.data.0.clone()).collect();
    texts.sort();
    assert_eq!(texts, [b"first".to_vec(), b"second".to_vec()]);
}

/// F6.
#[tokio::test]
async fn what_was_acked_is_not_delivered_again_after_a_kill() {
    let mut node = TestNode::start();
    let client = node.client();
    client.create_topic("orders", &partitions(1)).await.unwrap();
    client.create_subscription("billing", &from_earliest("orders")).await.unwrap();
    let messages = (0..10).map(|number| PublishMessage::data(&[number])).collect();
    client.publish("orders", &PublishRequest { messages }).await.unwrap();
    let pulled = client.pull("billing", &PullRequest::default()).await.unwrap().messages;
    let acked = pulled.iter().filter(|message| message.offset % 2 == 0);
    let ack_ids = acked.map(|message| message.ack_id.clone().unwrap().into()).collect();
    let answer = client.ack("billing", &AckRequest { ack_ids, ..AckRequest::default() }).await.unwrap();
    assert_eq!(answer.succeeded, 5);

    node.restart();
    let client = node.client();
    let again =
        client.pull("billing", &PullRequest { wait_ms: 10_000, ..PullRequest::default() }).await.unwrap().messages;
    assert_eq!(again.iter().map(|message| message.offset).collect::<Vec<_>>(), [1, 3, 5, 7, 9]);
}

#[tokio::test]
async fn messages_flow_over_websocket_and_survive_a_kill() {
    let mut node = TestNode::start();
    let client = node.client();
    client.create_topic("orders", &partitions(2)).await.unwrap();
    client.create_subscription("billing", &from_earliest("orders")).await.unwrap();
    let mut socket = WebSocketClient::connect(&node.endpoint(), None).await.unwrap();
    let messages = (0..20).map(|number| PublishMessage::data(&[number])).collect();
    let publish = Publish { reference: Some(7), topic: "orders".into(), messages, ..Publish::default() };
    socket.send(&ClientFrame::Publish(publish)).await.unwrap();
    let ServerFrame::Published(published) = socket.next().await.unwrap().unwrap() else { panic!("not published") };
    assert_eq!((published.reference, published.results.len()), (Some(7), 20));

    node.restart();
    let mut socket = WebSocketClient::connect(&node.endpoint(), None).await.unwrap();
    subscribe(&mut socket, "billing").await;
    let mut numbers = Vec::new();
    while numbers.len() < 20 {
        let ServerFrame::Messages(frame) = socket.next().await.unwrap().unwrap() else { panic!("no messages") };
        let ack_ids = frame.messages.iter().map(|message| message.ack_id.clone().unwrap().into()).collect();
        numbers.extend(frame.messages.iter().flat_map(|message| message.data.0.clone()));
        let ack = Ack { reference: None, subscription: "billing".into(), ack_ids };
        socket.send(&ClientFrame::Ack(ack)).await.unwrap();
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_was_leased_over_a_closed_websocket_is_delivered_again_at_once() {
    let node = TestNode::start();
    let client = node.client();
    client.create_topic("orders", &partitions(1)).await.unwrap();
    client.create_subscription("billing", &from_earliest("orders")).await.unwrap();
    client.publish("orders", &PublishRequest { messages: vec![PublishMessage::text("hello")] }).await.unwrap();
    let mut socket = WebSocketClient::connect(&node.endpoint(), None).await.unwrap();
    subscribe(&mut socket, "billing").await;
    assert!(matches!(socket.next().await, Ok(Some(ServerFrame::Messages(_)))));
    drop(socket);
    // The ack deadline is 30 s, the wait 20 s: only the closed connection can have freed the message.
    let request = PullRequest { wait_ms: 20_000, ..PullRequest::default() };
    let again = client.pull("billing", &request).await.unwrap().messages;
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].delivery_attempt, Some(2));
}

#[tokio::test]
async fn a_partition_can_be_read_again_and_again() {
    let node = TestNode::start();
    let client = node.client();
    client.create_topic("orders", &partitions(1)).await.unwrap();
    let messages = (0..100).map(|number| PublishMessage::data(&[number])).collect();
    client.publish("orders", &PublishRequest { messages }).await.unwrap();
    for _ in 0..2 {
        let page = client.read(("orders", 0), &ReadFrom::Offset(40), 10, 0).await.unwrap();
        assert_eq!(page.next_offset, 50);
        assert_eq!(
            page.messages.iter().flat_map(|message| message.data.0.clone()).collect::<Vec<_>>(),
            (40..50).collect::<Vec<_>>()
        );
    }
}

/// Subscribes with plenty of credit and waits until that holds.
async fn subscribe(socket: &mut WebSocketClient, subscription: &str) {
    let subscribe = Subscribe {
        reference: Some(1),
        subscription: Some(subscription.into()),
        credit: Some(1_000),
        ..Subscribe::default()
    };
    socket.send(&ClientFrame::Subscribe(subscribe)).await.unwrap();
    assert!(matches!(socket.next().await, Ok(Some(ServerFrame::Subscribed(_)))));
}
