//! Numbers with one writer and any readers: plain loads and stores, no locked instruction.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that only rises. Additions from two threads at once may be lost.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// A number that rises and falls. Changes from two threads at once may be lost.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

/// One that is counted while this lives.
#[derive(Debug)]
pub struct GaugeHold<'g>(&'g Gauge);

impl Counter {
    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(count), Relaxed);
    }

    /// The sum so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Gauge {
    /// One more.
    pub fn increment(&self) {
        self.0.store(self.0.load(Relaxed).saturating_add(1), Relaxed);
    }

    /// One less; never below nothing.
    pub fn decrement(&self) {
        self.0.store(self.0.load(Relaxed).saturating_sub(1), Relaxed);
    }

    /// One more until the answer is dropped.
    pub fn hold(&self) -> GaugeHold<'_> {
        self.increment();
        GaugeHold(self)
    }

    /// The number now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Drop for GaugeHold<'_> {
    fn drop(&mut self) {
        self.0.decrement();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_up() {
        let counter = Counter::default();
        counter.add(2);
        counter.add(3);
        assert_eq!(counter.get(), 5);
    }

    #[test]
    fn a_gauge_never_falls_below_nothing() {
        let gauge = Gauge::default();
        gauge.decrement();
        gauge.increment();
        assert_eq!(gauge.get(), 1);
    }

    #[test]
    fn what_is_held_is_counted_until_dropped() {
        let gauge = Gauge::default();
        let held = gauge.hold();
        assert_eq!(gauge.get(), 1);
        drop(held);
        assert_eq!(gauge.get(), 0);
    }
}
