//! The partition, its owners, its consumers.

use std::time::Duration;

use shard_core::{
    delivery::{
        AckOutcome, Backoff, Claim, ClusterKey, ConsumerId, DeliveryMode, DeliveryOrder, DeliveryPolicy, Dispatcher,
        DispatcherIdentity, LeaseRequest, LeasedMessage,
    },
    model::{Offset, OffsetRange, PartitionIndex, SubscriptionId, TopicId, TopicPartition},
};

use crate::{
    judge::{Counts, Judge},
    metadata::{Agreed, Metadata},
    owner::{Held, Owner, monotonic},
    random::Random,
    store::{Store, Write},
};

pub(crate) const SUBSCRIPTION: SubscriptionId = SubscriptionId::new(4);
const PARTITION: TopicPartition = TopicPartition::new(TopicId::new(7), PartitionIndex::new(3));
const WINDOW: usize = 15;
const DEADLINE: Duration = Duration::from_secs(1);
const BACKOFF: Backoff = Backoff { min: Duration::from_millis(50), max: Duration::from_millis(500) };

/// A part that does not do what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// The store takes writes of whoever had the partition open before.
    NoFence,
    /// Reads cursors, and only then has the former owner fenced off.
    ReadsBeforeItOpens,
    /// Answers an ack before it is durable.
    AnswersBeforeDurable,
    /// Gives to others what a consumer holds.
    GivesHeldAgain,
    /// Does not know of the order of keys.
    NoOrder,
    /// Does not know to whom the partition is assigned.
    NoAssignment,
    /// Takes a late ack for exactly one.
    LateAckCounts,
    /// Goes on with nothing acked but what lies below the first gap.
    FloorOnly,
}

impl Mutant {
    pub(crate) const ALL: [Self; 8] = [
        Self::NoFence,
        Self::ReadsBeforeItOpens,
        Self::AnswersBeforeDurable,
        Self::GivesHeldAgain,
        Self::NoOrder,
        Self::NoAssignment,
        Self::LateAckCounts,
        Self::FloorOnly,
    ];
}

/// A message that a consumer was given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given {
    pub(crate) message: LeasedMessage,
    /// The session of the owner.
    session: u64,
    /// The assignment under which it was.
    since: u64,
}

/// Everything.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) random: Random,
    mutant: Option<Mutant>,
    mode: DeliveryMode,
    is_ordered: bool,
    is_assigned: bool,
    /// How far the clock of each node is off, in milliseconds.
    clocks: [u64; 3],
    pub(crate) now: u64,
    store: Store,
    metadata: Metadata,
    /// Whoever thinks that the partition is its own, in the order in which they opened it.
    pub(crate) owners: Vec<Owner>,
    /// Epochs that were given and whose owners have not opened the partition yet, with what they have read.
    opening: Vec<(u32, Option<Dispatcher>)>,
    /// Writes of the dead that the store may still get.
    late: Vec<Write>,
    pub(crate) given: Vec<Given>,
    judge: Judge,
    trace: Vec<String>,
}

impl World {
    pub(crate) fn new(seed: u64, mutant: Option<Mutant>) -> Self {
        let mut random = Random::new(seed);
        let mode = if random.percent(30) { DeliveryMode::ExactlyOnce } else { DeliveryMode::AtLeastOnce };
        let (is_ordered, is_assigned) = (random.percent(70), random.percent(40));
        let off = if random.percent(50) { 60_000 } else { 1 };
        let clocks = [random.below(off), random.below(off), random.below(off)];
        let mut world = Self {
            random,
            mutant,
            mode,
            is_ordered,
            is_assigned,
            clocks,
            now: 1_000,
            store: Store::default(),
            metadata: Metadata::default(),
            owners: Vec::new(),
            opening: Vec::new(),
            late: Vec::new(),
            given: Vec::new(),
            judge: Judge::default(),
            trace: Vec::new(),
        };
        world.grant();
        world.open_some();
        world
    }

    pub(crate) fn publish(&mut self, count: u64) {
        let keys: Vec<Option<usize>> = (0..count).map(|_| Some(self.random.index(5)).filter(|&key| key < 4)).collect();
        self.store.publish(&keys);
    }

