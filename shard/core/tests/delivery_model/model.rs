//! What a subscription is, said as plainly as possible: a set of acked offsets and a map of held ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use shard_core::{
    delivery::{LeaseId, LeasedMessage},
    model::Monotonic,
};

/// The subscription as its consumers know it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    /// Offsets that are acked in memory.
    pub(crate) acked: BTreeSet<u64>,
    /// The latest lease of each offset that was leased since the last start or seek.
    pub(crate) latest: BTreeMap<u64, Delivery>,
    /// How often each unacked offset was delivered and came back, as far as this process knows.
    pub(crate) attempts: BTreeMap<u64, u32>,
    /// Leases with a lower sequence were voided by a seek.
    pub(crate) void_below: u64,
}

/// One delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// Its lease.
    pub(crate) lease: LeaseId,
    /// Whose it is.
    pub(crate) consumer: u64,
    /// Until when; `None` once it came back.
    pub(crate) held_until: Option<Monotonic>,
    /// The earliest time at which it may be delivered again, once it came back.
    pub(crate) not_before: Monotonic,
}

impl Model {
    /// Takes back what is overdue; it backs off for `backoff_min` at least.
    pub(crate) fn expire(&mut self, now: Monotonic, backoff_min: Duration) {
        for (offset, delivery) in &mut self.latest {
            if let Some(until) = delivery.held_until.filter(|&until| until <= now) {
                delivery.held_until = None;
                delivery.not_before = until.plus(backoff_min);
                *self.attempts.entry(*offset).or_default() += 1;
            }
        }
    }

    /// Checks a lease against everything that forbids it, and enters it.
    pub(crate) fn leased(&mut self, message: LeasedMessage, consumer: u64, until: Monotonic, now: Monotonic) {
        let offset = message.offset.get();
        assert!(!self.acked.contains(&offset), "{offset} is acked and was delivered");
        if let Some(before) = self.latest.get(&offset) {
            assert!(before.held_until.is_none(), "{offset} was leased twice at once");
            assert!(before.not_before <= now, "{offset} came back too early");
            assert!(before.lease.sequence < message.lease.sequence, "sequences rise");
        }
        let attempts = self.attempts.get(&offset).copied().unwrap_or(0);
        assert_eq!(message.delivery_attempt, attempts + 1, "attempt of {offset}");
        let delivery = Delivery { lease: message.lease, consumer, held_until: Some(until), not_before: now };
        self.latest.insert(offset, delivery);
    }

    /// Acks one offset.
    pub(crate) fn ack(&mut self, offset: u64) {
        self.acked.insert(offset);
        self.latest.remove(&offset);
        self.attempts.remove(&offset);
    }

    /// Makes a held message deliverable not before a time.
    pub(crate) fn give_back(&mut self, offset: u64, not_before: Monotonic) {
        let delivery = self.latest.get_mut(&offset).expect("it was delivered");
        assert!(delivery.held_until.take().is_some(), "it was held");
        delivery.not_before = not_before;
        *self.attempts.entry(offset).or_default() += 1;
    }

    /// Gives a message back, or says anew when it may come back.
    pub(crate) fn nack(&mut self, offset: u64, now: Monotonic, delay: Option<Duration>) {
        let delivery = self.latest.get_mut(&offset).expect("it was delivered");
        if delivery.held_until.is_some() {
            self.give_back(offset, now.plus(delay.unwrap_or_default()));
        } else if let Some(delay) = delay.filter(|_| delivery.not_before > now) {
            delivery.not_before = now.plus(delay);
        }
    }

    /// The first offset that is not acked.
    pub(crate) fn floor(&self) -> u64 {
        let dense = self.acked.iter().zip(0..).take_while(|&(&offset, index)| offset == index).count();
        u64::try_from(dense).unwrap()
    }
}
