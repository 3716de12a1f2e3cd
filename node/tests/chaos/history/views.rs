//! Views of a history that several invariants need.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Ack, Cursor, DeadLetter, Delivery, Fault, History, Installed, Layout, Membership, Operation, Outcome, Placed,
    Publish, Pull, Read, Record, What,
};

/// The records of a partition by offset.
pub(crate) type Log<'a> = BTreeMap<u64, &'a Record>;

/// A message of a subscription: its partition and offset.
pub(crate) type Place<'a> = (&'a str, u32, u64);

/// Something that was seen, between two moments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interval<T> {
    pub start: u64,
    pub end: u64,
    pub seen: T,
}

/// A method that gives the operations of one kind, each with itself as a whole.
macro_rules! of_kind {
    ($name:ident, $variant:ident, $type:ty) => {
        pub(crate) fn $name(&self) -> impl Iterator<Item = (&Operation, &$type)> {
            self.operations.iter().filter_map(|operation| {
                if let What::$variant(what) = &operation.what { Some((operation, what)) } else { None }
            })
        }
    };
}

impl History {
    of_kind!(publishes, Publish, Publish);
    of_kind!(pulls, Pull, Pull);
    of_kind!(deliveries, Deliver, Delivery);
    of_kind!(acks, Ack, Ack);
    of_kind!(reads, Read, Read);
    of_kind!(memberships, Membership, Membership);
    of_kind!(cursors, Cursor, Cursor);
    of_kind!(layouts, Layout, Layout);
    of_kind!(dead_letters, DeadLetter, DeadLetter);
    of_kind!(faults, Fault, Fault);

    /// The publishes that were acknowledged.
    pub(crate) fn published(&self) -> impl Iterator<Item = (&Operation, &Publish, Placed)> {
        self.publishes().filter_map(|(operation, publish)| match publish.outcome {
            Outcome::Ok(placed) => Some((operation, publish, placed)),
            Outcome::Fail(_) | Outcome::Info(_) => None,
        })
    }

    /// The faults that were there.
    pub(crate) fn installed(&self) -> impl Iterator<Item = (&Operation, &Fault)> {
        self.faults().filter(|(_, fault)| fault.installed == Installed::Yes)
    }

    /// When the last fault, also one that may have been none, was healed.
    pub(crate) fn healed(&self) -> u64 {
        let happened = self.faults().filter(|(_, fault)| !matches!(fault.installed, Installed::Skipped(_)));
        happened.map(|(operation, _)| operation.end).max().unwrap_or_default()
    }

    /// What each node said at the end of all partitions: by node and partition.
    pub(crate) fn finals(&self) -> BTreeMap<(u32, u32), Log<'_>> {
        let mut finals: BTreeMap<_, Log<'_>> = BTreeMap::new();
        for (operation, read) in self.reads().filter(|(_, read)| read.is_final) {
            let log = finals.entry((operation.node, read.partition)).or_default();
            log.extend(read.records.iter().map(|record| (record.offset, record)));
        }
        finals
    }

    /// What is in each partition at the end. That all nodes say the same is another invariant's concern.
    pub(crate) fn logs(&self) -> BTreeMap<u32, Log<'_>> {
        let mut logs: BTreeMap<u32, Log<'_>> = BTreeMap::new();
        for ((_, partition), log) in self.finals() {
            logs.entry(partition).or_default().extend(log);
        }
        logs
    }

    /// All that was ever seen at a place: in answers to publishers, deliveries and reads.
    pub(crate) fn seen(&self) -> impl Iterator<Item = (&Operation, u32, Record)> {
        let published = self.published().map(|(operation, publish, placed)| {
            let (key, payload) = (publish.key.clone(), publish.payload.clone());
            (operation, placed.partition, Record { offset: placed.offset, key, payload })
        });
        published.chain(self.received())
    }

    /// All that came back from the log: in deliveries and reads.
    pub(crate) fn received(&self) -> impl Iterator<Item = (&Operation, u32, Record)> {
        let delivered =
            self.deliveries().map(|(operation, delivery)| (operation, delivery.partition, delivery.record.clone()));
        let read = self.reads().flat_map(|(operation, read)| {
            read.records.iter().map(move |record| (operation, read.partition, record.clone()))
        });
        delivered.chain(read)
    }

    /// When somebody first said of a message that it is done or rejected, and may have been heard.
    pub(crate) fn first_dones(&self) -> BTreeMap<Place<'_>, u64> {
        let mut first = BTreeMap::new();
        for (operation, ack) in self.acks().filter(|(_, ack)| ack.may_settle()) {
            let at = first.entry((ack.subscription.as_str(), ack.partition, ack.offset)).or_insert(operation.start);
            *at = operation.start.min(*at);
        }
        first
    }

    /// When messages were asked to count as done, to be refused in the end. A former owner may have taken the ack meanwhile, and let
    /// others see that, before it lost the partition with what it could not store.
    pub(crate) fn refused_dones(&self) -> BTreeMap<Place<'_>, Vec<Interval<()>>> {
        let mut refused: BTreeMap<Place<'_>, Vec<Interval<()>>> = BTreeMap::new();
        for (operation, ack) in self.acks().filter(|(_, ack)| ack.kind != super::AckKind::Again && !ack.may_settle()) {
            let asked = Interval { start: operation.start, end: operation.end, seen: () };
            refused.entry((ack.subscription.as_str(), ack.partition, ack.offset)).or_default().push(asked);
        }
        refused
    }

    /// The messages that are dead letters in the end.
    pub(crate) fn dead(&self) -> BTreeSet<Place<'_>> {
        self.dead_letters().map(|(_, letter)| (letter.subscription.as_str(), letter.partition, letter.offset)).collect()
    }
}

impl<T> Interval<T> {
    /// Whether an operation may have happened while it lasted.
    pub(crate) const fn meets(&self, operation: &Operation) -> bool {
        self.start < operation.end && operation.start < self.end
    }
}

impl Ack {
    /// Whether the message may have been taken as settled by it.
    pub(crate) fn may_settle(&self) -> bool {
        self.kind != super::AckKind::Again && !matches!(self.outcome, Outcome::Fail(_))
    }

    /// Whether it is done, and known to be durably so. (That it was rejected is durable only with its dead letter.)
    pub(crate) fn settles(&self) -> bool {
        self.kind == super::AckKind::Done && matches!(self.outcome, Outcome::Ok(()))
    }
}
