//! The circuit breaker: an endpoint that keeps failing is left alone, and tried now and then.

use std::time::Duration;

use crate::{
    limits::{PUSH_FAILURES_BEFORE_OPEN, PUSH_PAUSE_MAX, PUSH_PAUSE_MIN},
    model::Monotonic,
};

/// Counts failures in a row, and how long to wait because of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    open: Option<Open>,
}

/// A pause that lasts until one message may be tried.
#[derive(Clone, Copy, Debug)]
struct Open {
    until: Monotonic,
    pause: Duration,
}

impl Breaker {
    /// A request has succeeded: whatever failed before, the endpoint is there.
    pub(super) fn on_success(&mut self) {
        *self = Self::default();
    }

    /// A request has failed.
    pub(super) fn on_failure(&mut self, now: Monotonic) {
        self.failures = self.failures.saturating_add(1);
        let pause = match self.open {
            // A request that was under way before the pause began says nothing new.
            Some(open) if now < open.until => return,
            Some(open) => (open.pause * 2).min(PUSH_PAUSE_MAX),
            None if self.failures < PUSH_FAILURES_BEFORE_OPEN => return,
            None => PUSH_PAUSE_MIN,
        };
        self.open = Some(Open { until: now.plus(pause), pause });
    }

    /// Until when nothing may be sent, if it is open; after that one message may be tried.
    pub(super) fn open_until(&self) -> Option<Monotonic> {
        self.open.map(|open| open.until)
    }

    /// How many have failed in a row.
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }
}
