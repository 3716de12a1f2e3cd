//! One partition, one subscription, its journal on a disk, and the model beside them.

use std::{collections::BTreeMap, time::Duration};

use shard_core::{
    delivery::{
        AckOutcome, Backoff, ClusterKey, ConsumerId, CursorState, DeliveryMode, DeliveryOrder, DeliveryPolicy,
        Dispatcher, DispatcherIdentity, JournalEffect, JournalFiles, JournalWriter, LeaseRequest, LeasedMessage,
    },
    model::{Monotonic, Offset, OffsetRange, PartitionIndex, RequestId, SubscriptionId, TopicId, TopicPartition},
};

use crate::{disk::Disk, model::Model};

const PARTITION: TopicPartition = TopicPartition::new(TopicId::new(7), PartitionIndex::new(3));
const SUBSCRIPTION: SubscriptionId = SubscriptionId::new(4);
const BACKOFF: Backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(2) };
const DEADLINE: Duration = Duration::from_secs(1);
const POLICY: DeliveryPolicy = DeliveryPolicy {
    ack_deadline: DEADLINE,
    backoff: BACKOFF,
    outstanding_max: 40,
    ordering: DeliveryOrder::None,
    mode: DeliveryMode::AtLeastOnce,
    dead_letters: None,
};

/// What the journal has to hold at some point: the real state and the model's.
#[derive(Clone, Debug)]
struct Point {
    state: CursorState,
    model: Model,
}

/// Everything.
pub(crate) struct World {
    now: Monotonic,
    log_start: u64,
    end: u64,
    dispatcher: Dispatcher,
    writer: JournalWriter,
    files: JournalFiles,
    disk: Disk,
    model: Model,
    /// What the journal knows: retention reaches it with the next snapshot only.
    journaled: CursorState,
    /// Every lease ever given, for acks late and early.
    given: Vec<LeasedMessage>,
    /// The state after each recorded change that may still be what a crash leaves; the first is answered.
    points: Vec<Point>,
    /// Which point a request waits for, counted from the beginning of `points_dropped`.
    waiting: BTreeMap<RequestId, usize>,
    points_dropped: usize,
    next_request: u64,
    starts: u64,
    compactions: usize,
    trace: Vec<String>,
}

impl World {
    /// An empty partition with a new subscription, whose opening is durable.
    pub(crate) fn new() -> Self {
        let dispatcher = Dispatcher::open(identity(1), POLICY, Offset::ZERO);
        let first = Point { state: dispatcher.state().clone(), model: Model::default() };
        let mut world = Self {
            now: Monotonic::default(),
            log_start: 0,
            end: 0,
            dispatcher,
            writer: JournalWriter::open(false),
            files: JournalFiles::create(PARTITION),
            disk: Disk::default(),
            model: Model::default(),
            journaled: first.state.clone(),
            given: Vec::new(),
            points: vec![first],
            waiting: BTreeMap::new(),
            points_dropped: 0,
            next_request: 0,
            starts: 1,
            compactions: 0,
            trace: Vec::new(),
        };
        world.record();
        world.settle();
        world
    }

    pub(crate) fn publish(&mut self, count: u64) {
        self.end += count;
    }

    pub(crate) fn lease(&mut self, consumer: u64, count: u32, deadline: Option<Duration>) {
        self.model.expire(self.now, BACKOFF.min);
        self.dispatcher.scan_plain(self.high_watermark());
        let Some(from) = self.dispatcher.next_deliverable(self.now, self.high_watermark()) else { return };
        assert!(from < self.high_watermark() && from.get() >= self.log_start, "{from} is not there");
        let end = from.plus(7).min(self.high_watermark());
        let readable = OffsetRange::new(from, end);
        let request = LeaseRequest { readable, count, consumer: ConsumerId(consumer), deadline, claim: None };
        let leased = self.dispatcher.lease(self.now, request);
        assert!(!leased.is_empty(), "{from} was deliverable");
        assert!(leased.len() <= usize::try_from(count).unwrap());
        assert!(leased.is_sorted_by(|one, next| one.offset < next.offset));
        for message in leased {
            assert!(readable.contains(message.offset));
            self.trace.push(format!("{message:?}"));
            self.model.leased(message, consumer, self.now.plus(deadline.unwrap_or(DEADLINE)), self.now);
            self.given.push(message);
        }
        assert!(self.model.latest.len() <= POLICY.outstanding_max);
        self.record();
    }

    pub(crate) fn ack(&mut self, pick: usize) {
        if let Some(message) = self.pick(pick) {
            self.ack_message(message);
        }
    }

    fn ack_message(&mut self, message: LeasedMessage) {
        // The dispatcher is not told the time by an ack, so what is overdue may be back or not: both accept it.
        let expected = self.expected(message, false);
        let outcome = self.dispatcher.ack(message.offset, message.lease);
        self.trace.push(format!("ack {message:?} {outcome:?}"));
        assert_eq!(outcome, expected, "{message:?}");
        if outcome == AckOutcome::Applied {
            self.model.ack(message.offset.get());
        }
        self.record();
        self.ask();
    }

