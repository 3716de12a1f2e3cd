//! Which message is next, and giving it to a consumer.

use super::{
    super::{
        filter::FilterSubject,
        lookahead::{Candidate, Detail},
        outstanding::{Message, Place},
    },
    DeadLetterReason, DeliveryMode, DeliveryOrder, Dispatcher, LeaseRequest, LeasedMessage,
};
use crate::{
    format::{
        cursor_journal::CursorChange,
        record::Record,
        record_batch::{BatchError, RecordBatch, Relay},
    },
    limits,
    model::{Monotonic, Offset, OffsetRange, Timestamp},
};

impl Dispatcher {
    /// From where on batches are to be looked at, if there are any below the high watermark: what was not looked at is not
    /// delivered.
    #[must_use]
    pub fn scan_from(&self, high_watermark: Offset) -> Option<Offset> {
        let from = self.lookahead.scanned_to();
        (from < high_watermark && self.lookahead.has_room()).then_some(from)
    }

    /// Looks at a batch; one that does not hold the offset that `scan_from` says is passed over. Only the records of marked
    /// batches are looked at, unless there is a filter or the order of keys matters. What the filter does not let through is
    /// acked, and so is what the broker wrote for another subscription.
    ///
    /// # Errors
    /// The batch's records can't be read; nothing of it is delivered.
    pub fn scan(&mut self, batch: &RecordBatch) -> Result<(), BatchError> {
        let (offsets, from) = (batch.offsets(), self.lookahead.scanned_to());
        if !offsets.contains(from) {
            return Ok(());
        }
        if let Some(Relay::To(subscription)) = batch.header().relay
            && subscription != self.subscription
        {
            self.change(CursorChange::Acked(OffsetRange::new(from, offsets.end)));
            self.lookahead.on_scanned(offsets.end);
            return Ok(());
        }
        if batch.header().marked || self.policy.ordering == DeliveryOrder::Key || self.filter.is_some() {
            let mut looked_at = Vec::new();
            batch.for_each_record(|record| {
                if record.offset >= from && !self.state.cursor().is_acked(record.offset) {
                    let passes =
                        self.filter.as_ref().is_none_or(|filter| filter.matches(&FilterSubject::from(&record)));
                    looked_at.push((record.offset, passes.then(|| self.detail_of(&record))));
                }
            })?;
            for (offset, detail) in looked_at {
                if let Some(detail) = detail {
                    self.lookahead.note(offset, detail, self.wall);
                } else {
                    self.filtered += 1;
                    self.change(CursorChange::Acked(OffsetRange::new(offset, offset.next())));
                }
            }
        }
        self.lookahead.on_scanned(offsets.end);
        Ok(())
    }

    /// Whether only what is not plain has to be looked at.
    #[must_use]
    pub fn takes_plain_unseen(&self) -> bool {
        self.filter.is_none() && self.policy.ordering == DeliveryOrder::None
    }

    /// Takes it that everything below `to` is plain.
    pub fn scan_plain(&mut self, to: Offset) {
        self.lookahead.on_scanned(to);
    }

    /// The offset that should be delivered next: what comes back and what is fresh, the highest priority first, in it the
    /// oldest. Every so often it is the oldest of all.
    pub fn next_deliverable(&mut self, now: Monotonic, high_watermark: Offset) -> Option<Offset> {
        self.on_deadline(now);
        self.candidate().map(|candidate| candidate.offset).filter(|&offset| offset < high_watermark)
    }

    /// Leases deliverable messages, in the order in which they should be delivered, as long as the next one is within the
    /// readable range.
    pub fn lease(&mut self, now: Monotonic, request: LeaseRequest) -> Vec<LeasedMessage> {
        self.on_deadline(now);
        let mut leased = Vec::new();
        if self.admit(now, request.claim, request.consumer).is_err() {
            return leased;
        }
        while leased.len() < usize::try_from(request.count).unwrap_or(usize::MAX) {
            let Some(candidate) = self.candidate().filter(|next| request.readable.contains(next.offset)) else { break };
            leased.push(self.lease_one(now, candidate, &request));
        }
        leased
    }

