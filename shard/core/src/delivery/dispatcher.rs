//! Delivers one partition to one subscription: leases, acks, redeliveries.

mod answers;
mod assigning;
mod dead_letters;
mod leasing;

use std::{sync::Arc, time::Duration};

pub use dead_letters::{DeadLetter, DeadLetterReason};

use super::{
    Backoff, Claim, ClusterKey, ConsumerId, CursorState, LeaseId, LeaseSigner,
    fence::Fence,
    filter::Filter,
    lookahead::Lookahead,
    outstanding::{Message, Outstanding},
};
use crate::{
    format::cursor_journal::CursorChange,
    limits,
    model::{Monotonic, Offset, OffsetRange, SubscriptionId, Timestamp, TopicPartition},
};

/// Decides which messages of a partition a subscription's consumers get, and when they get them again.
///
/// The cost of a delivery does not grow with the backlog: plain messages that were never delivered are behind one pointer,
/// others in sets ordered by who is next, and so is what comes back.
#[derive(Debug)]
pub struct Dispatcher {
    subscription: SubscriptionId,
    signer: LeaseSigner,
    policy: DeliveryPolicy,
    filter: Option<Arc<Filter>>,
    /// Where partitions are assigned to consumers.
    fence: Option<Fence>,
    jitter_seed: u64,
    next_sequence: u64,
    state: CursorState,
    changes: Vec<CursorChange>,
    outstanding: Outstanding,
    lookahead: Lookahead,
    /// Below it messages may be met again that are outstanding already.
    revisited_to: Offset,
    /// The time as it was told last; it may go back.
    wall: Timestamp,
    /// How many deliveries there were since the oldest message was given whatever its priority.
    since_oldest: u32,
    condemned: Vec<DeadLetter>,
    /// How often the cursor was set since this process opened the partition.
    seeks: u64,
    redeliveries: u64,
    fell_out: u64,
    expired: u64,
    filtered: u64,
    dead_lettered: u64,
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
    /// The sequence of its first lease, above all that this owner gave before: the time in milliseconds, times 2^20. The lowest
    /// [`limits::LEASE_OWNER_BITS`] are those of the leader epoch: clocks differ, and no two owners' leases may be the same.
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
    /// What is delivered in order.
    pub ordering: DeliveryOrder,
    /// How often a message may be delivered.
    pub mode: DeliveryMode,
    /// What becomes of messages that nobody can take; without it they are delivered for ever.
    pub dead_letters: Option<DeadLetterPolicy>,
}

/// What is delivered in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryOrder {
    /// Nothing.
    #[default]
    None,
    /// Messages of one key: none while an earlier one is unacked.
    Key,
}

/// How often a message may be delivered, and which acks count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryMode {
    /// Acked before it is delivered: a consumer that dies loses it.
    AtMostOnce,
    /// Until an ack counts; a late one does too, as long as nobody else was given the message.
    #[default]
    AtLeastOnce,
    /// Until an ack counts; only that of a lease that has not expired does, and only once.
    ExactlyOnce,
}

/// When a message becomes a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetterPolicy {
    /// After so many deliveries that ended without an ack; never if 0.
    pub max_attempts: u32,
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
    /// Why it may have messages, where partitions are assigned: without a good claim it is given none.
    pub claim: Option<Claim>,
}

/// One message in a consumer's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct LeasedMessage {
    /// Its place.
    pub offset: Offset,
    /// Its lease; with place and subscription it is the ack id.
    pub lease: LeaseId,
    /// How often it has been delivered, this time included; a restart may forget deliveries that were not answered.
    pub delivery_attempt: u32,
}

