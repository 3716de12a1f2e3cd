//! Messages that nobody can take: set apart, and acked once they are durable among the dead letters.

use super::{
    super::outstanding::{Message, Place},
    Dispatcher,
};
use crate::{
    format::cursor_journal::CursorChange,
    model::{Offset, OffsetRange},
};

/// A message that is to be written to the dead-letter topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its place.
    pub offset: Offset,
    /// How often it was delivered.
    pub attempts: u32,
    /// Why it is one.
    pub reason: DeadLetterReason,
    /// How often the cursor had been set before that.
    pub seeks: u64,
}

/// Why a message is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetterReason {
    /// It was delivered as often as it may be.
    MaxAttempts,
    /// A consumer rejected it.
    Rejected,
    /// Its time to live had passed.
    Expired,
}

impl Dispatcher {
    /// Up to `count` of the messages that have become dead letters: each is to be written to the dead-letter topic, then
    /// `on_dead_lettered` or `on_dead_letter_failed`. They are not delivered meanwhile.
    ///
    /// After a restart they are condemned again, when they are due.
    #[must_use]
    pub fn take_condemned(&mut self, count: usize) -> Vec<DeadLetter> {
        let (mut taken, mut seen) = (Vec::new(), 0);
        for letter in &self.condemned {
            if taken.len() == count {
                break;
            }
            seen += 1;
            // A late ack may have counted meanwhile.
            if self.is_condemned(letter.offset) {
                taken.push(*letter);
            }
        }
        self.condemned.drain(..seen);
        taken
    }

    /// A dead letter is where it belongs, as durable as that place makes anything: only now is it acked here. Returns whether
    /// it was still waited for.
    pub fn on_dead_lettered(&mut self, offset: Offset) -> bool {
        let waited_for = self.is_condemned(offset);
        if waited_for {
            self.outstanding.remove(offset);
            self.dead_lettered += 1;
            self.change(CursorChange::Acked(OffsetRange::new(offset, offset.next())));
        }
        waited_for
    }

    /// A dead letter could not be written: it is taken again, or delivered again if there are no dead letters any more.
    pub fn on_dead_letter_failed(&mut self, letter: DeadLetter) {
        // After a seek it is another letter that may be waited for.
        if letter.seeks != self.seeks || !self.is_condemned(letter.offset) {
            return;
        }
        if self.policy.dead_letters.is_some() {
            self.condemned.push(letter);
        } else {
            self.reprieve(letter.offset);
        }
    }

    /// There are no dead letters any more: what was to become one is delivered again.
    pub(super) fn reprieve_all(&mut self) {
        for letter in std::mem::take(&mut self.condemned) {
            self.reprieve(letter.offset);
        }
    }

    fn reprieve(&mut self, offset: Offset) {
        if let Some(message) = self.outstanding.get(offset).filter(|message| message.place == Place::Condemned) {
            self.outstanding.set(offset, Message { place: Place::Ready, ..message });
        }
    }

    fn is_condemned(&self, offset: Offset) -> bool {
        self.outstanding.get(offset).is_some_and(|message| message.place == Place::Condemned)
    }

    /// Whether a message that was delivered so often may not be delivered again.
    pub(super) fn is_exhausted(&self, attempts: u32) -> bool {
        self.policy.dead_letters.is_some_and(|policy| policy.max_attempts > 0 && attempts >= policy.max_attempts)
    }

    pub(super) fn condemn(&mut self, message: Message, (offset, attempts, reason): (Offset, u32, DeadLetterReason)) {
        self.outstanding.set(offset, Message { place: Place::Condemned, ..message });
        self.condemned.push(DeadLetter { offset, attempts, reason, seeks: self.seeks });
    }
}
