//! What each subscription of a run was given of what was acknowledged. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::deliveries::{Delivery, DeliveryCheck, Verdict};
use crate::stamp::Stamp;

/// What the connections of a worker published, and what those of each subscription were given.
#[derive(Debug)]
pub struct SubscriptionChecks {
    run: u32,
    publishers: DeliveryCheck,
    subscriptions: BTreeMap<u32, DeliveryCheck>,
}

impl SubscriptionChecks {
    /// Nothing published, nothing delivered.
    #[must_use]
    pub fn new(run: u32) -> Self {
        Self { run, publishers: DeliveryCheck::new(run), subscriptions: BTreeMap::new() }
    }

    /// These messages of a stream were acknowledged.
    pub fn acknowledge(&mut self, stream: u32, sequences: Range<u64>) {
        self.publishers.acknowledge(stream, sequences);
    }

    /// A message was delivered to a subscription from this place in its topic.
    pub fn deliver(&mut self, subscription: u32, stamp: Option<Stamp>, partition: u32, offset: u64) -> Delivery {
        let run = self.run;
        let check = self.subscriptions.entry(subscription).or_insert_with(|| DeliveryCheck::new(run));
        check.deliver(stamp, partition, offset)
    }

    /// Adds another worker's checks of the same run.
    pub fn merge(&mut self, other: &Self) {
        let run = self.run;
        self.publishers.merge(&other.publishers);
        for (subscription, check) in &other.subscriptions {
            self.subscriptions.entry(*subscription).or_insert_with(|| DeliveryCheck::new(run)).merge(check);
        }
    }

    /// What was acknowledged.
    #[must_use]
    pub fn publishers(&self) -> &DeliveryCheck {
        &self.publishers
    }

    /// The sum over the subscriptions from 0 to `count`; `owes` says whether a stream's messages are for a subscription.
    #[must_use]
    pub fn verdict(&self, count: u32, owes: impl Fn(u32, u32) -> bool) -> Verdict {
        let nothing = DeliveryCheck::new(self.run);
        let verdicts = (0..count).map(|subscription| {
            let check = self.subscriptions.get(&subscription).unwrap_or(&nothing);
            check.verdict_owed_by(&self.publishers, |stream| owes(stream, subscription))
        });
        verdicts.fold(Verdict::default(), Verdict::plus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: u32 = 7;

    fn deliver(checks: &mut SubscriptionChecks, subscription: u32, stream: u32, sequence: u64) -> Delivery {
        let stamp = Stamp { run: RUN, stream, sequence, intended_micros: 0 };
        checks.deliver(subscription, Some(stamp), 0, sequence)
    }

    #[test]
    fn each_subscription_is_owed_all_of_its_topic_and_nothing_else() {
        // Streams 0 and 1 publish to topics 0 and 1; each topic has two subscriptions: 0 and 2, 1 and 3.
        let mut checks = SubscriptionChecks::new(RUN);
        checks.acknowledge(0, 0..2);
        checks.acknowledge(1, 0..2);
        for (subscription, stream) in [(0, 0), (2, 0), (1, 1), (3, 1)] {
            for sequence in 0..2 {
                assert_eq!(deliver(&mut checks, subscription, stream, sequence), Delivery::First);
            }
        }
        let owes = |stream, subscription| stream % 2 == subscription % 2;
        let verdict = checks.verdict(4, owes);
        assert_eq!(verdict, Verdict { acknowledged: 8, delivered: 8, ..Verdict::default() });
        assert_eq!(checks.verdict(6, owes).lost, 4, "a subscription that nobody heard of has got nothing");
    }

    #[test]
    fn a_duplicate_is_one_within_its_subscription_also_between_workers() {
        let (mut one, mut other) = (SubscriptionChecks::new(RUN), SubscriptionChecks::new(RUN));
        one.acknowledge(0, 0..1);
        deliver(&mut one, 0, 0, 0);
        deliver(&mut other, 1, 0, 0);
        one.merge(&other);
        assert_eq!(one.verdict(2, |_, _| true).duplicates, 0);
        one.merge(&other);
        assert_eq!(one.verdict(2, |_, _| true).duplicates, 1);
    }
}
