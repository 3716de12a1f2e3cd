//! What may be delivered and acked when, said as plainly as possible.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use shard_core::{
    delivery::{AckOutcome, DeliveryMode, LeasedMessage},
    limits::OLDEST_FIRST_EVERY,
    model::Monotonic,
};

use crate::messages::Message;

/// A subscription's configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    pub(crate) mode: DeliveryMode,
    /// Messages of one key are delivered in order.
    pub(crate) ordered: bool,
    pub(crate) filtered: bool,
    /// After so many deliveries (never, if 0) a message is a dead letter; without it there are none.
    pub(crate) max_attempts: Option<u32>,
}

/// What a run has met.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) delivered: u64,
    pub(crate) redelivered: u64,
    /// Deliveries of messages that had to wait for their time, and messages that ran out of it.
    pub(crate) delayed: u64,
    pub(crate) expired: u64,
    /// Dead letters that arrived, and that did not or were told so.
    pub(crate) letters: u64,
    pub(crate) letters_lost: u64,
    /// Deliveries of a priority while a lower offset waited, and of ordered keys.
    pub(crate) out_of_turn: u64,
    pub(crate) keyed: u64,
    pub(crate) filtered: u64,
    pub(crate) refused_acks: u64,
    /// Changes that a crash has undone.
    pub(crate) forgotten: u64,
}

/// What survives a crash, if it was journaled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lasting {
    pub(crate) acked: BTreeSet<u64>,
    pub(crate) attempts: BTreeMap<u64, u32>,
}

/// The latest delivery of a message by this process.
#[derive(Clone, Copy, Debug)]
struct Delivery {
    sequence: u64,
    consumer: u64,
    /// Until when it is held; `None` once it came back.
    held_until: Option<Monotonic>,
}

/// The subscription, seen from outside.
#[derive(Debug)]
pub(crate) struct Oracle {
    config: Config,
    messages: Vec<Message>,
    pub(crate) lasting: Lasting,
    latest: BTreeMap<u64, Delivery>,
    condemned: BTreeSet<u64>,
    /// Dead letters that are durable.
    letters: BTreeSet<u64>,
    /// What consumers were told is done: it never comes again.
    answered: BTreeSet<u64>,
    /// Delivered to a consumer that was to get it once.
    handed: BTreeSet<u64>,
    /// What a consumer acked, a seek went over, or retention took.
    done: BTreeSet<u64>,
    skipped: BTreeSet<u64>,
    /// The latest time the dispatcher of this process was told.
    latest_told: i64,
    latest_ever: i64,
    since_oldest: u32,
    pub(crate) counts: Counts,
}

