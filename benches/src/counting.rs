//! Metrics: what is counted for one publish of one message, from the socket to the disk and back.

use std::time::Duration;

use gateway::{http::router::Route, metrics::GatewayMetrics};
use shard::metrics::ShardMetrics;

use crate::harness::{Case, Operations};

pub(crate) const CASES: &[Case] = &[Case::new("metrics: count a publish", 1, count)];

/// What a flush counts is counted once for each publish here; publishes that share one share that too.
fn count(operations: Operations) {
    let (gateway, shard) = (GatewayMetrics::default(), ShardMetrics::default());
    let latency = Duration::from_micros(700);
    operations.measure(
        |_| (),
        |()| {
            gateway.received_bytes.add(450);
            shard.bytes_appended.add(297);
            shard.flushes.add(1);
            shard.flushed_bytes.add(297);
            shard.flush_latency.observe(latency);
            shard.messages_appended.add(1);
            shard.messages_repeated.add(0);
            shard.publish_latency.observe(latency);
            gateway.messages_published.add(1);
            gateway.publish_latency.observe(latency);
            gateway.count_answer(Some(Route::PublishOne), 200);
            gateway.sent_bytes.add(250);
            gateway.messages_published.get() + shard.messages_appended.get()
        },
    );
}
