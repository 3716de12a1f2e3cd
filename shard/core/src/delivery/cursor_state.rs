//! What of a subscription on a partition survives a restart; the journal replays into it.

use std::collections::BTreeMap;

use super::Cursor;
use crate::{
    format::cursor_journal::{CursorChange, CursorSnapshot},
    model::{Offset, OffsetRange},
};

/// The durable side of a dispatcher: it is changed by [`CursorChange`]s alone, in memory as in a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CursorState {
    cursor: Cursor,
    leases_from: u64,
    attempts: BTreeMap<Offset, u32>,
}

impl CursorState {
    /// The state of a subscription that starts at `start`.
    #[must_use]
    pub const fn new(start: Offset) -> Self {
        Self { cursor: Cursor::new(start), leases_from: 0, attempts: BTreeMap::new() }
    }

    /// The state that a snapshot holds.
    #[must_use]
    pub fn from_snapshot(snapshot: &CursorSnapshot) -> Self {
        let mut state = Self::new(snapshot.floor);
        state.cursor.ack_all(snapshot.acked.clone());
        state.leases_from = snapshot.leases_from;
        state.attempts = snapshot.attempts.iter().copied().filter(|&(at, _)| !state.cursor.is_acked(at)).collect();
        state
    }

    /// Makes one change; the same change twice is as once.
    pub fn apply(&mut self, change: &CursorChange) {
        match change {
            CursorChange::Opened { start } => *self = Self::new(*start),
            CursorChange::Acked(range) => {
                self.cursor.ack_range(*range);
                self.forget_attempts(range.start, range.end);
            }
            CursorChange::AckedBelow { to } => self.ack_below(*to),
            CursorChange::Reset { to, leases_from } => {
                *self = Self::new(*to);
                self.leases_from = *leases_from;
            }
            CursorChange::Attempted { offset, attempts } => {
                if !self.cursor.is_acked(*offset) {
                    self.attempts.insert(*offset, *attempts);
                }
            }
            CursorChange::Removed => *self = Self::default(),
            CursorChange::Snapshot(snapshot) => *self = Self::from_snapshot(snapshot),
        }
    }

    /// Makes many acks at once, in any order; they have to be all there are between two changes of another kind, but for
    /// attempts.
    pub fn ack_all(&mut self, acked: Vec<OffsetRange>) {
        self.cursor.ack_all(acked);
        self.attempts.retain(|&offset, _| !self.cursor.is_acked(offset));
    }

    /// Acks what lies below `to`, as retention does: the next start does it again, so no change is recorded.
    pub fn ack_below(&mut self, to: Offset) {
        self.cursor.ack_below(to);
        self.forget_attempts(Offset::ZERO, to);
    }

    /// What is acked.
    #[must_use]
    pub const fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Leases with a lower sequence were voided by a seek.
    #[must_use]
    pub const fn leases_from(&self) -> u64 {
        self.leases_from
    }

    /// How often `offset` was delivered without being acked, as far as that is recorded.
    #[must_use]
    pub fn attempts(&self, offset: Offset) -> u32 {
        self.attempts.get(&offset).copied().unwrap_or(0)
    }

    /// All of it, for the head of a journal file.
    #[must_use]
    pub fn snapshot(&self) -> CursorSnapshot {
        CursorSnapshot {
            floor: self.cursor.floor(),
            acked: self.cursor.acked_ranges().collect(),
            leases_from: self.leases_from,
            attempts: self.attempts.iter().map(|(&offset, &attempts)| (offset, attempts)).collect(),
        }
    }

    fn forget_attempts(&mut self, start: Offset, end: Offset) {
        while let Some((&offset, _)) = self.attempts.range(start..).next().filter(|&(&offset, _)| offset < end) {
            self.attempts.remove(&offset);
        }
    }
}
