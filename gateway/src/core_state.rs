//! What the operations of one core remember from one call to the next.

use std::{
    cell::{Cell, RefCell},
    hash::{BuildHasher, RandomState},
    sync::LazyLock,
    time::{Duration, Instant, SystemTime},
};

use shard::ConsumerId;

use crate::{
    encoded_reads::EncodedReads, limits, message_ids::MessageIds, output_budget::OutputBudget, read_turns::ReadTurns,
    sticky_turn::StickyTurn,
};

/// The bits of a consumer's id that tell cores of all nodes apart: of these so many are the core's.
const CONSUMER_SALT_BITS: u32 = 13;
const CORE_BITS: u32 = 6;
/// From when the time in consumers' ids is counted, in seconds since the Unix epoch: 2020 began.
const CONSUMERS_SINCE: u64 = 1_577_836_800;
/// The same moment on both clocks: about when the process began.
static STARTED: LazyLock<(Instant, SystemTime)> = LazyLock::new(|| (Instant::now(), SystemTime::now()));

/// Small counters of one core, and what its readers share; nothing in it lasts, nothing is shared with other cores.
#[derive(Debug)]
pub struct CoreState {
    message_ids: RefCell<MessageIds>,
    turns: Cell<u32>,
    publish_turn: Cell<StickyTurn>,
    last_consumer: Cell<u64>,
    encoded_reads: RefCell<EncodedReads>,
    outputs: OutputBudget,
    read_turns: ReadTurns,
    /// Tells connections of different cores, of whichever node, apart that come in the same microsecond.
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
            outputs: OutputBudget::new(limits::OUTPUTS_BYTES_MAX),
            read_turns: ReadTurns::new(limits::READS_BYTES_MAX),
            salt: salt % (1 << CONSUMER_SALT_BITS),
        }
    }

    /// The same with so many bytes for what clients leave unread.
    #[must_use]
    pub fn with_outputs(self, bytes_max: usize) -> Self {
        Self { outputs: OutputBudget::new(bytes_max), ..self }
    }

    /// The same on a core of a node: its consumers have ids that no other core of the cluster gives, but for nodes whose
    /// numbers are 128 apart, or cores 64.
    #[must_use]
    pub fn of_core(self, node: u64, core: usize) -> Self {
        let core = u64::try_from(core).unwrap_or_default() % (1 << CORE_BITS);
        Self { salt: (node << CORE_BITS | core) % (1 << CONSUMER_SALT_BITS), ..self }
    }

    /// What clients may leave unread.
    pub(crate) const fn outputs(&self) -> &OutputBudget {
        &self.outputs
    }

    /// Turns to read for clients.
    pub(crate) const fn read_turns(&self) -> &ReadTurns {
        &self.read_turns
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
    /// connections, of other cores too; of other nodes as far as the clocks agree.
    #[must_use]
    pub fn next_consumer(&self) -> ConsumerId {
        // By the clock on the wall as it was when the process began: it may go back since, and an owner on another node
        // remembers those of an earlier process.
        let (began, began_at) = *STARTED;
        let since = began_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() + began.elapsed();
        let since = since.saturating_sub(Duration::from_secs(CONSUMERS_SINCE));
        let micros = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        let next = micros.min(u64::MAX >> (CONSUMER_SALT_BITS + 1)).max(self.last_consumer.get() + 1);
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
    u64::try_from(STARTED.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
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
    fn cores_of_all_nodes_give_different_ids() {
        let salts: HashSet<_> =
            (1..=100).flat_map(|node| (0..8).map(move |core| CoreState::new().of_core(node, core).salt)).collect();
        assert_eq!(salts.len(), 800);
    }

    #[test]
    fn a_consumer_after_a_restart_has_a_higher_id() {
        let id = CoreState::salted(0).next_consumer().0 >> CONSUMER_SALT_BITS;
        let five_years = Duration::from_hours(5 * 365 * 24).as_micros();
        assert!(u128::from(id) > five_years, "{id} is no time of day");
        assert!(id < 1 << 51, "{id} leaves no room for the salt");
    }

    #[test]
    fn a_later_consumer_has_a_higher_id() {
        let core = CoreState::new();
        let ids: Vec<_> = (0..1_000).map(|_| core.next_consumer()).collect();
        assert!(ids.is_sorted_by(|one, next| one < next));
    }
}
