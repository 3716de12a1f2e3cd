//! When a batch of spans is sent again, and when it is given up.

use std::time::Duration;

use crate::limits;

/// How exporting goes. What fails is tried again after a while, longer each time, also when another batch's turn has come: a
/// collector that is away is not asked in a loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Backoff {
    /// How often in a row it has failed.
    failures: u32,
}

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// How long nothing is sent.
    pub(super) pause: Duration,
    /// Whether it is the first after a success.
    pub(super) is_new: bool,
}

impl Backoff {
    /// A batch was taken; says whether the one before was not.
    pub(super) const fn on_success(&mut self) -> bool {
        let had_failed = self.failures > 0;
        self.failures = 0;
        had_failed
    }

    /// A batch was not taken.
    pub(super) fn on_failure(&mut self) -> Failed {
        let longer = 1_u32.checked_shl(self.failures.min(16)).unwrap_or(u32::MAX);
        let pause = limits::TRACE_RETRY_PAUSE_MIN.saturating_mul(longer).min(limits::TRACE_RETRY_PAUSE_MAX);
        let is_new = self.failures == 0;
        self.failures = self.failures.saturating_add(1);
        Failed { pause, is_new }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..40).map(|_| backoff.on_failure().pause).collect();
        assert_eq!(pauses[..3], [1, 2, 4].map(|times| limits::TRACE_RETRY_PAUSE_MIN * times));
        assert!(pauses.is_sorted());
        assert_eq!(pauses.last(), Some(&limits::TRACE_RETRY_PAUSE_MAX));
    }

    #[test]
    fn trouble_is_told_once_and_so_is_its_end() {
        let mut backoff = Backoff::default();
        assert!(!backoff.on_success());
        assert!(backoff.on_failure().is_new);
        assert!(!backoff.on_failure().is_new);
        assert!(backoff.on_success());
        assert!(!backoff.on_success());
        assert_eq!(backoff.on_failure(), Failed { pause: limits::TRACE_RETRY_PAUSE_MIN, is_new: true });
    }
}
