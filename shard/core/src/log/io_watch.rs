//! How long the oldest operation on the disk has been under way, and what follows from that.
//!
//! A disk that stands still fails nothing: its operations only never end. Whoever waits for one of them waits as long as
//! it takes; what can be decided is whether more is let in, and whether a person is told.

use std::{collections::BTreeMap, time::Duration};

use crate::model::Monotonic;

/// The operations on one disk that were begun and have not ended.
#[derive(Debug, Default)]
pub struct IoLedger {
    begun: BTreeMap<u64, Monotonic>,
    next: u64,
}

/// One operation in the ledger.
#[derive(Debug, PartialEq, Eq)]
pub struct IoTicket(u64);

/// From which age of the oldest operation on a disk is slow, and from which it stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoLimits {
    /// From this age on a person is told.
    pub slow_after: Duration,
    /// From this age on nothing new is taken.
    pub stuck_after: Duration,
}

/// How a disk does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum IoHealth {
    /// It answers.
    #[default]
    Answers,
    /// An operation takes long.
    Slow,
    /// An operation takes so long that nothing new is taken.
    Stuck,
}

/// Tells when the health of a disk changes.
#[derive(Debug)]
pub struct IoWatch {
    limits: IoLimits,
    told: IoHealth,
}

impl IoLedger {
    /// An operation begins.
    pub fn begin(&mut self, now: Monotonic) -> IoTicket {
        let ticket = self.next;
        self.next += 1;
        self.begun.insert(ticket, now);
        IoTicket(ticket)
    }

    /// An operation has ended, in whatever way.
    pub fn end(&mut self, ticket: &IoTicket) {
        self.begun.remove(&ticket.0);
    }

    /// How long the oldest operation has been under way; zero if none is.
    #[must_use]
    pub fn oldest_age(&self, now: Monotonic) -> Duration {
        // Tickets rise with time.
        self.begun.first_key_value().map_or(Duration::ZERO, |(_, &begun)| now.since(begun))
    }
}

impl IoLimits {
    /// What the age of the oldest operation says of the disk.
    #[must_use]
    pub fn health(&self, oldest: Duration) -> IoHealth {
        if oldest >= self.stuck_after {
            IoHealth::Stuck
        } else if oldest >= self.slow_after {
            IoHealth::Slow
        } else {
            IoHealth::Answers
        }
    }
}

impl Default for IoLimits {
    fn default() -> Self {
        Self { slow_after: Duration::from_secs(2), stuck_after: Duration::from_secs(10) }
    }
}

impl IoWatch {
    /// A watch over a disk that answers.
    #[must_use]
    pub const fn new(limits: IoLimits) -> Self {
        Self { limits, told: IoHealth::Answers }
    }

    /// Looks at the disk; its health, if it has changed since the last look.
    pub fn look(&mut self, oldest: Duration) -> Option<IoHealth> {
        let health = self.limits.health(oldest);
        let changed = health != self.told;
        self.told = health;
        changed.then_some(health)
    }

    /// Whether something new is to be refused.
    #[must_use]
    pub fn refuses(&self, oldest: Duration) -> bool {
        self.limits.health(oldest) == IoHealth::Stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic::default().plus(Duration::from_millis(millis))
    }

    const LIMITS: IoLimits =
        IoLimits { slow_after: Duration::from_millis(20), stuck_after: Duration::from_millis(100) };

    #[test]
    fn the_oldest_operation_counts_in_whatever_order_they_end() {
        let mut ledger = IoLedger::default();
        assert_eq!(ledger.oldest_age(at(5)), Duration::ZERO);
        let (first, second) = (ledger.begin(at(10)), ledger.begin(at(30)));
        assert_eq!(ledger.oldest_age(at(50)), Duration::from_millis(40));
        ledger.end(&first);
        assert_eq!(ledger.oldest_age(at(50)), Duration::from_millis(20));
        let third = ledger.begin(at(60));
        ledger.end(&third);
        assert_eq!(ledger.oldest_age(at(70)), Duration::from_millis(40));
        ledger.end(&second);
        assert_eq!(ledger.oldest_age(at(70)), Duration::ZERO);
    }

    #[test]
    fn each_change_of_health_is_told_once() {
        let mut watch = IoWatch::new(LIMITS);
        let ages = [0, 19, 20, 90, 100, 5_000, 50, 0, 0];
        let told: Vec<_> = ages.into_iter().map(|age| watch.look(Duration::from_millis(age))).collect();
        let (slow, stuck, answers) = (Some(IoHealth::Slow), Some(IoHealth::Stuck), Some(IoHealth::Answers));
        assert_eq!(told, [None, None, slow, None, stuck, None, slow, answers, None]);
    }

    #[test]
    fn only_a_disk_that_stands_still_refuses_and_only_as_long_as_it_does() {
        let watch = IoWatch::new(LIMITS);
        let refused = [0, 99, 100, 5_000, 0].map(|age| watch.refuses(Duration::from_millis(age)));
        assert_eq!(refused, [false, false, true, true, false]);
    }
}