    pub(crate) fn nack(&mut self, pick: usize, delay: Option<Duration>) {
        self.model.expire(self.now, BACKOFF.min);
        let Some(message) = self.pick(pick) else { return };
        let expected = self.expected(message, true);
        let outcome = self.dispatcher.nack(self.now, message.offset, message.lease, delay);
        assert_eq!(outcome, expected, "{message:?}");
        if outcome == AckOutcome::Applied {
            self.model.nack(message.offset.get(), self.now, delay);
        }
        self.record();
    }

    pub(crate) fn extend(&mut self, pick: usize, deadline: Duration) {
        self.model.expire(self.now, BACKOFF.min);
        let Some(message) = self.pick(pick) else { return };
        let outcome = self.dispatcher.extend(self.now, message.offset, message.lease, deadline);
        let held = self.model.latest.get_mut(&message.offset.get());
        let held = held.filter(|held| held.lease == message.lease && held.held_until.is_some());
        assert_eq!(outcome == AckOutcome::Applied, held.is_some(), "{message:?}");
        if let Some(held) = held {
            held.held_until = Some(self.now.plus(deadline));
        }
        self.record();
    }

    pub(crate) fn ack_up_to(&mut self, offset: u64) {
        self.dispatcher.ack_up_to(Offset::new(offset), self.high_watermark());
        for offset in 0..self.end.min(offset + 1) {
            self.model.ack(offset);
        }
        self.record();
        self.ask();
    }

    pub(crate) fn seek(&mut self, percent: u64) {
        let to = self.log_start + (self.end - self.log_start) * percent / 100;
        self.dispatcher.seek(Offset::new(to));
        let void_below = self.given.iter().map(|message| message.lease.sequence + 1).max().unwrap_or(0);
        self.model = Model { acked: (0..to).collect(), void_below, ..Model::default() };
        self.record();
        self.ask();
    }

    pub(crate) fn release(&mut self, consumer: u64) {
        self.model.expire(self.now, BACKOFF.min);
        self.dispatcher.release_consumer(self.now, ConsumerId(consumer));
        let of_consumer = |held: &crate::model::Delivery| held.consumer == consumer && held.held_until.is_some();
        if consumer != 0 {
            let held = self.model.latest.iter().filter(|(_, held)| of_consumer(held));
            for offset in held.map(|(&offset, _)| offset).collect::<Vec<_>>() {
                self.model.give_back(offset, self.now);
            }
        }
        self.record();
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now.plus(time);
        self.dispatcher.on_deadline(self.now);
        self.model.expire(self.now, BACKOFF.min);
        assert!(self.dispatcher.next_deadline().is_none_or(|next| next > self.now));
        self.record();
    }

    pub(crate) fn retain(&mut self, percent: u64) {
        self.log_start += (self.end - self.log_start) * percent / 100;
        self.dispatcher.on_log_start(Offset::new(self.log_start));
        for offset in 0..self.log_start {
            self.model.ack(offset);
        }
        self.check();
    }

    /// Completes the write in flight and starts the next one.
    pub(crate) fn complete_write(&mut self) {
        self.sync();
        self.perform_effects();
    }

    /// Loses memory and what was not synced, and starts again.
    pub(crate) fn crash(&mut self, sectors: u64, during_write: bool) {
        if during_write {
            self.perform_effects();
        }
        self.disk.crash(sectors);
        let mut recovered = self.disk.recover(PARTITION);
        let state = recovered.cursors.remove(&SUBSCRIPTION).expect("the opening was durable");
        let point = self.points.iter().rev().find(|point| point.state == state);
        let point = point.unwrap_or_else(|| panic!("{state:?} is no point since the last answer")).clone();
        self.writer = JournalWriter::open(recovered.files.is_large());
        self.files = recovered.files;
        self.journaled = state.clone();
        self.starts += 1;
        self.dispatcher = Dispatcher::resume(identity(self.starts), POLICY, state);
        // Time that is lost in a process does not go on in the next one.
        self.now = Monotonic::default();
        self.model = point.model.clone();
        self.model.latest.clear();
        self.waiting.clear();
        self.points = vec![point];
        self.points_dropped = 0;
        self.dispatcher.on_log_start(Offset::new(self.log_start));
        for offset in 0..self.log_start {
            self.model.ack(offset);
        }
        self.check();
    }

