//! The node on a real Redis: chosen by one setting, and what becomes of messages when Redis fails.

use std::process::Command;

use gateway_api::client::ReadFrom;
use node::exit_code::ExitCode;
use serde_json::{Value, json};

use crate::{
    harness::{TestNode, data_directory, node_command},
    http::{Answer, Connection, get},
    startup::assert_refused,
};

mod faults;
mod flood;
mod sentinel;
mod sharded;

#[path = "../../../shard/tests/redis/server.rs"]
#[expect(dead_code, reason = "the tests of the store alone use more of it")]
mod server;

pub(crate) use server::RedisServer;

/// A node whose store is the server.
pub(crate) fn node_on(server: &RedisServer) -> TestNode {
    TestNode::start_with(&[("store", "redis"), ("redis.port", &server.port().to_string())])
}

/// How often the node has noticed that Redis lost something.
fn losses(node: &TestNode) -> f64 {
    node.metric("pubsub_store_losses_total").iter().map(|(_, losses)| losses).sum()
}

/// A topic with a subscription from its beginning, and a connection.
fn with_topic(node: &TestNode, partitions: u32) -> Connection {
    let mut connection = Connection::open(node.address());
    let settings = json!({ "partitions": partitions }).to_string();
    assert_eq!(connection.request("PUT", "/v1/topics/orders", &[], settings.as_bytes()).status, 201);
    let settings = br#"{"topic":"orders","start":"earliest"}"#;
    assert_eq!(connection.request("PUT", "/v1/subscriptions/billing", &[], settings).status, 201);
    connection
}

fn try_publish(connection: &mut Connection, text: &str) -> Answer {
    let headers = [("Content-Type", "text/plain")];
    connection.request("POST", "/v1/topics/orders/publish?partition=0", &headers, text.as_bytes())
}

fn publish(connection: &mut Connection, text: &str) -> (u16, Value) {
    let answer = try_publish(connection, text);
    (answer.status, answer.json())
}

/// The texts of the first messages of partition 0.
async fn texts(node: &TestNode) -> Vec<String> {
    let page = node.client().read(("orders", 0), &ReadFrom::Offset(0), 10, 0).await.unwrap();
    page.messages.into_iter().map(|message| String::from_utf8(message.data.0).unwrap()).collect()
}

/// Pulls up to ten messages and acks them; returns their offsets.
fn pull_and_ack(connection: &mut Connection) -> Vec<u64> {
    let pulled = connection.request("POST", "/v1/subscriptions/billing/pull", &[], br#"{"max_messages":10}"#).json();
    let messages = pulled["messages"].as_array().unwrap_or_else(|| panic!("{pulled}")).clone();
    let ids: Vec<_> = messages.iter().map(|message| message["ack_id"].clone()).collect();
    let ack = json!({ "ack_ids": ids }).to_string();
    let acked = connection.request("POST", "/v1/subscriptions/billing/ack", &[], ack.as_bytes()).json();
    assert_eq!(acked["failed"], json!([]), "{acked}");
    messages.iter().map(|message| message["offset"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn messages_and_acks_are_in_redis_and_outlive_the_node() {
    let server = RedisServer::start();
    let mut node = node_on(&server);
    let mut connection = with_topic(&node, 1);
    for offset in 0..5 {
        let (status, told) = publish(&mut connection, &format!("message {offset}"));
        assert_eq!((status, &told["offset"], &told["durability"]), (200, &json!(offset), &json!("redis_fsync")));
    }
    assert_eq!(pull_and_ack(&mut connection), [0, 1, 2, 3, 4]);
    assert_eq!(publish(&mut connection, "message 5").0, 200);

    node.restart();
    let mut connection = Connection::open(node.address());
    assert_eq!(texts(&node).await, (0..6).map(|offset| format!("message {offset}")).collect::<Vec<_>>());
    assert_eq!(pull_and_ack(&mut connection), [5], "what was acked is not delivered again");
    assert!(!node.data_dir().join("partitions").exists(), "no message is on the node's disk");

    assert_eq!(connection.request("DELETE", "/v1/topics/orders", &[], b"").status, 204);
    let keys: Vec<String> = server.command(&["KEYS", "*"]);
    assert_eq!(keys, Vec::<String>::new(), "a deleted topic leaves nothing");
}

#[test]
fn an_answer_says_what_this_redis_is_worth() {
    let server = RedisServer::start_with(&["--appendfsync", "everysec"]);
    let node = node_on(&server);
    let mut connection = with_topic(&node, 1);
    assert_eq!(publish(&mut connection, "a").1["durability"], json!("redis_buffered"));
    assert!(node.log().iter().any(|line| line.contains("appendfsync is everysec")), "{:?}", node.log());
}

#[test]
fn a_data_directory_with_logs_goes_on_in_redis_behind_their_offsets() {
    let server = RedisServer::start();
    let mut node = TestNode::start_with(&[("redis.port", &server.port().to_string())]);
    let mut connection = with_topic(&node, 1);
    for _ in 0..3 {
        assert_eq!(publish(&mut connection, "on the disk").0, 200);
    }
    // What is known of the disk's logs is complete after an orderly stop.
    assert_eq!(node.terminate().code(), Some(0));
    node.set("store", "redis");
    node.restart();
    let mut connection = Connection::open(node.address());
    assert_eq!(publish(&mut connection, "in Redis").1["offset"], json!(3), "no offset is used twice");
    let page = get(node.address(), "/v1/topics/orders/partitions/0/messages?offset=0&limit=10");
    assert_eq!((page.status, page.json()["code"].as_str()), (410, Some("offset_expired")));
}

#[test]
fn a_redis_that_can_not_be_used_is_refused_with_what_to_do() {
    let refused = |server: &RedisServer, settings: &[&str], said: &[&str]| {
        let data = data_directory();
        assert_refused(command(server, data.path(), settings), ExitCode::Redis, said);
    };
    let evicting = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    refused(&evicting, &[], &["allkeys-lru", "CONFIG SET maxmemory-policy noeviction"]);
    let guarded = RedisServer::start_with(&["--requirepass", "open-sesame"]);
    refused(&guarded, &[], &["NOAUTH"]);
    refused(&guarded, &["redis.password=wrong-and-secret"], &["WRONGPASS"]);
}

#[test]
fn a_password_is_used_and_shown_nowhere() {
    let server = RedisServer::start_with(&["--requirepass", "open-sesame"]);
    let port = server.port().to_string();
    let node = TestNode::start_with(&[("store", "redis"), ("redis.port", &port), ("redis.password", "open-sesame")]);
    let mut connection = with_topic(&node, 1);
    assert_eq!(publish(&mut connection, "a").0, 200);
    assert!(!node.log().concat().contains("open-sesame"));
    let mut print = node_command();
    print.args(["--print-config", "--set", "store=redis", "--set", "redis.password=open-sesame"]);
    let printed = String::from_utf8(print.output().unwrap().stdout).unwrap();
    assert!(printed.contains("password: '********'") && !printed.contains("sesame"), "{printed}");
}

/// A node that is expected not to start, or not at once.
fn command(server: &RedisServer, data_dir: &std::path::Path, settings: &[&str]) -> Command {
    let mut command = node_command();
    command.arg("--data-dir").arg(data_dir);
    let port = format!("redis.port={}", server.port());
    for setting in ["server.port=0", "metrics.port=0", "store=redis", "log.level=error", &port].iter().chain(settings) {
        command.args(["--set", setting]);
    }
    command
}
