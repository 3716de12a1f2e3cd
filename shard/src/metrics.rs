//! What a shard counts: written by its core alone, read by the metrics port from another thread.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// A number with one writer: adding to it is a plain load and store, never a locked instruction.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// How many observations fell below each bound, and their sum.
#[derive(Debug, Default)]
pub struct LatencyHistogram {
    buckets: [Counter; Self::BOUNDS_MICROS.len()],
    count: Counter,
    sum_micros: Counter,
}

/// The counters of one shard.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "each is explained where it is exported, in the help text of its metric")]
pub struct ShardMetrics {
    pub partitions: Counter,
    pub partitions_closed: Counter,
    pub replicas_distrusted: Counter,
    pub replica_lag_messages: Counter,
    pub replica_lag_micros: Counter,
    pub messages_appended: Counter,
    pub messages_repeated: Counter,
    pub bytes_appended: Counter,
    pub publishes_refused: Counter,
    pub messages_dropped: Counter,
    pub batches_sent_ahead: Counter,
    pub flushes: Counter,
    pub flushed_bytes: Counter,
    pub flush_latency: LatencyHistogram,
    pub publish_latency: LatencyHistogram,
    pub cache_reads: Counter,
    pub disk_reads: Counter,
    pub disk_read_bytes: Counter,
    pub messages_leased: Counter,
    pub messages_redelivered: Counter,
    pub messages_acked: Counter,
    pub messages_fell_out: Counter,
    pub journal_writes: Counter,
    pub losses: Counter,
    pub dead_letters: Counter,
    pub queue_depth: Counter,
    pub requests_forwarded: Counter,
    pub peer_requests: Counter,
    pub peer_requests_in_flight: Counter,
    pub peer_requests_lost: Counter,
    pub peer_requests_served: Counter,
    pub peer_connections: Counter,
    pub peer_connect_failures: Counter,
    pub peer_sent_bytes: Counter,
    pub peer_received_bytes: Counter,
    pub tail_cache_bytes: Counter,
    pub dedup_bytes: Counter,
    pub dedup_forgotten_early: Counter,
    pub open_files: Counter,
    pub oldest_io_micros: Counter,
    pub busy_millionths: Counter,
    pub busy_micros: Counter,
    pub tasks_run: Counter,
    pub ring_reads: Counter,
    pub ring_read_bytes: Counter,
    pub ring_writes: Counter,
    pub ring_written_bytes: Counter,
    pub ring_files_opened: Counter,
    pub redis_connected: Counter,
    pub redis_connect_failures: Counter,
}

impl Counter {
    /// Adds `amount`. Called by the one writer only.
    pub fn add(&self, amount: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
    }

    /// Sets the value. Called by the one writer only.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The value, from any thread.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl LatencyHistogram {
    /// The upper bounds of the buckets, in microseconds.
    pub const BOUNDS_MICROS: [u64; 15] =
        [50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 102_400, 409_600, 1_638_400, 6_553_600];

    /// Counts one observation. Called by the one writer only.
    pub fn observe(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get(Self::BOUNDS_MICROS.partition_point(|&bound| bound < micros)) {
            bucket.add(1);
        }
        self.count.add(1);
        self.sum_micros.add(micros);
    }

    /// For each bound, how many observations were at most that, in order of the bounds.
    #[must_use]
    pub fn cumulative(&self) -> Vec<u64> {
        let counts = self.buckets.iter().map(Counter::get);
        counts
            .scan(0, |total, count| {
                *total += count;
                Some(*total)
            })
            .collect()
    }

    /// How many observations there were.
    pub fn count(&self) -> u64 {
        self.count.get()
    }

    /// Their sum, in microseconds.
    pub fn sum_micros(&self) -> u64 {
        self.sum_micros.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_counts_at_its_bound_and_above() {
        let histogram = LatencyHistogram::default();
        histogram.observe(Duration::from_micros(100));
        histogram.observe(Duration::from_micros(101));
        histogram.observe(Duration::from_mins(1));
        let cumulative = histogram.cumulative();
        assert_eq!(&cumulative[..4], [0, 1, 2, 2]);
        assert_eq!((cumulative.last(), histogram.count()), (Some(&2), 3));
        assert_eq!(histogram.sum_micros(), 100 + 101 + 60_000_000);
    }
}
