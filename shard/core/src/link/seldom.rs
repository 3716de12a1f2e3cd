//! Decides which of many like events are worth a line in the log: whoever connects again and again must not fill a disk.

use std::time::Duration;

use crate::model::Monotonic;

/// Lets one event through for each [`Seldom::INTERVAL`], and counts the others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seldom {
    /// When the last one went through.
    last: Option<Monotonic>,
    passed_over: u64,
}

impl Seldom {
    /// How far apart two that go through are at least.
    pub const INTERVAL: Duration = Duration::from_secs(10);

    /// An event happens: how many were passed over since the last one that went through, or `None` if this one is too.
    pub fn on_event(&mut self, now: Monotonic) -> Option<u64> {
        if self.last.is_some_and(|last| now.since(last) < Self::INTERVAL) {
            self.passed_over = self.passed_over.saturating_add(1);
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.passed_over))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic::default().plus(Duration::from_millis(millis))
    }

    #[test]
    fn one_goes_through_in_each_interval_and_says_how_many_did_not() {
        let mut seldom = Seldom::default();
        let events = [0, 1, 9_999, 10_000, 10_001, 30_000, 30_000];
        let told = events.map(|millis| seldom.on_event(at(millis)));
        assert_eq!(told, [Some(0), None, None, Some(2), None, Some(1), None]);
    }
}
