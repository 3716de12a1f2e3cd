//! One partition, one subscription as the shard drives it, its journal, its dead-letter topic, and the oracle beside them.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use shard_core::{
    delivery::{
        AckOutcome, Backoff, ClusterKey, ConsumerId, CursorState, DeadLetter, DeadLetterPolicy, DeadLetterReason,
        DeliveryMode, DeliveryOrder, DeliveryPolicy, Dispatcher, DispatcherIdentity, Filter, LeaseRequest,
        LeasedMessage,
    },
    format::{cursor_journal::CursorChange, record_batch::RecordBatch},
    model::{Monotonic, Offset, OffsetRange, PartitionIndex, SubscriptionId, Timestamp, TopicId, TopicPartition},
};

use crate::{
    messages::{self, Message},
    oracle::{Config, Counts, DEADLINE, Lasting, Oracle},
};

const BACKOFF: Backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(2) };
const LETTERS_UNDER_WAY_MAX: usize = 4;

/// A driver that does not do what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Acks a dead letter before it is durable (m13).
    AckBeforeLetter,
    /// Takes a dead letter that was lost for one that arrived.
    LetterTakenAsArrived,
    /// Answers an ack before it is in the journal.
    AnswerBeforeDurable,
    /// Hands a message over before its ack is in the journal.
    HandOverBeforeDurable,
    /// Tells an hour too much.
    ClockAhead,
    /// Tells the time once, at the start.
    ClockStandsStill,
    /// Does not look into batches.
    TakenAsPlain,
    /// Forgets to say that the time of leases is over before an ack is judged.
    LateAckCounts,
    /// Has no filter after a crash.
    FilterForgotten,
    /// Starts anew from where the journal was opened.
    AttemptsForgotten,
}

impl Mutant {
    pub(crate) const ALL: [Self; 10] = [
        Self::AckBeforeLetter,
        Self::LetterTakenAsArrived,
        Self::AnswerBeforeDurable,
        Self::HandOverBeforeDurable,
        Self::ClockAhead,
        Self::ClockStandsStill,
        Self::TakenAsPlain,
        Self::LateAckCounts,
        Self::FilterForgotten,
        Self::AttemptsForgotten,
    ];
}

/// What the journal holds, up to some change.
#[derive(Clone, Debug)]
struct Point {
    state: CursorState,
    lasting: Lasting,
}

/// Everything.
pub(crate) struct World {
    config: Config,
    mutant: Option<Mutant>,
    now: Monotonic,
    wall: i64,
    log: Vec<RecordBatch>,
    log_start: u64,
    dispatcher: Dispatcher,
    oracle: Oracle,
    /// The journal, change by change; the first is durable.
    points: Vec<Point>,
    /// Acks and deliveries that wait for the journal.
    waiting: BTreeSet<u64>,
    to_hand_over: Vec<u64>,
    given: Vec<LeasedMessage>,
    under_way: Vec<DeadLetter>,
    starts: u64,
}

impl World {
    pub(crate) fn new(config: Config, mutant: Option<Mutant>) -> Self {
        let mut world = Self {
            config,
            mutant,
            now: Monotonic::from_micros(1_000),
            wall: 1_000_000,
            log: Vec::new(),
            log_start: 0,
            dispatcher: Dispatcher::open(identity(1), policy(config), Offset::ZERO),
            oracle: Oracle::new(config),
            points: vec![Point { state: CursorState::new(Offset::ZERO), lasting: Lasting::default() }],
            waiting: BTreeSet::new(),
            to_hand_over: Vec::new(),
            given: Vec::new(),
            under_way: Vec::new(),
            starts: 1,
        };
        world.configure();
        world.record();
        world.flush();
        world
    }

    pub(crate) const fn wall(&self) -> i64 {
        self.wall
    }

    pub(crate) const fn given(&self) -> usize {
        self.given.len()
    }

    pub(crate) const fn counts(&self) -> Counts {
        self.oracle.counts
    }

    pub(crate) fn publish(&mut self, messages: &[Message]) {
        self.log.push(messages::batch(self.oracle.end(), messages));
        self.oracle.published(messages);
    }

