//! How long a message waits before it is delivered again.

use std::time::Duration;

use crate::model::Offset;

/// Exponential back-off between two bounds: the delay doubles with each attempt and is spread over its doubling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The shortest delay, that after the first attempt.
    pub min: Duration,
    /// The longest delay.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { min: Duration::from_millis(100), max: Duration::from_mins(1) }
    }
}

impl Backoff {
    /// The delay after attempt number `attempts` (from 1) of the message at `offset`.
    ///
    /// It is spread by `seed`, so that messages that failed together do not come back together; the same arguments
    /// give the same delay.
    #[must_use]
    pub fn delay(&self, attempts: u32, offset: Offset, seed: u64) -> Duration {
        let min = micros(self.min);
        let max = micros(self.max).max(min);
        let factor = 1_u64.checked_shl(attempts.saturating_sub(1)).unwrap_or(u64::MAX);
        let lowest = min.saturating_mul(factor).min((max / 2).max(min));
        let spread = lowest.min(max - lowest);
        let jitter = mix(seed ^ mix(offset.get() ^ mix(u64::from(attempts)))) % spread.saturating_add(1);
        Duration::from_micros(lowest + jitter)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The finaliser of `SplitMix64`: spreads neighbouring numbers over the whole range.
const fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_mins(1) };

    #[test]
    fn delays_double_and_stay_within_the_bounds() {
        for offset in (0..1_000).map(Offset::new) {
            for attempts in 1..70 {
                let delay = BACKOFF.delay(attempts, offset, 7);
                let lowest = BACKOFF.min.saturating_mul(1 << (attempts - 1).min(20)).min(BACKOFF.max / 2);
                assert!(delay >= lowest && delay <= BACKOFF.max.min(lowest * 2), "{attempts}: {delay:?}");
            }
        }
    }

    #[test]
    fn equal_arguments_give_equal_delays_and_others_are_spread() {
        let delay = |offset, seed| BACKOFF.delay(3, Offset::new(offset), seed);
        assert_eq!(delay(1, 2), delay(1, 2));
        let distinct: std::collections::BTreeSet<_> = (0..100).map(|offset| delay(offset, 2)).collect();
        assert!(distinct.len() > 90, "{} distinct delays of 100", distinct.len());
        assert_ne!(delay(1, 2), delay(1, 3));
    }

    #[test]
    fn senseless_bounds_do_no_harm() {
        let zero = Backoff { min: Duration::ZERO, max: Duration::ZERO };
        assert_eq!(zero.delay(5, Offset::ZERO, 1), Duration::ZERO);
        let crossed = Backoff { min: Duration::from_secs(9), max: Duration::from_secs(1) };
        assert_eq!(crossed.delay(5, Offset::ZERO, 1), Duration::from_secs(9));
        let endless = Backoff { min: Duration::MAX, max: Duration::MAX };
        assert!(endless.delay(u32::MAX, Offset::ZERO, 1) > Duration::from_secs(1));
    }
}