    /// Consumes all there is, without faults: every unacked offset comes, and then nothing is left.
    pub(crate) fn drain(&mut self) {
        self.settle();
        let floor = self.model.floor();
        let mut left: Vec<u64> = (floor..self.end).filter(|offset| !self.model.acked.contains(offset)).collect();
        for _ in 0..200 {
            self.pass(BACKOFF.max * 3);
            for _ in 0..60 {
                let before = self.given.len();
                self.lease(1, 100, None);
                let leased: Vec<_> = self.given.iter().skip(before).copied().collect();
                for message in leased {
                    left.retain(|&offset| offset != message.offset.get());
                    self.ack_message(message);
                }
            }
            self.settle();
        }
        assert_eq!(left, Vec::<u64>::new(), "never came back");
        assert_eq!(self.dispatcher.status(self.high_watermark()).backlog, 0);
        assert_eq!(self.dispatcher.next_deadline(), None);
        assert!(self.waiting.is_empty(), "requests without an answer: {:?}", self.waiting);
        let mut recovered = self.disk.recover(PARTITION);
        assert_eq!(recovered.torn, None);
        let mut state = recovered.cursors.remove(&SUBSCRIPTION).expect("the subscription was not removed");
        assert_eq!(state, self.journaled);
        state.ack_below(Offset::new(self.log_start));
        assert_eq!(&state, self.dispatcher.state());
    }

    pub(crate) fn trace(self) -> Vec<String> {
        self.trace
    }

    pub(crate) fn compactions(&self) -> usize {
        self.compactions
    }

    fn high_watermark(&self) -> Offset {
        Offset::new(self.end)
    }

    fn pick(&self, pick: usize) -> Option<LeasedMessage> {
        // Mostly a recent one: those are the leases that still matter.
        let recent = self.given.len().min(30);
        let index = if pick.is_multiple_of(4) {
            pick % self.given.len().max(1)
        } else {
            self.given.len() - recent + pick % recent.max(1)
        };
        self.given.get(index).copied()
    }

    /// What an ack or nack of a genuine lease has to give.
    fn expected(&self, message: LeasedMessage, only_live: bool) -> AckOutcome {
        let offset = message.offset.get();
        let acked = self.model.acked.contains(&offset);
        let latest = self.model.latest.get(&offset);
        let live = latest.is_some_and(|latest| latest.lease == message.lease);
        let applied = if message.lease.sequence < self.model.void_below {
            false
        } else if only_live {
            live && !acked
        } else {
            acked || live || latest.is_none()
        };
        if applied { AckOutcome::Applied } else { AckOutcome::LeaseExpired }
    }

    /// Hands the dispatcher's changes to the journal, and notes the state they lead to.
    fn record(&mut self) {
        let changes = self.dispatcher.take_changes();
        self.writer.record(SUBSCRIPTION, &changes);
        if !changes.is_empty() {
            for change in &changes {
                self.journaled.apply(change);
            }
            self.push_point();
        }
        self.check();
    }

    fn push_point(&mut self) {
        self.points.push(Point { state: self.journaled.clone(), model: self.model.clone() });
    }

    fn ask(&mut self) {
        let request = RequestId::new(self.next_request);
        self.next_request += 1;
        self.waiting.insert(request, self.points_dropped + self.points.len() - 1);
        self.writer.release_when_durable(request);
    }

    fn settle(&mut self) {
        self.perform_effects();
        while self.sync() {
            self.perform_effects();
        }
    }

    /// Completes the write in flight; returns whether there was one.
    fn sync(&mut self) -> bool {
        let synced = self.disk.sync();
        if synced {
            if let Some(old) = self.files.on_written() {
                self.disk.delete(old);
            }
            self.writer.on_stored(self.files.is_large());
        }
        synced
    }

    fn perform_effects(&mut self) {
        while let Some(effect) = self.writer.poll_effect() {
            match effect {
                JournalEffect::TakeSnapshot => {
                    self.compactions += 1;
                    self.journaled = self.dispatcher.state().clone();
                    self.push_point();
                    self.writer.replace([(SUBSCRIPTION, self.dispatcher.state())]);
                }
                JournalEffect::AppendCursors { entries } => self.disk.start(self.files.append(&entries)),
                JournalEffect::ReplaceCursors { entries } => self.disk.start(self.files.replace(&entries)),
                JournalEffect::Release { request } => self.released(request),
                JournalEffect::Refuse { request, reason } => panic!("{request:?}: {reason}"),
            }
        }
    }

    /// What was before the point that was answered is never what a crash leaves.
    fn released(&mut self, request: RequestId) {
        let point = self.waiting.remove(&request).expect("a request is answered once");
        let dropped = point.saturating_sub(self.points_dropped);
        self.points.drain(..dropped);
        self.points_dropped += dropped;
    }

    fn check(&self) {
        let status = self.dispatcher.status(self.high_watermark());
        let floor = self.model.floor();
        assert_eq!(status.ack_floor.get(), floor);
        let acked = self.model.acked.range(floor..).count();
        assert_eq!(status.backlog, self.end.saturating_sub(floor) - u64::try_from(acked).unwrap());
        let outstanding = status.leased + status.awaiting_redelivery;
        assert_eq!(outstanding, u64::try_from(self.model.latest.len()).unwrap(), "outstanding");
    }
}

fn identity(start: u64) -> DispatcherIdentity {
    DispatcherIdentity {
        subscription: SUBSCRIPTION,
        partition: PARTITION,
        key: ClusterKey::new([3; 16]),
        first_sequence: start << 20,
        jitter_seed: start,
    }
}
