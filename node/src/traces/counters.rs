//! What became of spans.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Counts spans. Clones of its parts share the numbers.
#[derive(Debug, Default)]
pub(crate) struct TraceCounters {
    exported: AtomicU64,
    /// Those for which there was no room in a queue.
    dropped: Arc<AtomicU64>,
    /// Those that the collector did not take.
    lost: AtomicU64,
}

impl TraceCounters {
    /// Where cores count what they have no room for.
    pub(super) fn dropped_by_cores(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }

    pub(super) fn add_exported(&self, count: usize) {
        add(&self.exported, count);
    }

    pub(super) fn add_lost(&self, count: usize) {
        add(&self.lost, count);
    }

    /// Spans that a collector has taken.
    pub(crate) fn exported(&self) -> u64 {
        self.exported.load(Relaxed)
    }

    /// Spans that are gone, by why.
    pub(crate) fn dropped(&self) -> [(&'static str, u64); 2] {
        [("queue_full", self.dropped.load(Relaxed)), ("export_failed", self.lost.load(Relaxed))]
    }
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Relaxed);
}
