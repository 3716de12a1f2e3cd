//! The subscriptions of one partition, of which only those are looked at that something happened to.

use std::collections::{BTreeMap, BTreeSet};

use shard_core::model::{Monotonic, SubscriptionId};

use crate::partition::Subscribed;

/// A partition's subscriptions. Those that nobody waits at and where nothing is due cost an append nothing.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    entries: BTreeMap<SubscriptionId, Entry>,
    /// Those that something may have changed for since they were last settled.
    touched: Vec<SubscriptionId>,
    /// Those at which somebody waits for messages.
    waited_at: BTreeSet<SubscriptionId>,
    /// When something is due at which of them.
    due: BTreeSet<(Monotonic, SubscriptionId)>,
}

/// A subscription, and where it stands in the lists above.
#[derive(Debug)]
struct Entry {
    subscribed: Subscribed,
    touched: bool,
    due: Option<Monotonic>,
}

impl Subscriptions {
    /// Adds one.
    pub(crate) fn insert(&mut self, id: SubscriptionId, subscribed: Subscribed) {
        self.remove(id);
        self.entries.insert(id, Entry { subscribed, touched: false, due: None });
        self.get_mut(id);
    }

    /// Takes one away.
    pub(crate) fn remove(&mut self, id: SubscriptionId) -> Option<Subscribed> {
        let Entry { subscribed, due, .. } = self.entries.remove(&id)?;
        self.waited_at.remove(&id);
        if let Some(at) = due {
            self.due.remove(&(at, id));
        }
        Some(subscribed)
    }

    /// One of them, to be settled later.
    pub(crate) fn get_mut(&mut self, id: SubscriptionId) -> Option<&mut Subscribed> {
        let entry = self.entries.get_mut(&id)?;
        if !entry.touched {
            entry.touched = true;
            self.touched.push(id);
        }
        Some(&mut entry.subscribed)
    }