    pub(crate) fn lease(&mut self, consumer: u64, count: u32, deadline: Option<Duration>) {
        self.look();
        let end = Offset::new(self.oracle.end());
        let readable = OffsetRange::new(Offset::new(self.log_start), end);
        let until = self.now.plus(deadline.unwrap_or(DEADLINE));
        // One by one, so that what was done with on the way is known to come before the delivery.
        for _ in 0..count {
            let next = self.dispatcher.next_deliverable(self.now, end);
            let request = LeaseRequest { readable, count: 1, consumer: ConsumerId(consumer), deadline, claim: None };
            let leased = self.dispatcher.lease(self.now, request).pop();
            assert_eq!(next, leased.map(|message| message.offset), "what is deliverable is leased");
            self.leased(leased, consumer, until);
        }
        if self.mutant == Some(Mutant::HandOverBeforeDurable) {
            self.hand_over();
        }
    }

    fn leased(&mut self, leased: Option<LeasedMessage>, consumer: u64, until: Monotonic) {
        self.send_letters();
        let changes = self.dispatcher.take_changes();
        let delivered = leased.map(|message| message.offset.get());
        for offset in acked_by(&changes).filter(|&offset| Some(offset) != delivered) {
            self.oracle.change_acked(offset);
        }
        if let Some(message) = leased {
            self.oracle.leased(message, consumer, until, self.wall);
            self.given.push(message);
            if self.config.mode == DeliveryMode::AtMostOnce {
                self.oracle.change_acked(message.offset.get());
                self.to_hand_over.push(message.offset.get());
            }
        }
        self.journal(&changes);
    }

    pub(crate) fn ack(&mut self, pick: usize) {
        if let Some(&message) = self.given.get(pick) {
            self.ack_message(message);
        }
    }

    fn ack_message(&mut self, message: LeasedMessage) {
        self.come_due();
        let outcome = self.dispatcher.ack(message.offset, message.lease);
        self.oracle.acked(message, outcome);
        self.record();
        if outcome == AckOutcome::Applied {
            self.waiting.insert(message.offset.get());
            if self.mutant == Some(Mutant::AnswerBeforeDurable) {
                self.oracle.answered([message.offset.get()]);
            }
        }
    }

    pub(crate) fn nack(&mut self, pick: usize, delay: Option<Duration>) {
        self.come_due();
        let Some(&message) = self.given.get(pick) else { return };
        let held = self.oracle.is_held(message);
        let outcome = self.dispatcher.nack(self.now, message.offset, message.lease, delay);
        assert!(!held || outcome == AckOutcome::Applied, "a nack of {message:?}: {outcome:?}");
        self.oracle.nacked(message);
        self.record();
    }

    pub(crate) fn reject(&mut self, pick: usize) {
        self.come_due();
        let Some(&message) = self.given.get(pick) else { return };
        let letters = self.config.max_attempts.is_some();
        if !letters {
            self.dispatcher.reject(self.now, message.offset, message.lease);
            self.oracle.nacked(message);
            return self.record();
        }
        if self.oracle.is_held(message) {
            assert_eq!(self.dispatcher.reject(self.now, message.offset, message.lease), AckOutcome::Applied);
            self.oracle.condemned(message.offset.get(), true);
        }
        self.record();
    }

    pub(crate) fn extend(&mut self, pick: usize, deadline: Duration) {
        self.come_due();
        let Some(&message) = self.given.get(pick) else { return };
        let outcome = self.dispatcher.extend(self.now, message.offset, message.lease, deadline);
        assert_eq!(outcome == AckOutcome::Applied, self.oracle.is_held(message), "{message:?}");
        self.oracle.extended(message, self.now.plus(deadline));
        self.record();
    }

    pub(crate) fn release(&mut self, consumer: u64) {
        self.come_due();
        self.dispatcher.release_consumer(self.now, ConsumerId(consumer));
        // What is leased without a connection outlives it.
        if consumer != 0 {
            self.oracle.released(consumer);
        }
        self.record();
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now = self.now.plus(Duration::from_millis(ms));
        self.wall += i64::try_from(ms).unwrap();
        self.come_due();
    }

