//! Leases by HTTP: pulled, acked, given back, extended, and moved by seek.

use std::{io::Write, net::TcpStream};

use gateway_api::{
    consume::{AckResponse, DeliveredMessage, PullResponse},
    error::Code,
    subscriptions::{SeekResponse, Subscription},
};
use serde_json::{Value, json};

use crate::{
    client::HttpClient,
    harness::{SUBSCRIPTION, TOPIC, with_broker},
};

async fn publish(http: &mut HttpClient, count: usize) {
    let messages: Vec<_> = (0..count).map(|n| json!({ "text": n.to_string(), "partition": n % 2 })).collect();
    let body = json!({ "messages": messages }).to_string();
    assert_eq!(http.request(&format!("POST /v1/topics/{TOPIC}/messages"), &body).await.status, 200);
}

async fn call(http: &mut HttpClient, what: &str, body: Value) -> AckResponse {
    http.ask(&format!("POST /v1/subscriptions/{SUBSCRIPTION}/{what}"), body).await
}

async fn pull(http: &mut HttpClient, body: Value) -> Vec<DeliveredMessage> {
    let response: PullResponse = http.ask(&format!("POST /v1/subscriptions/{SUBSCRIPTION}/pull"), body).await;
    response.messages
}

async fn backlog(http: &mut HttpClient) -> (u64, u64) {
    let subscription: Subscription = http.ask(&format!("GET /v1/subscriptions/{SUBSCRIPTION}"), Value::Null).await;
    (subscription.backlog, subscription.leased)
}

fn ack_ids(messages: &[DeliveredMessage]) -> Vec<String> {
    messages.iter().map(|message| message.ack_id.clone().unwrap()).collect()
}

#[test]
fn every_message_is_leased_once_and_gone_once_acked() {
    with_broker(async |broker| {
        let mut http = broker.http().await;
        publish(&mut http, 10).await;
        let first = pull(&mut http, json!({ "max_messages": 4 })).await;
        let second = pull(&mut http, json!({})).await;
        assert_eq!((first.len(), second.len()), (4, 6));
        assert!(pull(&mut http, json!({})).await.is_empty());
        assert_eq!(backlog(&mut http).await, (10, 10));
        let acked = call(&mut http, "ack", json!({ "ack_ids": ack_ids(&first) })).await;
        assert_eq!((acked.succeeded, acked.failed.len()), (4, 0));
        let again = call(&mut http, "ack", json!({ "ack_ids": ack_ids(&first) })).await;
        assert_eq!(again.succeeded, 4, "acking twice is no error");
        call(&mut http, "ack", json!({ "ack_ids": ack_ids(&second) })).await;
        assert_eq!(backlog(&mut http).await, (0, 0));
    });
}

#[test]
fn a_nacked_message_comes_back_and_counts() {
    with_broker(async |broker| {
        let mut http = broker.http().await;
        publish(&mut http, 1).await;
        let first = pull(&mut http, json!({})).await;
        assert_eq!(first[0].delivery_attempt, Some(1));
        let nacked = call(&mut http, "nack", json!({ "ack_ids": ack_ids(&first), "delay_ms": 0 })).await;
        assert_eq!(nacked.succeeded, 1);
        let second = pull(&mut http, json!({})).await;
        assert_eq!((second[0].offset, second[0].delivery_attempt), (first[0].offset, Some(2)));
        let late = call(&mut http, "ack", json!({ "ack_ids": ack_ids(&first) })).await;
        assert_eq!(late.failed[0].code, Code::LeaseExpired);
        let extended = call(&mut http, "extend", json!({ "ack_ids": ack_ids(&second), "deadline_ms": 60_000 })).await;
        assert_eq!(extended.succeeded, 1);
    });
}

