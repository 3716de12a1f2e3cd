//! When to try to connect again: at once, then at growing distances, so that a Redis that is back is met soon.

use std::time::Duration;

/// The delay after the second failure in a row; the first is followed by another try at once.
const DELAY_MIN: Duration = Duration::from_millis(50);
/// The longest delay: what a Redis that comes back has to wait for at most.
const DELAY_MAX: Duration = Duration::from_millis(500);

/// Counts failures in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconnect {
    failures: u32,
}

impl Reconnect {
    /// A connection failed, or ended after having lasted for `lasted`: how long to wait before the next try.
    ///
    /// One that ended soon counts as a failure, so that a server which accepts and hangs up is not tried in a loop.
    pub fn delay_after(&mut self, lasted: Duration) -> Duration {
        if lasted > DELAY_MAX {
            self.failures = 0;
        }
        let delay = match self.failures {
            0 => Duration::ZERO,
            failures => DELAY_MIN.saturating_mul(1 << (failures - 1).min(8)).min(DELAY_MAX),
        };
        self.failures = self.failures.saturating_add(1);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_try_is_at_once_and_the_delay_is_bounded() {
        let mut reconnect = Reconnect::default();
        let delays: Vec<_> = (0..8).map(|_| reconnect.delay_after(Duration::ZERO).as_millis()).collect();
        assert_eq!(delays, [0, 50, 100, 200, 400, 500, 500, 500]);
    }

    #[test]
    fn a_connection_that_lasted_forgives_what_was_before_it() {
        let mut reconnect = Reconnect::default();
        for _ in 0..1000 {
            reconnect.delay_after(Duration::ZERO);
        }
        assert_eq!(reconnect.delay_after(Duration::from_secs(1)), Duration::ZERO);
        assert_eq!(reconnect.delay_after(Duration::ZERO), DELAY_MIN);
    }
}