/// What became of one ack, nack or extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum AckOutcome {
    /// It holds.
    Applied,
    /// The message was leased again, or acked, or the cursor was set elsewhere since. Nothing was changed.
    LeaseExpired,
    /// The lease was given under an assignment of the partition that is over. Nothing was changed.
    StaleGeneration,
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
    /// How many messages wait for their time, as far as the subscription has looked.
    pub delayed: u64,
    /// How many messages expired before they were acked, since the partition was opened.
    pub expired: u64,
    /// How many messages the filter kept out, since the partition was opened.
    pub filtered: u64,
    /// How many became dead letters, since the partition was opened.
    pub dead_lettered: u64,
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
            subscription: identity.subscription,
            signer: LeaseSigner::new(identity.key, identity.subscription, identity.partition),
            policy,
            filter: None,
            fence: None,
            jitter_seed: identity.jitter_seed,
            next_sequence: first_sequence(identity, &state),
            lookahead: Lookahead::new(state.cursor().floor()),
            state,
            changes: Vec::new(),
            outstanding: Outstanding::default(),
            revisited_to: Offset::ZERO,
            wall: Timestamp::default(),
            since_oldest: 0,
            condemned: Vec::new(),
            seeks: 0,
            redeliveries: 0,
            fell_out: 0,
            expired: 0,
            filtered: 0,
            dead_lettered: 0,
        }
    }

    /// Replaces the policy for what is leased or comes back from now on; with another order everything is looked at anew.
    pub fn set_policy(&mut self, policy: DeliveryPolicy) {
        let reordered = policy.ordering != self.policy.ordering;
        self.policy = policy;
        if reordered {
            self.look_anew();
        }
        if policy.dead_letters.is_none() {
            self.reprieve_all();
        }
    }

    /// Delivers only what a filter lets through, from what is looked at from now on; what is outstanding stays so.
    pub fn set_filter(&mut self, filter: Option<Arc<Filter>>) {
        if filter != self.filter {
            self.filter = filter;
            self.look_anew();
        }
    }

    /// Tells the time of day, for messages that have one. It may jump, either way.
    pub fn on_clock(&mut self, wall: Timestamp) {
        self.wall = wall;
        self.lookahead.on_clock(wall);
    }

    /// Sets the cursor: what lies below `to` is acked, the rest is not, and every lease is void.
    ///
    /// The driver gives an offset from the log's start to the high watermark.
    pub fn seek(&mut self, to: Offset) {
        self.outstanding = Outstanding::default();
        self.condemned.clear();
        self.seeks += 1;
        self.change(CursorChange::Reset { to, leases_from: self.next_sequence });
        self.lookahead = Lookahead::new(to);
        self.revisited_to = Offset::ZERO;
    }

    /// The log now starts at `start`: what lies below is gone, acked or not. Returns how much of it was not acked.
    ///
    /// No change is recorded: the driver calls this again after a restart, before anything is leased.
    pub fn on_log_start(&mut self, start: Offset) -> u64 {
        let fell_out = self.state.cursor().backlog_below(start);
        self.fell_out += fell_out;
        self.outstanding.remove_below(start);
        self.state.ack_below(start);
        self.lookahead.on_acked(OffsetRange::new(Offset::ZERO, start), self.wall);
        self.lookahead.on_scanned(start);
        fell_out
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
        if range.contains(self.lookahead.scanned_to()) {
            self.lookahead.on_scanned(range.end);
        }
        lost
    }

    /// Messages were cancelled: they are passed over as if they were acked, whoever holds one.
    ///
    /// No change is recorded: the driver calls this again after a restart and after a seek, before anything is leased.
    pub fn on_cancelled(&mut self, range: OffsetRange) {
        self.outstanding.remove_in(range);
        self.apply(&CursorChange::Acked(range));
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

    /// Whether a message is acked by being leased.
    #[must_use]
    pub const fn acks_before_delivery(&self) -> bool {
        matches!(self.policy.mode, DeliveryMode::AtMostOnce)
    }

    /// When `on_clock` has something to do; `None` if no message that was looked at waits for its time.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.lookahead.next_due()
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
            delayed: widen(self.lookahead.delayed_count()),
            expired: self.expired,
            filtered: self.filtered,
            dead_lettered: self.dead_lettered,
            fell_out: self.fell_out,
        }
    }

    /// What survives a restart, recorded changes that are not durable yet included.
    #[must_use]
    pub const fn state(&self) -> &CursorState {
        &self.state
    }

    /// Whether a lease was given by this subscription, and voided neither by a seek nor by an assignment.
    fn check(&self, offset: Offset, lease: LeaseId) -> Result<(), AckOutcome> {
        if !self.signer.verify(offset, lease) {
            return Err(AckOutcome::Unknown);
        }
        // The clock of a former owner may be ahead, so that what it gave can't be told by being lower.
        let voids_others = self.fence.is_some() || self.seeks > 0;
        if lease.sequence < self.state.leases_from() || (voids_others && !self.may_have_given(lease.sequence)) {
            return Err(AckOutcome::LeaseExpired);
        }
        self.fence.as_ref().map_or(Ok(()), |fence| fence.check_lease(lease.sequence))
    }

    /// Whether a lease can be one of this dispatcher's, or of one that the same owner had before.
    const fn may_have_given(&self, sequence: u64) -> bool {
        sequence < self.next_sequence && sequence % limits::LEASES_APART == self.next_sequence % limits::LEASES_APART
    }

    /// The message whose latest lease this is.
    fn live(&self, offset: Offset, lease: LeaseId) -> Result<Message, AckOutcome> {
        self.check(offset, lease)?;
        let message = self.outstanding.get(offset).filter(|message| message.sequence == lease.sequence);
        message.ok_or(AckOutcome::LeaseExpired)
    }

    /// Forgets what was looked at: everything that is not acked is met again.
    fn look_anew(&mut self) {
        self.revisited_to = self.lookahead.scanned_to();
        self.lookahead = Lookahead::new(self.state.cursor().floor());
    }

    /// Makes a change that holds in memory alone.
    fn apply(&mut self, change: &CursorChange) {
        self.state.apply(change);
        match change {
            CursorChange::Acked(range) => self.lookahead.on_acked(*range, self.wall),
            CursorChange::AckedBelow { to } => self.lookahead.on_acked(OffsetRange::new(Offset::ZERO, *to), self.wall),
            CursorChange::Opened { .. }
            | CursorChange::Reset { .. }
            | CursorChange::Attempted { .. }
            | CursorChange::Removed
            | CursorChange::Snapshot(_) => {}
        }
        // What is acked need not be looked at.
        self.lookahead.on_scanned(self.state.cursor().floor());
    }

    fn change(&mut self, change: CursorChange) {
        self.apply(&change);
        if let (Some(CursorChange::Acked(last)), CursorChange::Acked(range)) = (self.changes.last_mut(), &change)
            && last.end == range.start
        {
            last.end = range.end;
        } else {
            self.changes.push(change);
        }
    }
}

/// Where leases begin: above those that a seek has voided, and in the owner's own row.
fn first_sequence(identity: DispatcherIdentity, state: &CursorState) -> u64 {
    let (first, least) = (identity.first_sequence, state.leases_from());
    let behind = least.saturating_sub(first).div_ceil(limits::LEASES_APART);
    first.saturating_add(behind.saturating_mul(limits::LEASES_APART))
}

fn widen(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