#[test]
fn an_id_that_was_made_up_changes_nothing() {
    with_broker(async |broker| {
        let mut http = broker.http().await;
        publish(&mut http, 1).await;
        let messages = pull(&mut http, json!({})).await;
        let good = ack_ids(&messages).remove(0);
        // The last characters are the tag's.
        let forged = format!("{}AAAA", &good[..56]);
        let acked = call(&mut http, "ack", json!({ "ack_ids": [forged, "nonsense", good] })).await;
        let failed: Vec<_> = acked.failed.iter().map(|failed| (failed.ack_id.as_str(), failed.code)).collect();
        assert_eq!(acked.succeeded, 1);
        assert_eq!(failed, [(forged.as_str(), Code::InvalidAckId), ("nonsense", Code::InvalidAckId)]);
    });
}

#[test]
fn all_up_to_an_offset_can_be_acked_at_once() {
    with_broker(async |broker| {
        let mut http = broker.http().await;
        publish(&mut http, 10).await;
        let acked = call(&mut http, "ack", json!({ "partition": 1, "up_to_offset": 2 })).await;
        assert_eq!(acked.succeeded, 1);
        assert_eq!(backlog(&mut http).await, (7, 0));
    });
}

#[test]
fn a_seek_brings_messages_back() {
    with_broker(async |broker| {
        let mut http = broker.http().await;
        publish(&mut http, 4).await;
        let messages = pull(&mut http, json!({})).await;
        call(&mut http, "ack", json!({ "ack_ids": ack_ids(&messages) })).await;
        let line = format!("POST /v1/subscriptions/{SUBSCRIPTION}/seek");
        let sought: SeekResponse = http.ask(&line, json!({ "offsets": { "0": 1 } })).await;
        let floors: Vec<_> = sought.cursors.iter().map(|cursor| (cursor.ack_floor, cursor.backlog)).collect();
        assert_eq!(floors, [(1, 1), (2, 0)]);
        let _: SeekResponse = http.ask(&line, json!({ "to": "earliest" })).await;
        assert_eq!(backlog(&mut http).await, (4, 0));
        let _: SeekResponse = http.ask(&line, json!({ "to": "latest" })).await;
        assert_eq!(backlog(&mut http).await, (0, 0));
    });
}

#[test]
fn a_pull_waits_for_the_next_message() {
    with_broker(async |broker| {
        let (mut consumer, mut publisher) = (broker.http().await, broker.http().await);
        let line = format!("POST /v1/subscriptions/{SUBSCRIPTION}/pull");
        consumer.send(&line, "", br#"{"wait_ms":60000}"#).await;
        publish(&mut publisher, 1).await;
        let response: PullResponse = consumer.receive().await.json();
        assert_eq!(response.messages.len(), 1);
    });
}

#[test]
fn a_pull_that_waits_ends_when_the_node_stops() {
    with_broker(async |broker| {
        let (mut consumer, mut other) = (broker.http().await, broker.http().await);
        consumer.send(&format!("POST /v1/subscriptions/{SUBSCRIPTION}/pull"), "", br#"{"wait_ms":60000}"#).await;
        assert_eq!(other.request("GET /healthz", "").await.status, 200);
        broker.shutdown.request();
        let response: PullResponse = consumer.receive().await.json();
        assert!(response.messages.is_empty());
    });
}

#[test]
fn nothing_is_leased_for_a_client_that_is_gone() {
    with_broker(async |broker| {
        let mut http = broker.http().await;
        // Closing this socket is seen by the node before anything that is sent afterwards.
        let mut gone = TcpStream::connect(broker.address).unwrap();
        let body = r#"{"wait_ms":60000}"#;
        let head = format!(
            "POST /v1/subscriptions/{SUBSCRIPTION}/pull HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        gone.write_all(format!("{head}{body}").as_bytes()).unwrap();
        assert_eq!(http.request("GET /healthz", "").await.status, 200);
        drop(gone);
        assert_eq!(http.request("GET /healthz", "").await.status, 200);
        publish(&mut http, 1).await;
        let messages = pull(&mut http, json!({ "wait_ms": 60_000 })).await;
        assert_eq!(messages.iter().map(|message| message.delivery_attempt).collect::<Vec<_>>(), [Some(1)]);
    });
}
