//! The time that counts for sessions: that in which the one who watches them ran.

use shard_core::model::Monotonic;

use crate::limits;

/// Time as the sessions have it. While their keeper stood still (a stopped process, a machine that slept) nobody
/// could be heard, so of a longer pause only [`limits::GROUP_CLOCK_STEP_MAX`] counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionClock {
    real: Monotonic,
    counted: Monotonic,
}

impl SessionClock {
    pub(crate) const fn starting_at(now: Monotonic) -> Self {
        Self { real: now, counted: now }
    }

    /// It is `now`; the time that counts.
    pub(crate) fn advance(&mut self, now: Monotonic) -> Monotonic {
        let step = now.since(self.real).min(limits::GROUP_CLOCK_STEP_MAX);
        self.counted = self.counted.plus(step);
        self.real = self.real.max(now);
        self.counted
    }

    /// When to look again for what is due at `counted`: early enough that time which passed without a pause counts whole.
    pub(crate) fn look_at(&self, counted: Monotonic) -> Monotonic {
        self.real.plus(counted.since(self.counted).min(limits::GROUP_CLOCK_STEP_MAX / 2))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_pause_counts_as_one_step_and_time_never_goes_back() {
        let at = |seconds: u64| Monotonic::from_micros(seconds * 1_000_000);
        let mut clock = SessionClock::starting_at(at(10));
        let first = clock.advance(at(10).plus(Duration::from_millis(200)));
        assert_eq!(first.since(at(10)), Duration::from_millis(200));
        let paused = clock.advance(at(1_000));
        assert_eq!(paused.since(first), limits::GROUP_CLOCK_STEP_MAX);
        assert_eq!(clock.advance(at(20)), paused);
        let after = at(1_000).plus(Duration::from_millis(100));
        assert_eq!(clock.advance(after).since(paused), Duration::from_millis(100));
    }

    #[test]
    fn what_is_far_away_is_looked_at_in_steps_that_count_whole() {
        let clock = SessionClock::starting_at(Monotonic::default());
        let far = Monotonic::default().plus(Duration::from_mins(1));
        assert!(clock.look_at(far).since(Monotonic::default()) < limits::GROUP_CLOCK_STEP_MAX);
    }
}