impl Oracle {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            messages: Vec::new(),
            lasting: Lasting::default(),
            latest: BTreeMap::new(),
            condemned: BTreeSet::new(),
            letters: BTreeSet::new(),
            answered: BTreeSet::new(),
            handed: BTreeSet::new(),
            done: BTreeSet::new(),
            skipped: BTreeSet::new(),
            latest_told: i64::MIN,
            latest_ever: i64::MIN,
            since_oldest: 0,
            counts: Counts::default(),
        }
    }

    pub(crate) fn published(&mut self, messages: &[Message]) {
        self.messages.extend(messages);
    }

    pub(crate) fn end(&self) -> u64 {
        u64::try_from(self.messages.len()).unwrap()
    }

    pub(crate) fn told(&mut self, wall: i64) {
        self.latest_told = self.latest_told.max(wall);
        self.latest_ever = self.latest_ever.max(wall);
    }

    /// Checks a delivery against everything that forbids it, and enters it.
    pub(crate) fn leased(&mut self, leased: LeasedMessage, consumer: u64, until: Monotonic, wall: i64) {
        let offset = leased.offset.get();
        let message = self.message(offset);
        assert!(!self.lasting.acked.contains(&offset), "{offset} is acked and was delivered");
        assert!(!self.answered.contains(&offset), "{offset} was answered as acked and came again");
        assert!(message.wanted || !self.config.filtered, "{offset} does not pass the filter");
        assert!(message.deliver_at.is_none_or(|at| at <= self.latest_told), "{offset} came before its time");
        assert!(message.expires_at().is_none_or(|at| at > wall), "{offset} came after its expiry");
        assert!(!self.condemned.contains(&offset), "{offset} is on its way to the dead letters");
        let before = self.latest.get(&offset);
        assert!(before.is_none_or(|before| before.held_until.is_none()), "{offset} was leased twice at once");
        if self.config.ordered
            && let Some(earlier) = self.earlier_of_key(offset)
        {
            panic!("{offset} came while {earlier} of its key is unacked");
        }
        let attempts = self.attempts(offset);
        assert_eq!(leased.delivery_attempt, attempts + 1, "attempts of {offset}");
        assert!(!self.is_exhausted(attempts), "{offset} was delivered once more than it may be");
        self.check_turn(offset, wall);
        self.counts.delivered += 1;
        self.counts.redelivered += u64::from(attempts > 0);
        self.counts.delayed += u64::from(message.deliver_at.is_some_and(|at| at > message.published));
        self.counts.keyed += u64::from(self.config.ordered && message.key.is_some());
        let delivery = Delivery { sequence: leased.lease.sequence, consumer, held_until: Some(until) };
        self.latest.insert(offset, delivery);
    }

    /// The highest priority goes first, in it the oldest, and every so often the oldest of all.
    fn check_turn(&mut self, offset: u64, wall: i64) {
        let oldest = self.since_oldest >= OLDEST_FIRST_EVERY - 1;
        self.since_oldest = if oldest { 0 } else { self.since_oldest + 1 };
        let rank = |offset: u64| {
            let priority = self.message(offset).priority;
            if oldest { (0, offset) } else { (9 - priority, offset) }
        };
        let mine = rank(offset);
        let ready: Vec<_> = (0..self.end()).filter(|&other| self.is_surely_ready(other, wall)).collect();
        for &other in &ready {
            let (one, next) = (self.message(offset), self.message(other));
            assert!(
                rank(other) >= mine,
                "{offset} came, {one:?}, although it was the turn of {other}, {next:?}, at {wall} {oldest} {:?}",
                self.config
            );
        }
        self.counts.out_of_turn += u64::from(ready.iter().any(|&other| other < offset));
    }

    /// Whether a message could be delivered now, beyond doubt: it never was by this process, so it does not back off.
    fn is_surely_ready(&self, offset: u64, wall: i64) -> bool {
        let message = self.message(offset);
        !self.lasting.acked.contains(&offset)
            && !self.latest.contains_key(&offset)
            && !self.condemned.contains(&offset)
            && !self.is_exhausted(self.attempts(offset))
            && (message.wanted || !self.config.filtered)
            && message.deliver_at.is_none_or(|at| at <= wall)
            && message.expires_at().is_none_or(|at| at > self.latest_told)
            && !(self.config.ordered && self.earlier_of_key(offset).is_some())
    }

    /// An unacked message of the same key before this one.
    fn earlier_of_key(&self, offset: u64) -> Option<u64> {
        let key = self.message(offset).key?;
        let earlier = |&other: &u64| {
            let message = self.message(other);
            message.key == Some(key)
                && (message.wanted || !self.config.filtered)
                && !self.lasting.acked.contains(&other)
        };
        (0..offset).find(earlier)
    }

    /// Checks what an ack was told; the dispatcher knows the time.
    pub(crate) fn acked(&mut self, message: LeasedMessage, outcome: AckOutcome) {
        let offset = message.offset.get();
        let latest = self.latest.get(&offset).copied();
        let is_latest = latest.is_some_and(|latest| latest.sequence == message.lease.sequence);
        let is_live = is_latest && latest.is_some_and(|latest| latest.held_until.is_some());
        let was_acked = self.lasting.acked.contains(&offset);
        if outcome == AckOutcome::Applied {
            let fine = match self.config.mode {
                DeliveryMode::ExactlyOnce => is_live && !was_acked,
                DeliveryMode::AtLeastOnce | DeliveryMode::AtMostOnce => was_acked || is_latest || latest.is_none(),
            };
            assert!(fine, "the ack of {message:?} counts, after {latest:?}");
            self.done.insert(offset);
        } else {
            assert!(!is_live || was_acked, "the ack of {message:?} does not count");
            self.counts.refused_acks += 1;
        }
    }

    /// A delivery has ended without an ack.
    fn come_back(&mut self, offset: u64) {
        if let Some(delivery) = self.latest.get_mut(&offset) {
            delivery.held_until = None;
        }
        let attempts = self.attempts(offset) + 1;
        self.lasting.attempts.insert(offset, attempts);
    }

    /// Takes back what is overdue.
    pub(crate) fn expire(&mut self, now: Monotonic) {
        let overdue = |delivery: &Delivery| delivery.held_until.is_some_and(|until| until <= now);
        let back: Vec<_> = self.latest.iter().filter(|(_, delivery)| overdue(delivery)).map(|(&at, _)| at).collect();
        for offset in back {
            self.come_back(offset);
        }
    }

    pub(crate) fn nacked(&mut self, message: LeasedMessage) {
        if self.is_held(message) {
            self.come_back(message.offset.get());
        }
    }

    /// A consumer has gone.
    pub(crate) fn released(&mut self, consumer: u64) {
        let held = |delivery: &Delivery| delivery.consumer == consumer && delivery.held_until.is_some();
        let back: Vec<_> = self.latest.iter().filter(|(_, delivery)| held(delivery)).map(|(&at, _)| at).collect();
        for offset in back {
            self.come_back(offset);
        }
    }

    pub(crate) fn extended(&mut self, message: LeasedMessage, until: Monotonic) {
        if self.is_held(message)
            && let Some(delivery) = self.latest.get_mut(&message.offset.get())
        {
            delivery.held_until = Some(until);
        }
    }

    pub(crate) fn is_held(&self, message: LeasedMessage) -> bool {
        let latest = self.latest.get(&message.offset.get());
        latest.is_some_and(|latest| latest.sequence == message.lease.sequence && latest.held_until.is_some())
    }

    /// A message is to be a dead letter; that has to be for a reason.
    pub(crate) fn condemned(&mut self, offset: u64, rejected: bool) {
        let expired = self.message(offset).expires_at().is_some_and(|at| at <= self.latest_told);
        let exhausted = self.is_exhausted(self.attempts(offset));
        assert!(
            self.config.max_attempts.is_some() && (rejected || expired || exhausted),
            "{offset} is no dead letter: {rejected} {:?} {:?}",
            self.lasting.attempts.get(&offset),
            self.config
        );
        if let Some(delivery) = self.latest.get_mut(&offset) {
            delivery.held_until = None;
        }
        self.condemned.insert(offset);
    }

    pub(crate) fn letter_landed(&mut self, offset: u64) {
        self.letters.insert(offset);
        self.counts.letters += 1;
    }

    /// The dispatcher takes a message for acked: by somebody who may.
    pub(crate) fn change_acked(&mut self, offset: u64) {
        if !self.lasting.acked.insert(offset) {
            return;
        }
        let message = self.message(offset);
        let unwanted = self.config.filtered && !message.wanted;
        let expired =
            message.expires_at().is_some_and(|at| at <= self.latest_told) && self.config.max_attempts.is_none();
        let by_delivery = self.config.mode == DeliveryMode::AtMostOnce && self.latest.contains_key(&offset);
        let settled = self.done.contains(&offset) || self.skipped.contains(&offset);
        let fine = unwanted || expired || by_delivery || settled || self.letters.contains(&offset);
        assert!(fine, "{offset} was acked by nobody");
        self.counts.filtered += u64::from(unwanted);
        self.counts.expired += u64::from(expired);
        self.latest.remove(&offset);
        self.condemned.remove(&offset);
        self.lasting.attempts.remove(&offset);
    }

    /// Acks were answered: they last.
    pub(crate) fn answered(&mut self, offsets: impl IntoIterator<Item = u64>) {
        self.answered.extend(offsets);
    }

    /// Messages that may be delivered once have reached their consumer.
    pub(crate) fn handed_over(&mut self, offset: u64) {
        assert!(self.handed.insert(offset), "{offset} was handed over twice");
        self.answered.insert(offset);
    }

    pub(crate) fn crashed(&mut self, lasting: Lasting) {
        let forgotten = self.lasting.acked.len() - lasting.acked.len();
        self.counts.forgotten += u64::try_from(forgotten).unwrap();
        self.lasting = lasting;
        self.latest.clear();
        self.condemned.clear();
        self.latest_told = i64::MIN;
        self.since_oldest = 0;
    }

    /// The cursor was set: nothing at and above `to` is acked, and whoever was promised otherwise asked for it.
    pub(crate) fn sought(&mut self, to: u64) {
        self.lasting = Lasting { acked: (0..to).collect(), attempts: BTreeMap::new() };
        self.skipped = (0..to).collect();
        self.latest.clear();
        self.condemned.clear();
        self.answered.clear();
        self.handed.clear();
        self.done.clear();
    }

    /// Retention has taken what lies below `start`.
    pub(crate) fn retained(&mut self, start: u64) {
        self.skipped.extend(0..start);
        self.lasting.acked.extend(0..start);
        self.lasting.attempts.retain(|&offset, _| offset >= start);
        self.latest.retain(|&offset, _| offset >= start);
        self.condemned.retain(|&offset| offset >= start);
    }

    /// Everything is accounted for.
    pub(crate) fn check_all_done(&self) {
        for offset in 0..self.end() {
            assert!(self.lasting.acked.contains(&offset), "{offset} never came: {:?}", self.message(offset));
            let message = self.message(offset);
            let unwanted = self.config.filtered && !message.wanted;
            let expired = message.expires_at().is_some_and(|at| at <= self.latest_ever);
            let lost = self.config.mode == DeliveryMode::AtMostOnce || expired && self.config.max_attempts.is_none();
            let known = self.done.contains(&offset) || self.letters.contains(&offset) || self.skipped.contains(&offset);
            assert!(unwanted || lost || known, "{offset} was neither consumed nor is it a dead letter: {message:?}");
        }
    }

    fn message(&self, offset: u64) -> Message {
        self.messages[usize::try_from(offset).unwrap()]
    }

    fn attempts(&self, offset: u64) -> u32 {
        self.lasting.attempts.get(&offset).copied().unwrap_or(0)
    }

    fn is_exhausted(&self, attempts: u32) -> bool {
        self.config.max_attempts.is_some_and(|max| max > 0 && attempts >= max)
    }
}

impl Counts {
    pub(crate) const fn add(&mut self, other: &Self) {
        self.delivered += other.delivered;
        self.redelivered += other.redelivered;
        self.delayed += other.delayed;
        self.expired += other.expired;
        self.letters += other.letters;
        self.letters_lost += other.letters_lost;
        self.out_of_turn += other.out_of_turn;
        self.keyed += other.keyed;
        self.filtered += other.filtered;
        self.refused_acks += other.refused_acks;
        self.forgotten += other.forgotten;
    }
}

/// How long a consumer has by default.
pub(crate) const DEADLINE: Duration = Duration::from_secs(1);
