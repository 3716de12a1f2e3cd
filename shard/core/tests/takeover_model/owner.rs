//! A node that owns the partition, or thinks so: what a shard does, with the real dispatcher and the real journal.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use shard_core::{
    delivery::{AckOutcome, CursorState, Dispatcher, JournalEffect, JournalWriter, LeaseRequest, LeasedMessage},
    model::{Monotonic, Offset, RequestId},
};

use crate::{
    metadata::Agreed,
    store::{Ack, Fenced, Store, Write},
    world::SUBSCRIPTION,
};

/// A message in a consumer's hands, as the owner has to know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) sequence: u64,
    pub(crate) consumer: u64,
    pub(crate) until: u64,
}

#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) epoch: u32,
    pub(crate) session: u64,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) journal: JournalWriter,
    pub(crate) under_way: Option<Write>,
    /// What the store has said of it.
    pub(crate) stored: Option<Result<(), Fenced>>,
    /// Acks that no write has taken yet.
    unwritten: Vec<Ack>,
    /// Who waits for its ack to be durable, and which message that is of.
    pub(crate) waiting: BTreeMap<RequestId, u64>,
    next_request: u64,
    /// How much of what was agreed on it knows, and the assignment in force for it.
    pub(crate) known: usize,
    /// What is acked for it: what was durable when it began, and what it took since.
    pub(crate) acked: BTreeSet<u64>,
    pub(crate) held: BTreeMap<u64, Held>,
    pub(crate) delivered: BTreeSet<u64>,
}

/// What came of what an owner did with its journal.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) answered: Vec<u64>,
    pub(crate) refused: usize,
}

impl Owner {
    pub(crate) fn new(
        (epoch, session, known): (u32, u64, usize),
        (dispatcher, is_new): (Dispatcher, bool),
        acked: BTreeSet<u64>,
    ) -> Self {
        let mut owner = Self {
            epoch,
            session,
            dispatcher,
            journal: JournalWriter::open(false),
            under_way: None,
            stored: None,
            unwritten: Vec::new(),
            waiting: BTreeMap::new(),
            next_request: 0,
            known,
            acked,
            held: BTreeMap::new(),
            delivered: BTreeSet::new(),
        };
        if is_new {
            owner.record();
        }
        owner
    }

    pub(crate) const fn state(&self) -> &CursorState {
        self.dispatcher.state()
    }

    /// Takes back what is overdue; returns which messages that are.
    pub(crate) fn come_due(&mut self, now: u64) -> Vec<u64> {
        self.dispatcher.on_deadline(monotonic(now));
        let due = self.held.extract_if(.., |_, held| held.until <= now).map(|(offset, _)| offset).collect();
        self.record();
        due
    }

    /// Looks at what was published.
    pub(crate) fn look(&mut self, store: &Store) {
        while let Some(from) = self.dispatcher.scan_from(Offset::new(store.end())) {
            self.dispatcher.scan(store.batch_at(from)).unwrap();
        }
    }

    pub(crate) fn lease(&mut self, now: u64, request: LeaseRequest) -> Vec<LeasedMessage> {
        let leased = self.dispatcher.lease(monotonic(now), request);
        self.record();
        leased
    }

    pub(crate) fn ack(&mut self, message: LeasedMessage, since: u64) -> (AckOutcome, Option<RequestId>) {
        let outcome = self.dispatcher.ack(message.offset, message.lease);
        if outcome != AckOutcome::Applied {
            return (outcome, None);
        }
        let offset = message.offset.get();
        if self.acked.insert(offset) {
            self.unwritten.push(Ack { offset, since });
        }
        self.held.remove(&offset);
        self.record();
        let request = RequestId::new(self.next_request);
        self.next_request += 1;
        self.waiting.insert(request, offset);
        self.journal.release_when_durable(request);
        (outcome, Some(request))
    }

    /// Follows what was agreed on; returns whether the partition is still its own.
    pub(crate) fn follow(&mut self, now: u64, agreed: Agreed) -> bool {
        self.known += 1;
        match agreed {
            Agreed::Owner { epoch } => epoch <= self.epoch,
            Agreed::Assigned(assignment) => {
                self.dispatcher.assign(monotonic(now), Some(assignment));
                self.record();
                true
            }
        }
    }

    /// Does what the journal wants done.
    pub(crate) fn perform(&mut self) -> Written {
        let mut written = Written::default();
        let mut effects: VecDeque<JournalEffect> = std::iter::from_fn(|| self.journal.poll_effect()).collect();
        while let Some(effect) = effects.pop_front() {
            match effect {
                JournalEffect::TakeSnapshot => {
                    self.journal.replace([(SUBSCRIPTION, self.dispatcher.state())]);
                    effects.extend(std::iter::from_fn(|| self.journal.poll_effect()));
                }
                JournalEffect::AppendCursors { entries } => self.write(false, entries),
                JournalEffect::ReplaceCursors { entries } => self.write(true, entries),
                JournalEffect::Release { request } => written.answered.extend(self.waiting.remove(&request)),
                JournalEffect::Refuse { request, .. } => {
                    written.refused += usize::from(self.waiting.remove(&request).is_some());
                }
            }
        }
        written
    }

    pub(crate) fn record(&mut self) {
        let changes = self.dispatcher.take_changes();
        self.journal.record(SUBSCRIPTION, &changes);
    }

    fn write(&mut self, replaces: bool, entries: Vec<u8>) {
        let acks = std::mem::take(&mut self.unwritten);
        self.under_way = Some(Write { session: self.session, replaces, entries, acks });
    }
}

pub(crate) const fn monotonic(millis: u64) -> Monotonic {
    Monotonic::from_micros(millis * 1_000)
}
