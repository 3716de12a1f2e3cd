//! What consumers say of the messages they hold, and what becomes of those of whom nothing is said.

use std::time::Duration;

use super::{
    super::outstanding::{Message, Place},
    AckOutcome, ConsumerId, DeadLetterReason, DeliveryMode, Dispatcher, LeaseId,
};
use crate::{
    format::cursor_journal::CursorChange,
    model::{Monotonic, Offset, OffsetRange},
};

impl Dispatcher {
    /// Acks a message: it is never delivered again once the change is durable.
    ///
    /// A late ack counts as long as the message was not leased again, and one that was acked before is acked again; but in
    /// `ExactlyOnce` only an ack within the deadline counts, once.
    pub fn ack(&mut self, offset: Offset, lease: LeaseId) -> AckOutcome {
        if let Err(outcome) = self.check(offset, lease) {
            // Whoever asks again, because the answer of an earlier owner was lost, has a lease of that one.
            let of_earlier_owner = outcome == AckOutcome::LeaseExpired && lease.sequence >= self.state.leases_from();
            let is_repeat = of_earlier_owner && self.state.cursor().is_acked(offset);
            return if is_repeat && self.policy.mode != DeliveryMode::ExactlyOnce {
                AckOutcome::Applied
            } else {
                outcome
            };
        }
        if self.policy.mode == DeliveryMode::ExactlyOnce {
            if !self.holds(offset, lease) {
                return AckOutcome::LeaseExpired;
            }
        } else if self.state.cursor().is_acked(offset) {
            return AckOutcome::Applied;
        } else if self.outstanding.get(offset).is_some_and(|message| message.sequence != lease.sequence) {
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
                if let Some(attempts) = self.count_attempt(offset, message) {
                    let delay = delay.unwrap_or_else(|| self.backoff(attempts, offset));
                    self.set_aside(offset, message, now, delay);
                }
            }
            // It came back by itself or was nacked before; the consumer's own wish still holds.
            (Place::Waiting { .. }, Some(delay)) => self.set_aside(offset, message, now, delay),
            (Place::Waiting { .. }, None) | (Place::Ready | Place::Condemned, _) => {}
        }
        AckOutcome::Applied
    }

    /// Rejects a message: it becomes a dead letter, or if there are none it is given back as by `nack`.
    pub fn reject(&mut self, now: Monotonic, offset: Offset, lease: LeaseId) -> AckOutcome {
        if self.policy.dead_letters.is_none() {
            return self.nack(now, offset, lease, None);
        }
        self.on_deadline(now);
        match self.live(offset, lease) {
            Ok(Message { place: Place::Condemned, .. }) => AckOutcome::Applied,
            Ok(message) => {
                let attempts = self.state.attempts(offset).saturating_add(1);
                self.condemn(message, (offset, attempts, DeadLetterReason::Rejected));
                AckOutcome::Applied
            }
            Err(outcome) => outcome,
        }
    }

    /// Gives a consumer more time: the deadline of a lease that has not expired is `deadline` from now.
    pub fn extend(&mut self, now: Monotonic, offset: Offset, lease: LeaseId, deadline: Duration) -> AckOutcome {
        self.on_deadline(now);
        match self.live(offset, lease) {
            Ok(message @ Message { place: Place::Leased { consumer, .. }, .. }) => {
                let place = Place::Leased { deadline: now.plus(deadline), consumer };
                self.outstanding.set(offset, Message { place, ..message });
                AckOutcome::Applied
            }
            Ok(_) => AckOutcome::LeaseExpired,
            Err(outcome) => outcome,
        }
    }

    /// Makes what a consumer holds deliverable at once, since it is gone.
    ///
    /// The leases of [`ConsumerId::default`] outlive connections and stay.
    pub fn release_consumer(&mut self, now: Monotonic, consumer: ConsumerId) {
        self.on_deadline(now);
        while let Some(offset) = self.outstanding.first_held(consumer) {
            self.release(offset);
        }
    }

    /// Makes everything that consumers hold deliverable at once.
    pub(super) fn release_all(&mut self, now: Monotonic) {
        self.on_deadline(now);
        while let Some(offset) = self.outstanding.first_leased() {
            self.release(offset);
        }
    }

    /// Takes back every lease whose deadline has passed, and makes deliverable what has backed off long enough.
    pub fn on_deadline(&mut self, now: Monotonic) {
        while let Some((deadline, offset)) = self.outstanding.first_expired(now) {
            let Some(message) = self.outstanding.get(offset) else { break };
            if let Some(attempts) = self.count_attempt(offset, message) {
                let delay = self.backoff(attempts, offset);
                self.set_aside(offset, message, deadline, delay);
            }
        }
        while let Some(offset) = self.outstanding.first_due(now) {
            let Some(message) = self.outstanding.get(offset) else { break };
            self.outstanding.set(offset, Message { place: Place::Ready, ..message });
        }
    }

    /// Ends a lease: the message is deliverable, unless that was its last delivery.
    fn release(&mut self, offset: Offset) {
        let Some(message) = self.outstanding.get(offset) else { return };
        if self.count_attempt(offset, message).is_some() {
            self.outstanding.set(offset, Message { place: Place::Ready, ..message });
        }
    }

    /// Whether this is the lease of a message that is in a consumer's hands.
    fn holds(&self, offset: Offset, lease: LeaseId) -> bool {
        let held = self.outstanding.get(offset).filter(|message| message.sequence == lease.sequence);
        held.is_some_and(|message| matches!(message.place, Place::Leased { .. }))
    }

    /// Counts a delivery that ended without an ack; `None` if it was the last one that the message has.
    fn count_attempt(&mut self, offset: Offset, message: Message) -> Option<u32> {
        let attempts = self.state.attempts(offset).saturating_add(1);
        self.change(CursorChange::Attempted { offset, attempts });
        if self.is_exhausted(attempts) {
            self.condemn(message, (offset, attempts, DeadLetterReason::MaxAttempts));
            return None;
        }
        Some(attempts)
    }

    fn backoff(&self, attempts: u32, offset: Offset) -> Duration {
        self.policy.backoff.delay(attempts, offset, self.jitter_seed)
    }

    /// Makes a message deliverable `delay` after `from`.
    fn set_aside(&mut self, offset: Offset, message: Message, from: Monotonic, delay: Duration) {
        let place = if delay.is_zero() { Place::Ready } else { Place::Waiting { due: from.plus(delay) } };
        self.outstanding.set(offset, Message { place, ..message });
    }
}
