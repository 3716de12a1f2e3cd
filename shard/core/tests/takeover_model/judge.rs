//! What must hold whoever owns the partition, and how much of everything a run has met.

use std::collections::{BTreeMap, BTreeSet};

use crate::store::Ack;

/// What runs have met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) takeovers: u64,
    pub(crate) killed: u64,
    pub(crate) handed_over: u64,
    pub(crate) fenced_openings: u64,
    pub(crate) fenced_writes: u64,
    pub(crate) late_writes: u64,
    pub(crate) deliveries: u64,
    pub(crate) deliveries_of_former: u64,
    pub(crate) again: u64,
    pub(crate) keyed: u64,
    pub(crate) answered: u64,
    pub(crate) lost_acks: u64,
    pub(crate) refused_acks: u64,
    pub(crate) acks_for_former: u64,
    pub(crate) reassigned: u64,
}

/// All that was seen, of all owners.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    /// What was acked, as some owner told a consumer: now or once it is durable.
    done: BTreeSet<u64>,
    answered: BTreeSet<u64>,
    /// Who gave each message.
    delivered: BTreeMap<u64, BTreeSet<u64>>,
    /// The last first delivery of each key, by each owner.
    newest_of_key: BTreeMap<(u64, usize), u64>,
    /// The newest assignment an ack of which is durable.
    acked_since: u64,
    /// How often messages may have come again.
    reasons: u64,
    pub(crate) counts: Counts,
}

impl Counts {
    const fn fields(&mut self) -> [(&'static str, &mut u64, u64); 15] {
        [
            ("takeovers", &mut self.takeovers, 2_000),
            ("owners killed", &mut self.killed, 500),
            ("owners that handed over", &mut self.handed_over, 200),
            ("openings too late", &mut self.fenced_openings, 100),
            ("writes fenced off", &mut self.fenced_writes, 500),
            ("writes of the dead", &mut self.late_writes, 100),
            ("deliveries", &mut self.deliveries, 50_000),
            ("deliveries of former owners", &mut self.deliveries_of_former, 2_000),
            ("redeliveries", &mut self.again, 10_000),
            ("deliveries of keys", &mut self.keyed, 10_000),
            ("acks answered", &mut self.answered, 20_000),
            ("acks lost", &mut self.lost_acks, 1_000),
            ("acks that do not count", &mut self.refused_acks, 2_000),
            ("acks of what another owner gave", &mut self.acks_for_former, 500),
            ("assignments", &mut self.reassigned, 500),
        ]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let mut other = *other;
        for ((_, sum, _), (_, count, _)) in self.fields().into_iter().zip(other.fields()) {
            *sum += *count;
        }
    }

    /// A run in which too little happened shows nothing.
    pub(crate) fn assert_enough(mut self) {
        for (what, count, least) in self.fields() {
            assert!(*count >= least, "{what}: {count}");
        }
    }
}

impl Judge {
    /// An owner begins, with what it takes for acked. E8, E10.
    pub(crate) fn opened(&mut self, durable: &BTreeSet<u64>, acked: &BTreeSet<u64>) {
        assert_eq!(durable, acked, "the new owner begins with something else than what is durable");
        let lost = self.answered.difference(durable).next();
        assert_eq!(lost, None, "E10: its ack was answered, and the new owner does not know");
        let by_nobody = durable.difference(&self.done).next();
        assert_eq!(by_nobody, None, "E8: it is acked, and no consumer did");
        let delivered: BTreeSet<u64> = self.delivered.keys().copied().collect();
        // Held by somebody, or acked in vain: all of it may come once more.
        self.reasons += u64::try_from(delivered.difference(durable).count()).unwrap();
        self.counts.lost_acks += u64::try_from(self.done.difference(durable).count()).unwrap();
        self.counts.takeovers += 1;
    }

    /// An owner gave a message. `is_last` says that no other one has opened the partition since. E10, E11.
    pub(crate) fn delivered(&mut self, offset: u64, session: u64, is_last: bool) {
        assert!(!is_last || !self.answered.contains(&offset), "E10: {offset} was acked, and answered, and came again");
        let givers = self.delivered.entry(offset).or_default();
        self.counts.again += u64::from(!givers.is_empty());
        givers.insert(session);
        self.counts.deliveries += 1;
        if !is_last {
            self.counts.deliveries_of_former += 1;
            // It comes again from who owns the partition, or came from there.
            self.reasons += 2;
        }
        assert!(
            self.counts.again <= self.reasons,
            "E11: {} redeliveries for {} reasons",
            self.counts.again,
            self.reasons
        );
    }

    /// A message of a key was given for the first time by an owner, or again. E12.
    pub(crate) fn in_order(&mut self, offset: u64, key: usize, session: u64) {
        self.counts.keyed += 1;
        let newest = self.newest_of_key.entry((session, key)).or_insert(offset);
        assert!(offset >= *newest, "E12: {offset} of a key came again after {newest}");
        *newest = offset;
    }

    /// A lease ended without an ack: its time was over, it was given back, its consumer has gone.
    pub(crate) const fn ended(&mut self, leases: u64) {
        self.reasons += leases;
    }

    pub(crate) fn taken(&mut self, offset: u64) {
        self.done.insert(offset);
    }

    /// Acks are durable. E9.
    pub(crate) fn stored(&mut self, acks: &[Ack]) {
        for Ack { offset, since } in acks {
            assert!(
                *since >= self.acked_since,
                "E9: {offset} was acked by the assignment of {since}, after one of {}",
                self.acked_since
            );
            self.acked_since = *since;
        }
    }

    pub(crate) fn answered(&mut self, offset: u64, counts_once: bool) {
        let is_first = self.answered.insert(offset);
        assert!(is_first || !counts_once, "two acks of {offset} count");
        self.counts.answered += 1;
    }
}
