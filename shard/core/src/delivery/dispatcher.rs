//! Delivers one partition to one subscription: leases, acks, redeliveries.

use std::time::Duration;

use super::{
    Backoff, ClusterKey, ConsumerId, CursorState, LeaseId, LeaseSigner,
    outstanding::{Message, Outstanding, Place},
};
use crate::{
    format::cursor_journal::CursorChange,
    model::{Monotonic, Offset, OffsetRange, SubscriptionId, TopicPartition},
};

/// Decides which messages of a partition a subscription's consumers get, and when they get them again.
///
/// Shared consumption, at least once. The cost of a delivery does not grow with the backlog: what was never delivered
/// is behind one pointer, what comes back is ordered by when it does.
#[derive(Debug)]
pub struct Dispatcher {
    signer: LeaseSigner,
    policy: DeliveryPolicy,
    jitter_seed: u64,
    next_sequence: u64,
    state: CursorState,
    changes: Vec<CursorChange>,
    outstanding: Outstanding,
    /// Nothing at or above it was delivered since the partition was opened.
    fresh: Offset,
    redeliveries: u64,
    fell_out: u64,
}

/// What tells a dispatcher from every other one, for as long as the partition is open.
#[derive(Clone, Copy, Debug)]
pub struct DispatcherIdentity {
    /// Whom it serves.
    pub subscription: SubscriptionId,
    /// What it delivers.
    pub partition: TopicPartition,
    /// The secret its lease ids are made with.
    pub key: ClusterKey,
    /// The sequence of its first lease, above all that were given before: the time in milliseconds, times 2^20.
    pub first_sequence: u64,
    /// Spreads back-offs; any number.
    pub jitter_seed: u64,
}

/// What a subscription's configuration says of deliveries; it may change while messages are leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryPolicy {
    /// How long a consumer has to ack if it does not say.
    pub ack_deadline: Duration,
    /// How long a message waits after a nack without a delay, and after an expired lease.
    pub backoff: Backoff,
    /// The most messages that are leased or wait to be delivered again; at the limit nothing fresh is delivered.
    pub outstanding_max: usize,
}

/// What a consumer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseRequest {
    /// The offsets that the driver has at hand, all below the high watermark.
    pub readable: OffsetRange,
    /// How many messages at most.
    pub count: u32,
    /// Who asks.
    pub consumer: ConsumerId,
    /// How long the consumer has until it must ack; the policy's deadline if none.
    pub deadline: Option<Duration>,
}

/// One message in a consumer's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeasedMessage {
    /// Its place.
    pub offset: Offset,
    /// Its lease; with place and subscription it is the ack id.
    pub lease: LeaseId,
    /// How often it has been delivered, this time included; a restart may forget deliveries that were not answered.
    pub delivery_attempt: u32,
}

/// What became of one ack, nack or extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckOutcome {
    /// It holds.
    Applied,
    /// The message was leased again, or acked, or the cursor was set elsewhere since. Nothing was changed.
    LeaseExpired,
    /// No such lease was ever given for this message. Nothing was changed.
    Unknown,
}

/// How far a subscription has come on a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DispatcherStatus {
    /// Every offset below it is acked.
    pub ack_floor: Offset,
    /// How many messages are not acked, leased ones included.
    pub backlog: u64,
    /// How many messages consumers hold.
    pub leased: u64,
    /// How many messages wait to be delivered again.
    pub awaiting_redelivery: u64,
    /// The oldest message that is not acked, if there is one.
    pub first_unacked: Option<Offset>,
    /// How many deliveries were not the first of their message, since the partition was opened.
    pub redeliveries: u64,
    /// How many messages retention took, or the store lost, before they were acked, since the partition was opened.
    pub fell_out: u64,
}

impl Dispatcher {
    /// A dispatcher for a subscription that is new on the partition and starts at `start`.
    #[must_use]
    pub fn open(identity: DispatcherIdentity, policy: DeliveryPolicy, start: Offset) -> Self {
        let mut dispatcher = Self::resume(identity, policy, CursorState::new(start));
        dispatcher.change(CursorChange::Opened { start });
        dispatcher
    }

    /// A dispatcher that goes on where the journal says the subscription was.
    ///
    /// Leases from before the restart hold as long as their message has not been leased again.
    #[must_use]
    pub fn resume(identity: DispatcherIdentity, policy: DeliveryPolicy, state: CursorState) -> Self {
        Self {
            signer: LeaseSigner::new(identity.key, identity.subscription, identity.partition),
            policy,
            jitter_seed: identity.jitter_seed,
            next_sequence: identity.first_sequence.max(state.leases_from()),
            fresh: state.cursor().floor(),
            state,
            changes: Vec::new(),
            outstanding: Outstanding::default(),
            redeliveries: 0,
            fell_out: 0,
        }
    }

    /// Replaces the policy for what is leased or comes back from now on.
    pub fn set_policy(&mut self, policy: DeliveryPolicy) {
        self.policy = policy;
    }