    /// An owner is asked for messages.
    pub(crate) fn pull(&mut self, place: usize, consumer: u64, count: u32, deadline: u64) {
        self.come_due(place);
        let (now, end, mutant) = (self.now, Offset::new(self.store.end()), self.mutant);
        let owner = &mut self.owners[place];
        owner.look(&self.store);
        if mutant == Some(Mutant::GivesHeldAgain) {
            owner.dispatcher.release_consumer(monotonic(now), ConsumerId(1));
        }
        // A consumer may know less than all of what was agreed on, but more than the owner.
        let assignment = self.metadata.assignment;
        let claim = assignment.assignee.filter(|_| self.is_assigned);
        let claim = claim.map(|own| Claim { consumer: own.consumer, generation: assignment.generation });
        let deadline = Duration::from_millis(deadline);
        let connection = ConsumerId(if self.is_assigned { 0 } else { consumer });
        let readable = OffsetRange::new(Offset::ZERO, end);
        let request = LeaseRequest { readable, count, consumer: connection, deadline: Some(deadline), claim };
        let leased = owner.lease(now, request);
        let since = assignment.assignee.map_or(0, |own| own.since);
        let until = now + u64::try_from(deadline.as_millis()).unwrap();
        for message in leased {
            self.deliver(place, message, (connection.0, until, since));
        }
        let status = self.owners[place].dispatcher.status(end);
        assert!(status.leased + status.awaiting_redelivery <= WINDOW as u64, "E11: more is outstanding than may be");
    }

    fn deliver(&mut self, place: usize, message: LeasedMessage, (consumer, until, since): (u64, u64, u64)) {
        let owner = &mut self.owners[place];
        let (offset, session) = (message.offset.get(), owner.session);
        self.trace.push(format!("{session}: {message:?} at {}", self.now));
        assert!(!owner.acked.contains(&offset), "{offset} is acked for who gives it");
        let held = owner.held.insert(offset, Held { sequence: message.lease.sequence, consumer, until });
        assert!(held.is_none(), "E11: {offset} is given while somebody holds it");
        owner.delivered.insert(offset);
        self.judge.delivered(offset, session, session == self.store.session);
        if let Some(key) = self.store.keys[usize::try_from(offset).unwrap()].filter(|_| self.is_ordered) {
            let of_key = |&earlier: &u64| self.store.keys[usize::try_from(earlier).unwrap()] == Some(key);
            let earlier = (0..offset).filter(of_key).find(|earlier| !owner.acked.contains(earlier));
            assert_eq!(earlier, None, "E12: {offset} came before that of its key was acked");
            self.judge.in_order(offset, key, session);
        }
        self.given.push(Given { message, session, since });
    }

    pub(crate) fn ack(&mut self, place: usize, given: Given) {
        self.come_due(place);
        let owner = &mut self.owners[place];
        let offset = given.message.offset.get();
        let sequence = given.message.lease.sequence;
        let is_live =
            given.session == owner.session && owner.held.get(&offset).is_some_and(|held| held.sequence == sequence);
        let was_acked = owner.acked.contains(&offset);
        let (outcome, _) = owner.ack(given.message, given.since);
        self.trace.push(format!("{}: ack {given:?} {outcome:?}", owner.session));
        if outcome != AckOutcome::Applied {
            assert!(!is_live || self.is_assigned, "an ack in time, and it is {outcome:?}");
            return self.judge.counts.refused_acks += 1;
        }
        assert!(is_live || self.mode != DeliveryMode::ExactlyOnce, "{given:?} counts, and it is too late for that");
        assert!(
            is_live || was_acked || !self.is_assigned || given.session == owner.session,
            "E9: {given:?} counts here"
        );
        self.judge.counts.acks_for_former += u64::from(given.session != owner.session);
        self.judge.taken(offset);
        if self.mutant == Some(Mutant::AnswersBeforeDurable) {
            self.judge.answered(offset, false);
        }
    }

    pub(crate) fn nack(&mut self, place: usize, given: Given, delay: Option<Duration>) {
        self.come_due(place);
        let (now, owner) = (self.now, &mut self.owners[place]);
        let outcome = owner.dispatcher.nack(monotonic(now), given.message.offset, given.message.lease, delay);
        owner.record();
        if outcome == AckOutcome::Applied && owner.held.remove(&given.message.offset.get()).is_some() {
            self.judge.ended(1);
        }
    }

    /// A consumer's connection ends.
    pub(crate) fn release(&mut self, place: usize, consumer: u64) {
        self.come_due(place);
        let (now, owner) = (self.now, &mut self.owners[place]);
        owner.dispatcher.release_consumer(monotonic(now), ConsumerId(consumer));
        owner.record();
        let ended = owner.held.extract_if(.., |_, held| held.consumer == consumer).count();
        self.judge.ended(u64::try_from(ended).unwrap());
    }

    fn come_due(&mut self, place: usize) {
        let due = self.owners[place].come_due(self.now).len();
        self.judge.ended(u64::try_from(due).unwrap());
    }

