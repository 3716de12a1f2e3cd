//! Answers that nobody reads: bounded together, and nothing long is begun for anyone until there is room again.

use serde_json::json;

use super::{
    MESSAGE_BYTES, MESSAGES,
    budget::{Budget, MIB, Peak},
    publish, subscribe,
};
use crate::{
    harness::{TestNode, eventually},
    http::{Connection, get},
    publish_consume::partitions,
};
use gateway_api::{
    client::WebSocketClient,
    frame::{ClientFrame, ServerFrame},
};

const READERS: usize = 120;
const OUTPUTS_BYTES: usize = 8 * MIB;
const READ: &str = "/v1/topics/orders/partitions/0/messages?offset=0&limit=1000";

/// F54, F78.
#[tokio::test]
async fn answers_that_nobody_reads_are_bounded_together_and_others_are_told() {
    let outputs = OUTPUTS_BYTES.to_string();
    let settings = [
        ("server.shards", "1"),
        ("server.outputs_bytes_max", &outputs),
        ("storage.tail_cache_bytes", "16777216"),
        ("storage.unflushed_bytes_max", "4194304"),
    ];
    let node = TestNode::start_with(&settings);
    node.client().create_topic("orders", &partitions(1)).await.unwrap();
    publish(&node, MESSAGES / 16).await;
    let mut healthy = WebSocketClient::connect(&node.endpoint(), None).await.unwrap();
    subscribe(&mut healthy).await;
    let peak = Peak::begin(&node);
    // The answers to these are more than the system buffers for them.
    let mut unread: Vec<_> = (0..READERS).map(|_| Connection::open(node.address())).collect();
    let request = format!("GET {READ} HTTP/1.1\r\nHost: node\r\n\r\n");
    for reader in &mut unread {
        reader.send(request.repeat(20).as_bytes());
    }
    assert!(eventually(|| get(node.address(), READ).status == 503), "reads were never put off");
    let refused = get(node.address(), READ);
    assert_eq!((refused.status, refused.json()["code"].clone()), (503, json!("overloaded")));
    assert!(refused.header("retry-after").is_some(), "{}", refused.body_text());
    // What is short goes on: publishes, and the reader who reads.
    publish(&node, 64).await;
    let mut received = 0;
    while received < MESSAGES / 16 + 64 {
        let Ok(Some(ServerFrame::Messages(messages))) = healthy.next().await else { panic!("no messages") };
        let count = messages.messages.len();
        received += count;
        let credit = json!({ "op": "credit", "topic": "orders", "add": count }).to_string();
        healthy.send(&ClientFrame::parse(&credit).unwrap()).await.unwrap();
    }
    // One answer each beside what all may leave unread: it is being made when that is used up.
    let budget = Budget {
        http_readers: OUTPUTS_BYTES / MIB + 2,
        websockets: 1,
        cache_bytes: 16 * MIB,
        unflushed_bytes: 4 * MIB,
        ..Budget::default()
    };
    let asked = READERS * 20 * MESSAGES / 16 * MESSAGE_BYTES / MIB;
    peak.assert_within(&budget, &format!("{READERS} readers who leave up to {asked} MiB unread"));
    drop(unread);
    assert!(eventually(|| get(node.address(), READ).status == 200), "there is room again");
}
