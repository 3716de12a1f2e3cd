//! How long a node takes to recover a large log after kill -9; the time is reported, not asserted.

use std::env;

use futures_util::future::join_all;
use gateway_api::publish::{PublishMessage, PublishRequest, PublishResult};

use crate::{harness::TestNode, publish_consume::partitions};

const PARTITIONS: u32 = 4;
const MESSAGE_BYTES: usize = 64 << 10;
const BATCH: usize = 16;
/// How many MiB of log are recovered unless `PUBSUB_TEST_RECOVERY_MIB` says otherwise.
const MIB_DEFAULT: usize = 128;

#[tokio::test]
async fn a_large_log_is_recovered_whole_after_a_kill() {
    let mib: usize = env::var("PUBSUB_TEST_RECOVERY_MIB").map_or(MIB_DEFAULT, |text| text.parse().unwrap());
    let mut node = TestNode::start();
    let client = node.client();
    client.create_topic("orders", &partitions(PARTITIONS)).await.unwrap();
    let payload = "x".repeat(MESSAGE_BYTES);
    let batches = (mib << 20) / (MESSAGE_BYTES * BATCH) / usize::try_from(PARTITIONS).unwrap();
    join_all((0..PARTITIONS).map(async |partition| {
        for _ in 0..batches {
            let message = || PublishMessage { partition: Some(partition), ..PublishMessage::text(&payload) };
            let request = PublishRequest { messages: (0..BATCH).map(|_| message()).collect() };
            let answer = client.publish("orders", &request).await.unwrap();
            assert!(answer.results.iter().all(|result| matches!(result, PublishResult::Published(_))));
        }
    }))
    .await;

    node.restart();
    println!("{mib} MiB of log: recovery took {} ms", node.recovery_ms());
    let topic = node.client().topic("orders").await.unwrap().value;
    let expected = u64::try_from(batches * BATCH).unwrap();
    assert!(topic.layout.iter().all(|partition| partition.high_watermark == expected), "{topic:?}");
}