    /// An owner does what its journal wants done.
    pub(crate) fn perform(&mut self, place: usize) {
        let Some(owner) = self.owners.get_mut(place) else { return };
        let written = owner.perform();
        for offset in written.answered {
            self.judge.answered(offset, self.mode == DeliveryMode::ExactlyOnce);
        }
    }

    /// The store gets what an owner writes.
    pub(crate) fn reach_store(&mut self, place: usize) {
        let Some(owner) = self.owners.get_mut(place) else { return };
        let Some(write) = owner.under_way.take() else { return };
        let stored = self.store.write(&write, self.mutant != Some(Mutant::NoFence));
        if stored.is_ok() {
            self.judge.stored(&write.acks);
        }
        owner.stored = Some(stored);
    }

    /// An owner hears what became of what it wrote; who is fenced off is none any more.
    pub(crate) fn hear_of_store(&mut self, place: usize) {
        let wants_snapshot = self.random.percent(20);
        let Some(owner) = self.owners.get_mut(place) else { return };
        match owner.stored.take() {
            None => {}
            Some(Ok(())) => {
                owner.journal.on_stored(wants_snapshot);
                self.perform(place);
            }
            Some(Err(_)) => {
                self.judge.counts.fenced_writes += 1;
                owner.journal.on_failed("another one owns it");
                self.perform(place);
                self.owners.remove(place);
            }
        }
    }

    /// Another node is to own the partition.
    pub(crate) fn grant(&mut self) {
        let epoch = self.metadata.grant();
        self.prepare(epoch);
    }

    fn prepare(&mut self, epoch: u32) {
        let early = (self.mutant == Some(Mutant::ReadsBeforeItOpens)).then(|| self.begin(epoch));
        self.opening.push((epoch, early));
    }

    /// A node opens the partition, if that is still of use.
    pub(crate) fn open_some(&mut self) {
        if self.opening.is_empty() {
            return;
        }
        let index = self.random.index(self.opening.len());
        let (epoch, early) = self.opening.swap_remove(index);
        // No node starts twice in a millisecond.
        self.now += 1;
        let Ok(session) = self.store.open(epoch) else { return self.judge.counts.fenced_openings += 1 };
        let is_new = self.store.cursor().is_none();
        let dispatcher = early.unwrap_or_else(|| self.begin(epoch));
        let granted =
            self.metadata.log.iter().position(|agreed| matches!(agreed, Agreed::Owner { epoch: of } if *of == epoch));
        let known = granted.unwrap() + 1;
        let durable = self.store.acked();
        let cursor = dispatcher.state().cursor();
        let acked = (0..self.store.end()).filter(|&offset| cursor.is_acked(Offset::new(offset))).collect();
        self.judge.opened(&durable, &acked);
        let mut owner = Owner::new((epoch, session, known), (dispatcher, is_new), acked);
        let assigned = self.metadata.log[..known].iter().rev().find_map(|agreed| match agreed {
            Agreed::Assigned(assignment) => Some(*assignment),
            Agreed::Owner { .. } => None,
        });
        if self.is_assigned && self.mutant != Some(Mutant::NoAssignment) {
            owner.dispatcher.assign(monotonic(self.now), Some(assigned.unwrap_or_default()));
        }
        self.owners.push(owner);
        if is_new {
            // Nobody is served before the subscription is in the journal.
            let place = self.owners.len() - 1;
            self.perform(place);
            self.reach_store(place);
            self.hear_of_store(place);
        }
    }

    /// The dispatcher of a new owner.
    fn begin(&self, epoch: u32) -> Dispatcher {
        let off = self.clocks[usize::try_from(epoch).unwrap() % self.clocks.len()];
        let identity = DispatcherIdentity {
            subscription: SUBSCRIPTION,
            partition: PARTITION,
            key: ClusterKey::new([3; 16]),
            first_sequence: ((self.now + off) << 20) + u64::from(epoch) % 256,
            jitter_seed: u64::from(epoch),
        };
        let is_ordered = self.is_ordered && self.mutant != Some(Mutant::NoOrder);
        let is_lax = self.mutant == Some(Mutant::LateAckCounts);
        let policy = DeliveryPolicy {
            ack_deadline: DEADLINE,
            backoff: BACKOFF,
            outstanding_max: WINDOW,
            ordering: if is_ordered { DeliveryOrder::Key } else { DeliveryOrder::None },
            mode: if is_lax { DeliveryMode::AtLeastOnce } else { self.mode },
            dead_letters: None,
        };
        let Some(mut state) = self.store.cursor() else { return Dispatcher::open(identity, policy, Offset::ZERO) };
        if self.mutant == Some(Mutant::FloorOnly) {
            let mut snapshot = state.snapshot();
            snapshot.acked.clear();
            state = shard_core::delivery::CursorState::from_snapshot(&snapshot);
        }
        Dispatcher::resume(identity, policy, state)
    }

