//! Ids that the metadata hands out once and never again.

use std::fmt;

/// Identifies a topic for ever: a topic recreated under an old name has a new id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(u64);

/// Identifies a subscription for ever: one recreated under an old name has a new id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

impl SubscriptionId {
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
