//! A topic's partitions are spread over the cores, and an idle node leaves them alone.

use std::fs;

use gateway_api::{
    consume::PullRequest,
    publish::{PublishMessage, PublishRequest},
};

use crate::{
    harness::TestNode,
    publish_consume::{from_earliest, partitions},
};

#[tokio::test]
async fn a_topic_of_8_partitions_uses_both_shards() {
    let node = TestNode::start_with(&[("server.shards", "2")]);
    let client = node.client();
    client.create_topic("orders", &partitions(8)).await.unwrap();
    let message = |number: u32| PublishMessage { partition: Some(number % 8), ..PublishMessage::text("hello") };
    client.publish("orders", &PublishRequest { messages: (0..80).map(message).collect() }).await.unwrap();
    let appended = node.metric("pubsub_shard_messages_appended_total");
    assert_eq!(appended, [("{shard=\"0\"}".to_owned(), 40.0), ("{shard=\"1\"}".to_owned(), 40.0)]);
}

#[tokio::test]
async fn a_request_for_another_cores_partition_crosses_once() {
    let node = TestNode::start_with(&[("server.shards", "2")]);
    let client = node.client();
    client.create_topic("orders", &partitions(1)).await.unwrap();
    let forwarded = || node.metric("pubsub_shard_requests_forwarded_total").iter().map(|(_, count)| count).sum::<f64>();
    let before = forwarded();
    // 32 connections fall on both cores, but for one chance in 2^31; the partition is on one of them.
    for _ in 0..32 {
        let client = node.client();
        client.publish("orders", &PublishRequest { messages: vec![PublishMessage::text("hello")] }).await.unwrap();
    }
    let crossed = forwarded() - before;
    assert!((1.0..32.0).contains(&crossed), "{crossed} of 32 publishes crossed");
}

#[tokio::test]
async fn the_number_of_shards_is_in_no_file() {
    let mut node = TestNode::start_with(&[("server.shards", "1")]);
    let client = node.client();
    client.create_topic("orders", &partitions(8)).await.unwrap();
    let message = |number: u32| PublishMessage { partition: Some(number % 8), ..PublishMessage::text("hello") };
    for shards in ["3", "2", "1"] {
        let client = node.client();
        client.publish("orders", &PublishRequest { messages: (0..8).map(message).collect() }).await.unwrap();
        node.set("server.shards", shards);
        node.restart();
    }
    let topic = node.client().topic("orders").await.unwrap().value;
    assert!(topic.layout.iter().all(|partition| partition.high_watermark == 3), "{topic:?}");
}

#[tokio::test]
async fn an_idle_node_leaves_the_cores_alone() {
    let node = TestNode::start();
    let client = node.client();
    client.create_topic("orders", &partitions(8)).await.unwrap();
    client.create_subscription("billing", &from_earliest("orders")).await.unwrap();
    let before = cpu_ticks(node.pid());
    // A consumer that waits two seconds for nothing: what the node does meanwhile is what idling costs.
    let request = PullRequest { wait_ms: 2_000, ..PullRequest::default() };
    assert!(client.pull("billing", &request).await.unwrap().messages.is_empty());
    let used = cpu_ticks(node.pid()) - before;
    println!("an idle node used {used} of 200 ticks of each core in 2 s");
    // One executor that spins would use 200.
    assert!(used < 50, "{used} ticks in 2 s");
}

/// The time a process has had on the cores, in ticks of 10 ms, by the kernel's account.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
