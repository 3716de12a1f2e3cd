//! Which partition the messages go to that state neither key nor id: the same one for a while, then the next.
//!
//! Messages that meet in one partition share its next flush. Dealt out one by one over many partitions, each would
//! wait for a flush of its own. The idea is that of Kafka's sticky partitioner (KIP-480, and KIP-794 for a turn that
//! is measured in bytes); the time makes turns go round where little is published.

use crate::limits::{PARTITION_TURN_BYTES, PARTITION_TURN_MS};

/// A turn that counts what was published in it.
#[derive(Clone, Copy, Debug)]
pub struct StickyTurn {
    turn: u32,
    began_ms: u64,
    bytes: usize,
}

impl StickyTurn {
    /// Starts with turn `first`.
    #[must_use]
    pub const fn new(first: u32) -> Self {
        Self { turn: first, began_ms: 0, bytes: 0 }
    }

    /// Whose turn it is at `now_ms`; the next one's, once this one has had its time or its bytes.
    pub const fn at(&mut self, now_ms: u64) -> u32 {
        // A clock that goes back ends the turn as well.
        let in_time = now_ms >= self.began_ms && now_ms - self.began_ms < PARTITION_TURN_MS;
        if self.bytes >= PARTITION_TURN_BYTES || !in_time {
            *self = Self { turn: self.turn.wrapping_add(1), began_ms: now_ms, bytes: 0 };
        }
        self.turn
    }

    /// Counts what was published.
    pub const fn note(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_messages_in_a_row_share_a_turn() {
        let mut turn = StickyTurn::new(7);
        let first = turn.at(1_000);
        for _ in 0..PARTITION_TURN_BYTES / 100 {
            assert_eq!(turn.at(1_000 + PARTITION_TURN_MS - 1), first);
            turn.note(100);
        }
        turn.note(100);
        assert_eq!(turn.at(1_000), first + 1);
    }

    #[test]
    fn a_large_call_is_a_turn_of_its_own() {
        let mut turn = StickyTurn::new(u32::MAX);
        let first = turn.at(1_000);
        turn.note(PARTITION_TURN_BYTES);
        assert_eq!(turn.at(1_000), first.wrapping_add(1));
    }

    #[test]
    fn turns_go_round_where_little_is_published() {
        let mut turn = StickyTurn::new(0);
        let turns: Vec<_> = (1..5).map(|step| turn.at(step * PARTITION_TURN_MS)).collect();
        assert_eq!(turns, [1, 2, 3, 4]);
    }

    #[test]
    fn a_clock_that_goes_back_does_not_hold_a_turn() {
        let mut turn = StickyTurn::new(0);
        let first = turn.at(1_000_000);
        assert_eq!(turn.at(10), first + 1);
    }
}
