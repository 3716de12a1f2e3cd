//! How many messages are still wanted, and how much credit the node gets for them.

use crate::limits;

/// Credit never exceeds what is wanted, so that no message is leased in vain.
#[derive(Debug)]
pub(super) struct Quota {
    wanted: Option<u64>,
    granted: u64,
    taken: u64,
}

impl Quota {
    /// So many messages, or all that come.
    pub(super) fn new(wanted: Option<u64>) -> Self {
        let granted = u64::from(limits::CREDIT).min(wanted.unwrap_or(u64::MAX));
        Self { wanted, granted, taken: 0 }
    }

    /// The credit to begin with.
    pub(super) fn first_credit(&self) -> u32 {
        u32::try_from(self.granted).unwrap_or(limits::CREDIT)
    }

    /// Of so many messages that have come, how many are wanted.
    pub(super) fn take(&mut self, come: usize) -> usize {
        let missing = self.wanted.map_or(u64::MAX, |wanted| wanted.saturating_sub(self.taken));
        let take = come.min(usize::try_from(missing).unwrap_or(usize::MAX));
        self.taken = self.taken.saturating_add(take as u64);
        take
    }

    /// The credit to add after so many messages were taken; `None` if there is enough for all that are wanted.
    pub(super) fn top_up(&mut self, taken: usize) -> Option<u32> {
        let missing = self.wanted.map_or(u64::MAX, |wanted| wanted.saturating_sub(self.granted));
        let add = (taken as u64).min(missing).min(u64::from(limits::CREDIT));
        self.granted = self.granted.saturating_add(add);
        u32::try_from(add).ok().filter(|add| *add > 0)
    }

    /// Whether there were enough.
    pub(super) fn is_met(&self) -> bool {
        self.wanted.is_some_and(|wanted| self.taken >= wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_is_never_more_than_what_is_wanted() {
        let mut quota = Quota::new(Some(3));
        assert_eq!(quota.first_credit(), 3);
        assert_eq!((quota.take(2), quota.top_up(2), quota.is_met()), (2, None, false));
        assert_eq!((quota.take(2), quota.top_up(1), quota.is_met()), (1, None, true));
    }

    #[test]
    fn credit_is_given_back_up_to_the_last_message() {
        let mut quota = Quota::new(Some(1_500));
        assert_eq!(quota.first_credit(), 1_000);
        assert_eq!((quota.take(400), quota.top_up(400)), (400, Some(400)));
        assert_eq!((quota.take(400), quota.top_up(400)), (400, Some(100)));
        assert_eq!((quota.take(400), quota.top_up(400)), (400, None));
    }

    #[test]
    fn without_a_count_it_never_ends() {
        let mut quota = Quota::new(None);
        assert_eq!(quota.first_credit(), 1_000);
        assert_eq!((quota.take(10), quota.top_up(10), quota.is_met()), (10, Some(10), false));
    }
}
