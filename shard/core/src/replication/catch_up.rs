//! How fast replicas that are not in sync are sent what they lack, so that publishers keep most of the disk and the network
//! (as Kafka's replication quotas do, KIP-73).

use std::{num::NonZeroU64, time::Duration};

use crate::model::Monotonic;

/// What one core may send such replicas, all of them together; those in sync are not counted.
///
/// It is a virtual clock: what is sent moves it on by the time that it takes at the rate, and nothing more is sent while it
/// is ahead (the generic cell rate algorithm, without a burst).
#[derive(Debug)]
pub struct CatchUpBudget {
    /// Bytes a second; none for as many as there are.
    rate: Option<NonZeroU64>,
    free_at: Monotonic,
}

impl CatchUpBudget {
    /// Nothing was sent so far.
    #[must_use]
    pub fn new(rate: Option<NonZeroU64>) -> Self {
        Self { rate, free_at: Monotonic::default() }
    }

    /// How long nothing may be sent; zero if something may be sent now.
    #[must_use]
    pub const fn wait(&self, now: Monotonic) -> Duration {
        self.free_at.since(now)
    }

    /// So many bytes are sent.
    pub fn charge(&mut self, now: Monotonic, bytes: usize) {
        self.free_at = self.free_at.max(now).plus(self.time(bytes));
    }

    /// So many bytes came that they lack too: these may be sent beyond the rate, or whoever is slower than publishers would
    /// never be in sync.
    pub fn credit(&mut self, bytes: usize) {
        let micros = u64::try_from(self.time(bytes).as_micros()).unwrap_or(u64::MAX);
        self.free_at = Monotonic::from_micros(self.free_at.as_micros().saturating_sub(micros));
    }

    /// What so many bytes take at the rate.
    fn time(&self, bytes: usize) -> Duration {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.rate.map_or(Duration::ZERO, |rate| Duration::from_micros(bytes.saturating_mul(1_000_000) / rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Monotonic {
        Monotonic::from_micros(micros)
    }

    #[test]
    fn as_much_is_sent_as_the_rate_says_whatever_the_pieces() {
        for piece in [1_000, 64_000, 300_000] {
            let mut budget = CatchUpBudget::new(NonZeroU64::new(1_000_000));
            let (mut now, mut sent) = (at(5_000_000), 0);
            while now < at(15_000_000) {
                now = now.plus(budget.wait(now));
                budget.charge(now, piece);
                sent += piece;
            }
            assert!((10_000_000..=10_000_000 + 2 * piece).contains(&sent), "{sent} bytes in ten seconds");
        }
    }

    #[test]
    fn what_was_not_sent_is_not_saved_up() {
        let mut budget = CatchUpBudget::new(NonZeroU64::new(1_000_000));
        budget.charge(at(60_000_000), 500_000);
        assert_eq!(budget.wait(at(60_000_000)), Duration::from_millis(500));
        assert_eq!(budget.wait(at(60_500_000)), Duration::ZERO);
    }

    #[test]
    fn what_comes_meanwhile_is_sent_beyond_the_rate() {
        let mut budget = CatchUpBudget::new(NonZeroU64::new(1_000_000));
        let (mut now, mut sent) = (at(5_000_000), 0_usize);
        while now < at(15_000_000) {
            now = now.plus(budget.wait(now));
            budget.charge(now, 100_000);
            budget.credit(60_000);
            sent += 100_000;
        }
        assert!((24_900_000..=25_200_000).contains(&sent), "{sent} bytes, of which 60 % came meanwhile");
        budget.credit(usize::MAX);
        budget.charge(now, 500_000);
        assert_eq!(budget.wait(now), Duration::from_millis(500), "it is not saved up");
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let mut budget = CatchUpBudget::new(None);
        budget.charge(at(1), usize::MAX);
        assert_eq!(budget.wait(at(1)), Duration::ZERO);
    }
}
