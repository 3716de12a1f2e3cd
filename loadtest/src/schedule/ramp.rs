//! Arrivals at a rate that grows, or falls, evenly from one to another.

use std::num::NonZeroU64;
use std::time::Duration;

/// A rate that changes evenly for a time and then stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ramp {
    from: NonZeroU64,
    to: NonZeroU64,
    over: Duration,
    messages_per_request: NonZeroU64,
}

impl Ramp {
    /// From and to so many messages a second, in requests of `messages_per_request`.
    #[must_use]
    pub fn new(from: NonZeroU64, to: NonZeroU64, over: Duration, messages_per_request: NonZeroU64) -> Self {
        Self { from, to, over, messages_per_request }
    }

    /// When request `index` is due. Floating point is exact here to well below a microsecond for any run of a day.
    #[must_use]
    pub fn intended(self, index: u64) -> Duration {
        let messages = to_f64(index) * to_f64(self.messages_per_request.get());
        let (from, to, over) = (to_f64(self.from.get()), to_f64(self.to.get()), self.over.as_secs_f64());
        let within = from.midpoint(to) * over;
        let seconds = if messages >= within {
            over + (messages - within) / to
        } else {
            // `messages` = from·t + slope·t²/2, solved for t in the form that loses no digits when the slope is small.
            let slope = (to - from) / over;
            2.0 * messages / (from + (from * from + 2.0 * slope * messages).max(0.0).sqrt())
        };
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run stay far below 2^52")]
fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ramp(from: u64, to: u64, seconds: u64, batch: u64) -> Ramp {
        let number = |number| NonZeroU64::new(number).unwrap();
        Ramp::new(number(from), number(to), Duration::from_secs(seconds), number(batch))
    }

    fn due_before(ramp: Ramp, time: Duration) -> usize {
        (0..100_000).take_while(|index| ramp.intended(*index) < time).count()
    }

    #[test]
    fn a_ramp_has_the_messages_of_its_mean_rate() {
        // From 100 to 300 a second in 10 s: 2,000 messages; then 300 each second.
        let ramp = ramp(100, 300, 10, 1);
        assert_eq!(due_before(ramp, Duration::from_secs(10)), 2_000);
        assert_eq!(due_before(ramp, Duration::from_secs(12)), 2_600);
        // In its first half the mean is 150 a second.
        assert_eq!(due_before(ramp, Duration::from_secs(5)), 750);
    }

    #[test]
    fn a_ramp_may_fall_or_stay() {
        assert_eq!(due_before(ramp(300, 100, 10, 1), Duration::from_secs(10)), 2_000);
        assert_eq!(due_before(ramp(200, 200, 10, 10), Duration::from_secs(10)), 200);
        assert_eq!(due_before(ramp(50, 100, 0, 1), Duration::from_secs(1)), 100);
    }

    proptest! {
        #[test]
        fn intended_times_never_fall(
            from in 1_u64..1_000_000, to in 1_u64..1_000_000, seconds in 0_u64..3_600, batch in 1_u64..1_000, index in 0_u64..1_000_000_000
        ) {
            let ramp = ramp(from, to, seconds, batch);
            prop_assert!(ramp.intended(index) <= ramp.intended(index + 1));
        }
    }
}
