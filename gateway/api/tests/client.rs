//! The client against a node that is played by a script: what it sends, what it makes of good and bad answers.

#[path = "client/script.rs"]
mod script;

use std::time::Duration;

use gateway_api::client::{ApiKey, Client, ClientError, RawMessage, ReadFrom, WaitedFor};
use gateway_api::consume::{AckRequest, PullRequest};
use gateway_api::publish::{PublishMessage, PublishRequest, PublishResult};
use gateway_api::topics::TopicSettings;
use gateway_api::{Code, Outcome, Problem};

use self::script::{Reply, ScriptedNode, json_answer};

const TOPIC: &str = r#"{"name":"orders","partitions":4,"replication_factor":1,"retention_ms":null,"retention_bytes":null,
    "compression":"none","flush":"always","acks":"quorum","min_insync":1,"dedup_window_ms":120000,
    "max_message_bytes":1048576,"layout":[],"field_of_a_newer_node":1}"#;

fn client(node: &ScriptedNode) -> Client {
    Client::new(node.endpoint(), Some(ApiKey::new("k3y").expect("a key")))
}

#[tokio::test]
async fn requests_carry_method_path_host_key_and_body() {
    let mut node = ScriptedNode::start(vec![vec![Reply::Bytes(json_answer(201, TOPIC))]]).await;
    let settings = TopicSettings { partitions: Some(4), ..TopicSettings::default() };
    let created = client(&node).create_topic("orders", &settings).await.unwrap();
    assert!(created.is_new);
    assert_eq!((created.value.name.as_str(), created.value.config.partitions), ("orders", 4));
    let request = node.next_request().await;
    assert_eq!(request.line, "PUT /v1/topics/orders HTTP/1.1");
    assert_eq!(request.header("authorization"), Some("Bearer k3y"));
    assert_eq!(request.header("host"), Some(node.endpoint().authority().as_str()));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.body, br#"{"partitions":4}"#);
}

