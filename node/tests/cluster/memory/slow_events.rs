//! Readers of event streams who don't read.

use futures_util::future::{join, join_all};

use super::{
    BATCH, MESSAGE_BYTES, MESSAGES, PUBLISHERS, await_slow_consumers,
    budget::{Budget, MIB, Peak},
    node_with_topics, publish,
};
use crate::events::EventReader;

const SLOW_READERS: usize = 50;

/// F54.
#[tokio::test]
async fn slow_readers_of_events_are_given_up_and_disturb_nobody() {
    let node = node_with_topics(&[("server.write_timeout_ms", "2000")]).await;
    let readers: Vec<_> =
        (0..SLOW_READERS).map(|_| EventReader::open(node.address(), "orders", "?from=earliest")).collect();
    let mut healthy = EventReader::open(node.address(), "orders", "?from=earliest");
    let peak = Peak::begin(&node);
    let reading = tokio::task::spawn_blocking(move || {
        for _ in 0..MESSAGES + BATCH {
            healthy.place();
        }
    });
    let others = async {
        join_all((0..PUBLISHERS).map(async |_| publish(&node, MESSAGES / PUBLISHERS).await)).await;
        await_slow_consumers(&node, SLOW_READERS).await;
        publish(&node, BATCH).await;
    };
    let ((), read) = join(others, reading).await;
    read.unwrap();
    let budget = Budget {
        // An event stream holds a read of each partition, and a piece.
        websockets: SLOW_READERS + 1,
        bodies_bytes: 32 * MIB,
        cache_bytes: 16 * MIB,
        unflushed_bytes: 2 * 4 * MIB,
        ..Budget::default()
    };
    let what = format!("{} MiB for {SLOW_READERS} readers of events that don't read", MESSAGES * MESSAGE_BYTES / MIB);
    peak.assert_within(&budget, &what);
    drop(readers);
}