    /// The lowest offset that may be delivered now: what is due again first, then what was never delivered.
    pub fn next_deliverable(&mut self, now: Monotonic, high_watermark: Offset) -> Option<Offset> {
        self.on_deadline(now);
        let again = self.outstanding.first_ready().filter(|&offset| offset < high_watermark);
        again.or_else(|| self.next_fresh().filter(|&offset| offset < high_watermark))
    }

    /// Leases deliverable messages within the readable range, in offset order.
    ///
    /// Nothing is passed over: a fresh message is leased only when `next_fresh` lies in the range.
    pub fn lease(&mut self, now: Monotonic, request: LeaseRequest) -> Vec<LeasedMessage> {
        self.on_deadline(now);
        let mut leased = Vec::new();
        for _ in 0..request.count {
            let again = self.outstanding.first_ready_in(request.readable);
            let fresh = || self.next_fresh().filter(|&offset| request.readable.contains(offset));
            let Some(offset) = again.or_else(fresh) else { break };
            leased.push(self.lease_one(now, offset, &request));
        }
        leased
    }

    /// Acks a message: it is never delivered again once the change is durable.
    ///
    /// A late ack counts as long as the message was not leased again; one that was acked before is acked again.
    pub fn ack(&mut self, offset: Offset, lease: LeaseId) -> AckOutcome {
        if let Err(outcome) = self.check(offset, lease) {
            return outcome;
        }
        if self.state.cursor().is_acked(offset) {
            return AckOutcome::Applied;
        }
        if self.outstanding.get(offset).is_some_and(|message| message.sequence != lease.sequence) {
            return AckOutcome::LeaseExpired;
        }
        self.outstanding.remove(offset);
        self.change(CursorChange::Acked(OffsetRange::new(offset, offset.next())));
        AckOutcome::Applied
    }

    /// Acks every offset up to and with `up_to`, as far as consumers can see: below the high watermark.
    pub fn ack_up_to(&mut self, up_to: Offset, high_watermark: Offset) {
        let to = if up_to < high_watermark { up_to.next() } else { high_watermark };
        if to > self.state.cursor().floor() {
            self.outstanding.remove_below(to);
            self.change(CursorChange::AckedBelow { to });
        }
    }

    /// Gives a message back: it is deliverable after `delay`, or after the back-off if none is given.
    pub fn nack(&mut self, now: Monotonic, offset: Offset, lease: LeaseId, delay: Option<Duration>) -> AckOutcome {
        self.on_deadline(now);
        let message = match self.live(offset, lease) {
            Ok(message) => message,
            Err(outcome) => return outcome,
        };
        match (message.place, delay) {
            (Place::Leased { .. }, _) => {
                let attempts = self.count_attempt(offset);
                let delay = delay.unwrap_or_else(|| self.backoff(attempts, offset));
                self.set_aside(offset, message.sequence, now, delay);
            }
            // It came back by itself or was nacked before; the consumer's own wish still holds.
            (Place::Waiting { .. }, Some(delay)) => self.set_aside(offset, message.sequence, now, delay),
            (Place::Waiting { .. }, None) | (Place::Ready, _) => {}
        }
        AckOutcome::Applied
    }

    /// Gives a consumer more time: the deadline of a lease that has not expired is `deadline` from now.
    pub fn extend(&mut self, now: Monotonic, offset: Offset, lease: LeaseId, deadline: Duration) -> AckOutcome {
        self.on_deadline(now);
        match self.live(offset, lease) {
            Ok(Message { sequence, place: Place::Leased { consumer, .. } }) => {
                let place = Place::Leased { deadline: now.plus(deadline), consumer };
                self.outstanding.set(offset, Message { sequence, place });
                AckOutcome::Applied
            }
            Ok(_) => AckOutcome::LeaseExpired,
            Err(outcome) => outcome,
        }
    }

    /// Sets the cursor: what lies below `to` is acked, the rest is not, and every lease is void.
    ///
    /// The driver gives an offset from the log's start to the high watermark.
    pub fn seek(&mut self, to: Offset) {
        self.outstanding = Outstanding::default();
        self.fresh = to;
        self.change(CursorChange::Reset { to, leases_from: self.next_sequence });
    }

    /// Makes what a consumer holds deliverable at once, since it is gone.
    ///
    /// The leases of [`ConsumerId::default`] outlive connections and stay.
    pub fn release_consumer(&mut self, now: Monotonic, consumer: ConsumerId) {
        self.on_deadline(now);
        while let Some(offset) = self.outstanding.first_held(consumer) {
            let Some(message) = self.outstanding.get(offset) else { break };
            self.count_attempt(offset);
            self.outstanding.set(offset, Message { sequence: message.sequence, place: Place::Ready });
        }
    }

    /// Takes back every lease whose deadline has passed, and makes deliverable what has backed off long enough.
    pub fn on_deadline(&mut self, now: Monotonic) {
        while let Some((deadline, offset)) = self.outstanding.first_expired(now) {
            let Some(message) = self.outstanding.get(offset) else { break };
            let attempts = self.count_attempt(offset);
            let delay = self.backoff(attempts, offset);
            self.set_aside(offset, message.sequence, deadline, delay);
        }
        while let Some(offset) = self.outstanding.first_due(now) {
            let Some(message) = self.outstanding.get(offset) else { break };
            self.outstanding.set(offset, Message { sequence: message.sequence, place: Place::Ready });
        }
    }