    /// The next message to be delivered. Those that are not to be delivered any more are done with on the way.
    fn candidate(&mut self) -> Option<Candidate> {
        loop {
            let oldest = self.since_oldest >= limits::OLDEST_FIRST_EVERY - 1;
            let again = self.outstanding.candidate(oldest);
            let has_room = self.outstanding.len() < self.policy.outstanding_max;
            let fresh = if has_room { self.lookahead.candidate(self.state.cursor(), oldest) } else { None };
            let next = match (again, fresh) {
                (Some(again), Some(fresh)) => {
                    if oldest {
                        again.older(fresh)
                    } else {
                        again.before(fresh)
                    }
                }
                (one, other) => one.or(other)?,
            };
            if Some(next) == fresh && next.offset < self.revisited_to && self.outstanding.get(next.offset).is_some() {
                self.lookahead.take(next);
            } else if !self.is_done_with(next) {
                return Some(next);
            }
        }
    }

    /// Whether a message is not to be delivered any more; then it is out of the way.
    fn is_done_with(&mut self, candidate: Candidate) -> bool {
        let Candidate { offset, priority } = candidate;
        let expired = self.lookahead.expires_at(offset).is_some_and(|at| at <= self.wall);
        let attempts = self.state.attempts(offset);
        if !expired && !self.is_exhausted(attempts) {
            return false;
        }
        if self.outstanding.get(offset).is_none() {
            self.lookahead.take(candidate);
        }
        self.expired += u64::from(expired);
        if self.policy.dead_letters.is_some() {
            let reason = if expired { DeadLetterReason::Expired } else { DeadLetterReason::MaxAttempts };
            let message = Message { sequence: 0, priority, place: Place::Condemned };
            self.condemn(message, (offset, attempts, reason));
        } else {
            self.outstanding.remove(offset);
            self.change(CursorChange::Acked(OffsetRange::new(offset, offset.next())));
        }
        true
    }

    fn lease_one(&mut self, now: Monotonic, candidate: Candidate, request: &LeaseRequest) -> LeasedMessage {
        let Candidate { offset, priority } = candidate;
        let oldest = self.since_oldest >= limits::OLDEST_FIRST_EVERY - 1;
        self.since_oldest = if oldest { 0 } else { self.since_oldest + 1 };
        let sequence = self.next_sequence;
        self.next_sequence = sequence.saturating_add(limits::LEASES_APART);
        let attempts = self.state.attempts(offset);
        self.redeliveries += u64::from(attempts > 0);
        if self.outstanding.get(offset).is_none() {
            self.lookahead.take(candidate);
        }
        if self.policy.mode == DeliveryMode::AtMostOnce {
            self.outstanding.remove(offset);
            self.change(CursorChange::Acked(OffsetRange::new(offset, offset.next())));
        } else {
            let deadline = now.plus(request.deadline.unwrap_or(self.policy.ack_deadline));
            let place = Place::Leased { deadline, consumer: request.consumer };
            self.outstanding.set(offset, Message { sequence, priority, place });
        }
        let lease = self.signer.sign(offset, sequence);
        LeasedMessage { offset, lease, delivery_attempt: attempts.saturating_add(1) }
    }

    fn detail_of(&self, record: &Record<'_>) -> Detail {
        let expires_at = record.head.ttl_ms.map(|ttl_ms| expiry(record.timestamp, ttl_ms));
        let key = record.head.key.filter(|_| self.policy.ordering == DeliveryOrder::Key);
        Detail {
            priority: record.head.priority,
            deliver_at: record.head.deliver_at,
            expires_at,
            key: key.map(|key| self.signer.hash(key)),
        }
    }
}

/// When a message that may live so long may not be delivered any more; a delay does not prolong it.
fn expiry(published: Timestamp, ttl_ms: u64) -> Timestamp {
    published.plus_millis(i64::try_from(ttl_ms).unwrap_or(i64::MAX))
}