    /// All of them, as they are.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (SubscriptionId, &Subscribed)> {
        self.entries.iter().map(|(&id, entry)| (id, &entry.subscribed))
    }

    /// Does something to each of them, whatever it costs.
    pub(crate) fn for_each(&mut self, mut work: impl FnMut(&mut Subscribed)) {
        let all: Vec<_> = self.entries.keys().copied().collect();
        for id in all {
            self.get_mut(id).map(&mut work);
        }
    }

    /// There are new messages: those at which somebody waits are to be settled.
    pub(crate) fn touch_waited_at(&mut self) {
        for &id in &self.waited_at {
            if let Some(entry) = self.entries.get_mut(&id).filter(|entry| !entry.touched) {
                entry.touched = true;
                self.touched.push(id);
            }
        }
    }

    /// Takes one that something is due at; it is to be settled.
    pub(crate) fn take_due(&mut self, now: Monotonic) -> Option<SubscriptionId> {
        let (_, id) = self.due.first().copied().filter(|&(at, _)| at <= now)?;
        self.due.pop_first();
        self.entries.get_mut(&id)?.due = None;
        self.get_mut(id);
        Some(id)
    }

    /// Takes one that is to be settled.
    pub(crate) fn take_touched(&mut self) -> Option<SubscriptionId> {
        loop {
            let id = self.touched.pop()?;
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.touched = false;
                return Some(id);
            }
        }
    }

    /// One that is being settled.
    pub(crate) fn settling(&mut self, id: SubscriptionId) -> Option<&mut Subscribed> {
        self.entries.get_mut(&id).map(|entry| &mut entry.subscribed)
    }

    /// Notes what a subscription waits for.
    pub(crate) fn settle(&mut self, id: SubscriptionId, now: Monotonic) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.subscribed.waiters.is_empty() {
            self.waited_at.remove(&id);
        } else {
            self.waited_at.insert(id);
        }
        let due = entry.subscribed.next_deadline(now);
        if due == entry.due {
            return;
        }
        if let Some(before) = entry.due {
            self.due.remove(&(before, id));
        }
        self.due.extend(due.map(|at| (at, id)));
        entry.due = due;
    }

    /// When something is due at any of them.
    pub(crate) fn next_deadline(&self) -> Option<Monotonic> {
        self.due.first().map(|&(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc, time::Duration};

    use futures_channel::oneshot;
    use shard_core::{
        delivery::{
            Backoff, ClusterKey, ConsumerId, DeliveryMode, DeliveryOrder, DeliveryPolicy, Dispatcher,
            DispatcherIdentity, LeaseRequest,
        },
        model::{Offset, OffsetRange, PartitionIndex, TopicId, TopicPartition},
    };

    use super::*;
    use crate::waiters::DeliverableWaiters;

    const NOW: Monotonic = Monotonic::from_micros(1_000);
    const DEADLINE: Duration = Duration::from_secs(30);

    fn subscribed(id: SubscriptionId) -> Subscribed {
        let identity = DispatcherIdentity {
            subscription: id,
            partition: TopicPartition::new(TopicId::new(1), PartitionIndex::new(0)),
            key: ClusterKey::new([1; 16]),
            first_sequence: 0,
            jitter_seed: 0,
        };
        let policy = DeliveryPolicy {
            ack_deadline: DEADLINE,
            backoff: Backoff { min: Duration::from_millis(100), max: Duration::from_mins(1) },
            outstanding_max: 100,
            ordering: DeliveryOrder::None,
            mode: DeliveryMode::AtLeastOnce,
            dead_letters: None,
        };
        Subscribed {
            dispatcher: Dispatcher::open(identity, policy, Offset::ZERO),
            configured: true,
            dead_letters: None,
            letters_under_way: 0,
            waiters: DeliverableWaiters::default(),
            looking: false,
        }
    }

    fn settle_all(subscriptions: &mut Subscriptions, now: Monotonic) -> Vec<SubscriptionId> {
        let mut settled = Vec::new();
        while let Some(id) = subscriptions.take_touched() {
            subscriptions.settle(id, now);
            settled.push(id);
        }
        settled.sort_unstable();
        settled
    }

    fn a_thousand() -> Subscriptions {
        let mut subscriptions = Subscriptions::default();
        for id in (0..1_000).map(SubscriptionId::new) {
            subscriptions.insert(id, subscribed(id));
        }
        assert_eq!(settle_all(&mut subscriptions, NOW).len(), 1_000, "new ones are settled once");
        subscriptions
    }

    #[test]
    fn an_append_looks_only_at_those_that_somebody_waits_at() {
        let mut subscriptions = a_thousand();
        subscriptions.touch_waited_at();
        assert_eq!(settle_all(&mut subscriptions, NOW), []);

        let waited_at = SubscriptionId::new(7);
        let (waiter, _woken) = oneshot::channel();
        let waiters = &mut subscriptions.get_mut(waited_at).unwrap().waiters;
        waiters.push(Rc::new(RefCell::new(Some(waiter)))).unwrap();
        assert_eq!(settle_all(&mut subscriptions, NOW), [waited_at]);
        subscriptions.touch_waited_at();
        assert_eq!(settle_all(&mut subscriptions, NOW), [waited_at]);

        subscriptions.get_mut(waited_at).unwrap().waiters.wake_one();
        settle_all(&mut subscriptions, NOW);
        subscriptions.touch_waited_at();
        assert_eq!(settle_all(&mut subscriptions, NOW), []);
    }

    #[test]
    fn those_with_a_deadline_are_due_then_and_no_longer_once_they_are_gone() {
        let mut subscriptions = a_thousand();
        let leased = [3, 5].map(SubscriptionId::new);
        for id in leased {
            let dispatcher = &mut subscriptions.get_mut(id).unwrap().dispatcher;
            dispatcher.scan_plain(Offset::new(10));
            let readable = OffsetRange::new(Offset::ZERO, Offset::new(10));
            let request = LeaseRequest { readable, count: 1, consumer: ConsumerId(1), deadline: None, claim: None };
            assert_eq!(dispatcher.lease(NOW, request).len(), 1);
        }
        settle_all(&mut subscriptions, NOW);
        let due = NOW.plus(DEADLINE);
        assert_eq!(subscriptions.next_deadline(), Some(due));
        assert_eq!(subscriptions.take_due(NOW), None);
        subscriptions.remove(leased[0]).unwrap();
        assert_eq!(subscriptions.take_due(due), Some(leased[1]));
        assert_eq!(subscriptions.take_due(due), None);
        assert_eq!(settle_all(&mut subscriptions, due), [leased[1]]);
    }
}