    /// The wall clock is set.
    pub(crate) const fn jump(&mut self, ms: i64) {
        self.wall += ms;
    }

    pub(crate) fn letter_arrives(&mut self, pick: usize) {
        if pick < self.under_way.len() {
            let letter = self.under_way.swap_remove(pick);
            self.oracle.letter_landed(letter.offset.get());
            self.dispatcher.on_dead_lettered(letter.offset);
            self.record();
        }
    }

    /// It may be there all the same.
    pub(crate) fn letter_fails(&mut self, pick: usize, landed: bool) {
        if pick < self.under_way.len() {
            let letter = self.under_way.swap_remove(pick);
            self.oracle.counts.letters_lost += 1;
            if landed {
                self.oracle.letter_landed(letter.offset.get());
            }
            if self.mutant == Some(Mutant::LetterTakenAsArrived) {
                self.dispatcher.on_dead_lettered(letter.offset);
            } else {
                self.dispatcher.on_dead_letter_failed(letter);
            }
            self.record();
        }
    }

    /// The journal is durable up to here: who waits is answered.
    pub(crate) fn flush(&mut self) {
        let last = self.points.len() - 1;
        self.points.drain(..last);
        self.oracle.answered(std::mem::take(&mut self.waiting));
        self.hand_over();
    }

    /// Loses memory, some of what was not durable, and dead letters on their way, or their answers.
    pub(crate) fn crash(&mut self, survives: u64, landed: u64) {
        for (index, letter) in self.under_way.drain(..).enumerate() {
            if landed >> (index % 64) & 1 == 1 {
                self.oracle.letter_landed(letter.offset.get());
            } else {
                self.oracle.counts.letters_lost += 1;
            }
        }
        let count = u64::try_from(self.points.len()).unwrap();
        let point = self.points.swap_remove(usize::try_from(survives % count).unwrap());
        self.points = vec![point.clone()];
        self.waiting.clear();
        self.to_hand_over.clear();
        self.starts += 1;
        let mut state = point.state;
        if self.mutant == Some(Mutant::AttemptsForgotten) {
            let mut snapshot = state.snapshot();
            snapshot.attempts.clear();
            state = CursorState::from_snapshot(&snapshot);
        }
        self.dispatcher = Dispatcher::resume(identity(self.starts), policy(self.config), state);
        self.oracle.crashed(point.lasting);
        self.now = Monotonic::from_micros(1_000);
        if self.mutant != Some(Mutant::FilterForgotten) {
            self.configure();
        }
        self.dispatcher.on_log_start(Offset::new(self.log_start));
        self.oracle.retained(self.log_start);
    }

    pub(crate) fn seek(&mut self, percent: u64) {
        let to = self.log_start + (self.oracle.end() - self.log_start) * percent / 100;
        self.dispatcher.seek(Offset::new(to));
        self.waiting.clear();
        self.to_hand_over.clear();
        self.oracle.sought(to);
        self.record();
        // A seek is answered when it is durable.
        self.flush();
    }

    pub(crate) fn retain(&mut self, percent: u64) {
        self.log_start += (self.oracle.end() - self.log_start) * percent / 100;
        self.dispatcher.on_log_start(Offset::new(self.log_start));
        self.oracle.retained(self.log_start);
    }

    /// Everything is consumed, without faults: nothing is left, and everything is accounted for.
    pub(crate) fn drain(&mut self) {
        for _ in 0..80 {
            self.pass(700);
            for _ in 0..40 {
                let before = self.given.len();
                self.lease(1, 50, None);
                let leased: Vec<_> = self.given.iter().skip(before).copied().collect();
                if leased.is_empty() {
                    break;
                }
                for message in leased {
                    self.ack_message(message);
                }
            }
            while !self.under_way.is_empty() {
                self.letter_arrives(0);
            }
            self.flush();
        }
        assert_eq!(self.dispatcher.status(Offset::new(self.oracle.end())).backlog, 0);
        assert_eq!((self.dispatcher.next_deadline(), self.dispatcher.next_due()), (None, None));
        self.oracle.check_all_done();
    }

