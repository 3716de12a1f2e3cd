//! A histogram of durations with fixed bounds.

use std::time::Duration;

use super::counter::Counter;

/// The upper bounds of the buckets, in microseconds; a last bucket takes the rest.
pub const LATENCY_BOUNDS_MICROS: [u64; 16] = [
    100, 250, 500, 1_000, 2_000, 3_000, 5_000, 7_500, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000,
];

/// Durations by bucket, with one writer.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Counter; LATENCY_BOUNDS_MICROS.len() + 1],
    sum_micros: Counter,
}

impl Histogram {
    /// Counts one duration.
    pub fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = LATENCY_BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        if let Some(counter) = self.buckets.get(bucket) {
            counter.add(1);
        }
        self.sum_micros.add(micros);
    }

    /// How many were counted in each bucket, not cumulated; the last is above every bound.
    #[must_use]
    pub fn counts(&self) -> [u64; LATENCY_BOUNDS_MICROS.len() + 1] {
        std::array::from_fn(|bucket| self.buckets.get(bucket).map_or(0, Counter::get))
    }

    /// The sum of all, in microseconds.
    #[must_use]
    pub fn sum_micros(&self) -> u64 {
        self.sum_micros.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        let histogram = Histogram::default();
        for micros in [0, 100, 101, 6_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let counts = histogram.counts();
        assert_eq!((counts[0], counts[1], counts[16]), (2, 1, 1));
        assert_eq!(histogram.sum_micros(), 6_000_201);
    }
}
