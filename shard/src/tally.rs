//! What a shard tells of its topics and subscriptions when it is asked: too many to be kept up to date for nobody.

use std::collections::BTreeMap;

use futures_channel::oneshot;
use shard_core::{
    delivery::DispatcherStatus,
    model::{SubscriptionId, TopicId, TopicPartition},
};

/// How a shard's topics and subscriptions stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many messages the shard has appended to each topic since the node started; it never falls.
    pub topics: Vec<(TopicId, u64)>,
    /// How far each subscription has come on the partitions that the shard owns.
    pub subscriptions: BTreeMap<SubscriptionId, Progress>,
}

/// How far a subscription has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Messages that are not acked; those that are known to wait for their time are left out.
    pub lag: u64,
    /// Messages that consumers hold.
    pub leased: u64,
}

/// A tally that is being made, a part in each turn of the shard's loop.
#[derive(Debug)]
pub(crate) struct Counting {
    /// Partitions that were not looked at yet.
    pub(crate) left: Vec<TopicPartition>,
    pub(crate) tally: Tally,
    pub(crate) reply: oneshot::Sender<Tally>,
}

impl Progress {
    /// Adds what a subscription has come to on one more partition.
    pub(crate) const fn add(&mut self, status: &DispatcherStatus) {
        self.lag += status.backlog.saturating_sub(status.delayed);
        self.leased += status.leased;
    }

    /// The same over all that two shards own.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { lag: self.lag + other.lag, leased: self.leased + other.leased }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_wait_for_their_time_are_no_lag() {
        let mut progress = Progress { lag: 1, leased: 1 };
        progress.add(&DispatcherStatus { backlog: 10, delayed: 4, leased: 2, ..DispatcherStatus::default() });
        assert_eq!(progress, Progress { lag: 7, leased: 3 });
    }
}