    /// The log now starts at `start`: what lies below is gone, acked or not.
    ///
    /// No change is recorded: the driver calls this again after a restart, before anything is leased.
    pub fn on_log_start(&mut self, start: Offset) {
        self.fell_out += self.state.cursor().backlog_below(start);
        self.outstanding.remove_below(start);
        self.state.ack_below(start);
    }

    /// The store has lost the messages of `range` for good: they are passed over as if they were acked.
    ///
    /// Returns how many of them were not.
    pub fn on_lost(&mut self, range: OffsetRange) -> u64 {
        let cursor = self.state.cursor();
        let lost = cursor.backlog_below(range.end) - cursor.backlog_below(range.start);
        self.outstanding.remove_in(range);
        self.fell_out += lost;
        self.change(CursorChange::Acked(range));
        lost
    }

    /// The changes since the last call, in order, for the journal; to be taken after every call that may make some.
    #[must_use]
    pub fn take_changes(&mut self) -> Vec<CursorChange> {
        std::mem::take(&mut self.changes)
    }

    /// When `on_deadline` has something to do; `None` if no message is leased or backing off.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.outstanding.next_deadline()
    }

    /// How far the subscription has come.
    #[must_use]
    pub fn status(&self, high_watermark: Offset) -> DispatcherStatus {
        let cursor = self.state.cursor();
        let leased = self.outstanding.leased_count();
        DispatcherStatus {
            ack_floor: cursor.floor(),
            backlog: cursor.backlog(high_watermark),
            leased: widen(leased),
            awaiting_redelivery: widen(self.outstanding.len() - leased),
            first_unacked: (cursor.floor() < high_watermark).then_some(cursor.floor()),
            redeliveries: self.redeliveries,
            fell_out: self.fell_out,
        }
    }

    /// What survives a restart, recorded changes that are not durable yet included.
    #[must_use]
    pub const fn state(&self) -> &CursorState {
        &self.state
    }

    /// The lowest offset that was not delivered yet, unless too much is outstanding; it may not exist yet.
    fn next_fresh(&self) -> Option<Offset> {
        let room = self.outstanding.len() < self.policy.outstanding_max;
        room.then(|| self.state.cursor().next_unacked(self.fresh))
    }

    fn lease_one(&mut self, now: Monotonic, offset: Offset, request: &LeaseRequest) -> LeasedMessage {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.saturating_add(1);
        self.fresh = self.fresh.max(offset.next());
        let deadline = now.plus(request.deadline.unwrap_or(self.policy.ack_deadline));
        let place = Place::Leased { deadline, consumer: request.consumer };
        self.outstanding.set(offset, Message { sequence, place });
        let attempts = self.state.attempts(offset);
        self.redeliveries += u64::from(attempts > 0);
        let lease = self.signer.sign(offset, sequence);
        LeasedMessage { offset, lease, delivery_attempt: attempts.saturating_add(1) }
    }

    /// Whether a lease was given by this subscription and not voided by a seek.
    fn check(&self, offset: Offset, lease: LeaseId) -> Result<(), AckOutcome> {
        if !self.signer.verify(offset, lease) {
            return Err(AckOutcome::Unknown);
        }
        if lease.sequence < self.state.leases_from() { Err(AckOutcome::LeaseExpired) } else { Ok(()) }
    }

    /// The message whose latest lease this is.
    fn live(&self, offset: Offset, lease: LeaseId) -> Result<Message, AckOutcome> {
        self.check(offset, lease)?;
        let message = self.outstanding.get(offset).filter(|message| message.sequence == lease.sequence);
        message.ok_or(AckOutcome::LeaseExpired)
    }

    /// Counts a delivery that ended without an ack; returns how many there were.
    fn count_attempt(&mut self, offset: Offset) -> u32 {
        let attempts = self.state.attempts(offset).saturating_add(1);
        self.change(CursorChange::Attempted { offset, attempts });
        attempts
    }

    fn backoff(&self, attempts: u32, offset: Offset) -> Duration {
        self.policy.backoff.delay(attempts, offset, self.jitter_seed)
    }

    /// Makes a message deliverable `delay` after `from`.
    fn set_aside(&mut self, offset: Offset, sequence: u64, from: Monotonic, delay: Duration) {
        let place = if delay.is_zero() { Place::Ready } else { Place::Waiting { due: from.plus(delay) } };
        self.outstanding.set(offset, Message { sequence, place });
    }

    fn change(&mut self, change: CursorChange) {
        self.state.apply(&change);
        if let (Some(CursorChange::Acked(last)), CursorChange::Acked(range)) = (self.changes.last_mut(), &change)
            && last.end == range.start
        {
            last.end = range.end;
        } else {
            self.changes.push(change);
        }
    }
}

fn widen(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
