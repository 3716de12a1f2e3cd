//! How busy the executor of this core is, and what it has its rings do.

use std::time::Duration;

use shard_core::model::Monotonic;

use crate::metrics::ShardMetrics;

/// Looks at the executor from time to time. Its counts begin anew with each look, so there is one of these per core.
#[derive(Debug, Default)]
pub(crate) struct ExecutorWatch {
    looked: Monotonic,
}

impl ExecutorWatch {
    /// Takes down what the executor has done since the last look. Called on that executor.
    pub(crate) fn look(&mut self, now: Monotonic, metrics: &ShardMetrics) {
        let executor = glommio::executor();
        let (done, rings) = (executor.executor_stats(), executor.io_stats().all_rings());
        let passed = now.since(self.looked);
        self.looked = now;
        // With the time in which it looks at its rings, without that in which it sleeps or waits for something to do.
        let busy = done.total_runtime();
        metrics.busy_millionths.set(millionths(busy, passed));
        metrics.busy_micros.add(micros(busy));
        metrics.tasks_run.add(done.tasks_executed());
        metrics.ring_files_opened.add(rings.files_opened());
        let direct_and_buffered =
            |(direct, bytes): (u64, u64), (buffered, more): (u64, u64)| (direct + buffered, bytes + more);
        let (reads, bytes) = direct_and_buffered(rings.file_reads(), rings.file_buffered_reads());
        metrics.ring_reads.add(reads);
        metrics.ring_read_bytes.add(bytes);
        let (writes, bytes) = direct_and_buffered(rings.file_writes(), rings.file_buffered_writes());
        metrics.ring_writes.add(writes);
        metrics.ring_written_bytes.add(bytes);
    }
}

/// Which part of the time that has passed was busy. Both clocks are read one after the other, so it may seem more than all.
fn millionths(busy: Duration, passed: Duration) -> u64 {
    let parts = micros(busy).saturating_mul(1_000_000).checked_div(micros(passed)).unwrap_or_default();
    parts.min(1_000_000)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_is_never_busier_than_all_the_time() {
        let of_a_second = |millis| millionths(Duration::from_millis(millis), Duration::from_secs(1));
        assert_eq!([0, 250, 1_000, 1_001].map(of_a_second), [0, 250_000, 1_000_000, 1_000_000]);
        assert_eq!(millionths(Duration::from_millis(1), Duration::ZERO), 0);
    }
}