#[tokio::test]
async fn one_connection_serves_one_request_after_the_other() {
    let answer = || Reply::Bytes(json_answer(200, r#"{"items":[],"next_page_token":"orders"}"#));
    let mut node = ScriptedNode::start(vec![vec![answer(), answer()]]).await;
    let client = client(&node);
    let page = client.topics(Some(10), None).await.unwrap();
    client.topics(None, page.next_page_token.as_deref()).await.unwrap();
    assert_eq!(node.next_request().await.line, "GET /v1/topics?page_size=10 HTTP/1.1");
    assert_eq!(node.next_request().await.line, "GET /v1/topics?page_token=orders HTTP/1.1");
    assert_eq!(node.connections(), 1);
}

#[tokio::test]
async fn a_problem_is_given_as_it_is() {
    let problem = Problem::new(Code::TopicNotFound, "no topic `x`").with_instance("r-1");
    let body = serde_json::to_string(&problem).unwrap();
    let node = ScriptedNode::start(vec![vec![Reply::problem(404, &body)]]).await;
    let error = client(&node).topic("x").await.unwrap_err();
    let ClientError::Problem(given) = error else { panic!("{error}") };
    assert_eq!(*given, problem);
    assert_eq!(given.outcome, Outcome::NotApplied);
}

#[tokio::test]
async fn an_answer_of_something_else_is_unexpected() {
    let bytes = b"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>".to_vec();
    let node = ScriptedNode::start(vec![vec![Reply::Bytes(bytes), Reply::Bytes(json_answer(200, "[]"))]]).await;
    let client = client(&node);
    let error = client.topic("x").await.unwrap_err();
    assert!(matches!(&error, ClientError::Unexpected { status: 502, detail } if detail == "<html>"), "{error}");
    let error = client.topic("x").await.unwrap_err();
    assert!(matches!(&error, ClientError::Unexpected { status: 200, .. }), "{error}");
}

#[tokio::test]
async fn a_read_is_repeated_when_its_connection_is_lost() {
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec();
    let mut node = ScriptedNode::start(vec![
        vec![Reply::Close],
        vec![Reply::BytesThenClose(cut)],
        vec![Reply::Bytes(json_answer(200, TOPIC))],
    ])
    .await;
    client(&node).topic("orders").await.unwrap();
    for _ in 0..3 {
        assert_eq!(node.next_request().await.line, "GET /v1/topics/orders HTTP/1.1");
    }
}

#[tokio::test]
async fn repeating_ends() {
    let mut node = ScriptedNode::start(vec![vec![Reply::Close], vec![Reply::Close], vec![Reply::Close]]).await;
    let error = client(&node).topic("orders").await.unwrap_err();
    assert!(matches!(error, ClientError::Lost { .. }), "{error}");
    for _ in 0..3 {
        node.next_request().await;
    }
    assert_eq!(node.connections(), 3);
}

#[tokio::test]
async fn a_publish_is_never_repeated_once_it_was_sent() {
    let mut node = ScriptedNode::start(vec![vec![Reply::Close]]).await;
    let request = PublishRequest { messages: vec![PublishMessage::text("a")] };
    let error = client(&node).publish("orders", &request).await.unwrap_err();
    assert!(matches!(error, ClientError::Lost { .. }), "{error}");
    assert_eq!(node.next_request().await.body, br#"{"messages":[{"text":"a"}]}"#);
    assert_eq!(node.connections(), 1);
}

#[tokio::test]
async fn a_publish_takes_a_new_connection_when_the_kept_one_was_closed() {
    let results = r#"{"results":[{"id":"i","partition":1,"offset":7,"duplicate":false,"durability":"leader"}]}"#;
    let last = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{results}", results.len());
    let mut node = ScriptedNode::start(vec![
        vec![Reply::BytesThenClose(last.into_bytes())],
        vec![Reply::Bytes(json_answer(200, results))],
    ])
    .await;
    let client = client(&node);
    let request = PublishRequest { messages: vec![PublishMessage::data(b"\xff")] };
    client.publish("orders", &request).await.unwrap();
    node.next_request().await;
    let response = client.publish("orders", &request).await.unwrap();
    assert!(matches!(&response.results[..], [PublishResult::Published(published)] if published.offset == 7));
    assert_eq!(node.next_request().await.body, br#"{"messages":[{"data":"/w=="}]}"#);
}

#[tokio::test]
async fn a_raw_message_is_sent_as_it_is() {
    let result = r#"{"id":"i","partition":1,"offset":7,"duplicate":false,"durability":"leader"}"#;
    let mut node = ScriptedNode::start(vec![vec![Reply::Bytes(json_answer(200, result))]]).await;
    let attributes = [("colour".to_owned(), "red".to_owned())];
    let message = RawMessage {
        body: vec![0, 255].into(),
        key: Some("a&b"),
        attributes: &attributes,
        priority: Some(9),
        ..RawMessage::default()
    };
    client(&node).publish_raw("orders", message).await.unwrap();
    let request = node.next_request().await;
    assert_eq!(request.line, "POST /v1/topics/orders/publish?key=a%26b&priority=9 HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/octet-stream"));
    assert_eq!(request.header("pubsub-attr-colour"), Some("red"));
    assert_eq!(request.body, [0, 255]);
}

#[tokio::test]
async fn a_line_break_cannot_be_smuggled_into_a_header() {
    let node = ScriptedNode::start(vec![]).await;
    let attributes = [("colour".to_owned(), "red\r\nx: y".to_owned())];
    let message = RawMessage { attributes: &attributes, ..RawMessage::default() };
    let error = client(&node).publish_raw("orders", message).await.unwrap_err();
    assert!(matches!(error, ClientError::Request { .. }), "{error}");
    assert_eq!(node.connections(), 0);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_a_timeout() {
    let mut node = ScriptedNode::start(vec![vec![Reply::Bytes(json_answer(200, TOPIC)), Reply::Silence]]).await;
    let client = client(&node).with_answer_timeout(Duration::from_secs(7));
    client.topic("orders").await.unwrap();
    node.next_request().await;
    // From here on time only passes when everybody waits, and then at once.
    tokio::time::pause();
    let error = client.pull("s", &PullRequest { wait_ms: 3_000, ..PullRequest::default() }).await.unwrap_err();
    let waited = Duration::from_secs(10);
    assert!(
        matches!(error, ClientError::Timeout { waited_for: WaitedFor::Answer, waited: given } if given == waited),
        "{error}"
    );
}

#[tokio::test]
async fn a_refused_connection_names_the_node() {
    let node = ScriptedNode::start(vec![]).await;
    let client = client(&node);
    let address = node.endpoint().to_string();
    node.stop().await;
    let error = client.healthz().await.unwrap_err();
    assert!(matches!(&error, ClientError::Connect { server, .. } if *server == address), "{error}");
}

#[tokio::test]
async fn reading_pulling_and_acking_use_the_paths_of_the_api() {
    let page = r#"{"messages":[],"next_offset":5,"next_cursor":"x"}"#;
    let acked = r#"{"succeeded":1,"failed":[{"ack_id":"b","code":"lease_expired"}]}"#;
    let mut node = ScriptedNode::start(vec![vec![
        Reply::Bytes(json_answer(200, page)),
        Reply::Bytes(json_answer(200, r#"{"messages":[]}"#)),
        Reply::Bytes(json_answer(200, acked)),
    ]])
    .await;
    let client = client(&node);
    client.read(("orders", 2), &ReadFrom::Offset(5), 10, 0).await.unwrap();
    client.pull("s", &PullRequest::default()).await.unwrap();
    let ack_ids = vec!["a".into(), "b".into()];
    let acked = client.ack("s", &AckRequest { ack_ids, ..AckRequest::default() }).await.unwrap();
    assert_eq!((acked.succeeded, acked.failed[0].code), (1, Code::LeaseExpired));
    let line = "GET /v1/topics/orders/partitions/2/messages?limit=10&wait_ms=0&offset=5 HTTP/1.1";
    assert_eq!(node.next_request().await.line, line);
    let pull = node.next_request().await;
    assert_eq!(pull.line, "POST /v1/subscriptions/s/pull HTTP/1.1");
    assert_eq!(pull.body, br#"{"max_messages":100,"wait_ms":0}"#);
    assert_eq!(node.next_request().await.body, br#"{"ack_ids":["a","b"]}"#);
}
