//! How far a run is, over all worker threads: for the progress display and for consumers that wait for publishers.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts that workers add to. Only the end of the publishers orders other counts.
#[derive(Debug, Default)]
pub struct Counters {
    acknowledged: AtomicU64,
    delivered: AtomicU64,
    failed: AtomicU64,
    publishers: AtomicU64,
}

impl Counters {
    /// Counters of a run with so many publishing connections.
    #[must_use]
    pub fn new(publishers: u64) -> Self {
        Self { publishers: AtomicU64::new(publishers), ..Self::default() }
    }

    /// Messages were acknowledged.
    pub fn add_acknowledged(&self, messages: u64) {
        self.acknowledged.fetch_add(messages, Ordering::Relaxed);
    }

    /// Messages were delivered or read, each counted once.
    pub fn add_delivered(&self, messages: u64) {
        self.delivered.fetch_add(messages, Ordering::Relaxed);
    }

    /// Requests failed.
    pub fn add_failed(&self, count: u64) {
        self.failed.fetch_add(count, Ordering::Relaxed);
    }

    /// A publishing connection is done. Whatever it published is counted before.
    pub fn publisher_done(&self) {
        self.publishers.fetch_sub(1, Ordering::Release);
    }

    /// Messages acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Messages delivered so far.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Failures so far.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Whether no publisher is at work any more.
    #[must_use]
    pub fn publishers_are_done(&self) -> bool {
        self.publishers.load(Ordering::Acquire) == 0
    }
}
