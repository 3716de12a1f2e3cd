//! How much may pass in a second: the generic cell rate algorithm, with the time given from outside.
//!
//! The state is one number, the time at which all that has passed is paid for. It runs ahead of the clock by at most a
//! burst; a single request larger than a burst passes when nothing is owed, and those behind it wait until it is paid for.

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// So many units in a second, and a second's worth of them at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    per_second: u64,
    burst: u64,
}

/// What is left after something has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The new state.
    pub paid_until: u64,
    /// How many units more may pass now.
    pub remaining: u64,
}

/// Nothing has passed; after so many nanoseconds it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub u64);

impl Rate {
    /// A rate; at least one in a second.
    #[must_use]
    pub const fn per_second(per_second: u64) -> Self {
        let per_second = if per_second == 0 { 1 } else { per_second };
        Self { per_second, burst: per_second }
    }

    /// The same, of which so many may pass at once.
    #[must_use]
    pub const fn with_burst(self, burst: u64) -> Self {
        Self { burst: if burst == 0 { 1 } else { burst }, ..self }
    }

    /// How many pass in a second.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.per_second
    }

    /// Lets `units` pass at `now`, in nanoseconds, or says when they may.
    ///
    /// # Errors
    /// They may not yet.
    pub fn take(&self, paid_until: u64, now: u64, units: u64) -> Result<Passed, Wait> {
        let tolerance = self.nanos(self.burst);
        let paid_until = paid_until.max(now);
        // What is larger than a burst would never fit into one: it passes when nothing is owed.
        let needed = self.nanos(units.min(self.burst));
        let over = paid_until.saturating_add(needed).saturating_sub(now.saturating_add(tolerance));
        if over > 0 {
            return Err(Wait(over));
        }
        let paid_until = self.charge(paid_until, now, units);
        Ok(Passed { paid_until, remaining: self.remaining(paid_until, now) })
    }

    /// The state once `units` have passed that nobody asked about before: those behind them wait until they are paid for.
    #[must_use]
    pub fn charge(&self, paid_until: u64, now: u64, units: u64) -> u64 {
        paid_until.max(now).saturating_add(self.nanos(units))
    }

    /// How many units may pass at `now`.
    #[must_use]
    pub fn remaining(&self, paid_until: u64, now: u64) -> u64 {
        let left = now.saturating_add(self.nanos(self.burst)).saturating_sub(paid_until.max(now));
        let units = u128::from(left) * u128::from(self.per_second) / NANOS_PER_SECOND;
        u64::try_from(units).unwrap_or(u64::MAX)
    }

    /// How long so many units take; rounded up, so that rounding never lets more pass.
    fn nanos(&self, units: u64) -> u64 {
        let nanos = (u128::from(units) * NANOS_PER_SECOND).div_ceil(u128::from(self.per_second));
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}

impl Wait {
    /// The same in whole seconds, at least one.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        let seconds = self.0.div_ceil(1_000_000_000);
        if seconds == 0 { 1 } else { seconds }
    }

    /// The same in whole milliseconds, at least one.
    #[must_use]
    pub const fn millis(self) -> u64 {
        let millis = self.0.div_ceil(1_000_000);
        if millis == 0 { 1 } else { millis }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_second_of_units_passes_at_once_and_then_one_by_one() {
        let rate = Rate::per_second(10);
        let mut paid_until = 0;
        for left in (0..10).rev() {
            let passed = rate.take(paid_until, SECOND, 1).unwrap();
            assert_eq!(passed.remaining, left);
            paid_until = passed.paid_until;
        }
        let wait = rate.take(paid_until, SECOND, 1).unwrap_err();
        assert_eq!((wait, wait.seconds(), wait.millis()), (Wait(SECOND / 10), 1, 100));
        assert!(rate.take(paid_until, SECOND + wait.0, 1).is_ok());
        assert!(rate.take(paid_until, SECOND + wait.0 - 1, 1).is_err());
    }

    #[test]
    fn what_is_larger_than_a_burst_passes_when_nothing_is_owed_and_is_paid_for() {
        let rate = Rate::per_second(10);
        let passed = rate.take(0, SECOND, 100).unwrap();
        assert_eq!(passed, Passed { paid_until: 11 * SECOND, remaining: 0 });
        assert_eq!(rate.take(passed.paid_until, SECOND, 1), Err(Wait(9 * SECOND + SECOND / 10)));
        assert!(rate.take(passed.paid_until, 2 * SECOND, 100).is_err());
    }

    #[test]
    fn what_is_charged_is_paid_for_by_those_behind_it() {
        let rate = Rate::per_second(10);
        let paid_until = rate.take(0, SECOND, 1).unwrap().paid_until;
        let charged = rate.charge(paid_until, SECOND, 99);
        assert_eq!(charged, 11 * SECOND);
        assert_eq!(rate.take(charged, SECOND, 1), Err(Wait(9 * SECOND + SECOND / 10)));
    }

    proptest! {
        /// Whatever is asked and when, no window has more than its share, a burst, and the excess of its last request.
        #[test]
        fn no_window_lets_more_pass(
            per_second in 1..1_000_u64,
            asks in proptest::collection::vec((0..SECOND, 1..50_u64), 1..200),
        ) {
            let rate = Rate::per_second(per_second);
            let (mut paid_until, mut now) = (0, SECOND);
            let mut passed: Vec<(u64, u64)> = Vec::new();
            for (pause, units) in asks {
                now += pause;
                match rate.take(paid_until, now, units) {
                    Ok(taken) => {
                        paid_until = taken.paid_until;
                        passed.push((now, units));
                    }
                    // What has waited as long as it was told to passes, and not a moment earlier.
                    Err(wait) => {
                        prop_assert!(rate.take(paid_until, now + wait.0, units).is_ok());
                        prop_assert!(rate.take(paid_until, now + wait.0 - 1, units).is_err());
                    }
                }
            }
            for first in 0..passed.len() {
                let mut sum = 0;
                for &(at, units) in &passed[first..] {
                    let share = u128::from(at - passed[first].0) * u128::from(per_second) / u128::from(SECOND);
                    let bound = share + u128::from(per_second) + 1;
                    prop_assert!(u128::from(sum + units.min(per_second)) <= bound, "{sum} + {units} in {share}");
                    sum += units;
                }
            }
        }

        #[test]
        fn any_numbers_are_answered(per_second: u64, burst: u64, paid_until: u64, now: u64, units: u64) {
            let rate = Rate::per_second(per_second).with_burst(burst);
            if let Ok(passed) = rate.take(paid_until, now, units) {
                prop_assert!(passed.paid_until >= now.min(paid_until));
            }
        }
    }
}
