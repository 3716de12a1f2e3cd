//! Any bytes come back byte-equal, by every way in and out.

use gateway_api::{
    client::{RawMessage, ReadFrom, WebSocketClient},
    consume::PullRequest,
    frame::{ClientFrame, Publish, ServerFrame, Subscribe, SubscribeFrom},
    publish::{PublishMessage, PublishRequest},
};

use crate::{
    harness::TestNode,
    publish_consume::{from_earliest, partitions},
};

/// Payloads that break whatever takes bytes for text: none, all byte values, broken UTF-8, JSON's and base64's signs.
fn payloads() -> Vec<Vec<u8>> {
    let every_byte: Vec<u8> = (0..=255).collect();
    let large = every_byte.iter().copied().cycle().take(700_001).collect();
    vec![Vec::new(), vec![0], every_byte, b"\xff\xfe\xc3\x28\xed\xa0\x80".to_vec(), b"\"}]\r\n\r\n\0==".to_vec(), large]
}

#[tokio::test]
async fn any_bytes_come_back_equal_by_every_way_in_and_out() {
    let node = TestNode::start();
    let client = node.client();
    for way_in in ["batch", "raw", "websocket"] {
        client.create_topic(way_in, &partitions(1)).await.unwrap();
        client.create_subscription(way_in, &from_earliest(way_in)).await.unwrap();
    }
    let messages = payloads().iter().map(|payload| PublishMessage::data(payload)).collect();
    client.publish("batch", &PublishRequest { messages }).await.unwrap();
    for payload in payloads() {
        client.publish_raw("raw", RawMessage { body: payload.into(), ..RawMessage::default() }).await.unwrap();
    }
    let mut socket = WebSocketClient::connect(&node.endpoint(), None).await.unwrap();
    let messages = payloads().iter().map(|payload| PublishMessage::data(payload)).collect();
    let publish = Publish { reference: None, topic: "websocket".into(), messages, ..Publish::default() };
    socket.send(&ClientFrame::Publish(publish)).await.unwrap();
    assert!(matches!(socket.next().await, Ok(Some(ServerFrame::Published(_)))));

    for topic in ["batch", "raw", "websocket"] {
        assert_eq!(read(&client, topic).await, payloads(), "{topic}, read");
        assert_eq!(stream(&node, topic).await, payloads(), "{topic}, streamed");
        assert_eq!(pull(&client, topic).await, payloads(), "{topic}, pulled");
    }
}

async fn read(client: &gateway_api::client::Client, topic: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while found.len() < payloads().len() {
        let from = ReadFrom::Offset(u64::try_from(found.len()).unwrap());
        let page = client.read((topic, 0), &from, 100, 0).await.unwrap();
        assert!(!page.messages.is_empty());
        found.extend(page.messages.into_iter().map(|message| message.data.0));
    }
    found
}

async fn pull(client: &gateway_api::client::Client, subscription: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while found.len() < payloads().len() {
        let request = PullRequest { wait_ms: 10_000, ..PullRequest::default() };
        let pulled = client.pull(subscription, &request).await.unwrap();
        assert!(!pulled.messages.is_empty());
        found.extend(pulled.messages.into_iter().map(|message| message.data.0));
    }
    found
}

async fn stream(node: &TestNode, topic: &str) -> Vec<Vec<u8>> {
    let mut socket = WebSocketClient::connect(&node.endpoint(), None).await.unwrap();
    let topic = Some(topic.into());
    let subscribe = Subscribe { topic, from: Some(SubscribeFrom::Earliest), credit: Some(100), ..Subscribe::default() };
    socket.send(&ClientFrame::Subscribe(subscribe)).await.unwrap();
    let mut found = Vec::new();
    while found.len() < payloads().len() {
        let frame = socket.next().await.unwrap().unwrap();
        if let ServerFrame::Messages(frame) = frame {
            found.extend(frame.messages.into_iter().map(|message| message.data.0));
        } else {
            assert!(matches!(frame, ServerFrame::Subscribed(_)), "{frame:?}");
        }
    }
    found
}
