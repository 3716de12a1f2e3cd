//! The book of messages that were delivered and are not acked: who holds them, or when they come back.

use std::collections::{BTreeMap, BTreeSet};

use super::{ConsumerId, lookahead::Candidate, priority_set::PrioritySet};
use crate::model::{Monotonic, Offset, OffsetRange};

/// Delivered, unacked messages of one dispatcher, by offset, deadline, due time and consumer.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    messages: BTreeMap<Offset, Message>,
    /// Deliverable again.
    ready: PrioritySet,
    /// Deliverable again later, the earliest first.
    waiting: BTreeSet<(Monotonic, Offset)>,
    /// In consumers' hands, the earliest deadline first.
    leased: BTreeSet<(Monotonic, Offset)>,
    /// In the hands of consumers that have a connection to lose.
    held: BTreeSet<(ConsumerId, Offset)>,
}

/// One delivered, unacked message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Of its latest lease.
    pub(super) sequence: u64,
    /// 0 to 9, 9 first.
    pub(super) priority: u8,
    /// Where it is.
    pub(super) place: Place,
}

/// Where a delivered message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// With a consumer.
    Leased { deadline: Monotonic, consumer: ConsumerId },
    /// Backing off.
    Waiting { due: Monotonic },
    /// Deliverable again.
    Ready,
    /// On its way to the dead letters.
    Condemned,
}

impl Outstanding {
    /// Enters a message, or moves it.
    pub(super) fn set(&mut self, offset: Offset, message: Message) {
        self.remove(offset);
        match message.place {
            Place::Leased { deadline, consumer } => {
                self.leased.insert((deadline, offset));
                if consumer != ConsumerId::default() {
                    self.held.insert((consumer, offset));
                }
            }
            Place::Waiting { due } => {
                self.waiting.insert((due, offset));
            }
            Place::Ready => self.ready.insert(message.priority, offset),
            Place::Condemned => {}
        }
        self.messages.insert(offset, message);
    }

    /// Strikes a message out; returns whether it was there.
    pub(super) fn remove(&mut self, offset: Offset) -> bool {
        let Some(message) = self.messages.remove(&offset) else { return false };
        match message.place {
            Place::Leased { deadline, consumer } => {
                self.leased.remove(&(deadline, offset));
                self.held.remove(&(consumer, offset));
            }
            Place::Waiting { due } => {
                self.waiting.remove(&(due, offset));
            }
            Place::Ready => {
                self.ready.remove(message.priority, offset);
            }
            Place::Condemned => {}
        }
        true
    }

    /// Strikes out every message below `to`.
    pub(super) fn remove_below(&mut self, to: Offset) {
        while let Some((&offset, _)) = self.messages.first_key_value().filter(|&(&offset, _)| offset < to) {
            self.remove(offset);
        }
    }

    /// Strikes out every message in `range`.
    pub(super) fn remove_in(&mut self, range: OffsetRange) {
        while let Some((&offset, _)) = self.messages.range(range.start..range.end).next() {
            self.remove(offset);
        }
    }

    /// The message at `offset`, if it is outstanding.
    pub(super) fn get(&self, offset: Offset) -> Option<Message> {
        self.messages.get(&offset).copied()
    }

    /// How many messages are outstanding.
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// How many messages consumers hold.
    pub(super) fn leased_count(&self) -> usize {
        self.leased.len()
    }

    /// What should be delivered again next: of the highest priority the oldest, or the oldest of all.
    pub(super) fn candidate(&self, oldest: bool) -> Option<Candidate> {
        let (priority, offset) = if oldest { self.ready.oldest() } else { self.ready.first() }?;
        Some(Candidate { offset, priority })
    }

    /// A message that a consumer holds, whoever it is.
    pub(super) fn first_leased(&self) -> Option<Offset> {
        self.leased.first().map(|&(_, offset)| offset)
    }

    /// A lease whose deadline is `now` or before, with that deadline.
    pub(super) fn first_expired(&self, now: Monotonic) -> Option<(Monotonic, Offset)> {
        self.leased.first().copied().filter(|&(deadline, _)| deadline <= now)
    }

    /// A message whose back-off ends `now` or before.
    pub(super) fn first_due(&self, now: Monotonic) -> Option<Offset> {
        self.waiting.first().filter(|&&(due, _)| due <= now).map(|&(_, offset)| offset)
    }

    /// A message that `consumer` holds.
    pub(super) fn first_held(&self, consumer: ConsumerId) -> Option<Offset> {
        let first = self.held.range((consumer, Offset::ZERO)..).next().copied();
        first.filter(|&(holder, _)| holder == consumer).map(|(_, offset)| offset)
    }

    /// When the next lease expires or the next back-off ends.
    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        let leased = self.leased.first().map(|&(deadline, _)| deadline);
        let waiting = self.waiting.first().map(|&(due, _)| due);
        leased.into_iter().chain(waiting).min()
    }
}
