//! Publishers of lines who don't read their results.

use std::thread;

use super::{
    await_slow_consumers,
    budget::{Budget, MIB, Peak},
    node_with_topics,
};
use crate::publish_lines::Publisher;

const SLOW_PUBLISHERS: usize = 4;
/// What each would send if it could: lines that are shorter than their results.
const SENT_BYTES_MAX: usize = 64 * MIB;

/// F54.
#[tokio::test]
async fn publishers_of_lines_who_do_not_read_are_held_back_and_disturb_nobody() {
    let node = node_with_topics(&[("server.write_timeout_ms", "2000")]).await;
    let peak = Peak::begin(&node);
    let lines = "{\"text\":\"\"}\n".repeat(1_000);
    let slow: Vec<_> = (0..SLOW_PUBLISHERS).map(|_| Publisher::open(node.address(), "")).collect();
    let sending: Vec<_> = slow
        .iter()
        .map(|publisher| {
            let (mut sender, lines) = (publisher.sender(), lines.clone());
            thread::spawn(move || {
                let mut sent = 0;
                while sent < SENT_BYTES_MAX && sender.try_send(&lines) {
                    sent += lines.len();
                }
                sent
            })
        })
        .collect();
    let mut healthy = Publisher::open(node.address(), "");
    for _ in 0..1_000 {
        healthy.send("{\"text\":\"healthy\"}\n");
        assert!(healthy.next().unwrap()["offset"].is_u64());
    }
    await_slow_consumers(&node, SLOW_PUBLISHERS).await;
    healthy.send("{\"text\":\"healthy\"}\n");
    assert!(healthy.next().unwrap()["offset"].is_u64());
    for sent in sending {
        let sent = sent.join().unwrap();
        eprintln!("{sent} bytes of lines were taken from a publisher who reads nothing");
        assert!(sent < SENT_BYTES_MAX, "all was taken");
    }
    // A stream holds two groups of lines, and the results of one as they are made and as they are sent.
    let budget = Budget {
        http_readers: SLOW_PUBLISHERS + 1,
        cache_bytes: 16 * MIB,
        unflushed_bytes: 2 * 4 * MIB,
        ..Budget::default()
    };
    peak.assert_within(&budget, &format!("{SLOW_PUBLISHERS} publishers of lines who read nothing"));
    drop(slow);
}
