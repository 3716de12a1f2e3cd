//! What the operations of one core remember from one call to the next.

use std::{
    cell::{Cell, RefCell},
    hash::{BuildHasher, RandomState},
    sync::LazyLock,
    time::{Instant, SystemTime},
};

use shard::ConsumerId;

use crate::{encoded_reads::EncodedReads, message_ids::MessageIds, sticky_turn::StickyTurn};

/// The bits of a consumer's id that tell cores apart.
const CONSUMER_SALT_BITS: u32 = 13;
/// The time in consumers' ids is counted from about when the process began: what remembers them ends with it.
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Small counters of one core, and what its readers share; nothing in it lasts, nothing is shared with other cores.
#[derive(Debug)]
pub struct CoreState {
    message_ids: RefCell<MessageIds>,
    turns: Cell<u32>,
    publish_turn: Cell<StickyTurn>,
    last_consumer: Cell<u64>,
    encoded_reads: RefCell<EncodedReads>,
    /// Tells connections of different cores apart that come in the same microsecond.
    salt: u64,
}

impl CoreState {
    /// Starts at a random turn, so that cores don't all begin with the same partition.
    #[must_use]
    pub fn new() -> Self {
        Self::salted(RandomState::new().hash_one("salt"))
    }

    fn salted(salt: u64) -> Self {
        let first_turn = u32::from_le_bytes(low_bytes(salt));
        Self {
            message_ids: RefCell::new(MessageIds::new()),
            turns: Cell::new(first_turn),
            publish_turn: Cell::new(StickyTurn::new(first_turn)),
            last_consumer: Cell::new(0),
            encoded_reads: RefCell::default(),
            salt: salt % (1 << CONSUMER_SALT_BITS),
        }
    }

    /// Whose turn it is: rises by one with each call.
    #[must_use]
    pub fn next_turn(&self) -> u32 {
        let turn = self.turns.get();
        self.turns.set(turn.wrapping_add(1));
        turn
    }

    /// Whose turn it is to get messages that state no partition.
    #[must_use]
    pub fn publish_turn(&self, now_millis: u64) -> u32 {
        let mut sticky = self.publish_turn.get();
        let turn = sticky.at(now_millis);
        self.publish_turn.set(sticky);
        turn
    }

    /// Counts what was published in this turn.
    pub fn note_published(&self, bytes: usize) {
        let mut sticky = self.publish_turn.get();
        sticky.note(bytes);
        self.publish_turn.set(sticky);
    }

    /// An id for a consumer that is connected now; never that of a pull without a connection. It is above those of earlier
    /// connections, of other cores too.
    #[must_use]
    pub fn next_consumer(&self) -> ConsumerId {
        // Not by the clock on the wall, which may go back.
        let micros = u64::try_from(STARTED.elapsed().as_micros()).unwrap_or(u64::MAX >> CONSUMER_SALT_BITS);
        let next = micros.max(self.last_consumer.get() + 1);
        self.last_consumer.set(next);
        ConsumerId(next << CONSUMER_SALT_BITS | self.salt)
    }

    /// Lends what was read of topics lately.
    ///
    /// # Panics
    /// If `use_reads` asks for it again.
    pub(crate) fn with_encoded_reads<T>(&self, use_reads: impl FnOnce(&mut EncodedReads) -> T) -> T {
        use_reads(&mut self.encoded_reads.borrow_mut())
    }

    /// Lends the generator of message ids.
    ///
    /// # Panics
    /// If `use_ids` asks for it again.
    pub fn with_message_ids<T>(&self, use_ids: impl FnOnce(&mut MessageIds) -> T) -> T {
        use_ids(&mut self.message_ids.borrow_mut())
    }
}

impl Default for CoreState {
    fn default() -> Self {
        Self::new()
    }
}

/// Nanoseconds since about when the process began, the same on every core; they never go back.
pub(crate) fn monotonic_nanos() -> u64 {
    u64::try_from(STARTED.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Milliseconds since the Unix epoch by the wall clock.
pub(crate) fn now_millis() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

const fn low_bytes(number: u64) -> [u8; 4] {
    let [a, b, c, d, ..] = number.to_le_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn turns_go_round() {
        let state = CoreState::new();
        let first = state.next_turn();
        assert_eq!(state.next_turn(), first.wrapping_add(1));
    }

    #[test]
    fn consumers_of_two_cores_are_all_different() {
        let (one, other) = (CoreState::salted(1), CoreState::salted(2));
        let ids: HashSet<_> = (0..1_000).flat_map(|_| [one.next_consumer(), other.next_consumer()]).collect();
        assert_eq!(ids.len(), 2_000);
        assert!(!ids.contains(&ConsumerId::default()));
    }

    #[test]
    fn a_later_consumer_has_a_higher_id() {
        let core = CoreState::new();
        let ids: Vec<_> = (0..1_000).map(|_| core.next_consumer()).collect();
        assert!(ids.is_sorted_by(|one, next| one < next));
    }
}
