//! Looks for the highest rate that a server keeps up with: rates that grow until one is not reached, then between the last
//! two. Pure: each rate is a run of its own, so that what one left behind does not burden the next.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use crate::limits::{REACHED_SHARE, STEP_RESOLUTION, STEPS_MAX};
use crate::recorder::Measure;
use crate::report::Outcome;
use crate::workload::{Kind, StepPlan};

/// Which rate to try next.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    plan: StepPlan,
    next: Option<NonZeroU64>,
    reached: Option<NonZeroU64>,
    missed: Option<NonZeroU64>,
    tried: usize,
}

/// What came of a rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Step {
    pub rate: u64,
    pub messages_per_s: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    /// Why the rate was not reached; `None` if it was.
    pub missed: Option<String>,
}

impl Search {
    /// Begins with this rate.
    #[must_use]
    pub fn new(from: NonZeroU64, plan: StepPlan) -> Self {
        Self { plan, next: Some(from), reached: None, missed: None, tried: 0 }
    }

    /// The next rate to try; `None` when the search is over.
    #[must_use]
    pub fn next(&self) -> Option<NonZeroU64> {
        self.next
    }

    /// The highest rate that was reached.
    #[must_use]
    pub fn reached(&self) -> Option<NonZeroU64> {
        self.reached
    }

    /// What came of the rate that was to be tried.
    pub fn record(&mut self, is_reached: bool) {
        let Some(rate) = self.next else { return };
        self.tried += 1;
        if is_reached {
            self.reached = Some(rate);
        } else {
            self.missed = Some(rate);
        }
        self.next = self.following().filter(|_| self.tried < STEPS_MAX);
    }

    fn following(&self) -> Option<NonZeroU64> {
        match (self.reached, self.missed) {
            (None, None) => None,
            (Some(reached), None) => {
                let grown = u128::from(reached.get()) * (100 + u128::from(self.plan.grow_percent)) / 100;
                let grown = u64::try_from(grown).unwrap_or(u64::MAX).max(reached.get() + 1);
                let next = NonZeroU64::new(grown)?.min(self.plan.max);
                (next > reached).then_some(next)
            }
            // Not even the first: a quarter of it, as long as there is one.
            (None, Some(missed)) => NonZeroU64::new(missed.get() / 4),
            (Some(reached), Some(missed)) => {
                let near = to_f64(missed.get()) <= to_f64(reached.get()) * STEP_RESOLUTION;
                let between = NonZeroU64::new(reached.get().midpoint(missed.get()))?;
                (!near && between > reached).then_some(between)
            }
        }
    }
}

impl Step {
    /// What came of a run at `rate`.
    #[must_use]
    pub fn of(kind: Kind, rate: NonZeroU64, plan: StepPlan, outcome: &Outcome) -> Self {
        let measure = if kind.delivers() { Measure::EndToEnd } else { Measure::Publish };
        let latency = outcome.latency.get(&measure);
        let published_per_s = if outcome.elapsed_s > 0.0 { to_f64(outcome.published) / outcome.elapsed_s } else { 0.0 };
        let p99_us = latency.map_or(f64::INFINITY, |latency| latency.p99_us);
        let p99_max_us = plan.p99_max.as_secs_f64() * 1e6;
        let missed = if outcome.errors.values().any(|count| *count > 0) {
            Some("messages were refused".to_owned())
        } else if published_per_s < to_f64(rate.get()) * REACHED_SHARE {
            let by = if outcome.generator.saturated { "; the load generator was the bottleneck" } else { "" };
            Some(format!("{published_per_s:.0} messages/s were published{by}"))
        } else if p99_us > p99_max_us {
            Some(format!("p99 was above {} ms", plan.p99_max.as_millis()))
        } else {
            None
        };
        Self {
            rate: rate.get(),
            messages_per_s: (published_per_s * 10.0).round() / 10.0,
            p50_us: latency.map_or(0.0, |latency| latency.p50_us),
            p99_us: latency.map_or(0.0, |latency| latency.p99_us),
            missed,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "rates stay far below 2^52")]
fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn number(number: u64) -> NonZeroU64 {
        NonZeroU64::new(number).unwrap()
    }

    fn plan(grow_percent: u32, max: u64) -> StepPlan {
        StepPlan { grow_percent, max: number(max), p99_max: Duration::from_millis(100) }
    }

    /// The rates that are tried of a server that does so many a second.
    fn tried(from: u64, plan: StepPlan, capacity: u64) -> (Vec<u64>, Option<u64>) {
        let mut search = Search::new(number(from), plan);
        let mut rates = Vec::new();
        while let Some(rate) = search.next() {
            rates.push(rate.get());
            search.record(rate.get() <= capacity);
        }
        (rates, search.reached().map(NonZeroU64::get))
    }

    #[test]
    fn rates_grow_until_one_is_missed_and_then_close_in() {
        let (rates, reached) = tried(1_000, plan(100, 1_000_000), 5_500);
        assert_eq!(rates, [1_000, 2_000, 4_000, 8_000, 6_000, 5_000, 5_500, 5_750]);
        assert_eq!(reached, Some(5_500));
    }

    #[test]
    fn the_highest_allowed_rate_ends_the_search() {
        assert_eq!(tried(1_000, plan(50, 2_000), u64::MAX), (vec![1_000, 1_500, 2_000], Some(2_000)));
    }

    #[test]
    fn a_first_rate_that_is_too_high_is_lowered() {
        let (rates, reached) = tried(1_000, plan(50, 1_000_000), 100);
        assert_eq!(&rates[..3], [1_000, 250, 62]);
        assert!((95..=100).contains(&reached.unwrap()), "{rates:?}");
        assert_eq!(tried(1_000, plan(50, 1_000_000), 0).1, None);
    }

    proptest! {
        #[test]
        fn what_is_found_is_near_to_what_there_is(from in 1_u64..100_000, grow in 1_u32..1_000, capacity in 100_u64..1_000_000) {
            let (rates, reached) = tried(from, plan(grow, 1_000_000_000), capacity);
            prop_assert!(rates.len() <= STEPS_MAX);
            if rates.len() < STEPS_MAX {
                let reached = to_f64(reached.unwrap());
                prop_assert!(reached <= to_f64(capacity) && to_f64(capacity) <= reached * STEP_RESOLUTION + 1.0, "{rates:?}");
            }
        }
    }
}
