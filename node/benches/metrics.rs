//! What counting costs: all that the gateway and the shard count for one publish that is flushed by itself, without the work
//! that is counted. `cargo bench -p node --bench metrics [PUBLISHES]` prints the time of one.
#![expect(clippy::print_stdout, reason = "it measures")]

use std::{
    env,
    hint::black_box,
    time::{Duration, Instant},
};

use gateway::{http::router::Route, metrics::GatewayMetrics};
use shard::metrics::ShardMetrics;

const PUBLISHES: u32 = 20_000_000;

/// What the core's gateway counts, from the request's last byte to its answer.
fn count_at_gateway(metrics: &GatewayMetrics, took: Duration) {
    metrics.received_bytes.add(black_box(400));
    metrics.messages_published.add(black_box(1));
    metrics.publish_latency.observe(took);
    metrics.count_answer(black_box(Some(Route::PublishBatch)), black_box(200));
    metrics.sent_bytes.add(black_box(200));
}

/// What the shard counts, from the batch's arrival to its acknowledgement.
fn count_at_shard(metrics: &ShardMetrics, took: Duration) {
    metrics.bytes_appended.add(black_box(300));
    metrics.dedup_forgotten_early.add(black_box(0));
    metrics.queue_depth.set(black_box(3));
    metrics.tail_cache_bytes.set(black_box(1 << 20));
    metrics.flushes.add(black_box(1));
    metrics.flushed_bytes.add(black_box(4096));
    metrics.flush_latency.observe(took);
    metrics.messages_appended.add(black_box(1));
    metrics.messages_repeated.add(black_box(0));
    metrics.publish_latency.observe(took);
}

fn main() {
    let asked = env::args().skip(1).find_map(|argument| argument.parse().ok());
    let publishes: u32 = asked.unwrap_or(PUBLISHES);
    let (gateway, shard) = (GatewayMetrics::default(), ShardMetrics::default());
    let began = Instant::now();
    for number in 0..publishes {
        // Latencies that fall into any bucket.
        let took = Duration::from_micros(u64::from(number.wrapping_mul(2_654_435_761) >> 12));
        count_at_gateway(black_box(&gateway), black_box(took));
        count_at_shard(black_box(&shard), black_box(took));
    }
    let each = began.elapsed() / publishes.max(1);
    assert_eq!(shard.messages_appended.get(), u64::from(publishes));
    println!("{publishes} publishes were counted, each in {} ns", each.as_nanos());
}
