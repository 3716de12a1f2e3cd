//! Ids that the metadata hands out once and never again.

use std::fmt;

/// Identifies a topic for ever: a topic recreated under an old name has a new id.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct TopicId(u64);

/// Identifies a subscription for ever: one recreated under an old name has a new id.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct SubscriptionId(u64);

impl TopicId {
    /// Wraps the number that the metadata gave.
    #[must_use]
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number, for formats, directories and metadata.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Set in the ids under which a journal keeps which dead letters were sent back; the metadata counts from 1.
const REDRIVEN: u64 = 1 << 63;

impl SubscriptionId {
    /// What a partition's cursor journal keeps the cancelled messages under, as if a subscription had acked them.
    pub const CANCELLED: Self = Self(u64::MAX);

    /// What the cursor journal of a dead-letter partition keeps those letters under that this subscription was sent again, as
    /// if another one had acked them.
    #[must_use]
    pub const fn redriven(self) -> Self {
        Self(self.0 | REDRIVEN)
    }

    /// The subscription whose redriven letters are kept under this id, if it is such a one.
    #[must_use]
    pub const fn of_redriven(self) -> Option<Self> {
        let is_one = self.0 & REDRIVEN != 0 && self.0 != Self::CANCELLED.0;
        if is_one { Some(Self(self.0 & !REDRIVEN)) } else { None }
    }
    /// Wraps the number that the metadata gave.
    #[must_use]
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number, for formats and metadata.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_apart_in_a_journal_is_told_from_subscriptions() {
        let subscription = SubscriptionId::new(7);
        assert_eq!(subscription.of_redriven(), None);
        assert_eq!(subscription.redriven().of_redriven(), Some(subscription));
        assert_eq!(SubscriptionId::CANCELLED.of_redriven(), None);
    }
}
