//! SIGTERM and SIGINT: finish, write, exit with 0; a second signal does not wait.

use gateway_api::{
    client::WebSocketClient,
    consume::PullRequest,
    frame::{ClientFrame, Ping},
    subscriptions::SubscriptionSettings,
    topics::TopicSettings,
};
use rustix::process::Signal;

use crate::{
    harness::TestNode,
    http::{Connection, get},
};

#[test]
fn sigterm_and_sigint_end_an_idle_node_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut node = TestNode::start();
        node.signal(signal);
        assert_eq!(node.wait_for_end().code(), Some(0));
    }
}

#[test]
fn sighup_does_not_end_a_node_that_has_no_certificates() {
    let mut node = TestNode::start();
    node.signal(Signal::HUP);
    assert_eq!(node.terminate().code(), Some(0));
}

#[test]
fn idle_connections_don_t_hold_up_a_stop() {
    let mut node = TestNode::start();
    let mut idle = Connection::open(node.address());
    assert_eq!(idle.request("GET", "/healthz", &[], b"").status, 200);
    assert_eq!(node.terminate().code(), Some(0));
    assert!(idle.is_closed());
}

#[tokio::test]
async fn a_long_poll_is_answered_when_the_node_stops() {
    let mut node = TestNode::start();
    let client = node.client();
    client.create_topic("orders", &TopicSettings::default()).await.unwrap();
    let settings = SubscriptionSettings { topic: Some("orders".to_owned()), ..SubscriptionSettings::default() };
    client.create_subscription("billing", &settings).await.unwrap();
    let request = PullRequest { wait_ms: 30_000, ..PullRequest::default() };
    // Sent first, so that the node has it when the signal comes; what it answers does not matter, only that it ends.
    let pull = tokio::spawn(async move { client.pull("billing", &request).await.map(drop) });
    tokio::task::yield_now().await;
    let ended = tokio::task::spawn_blocking(move || node.terminate()).await.unwrap();
    assert_eq!(ended.code(), Some(0));
    drop(pull.await.unwrap());
}

#[tokio::test]
async fn a_websocket_is_closed_with_1001() {
    let mut node = TestNode::start();
    let mut socket = WebSocketClient::connect(&node.endpoint(), None).await.unwrap();
    socket.send(&ClientFrame::Ping(Ping::default())).await.unwrap();
    socket.next().await.unwrap();
    let stopped = tokio::task::spawn_blocking(move || node.terminate());
    let end = socket.next().await;
    assert!(matches!(&end, Err(error) if error.to_string().contains("1001")), "{end:?}");
    assert_eq!(stopped.await.unwrap().code(), Some(0));
}

#[test]
fn after_a_clean_stop_the_next_start_has_nothing_to_mend() {
    let mut node = TestNode::start();
    let body = br#"{"messages":[{"text":"hello"}]}"#;
    let mut connection = Connection::open(node.address());
    assert_eq!(connection.request("PUT", "/v1/topics/orders", &[], b"{}").status, 201);
    assert_eq!(connection.request("POST", "/v1/topics/orders/messages", &[], body).status, 200);
    assert_eq!(node.terminate().code(), Some(0));
    node.restart();
    assert_eq!(get(node.address(), "/readyz").json()["status"], "ok");
    let warnings: Vec<_> =
        node.log().into_iter().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
    assert!(warnings.is_empty(), "{warnings:?}");
}