    fn configure(&mut self) {
        let filter = self.config.filtered.then(|| Arc::new(Filter::parse(messages::FILTER).unwrap()));
        self.dispatcher.set_filter(filter);
        self.tell_the_time(true);
    }

    /// Tells the time, and has the dispatcher look at all there is, as a pull does.
    fn look(&mut self) {
        self.come_due();
        self.tell_the_time(false);
        let end = Offset::new(self.oracle.end());
        if self.mutant == Some(Mutant::TakenAsPlain) {
            self.dispatcher.scan_plain(end);
        }
        while let Some(from) = self.dispatcher.scan_from(end) {
            let batch = self.log.iter().find(|batch| batch.offsets().contains(from)).unwrap();
            self.dispatcher.scan(batch).unwrap();
        }
        self.record();
    }

    fn tell_the_time(&mut self, starts: bool) {
        let told = match self.mutant {
            Some(Mutant::ClockAhead) => self.wall + 3_600_000,
            Some(Mutant::ClockStandsStill) if !starts => return,
            _ => self.wall,
        };
        self.dispatcher.on_clock(Timestamp::from_millis(told));
        self.oracle.told(self.wall);
    }

    fn come_due(&mut self) {
        self.oracle.expire(self.now);
        if self.mutant != Some(Mutant::LateAckCounts) {
            self.dispatcher.on_deadline(self.now);
        }
        self.record();
    }

    /// Sends off what was condemned, then journals what has changed.
    fn record(&mut self) {
        self.send_letters();
        let changes = self.dispatcher.take_changes();
        acked_by(&changes).for_each(|offset| self.oracle.change_acked(offset));
        self.journal(&changes);
    }

    fn journal(&mut self, changes: &[CursorChange]) {
        if let Some(last) = self.points.last().filter(|_| !changes.is_empty()) {
            let mut state = last.state.clone();
            for change in changes {
                state.apply(change);
            }
            self.points.push(Point { state, lasting: self.oracle.lasting.clone() });
        }
    }

    fn hand_over(&mut self) {
        for offset in std::mem::take(&mut self.to_hand_over) {
            self.oracle.handed_over(offset);
        }
    }

    fn send_letters(&mut self) {
        let room = LETTERS_UNDER_WAY_MAX - self.under_way.len().min(LETTERS_UNDER_WAY_MAX);
        for letter in self.dispatcher.take_condemned(room) {
            let rejected = letter.reason == DeadLetterReason::Rejected;
            self.oracle.condemned(letter.offset.get(), rejected);
            if self.mutant == Some(Mutant::AckBeforeLetter) {
                self.dispatcher.on_dead_lettered(letter.offset);
            }
            self.under_way.push(letter);
        }
    }
}

/// The offsets that changes of a cursor ack.
fn acked_by(changes: &[CursorChange]) -> impl Iterator<Item = u64> + '_ {
    let ranges = changes.iter().filter_map(|change| match change {
        CursorChange::Acked(range) => Some(range.start.get()..range.end.get()),
        CursorChange::AckedBelow { .. }
        | CursorChange::Opened { .. }
        | CursorChange::Reset { .. }
        | CursorChange::Attempted { .. }
        | CursorChange::Removed
        | CursorChange::Snapshot(_) => None,
    });
    ranges.flatten()
}

fn policy(config: Config) -> DeliveryPolicy {
    DeliveryPolicy {
        ack_deadline: DEADLINE,
        backoff: BACKOFF,
        outstanding_max: 10_000,
        ordering: if config.ordered { DeliveryOrder::Key } else { DeliveryOrder::None },
        mode: config.mode,
        dead_letters: config.max_attempts.map(|max_attempts| DeadLetterPolicy { max_attempts }),
    }
}

fn identity(start: u64) -> DispatcherIdentity {
    DispatcherIdentity {
        subscription: SubscriptionId::new(4),
        partition: TopicPartition::new(TopicId::new(7), PartitionIndex::new(3)),
        key: ClusterKey::new([3; 16]),
        first_sequence: start << 20,
        jitter_seed: start,
    }
}
