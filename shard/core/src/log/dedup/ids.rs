//! The ids of the messages of the last while: found by hash, forgotten in the order they came.

use std::{collections::VecDeque, hash::Hasher};

use hashbrown::{HashTable, hash_table::Entry};
use siphasher::sip::SipHasher13;

use crate::model::{Offset, Timestamp};

/// What an id takes beside its bytes: its entry, its slot in the index, the allocation.
const ID_OVERHEAD_BYTES: usize = 96;

/// The ids of one partition, each with its whole text: a hash alone could take one message for another.
#[derive(Debug, Default)]
pub(super) struct IdWindow {
    window_ms: i64,
    key: [u8; 16],
    /// In the order of their offsets, which is that of their times.
    messages: VecDeque<Message>,
    /// The number of the first message; each has its own, and none is used twice.
    first: u64,
    index: HashTable<Slot>,
    bytes: usize,
    forgotten_early: u64,
}

#[derive(Debug)]
struct Message {
    id: Box<str>,
    hash: u64,
    offset: Offset,
    taken: Timestamp,
}

/// Finds the newest message of an id.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u64,
    number: u64,
}

impl IdWindow {
    pub(super) fn new(window_ms: u64, key: [u8; 16]) -> Self {
        let mut window = Self { key, ..Self::default() };
        window.set_window(window_ms);
        window
    }

    pub(super) fn set_window(&mut self, window_ms: u64) {
        self.window_ms = i64::try_from(window_ms).unwrap_or(i64::MAX);
        if window_ms == 0 {
            self.messages.clear();
            self.index.clear();
            (self.first, self.bytes) = (0, 0);
        }
    }

    /// The offset of the message that has this id, if one was taken within the window; otherwise it is taken down at
    /// `offset`.
    pub(super) fn sight(&mut self, id: &str, offset: Offset, now: Timestamp) -> Option<Offset> {
        let hash = self.hash(id);
        let number = self.next_number();
        let known = self.find(hash, id, number, |message, window_ms| is_remembered(message, window_ms, now));
        if known.is_none() {
            self.push(Message { id: id.into(), hash, offset, taken: now });
        }
        known
    }

    /// Takes down a message of the log; it counts from now on for its id.
    pub(super) fn learn(&mut self, id: Box<str>, offset: Offset, taken: Timestamp) {
        let hash = self.hash(&id);
        let number = self.next_number();
        let _ = self.find(hash, &id, number, |_, _| false);
        self.push(Message { id, hash, offset, taken });
    }

    /// Forgets the messages from `end` on.
    pub(super) fn roll_back(&mut self, end: Offset) {
        while let Some(message) = self.messages.pop_back_if(|message| message.offset >= end) {
            let number = self.next_number();
            self.forget(&message, number);
        }
    }

    /// Forgets messages whose time is over, at most so many; returns how many it were.
    pub(super) fn forget_expired(&mut self, now: Timestamp, count_max: usize) -> usize {
        for count in 0..count_max {
            let window_ms = self.window_ms;
            let expired = self.messages.pop_front_if(|message| !is_remembered(message, window_ms, now));
            let Some(message) = expired else { return count };
            self.forget_first(&message);
        }
        count_max
    }

    /// Forgets the oldest messages of those below `stored_end` until at most `bytes_max` are taken. Those in flight
    /// stay: their publishers may just be trying again.
    pub(super) fn trim(&mut self, bytes_max: usize, stored_end: Offset) {
        while self.bytes > bytes_max {
            let Some(message) = self.messages.pop_front_if(|message| message.offset < stored_end) else { return };
            self.forgotten_early += 1;
            self.forget_first(&message);
        }
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) const fn forgotten_early(&self) -> u64 {
        self.forgotten_early
    }

    /// The offset of the message that has this id, if `counts` says yes; otherwise the id stands for the message
    /// `number`, which is about to come.
    fn find(&mut self, hash: u64, id: &str, number: u64, counts: impl FnOnce(&Message, i64) -> bool) -> Option<Offset> {
        let (messages, first, window_ms) = (&self.messages, self.first, self.window_ms);
        let is_same =
            |slot: &Slot| slot.hash == hash && message(messages, first, *slot).is_some_and(|known| &*known.id == id);
        match self.index.entry(hash, is_same, |slot| slot.hash) {
            Entry::Occupied(mut slot) => {
                let known = message(messages, first, *slot.get()).filter(|known| counts(known, window_ms));
                if known.is_none() {
                    *slot.get_mut() = Slot { hash, number };
                }
                known.map(|known| known.offset)
            }
            Entry::Vacant(vacant) => {
                vacant.insert(Slot { hash, number });
                None
            }
        }
    }

    fn push(&mut self, message: Message) {
        self.bytes += cost(&message);
        self.messages.push_back(message);
    }

    fn forget_first(&mut self, message: &Message) {
        let number = self.first;
        self.first += 1;
        self.forget(message, number);
    }

    /// The index still points at the message, unless its id has come again since.
    fn forget(&mut self, message: &Message, number: u64) {
        self.bytes -= cost(message);
        if let Ok(slot) = self.index.find_entry(message.hash, |slot| slot.number == number) {
            slot.remove();
        }
    }

    fn next_number(&self) -> u64 {
        self.first + u64::try_from(self.messages.len()).expect("a length fits in 64 bits")
    }

    fn hash(&self, id: &str) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(id.as_bytes());
        hasher.finish()
    }
}

fn message(messages: &VecDeque<Message>, first: u64, slot: Slot) -> Option<&Message> {
    usize::try_from(slot.number.checked_sub(first)?).ok().and_then(|at| messages.get(at))
}

/// An id is remembered for `window_ms` from when its message was taken on.
const fn is_remembered(message: &Message, window_ms: i64, now: Timestamp) -> bool {
    now.as_millis() < message.taken.plus_millis(window_ms).as_millis()
}

const fn cost(message: &Message) -> usize {
    message.id.len() + ID_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: u64) -> (String, Offset, Timestamp) {
        (format!("id-{number}"), Offset::new(number), Timestamp::from_millis(i64::try_from(number).unwrap()))
    }

    #[test]
    fn nothing_stays_of_what_is_forgotten() {
        let mut window = IdWindow::new(10, [7; 16]);
        for number in 0..1_000 {
            let (id, offset, now) = at(number);
            assert_eq!(window.sight(&id, offset, now), None);
            window.forget_expired(now, 1);
            assert!(window.index.len() == window.messages.len() && window.messages.len() <= 11);
        }
        window.roll_back(Offset::new(995));
        assert_eq!((window.index.len(), window.messages.len()), (5, 5));
        window.trim(0, Offset::new(995));
        assert_eq!((window.index.len(), window.messages.len(), window.bytes), (0, 0, 0));
    }

    #[test]
    fn an_id_that_came_again_after_its_time_is_found_at_its_new_place() {
        let mut window = IdWindow::new(10, [7; 16]);
        let sight = |window: &mut IdWindow, offset, now| {
            window.sight("id", Offset::new(offset), Timestamp::from_millis(now)).map(Offset::get)
        };
        assert_eq!(sight(&mut window, 0, 0), None);
        assert_eq!(sight(&mut window, 1, 10), None, "its time is over, though it was not forgotten yet");
        window.forget_expired(Timestamp::from_millis(10), 1);
        assert_eq!(sight(&mut window, 2, 19), Some(1));
        assert_eq!((window.index.len(), window.messages.len()), (1, 1));
    }
}
