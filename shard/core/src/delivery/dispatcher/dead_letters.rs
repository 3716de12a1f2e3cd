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
    /// The messages that have become dead letters since the last call: each is to be written to the dead-letter topic, again
    /// and again until that is durable, and then `on_dead_lettered`. They are not delivered meanwhile.
    ///
    /// After a restart they are condemned again, when they are due.
    #[must_use]
    pub fn take_condemned(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.condemned)
    }

    /// A dead letter is durable where it belongs: only now is it acked here.
    pub fn on_dead_lettered(&mut self, offset: Offset) {
        if self.outstanding.get(offset).is_some_and(|message| message.place == Place::Condemned) {
            self.outstanding.remove(offset);
            self.dead_lettered += 1;
            self.change(CursorChange::Acked(OffsetRange::new(offset, offset.next())));
        }
    }

    /// Whether a message that was delivered so often may not be delivered again.
    pub(super) fn is_exhausted(&self, attempts: u32) -> bool {
        self.policy.dead_letters.is_some_and(|policy| policy.max_attempts > 0 && attempts >= policy.max_attempts)
    }

    pub(super) fn condemn(&mut self, offset: Offset, message: Message, letter: DeadLetter) {
        self.outstanding.set(offset, Message { place: Place::Condemned, ..message });
        self.condemned.push(letter);
    }
}
