//! Redis killed, frozen, emptied, filled, away at the start: nothing acknowledged is lost in silence, and publishing goes on
//! by itself.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::Duration,
};

use serde_json::json;

use super::{RedisServer, command, losses, node_on, publish, pull_and_ack, texts, try_publish, with_topic};
use crate::{
    harness::{TestNode, data_directory, eventually, wait},
    http::{Connection, get},
    redis::flood::{check, flood},
};

/// F45: killed in the middle of publishing.
#[tokio::test]
async fn redis_killed_and_started_again_has_everything_that_was_acknowledged() {
    let mut server = RedisServer::start();
    let node = node_on(&server);
    let publishers = flood(&node, async || {
        server.kill();
        server.restart();
    })
    .await;
    check(&node, &publishers).await;
    assert!(losses(&node) < 0.5);
}

/// F46: silent for ten seconds in the middle of publishing.
#[tokio::test]
async fn redis_frozen_for_ten_seconds_has_everything_that_was_acknowledged() {
    let server = RedisServer::start();
    let node = node_on(&server);
    let publishers = flood(&node, async || {
        server.freeze();
        tokio::time::sleep(Duration::from_secs(10)).await;
        server.thaw();
    })
    .await;
    check(&node, &publishers).await;
    assert!(losses(&node) < 0.5);
}

/// F45: away, a publish is refused at once or in its time, and is not there later.
#[tokio::test]
async fn without_redis_a_publish_is_refused_and_leaves_nothing() {
    let mut server = RedisServer::start();
    let port = server.port().to_string();
    let node =
        TestNode::start_with(&[("store", "redis"), ("redis.port", &port), ("redis.operation_timeout_ms", "300")]);
    let mut connection = with_topic(&node, 1);
    assert_eq!(publish(&mut connection, "before").0, 200);
    server.kill();
    // The first one may have been on its way when the connection ended.
    let (status, told) = publish(&mut connection, "lost");
    assert!([503, 504].contains(&status), "{told}");
    let answer = try_publish(&mut connection, "refused");
    let told = answer.json();
    assert_eq!((answer.status, told["code"].as_str()), (503, Some("store_unavailable")), "{told}");
    assert_eq!(told["outcome"], json!("not_applied"), "{told}");
    assert!(answer.header("retry-after").is_some(), "{}", answer.head);
    assert_eq!(get(node.address(), "/healthz").status, 200);

    server.restart();
    loop {
        let (status, told) = publish(&mut connection, "after");
        if status == 200 {
            break;
        }
        assert_eq!(told["code"], json!("store_unavailable"), "{told}");
    }
    let mut texts = texts(&node).await;
    texts.retain(|text| text != "lost");
    assert_eq!(texts, ["before", "after"]);
}

/// F45: not there yet when the node starts.
#[test]
fn a_node_that_starts_before_its_redis_serves_once_that_is_there() {
    let mut server = RedisServer::start();
    let data = data_directory();
    {
        let mut node = TestNode::start_in(data, &[("store", "redis"), ("redis.port", &server.port().to_string())]);
        let mut connection = with_topic(&node, 1);
        assert_eq!(publish(&mut connection, "before").0, 200);
        server.kill();
        node.kill();
        let mut early = command(&server, &node.data_dir(), &["log.level=info", "log.format=json"]);
        let ready = node.data_dir().join("ready");
        early.arg("--ready-file").arg(&ready);
        let mut child = early.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("a partition can't be opened yet")), "it ended");
        assert!(!ready.exists(), "it is not ready without its partitions");
        server.restart();
        assert!(lines.any(|line| line.contains("is there now")), "it ended");
        child.kill().unwrap();
        wait(&mut child);
        node.restart();
        let mut connection = Connection::open(node.address());
        assert_eq!(pull_and_ack(&mut connection), [0]);
    }
}

/// F47, F48: emptied under a running node. The loss is told, no offset is used twice, and everything goes on.
#[test]
fn an_emptied_redis_is_noticed_told_and_gone_on_with() {
    let mut server = RedisServer::start();
    let node = node_on(&server);
    let mut connection = with_topic(&node, 1);
    for offset in 0..20 {
        assert_eq!(publish(&mut connection, "kept").1["offset"], json!(offset));
    }
    server.kill();
    server.restart_empty();
    let next = loop {
        let (status, told) = publish(&mut connection, "after the loss");
        if status == 200 {
            break told["offset"].as_u64().unwrap();
        }
    };
    assert_eq!(next, 20, "no offset is used twice, and none is left out");
    assert!(losses(&node) > 0.5);
    let told = node.log().iter().any(|line| line.contains("Redis has lost acknowledged messages"));
    assert!(told, "the log tells of it");
    // Who comes to what is lost is told, or passes over it; nobody is served less as if it were all.
    let page = get(node.address(), "/v1/topics/orders/partitions/0/messages?offset=5&limit=10");
    assert_eq!((page.status, page.json()["code"].as_str()), (500, Some("data_corrupt")), "{}", page.json());
    assert_eq!(pull_and_ack(&mut connection), [20]);
}

/// F47: the same while the node is down, where an operator wants to decide.
#[test]
fn with_on_loss_stop_a_partition_stays_closed() {
    let mut server = RedisServer::start();
    let mut node = node_on(&server);
    let mut connection = with_topic(&node, 1);
    assert_eq!(publish(&mut connection, "kept").0, 200);
    assert_eq!(node.terminate().code(), Some(0));
    server.kill();
    server.restart_empty();
    node.set("redis.on_loss", "stop");
    node.restart();
    let mut connection = Connection::open(node.address());
    let (status, told) = publish(&mut connection, "refused");
    assert_eq!((status, told["code"].as_str()), (503, Some("partition_closed")), "{told}");
    assert!(told["detail"].as_str().unwrap().contains("lost"), "{told}");
    node.set("redis.on_loss", "continue");
    node.restart();
    let mut connection = Connection::open(node.address());
    assert_eq!(publish(&mut connection, "goes on").1["offset"], json!(1));
}

/// F49: filled to its limit.
#[test]
fn a_full_redis_refuses_publishes_and_goes_on_once_there_is_room() {
    let server = RedisServer::start();
    let node = node_on(&server);
    let mut connection = with_topic(&node, 1);
    assert_eq!(publish(&mut connection, "before").0, 200);
    let _: String = server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    for _ in 0..3 {
        let answer = try_publish(&mut connection, "refused");
        let told = answer.json();
        assert_eq!((answer.status, told["code"].as_str()), (503, Some("store_unavailable")), "{told}");
        assert_eq!(told["outcome"], json!("not_applied"), "{told}");
        assert!(answer.header("retry-after").is_some(), "{}", answer.head);
    }
    let page = get(node.address(), "/v1/topics/orders/partitions/0/messages?offset=0&limit=10").json();
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(1), "reads go on: {page}");
    let _: String = server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(publish(&mut connection, "after").1["offset"], json!(1), "what was refused is not there");
}

/// Metrics say whether every core has its connection.
#[test]
fn a_node_says_whether_it_is_connected_with_redis() {
    let mut server = RedisServer::start();
    let node = node_on(&server);
    let all_are =
        |connected: bool| node.metric("pubsub_redis_connected").iter().all(|(_, is)| (*is > 0.5) == connected);
    let failures = || node.metric("pubsub_redis_connect_failures_total").iter().map(|(_, count)| count).sum::<f64>();
    assert!(eventually(|| all_are(true)));
    server.kill();
    assert!(eventually(|| all_are(false) && failures() >= 1.0));
    server.restart();
    assert!(eventually(|| all_are(true)));
}