    /// A node learns the next thing that was agreed on. An owner that learns of another one stops at once.
    pub(crate) fn follow(&mut self, place: usize) {
        let Some(owner) = self.owners.get_mut(place) else { return };
        let Some(&agreed) = self.metadata.log.get(owner.known) else { return };
        let (now, mutant) = (self.now, self.mutant);
        if mutant == Some(Mutant::NoAssignment) && matches!(agreed, Agreed::Assigned(_)) {
            owner.known += 1;
            return;
        }
        let before = owner.held.len();
        if !owner.follow(now, agreed) {
            return self.stop(place);
        }
        // Who is assigned the partition anew gets all that is held.
        if matches!(agreed, Agreed::Assigned(assignment) if assignment.assignee.is_some()) {
            owner.held.clear();
            self.judge.ended(u64::try_from(before).unwrap());
        }
    }

    /// The process ends; what it wrote may be on its way still.
    fn stop(&mut self, place: usize) {
        let owner = self.owners.remove(place);
        self.late.extend(owner.under_way);
    }

    /// An owner is killed, and comes back in its epoch or never.
    pub(crate) fn kill_or_restart(&mut self) {
        if self.owners.is_empty() {
            return;
        }
        let place = self.random.index(self.owners.len());
        let epoch = self.owners[place].epoch;
        self.judge.counts.killed += 1;
        self.stop(place);
        if self.random.percent(60) {
            self.prepare(epoch);
        }
    }

    /// An owner is told to stop: it has all stored, and then another one begins.
    pub(crate) fn hand_over(&mut self) {
        let Some(place) = self.owners.len().checked_sub(1) else { return };
        let session = self.owners[place].session;
        for _ in 0..10 {
            self.perform(place);
            self.reach_store(place);
            self.hear_of_store(place);
            if self.owners.get(place).is_none_or(|owner| owner.session != session) {
                return;
            }
        }
        let owner = self.owners.remove(place);
        assert!(owner.waiting.is_empty(), "nobody is left without an answer");
        let (durable, known) = (self.store.cursor().unwrap(), owner.state().clone());
        let is_last = session == self.store.session;
        assert!(
            !is_last || self.mutant.is_some() || durable == known,
            "what was handed over is {durable:?}, and it knew {known:?}"
        );
        self.judge.counts.handed_over += 1;
        self.grant();
    }

    pub(crate) fn reassign(&mut self) {
        if self.is_assigned {
            self.judge.counts.reassigned += 1;
            self.metadata.reassign();
        }
    }

    /// The store gets a write of somebody who is dead.
    pub(crate) fn late_write(&mut self) {
        if let Some(write) = self.late.pop() {
            let stored = self.store.write(&write, self.mutant != Some(Mutant::NoFence));
            self.judge.counts.late_writes += 1;
            if stored.is_ok() {
                self.judge.stored(&write.acks);
            }
        }
    }

    /// The faults are over: one owner, that knows everything, and a consumer that acks what it is given.
    pub(crate) fn heal(&mut self) {
        while !self.late.is_empty() {
            self.late_write();
        }
        self.grant();
        while !self.opening.is_empty() {
            self.open_some();
        }
        if self.is_assigned && self.metadata.assignment.assignee.is_none() {
            self.metadata.reassign();
        }
        let end = self.metadata.log.len();
        while let Some(behind) = self.owners.iter().position(|owner| owner.known < end) {
            self.follow(behind);
        }
        assert_eq!(self.owners.len(), 1, "one is left");
        for _ in 0..400 {
            self.now += 1_000;
            let before = self.given.len();
            self.pull(0, 1, 100, 5_000);
            let given: Vec<Given> = self.given.iter().skip(before).copied().collect();
            for given in given {
                self.ack(0, given);
            }
            self.perform(0);
            self.reach_store(0);
            self.hear_of_store(0);
        }
    }

    /// All there is was consumed.
    pub(crate) fn end(mut self) -> (Counts, Vec<String>) {
        for _ in 0..3 {
            self.perform(0);
            self.reach_store(0);
            self.hear_of_store(0);
        }
        let end = self.store.end();
        let left = (0..end).find(|offset| !self.store.acked().contains(offset));
        assert_eq!(left, None, "E8: it was never consumed");
        assert_eq!(self.owners[0].dispatcher.status(Offset::new(end)).backlog, 0);
        assert!(self.owners[0].waiting.is_empty(), "nobody is left without an answer");
        (self.judge.counts, self.trace)
    }
}
