//! When publishers hear of their appends: at once, when they are stored here, or when the other replicas in sync have
//! stored them too.

use super::{AppendEffect, Appender, Offset, Reached, VecDeque, Waiting};
use crate::log::config::Acks;

/// Appends that are stored here and not committed.
#[derive(Debug, Default)]
pub(super) struct Uncommitted {
    waiting: VecDeque<Waiting>,
    /// The bytes of what is stored here, by where it ends.
    bytes: VecDeque<(Offset, u64)>,
    /// Their sum.
    bytes_sum: u64,
}

impl Appender {
    /// Has consumers see what is stored from now on once it is committed.
    #[must_use]
    pub fn replicated(self) -> Self {
        Self { uncommitted: Some(Uncommitted::default()), ..self }
    }

    /// Has publishers that say nothing hear of what they publish when `acks` says.
    #[must_use]
    pub fn answering(self, acks: Acks) -> Self {
        Self { acks, ..self }
    }

    /// From now on publishers that say nothing hear of what they publish when `acks` says.
    pub fn set_acks(&mut self, acks: Acks) {
        self.acks = acks;
    }

    /// What lies below is on the disk of every replica in sync.
    ///
    /// # Panics
    /// If it is not replicated, or not even stored here.
    pub fn on_committed(&mut self, end: Offset) {
        assert!(end <= self.stored_end, "what is committed is stored");
        let Some(uncommitted) = &mut self.uncommitted else { panic!("only a replicated log is committed by others") };
        if end <= self.high_watermark {
            return;
        }
        self.high_watermark = end;
        while let Some((_, bytes)) = uncommitted.bytes.pop_front_if(|(stored, _)| *stored <= end) {
            uncommitted.bytes_sum -= bytes;
        }
        while let Some(waiting) = uncommitted.waiting.pop_front_if(|waiting| waiting.end <= end) {
            self.effects.push_back(waiting.acknowledge(Reached::Replicas));
        }
        self.effects.push_back(AppendEffect::HighWatermark(end));
    }

    /// Another one leads: what is stored here and not committed may be in its log, or not.
    pub fn give_up_uncommitted(&mut self) {
        let waiting = self.uncommitted.iter_mut().flat_map(|uncommitted| uncommitted.waiting.drain(..));
        self.effects.extend(waiting.map(Waiting::leave_undecided));
    }

    /// Whether a publisher that wants to hear then, if it says, hears of what it publishes before it is committed.
    #[must_use]
    pub fn acks_at_once(&self, acks: Option<Acks>) -> bool {
        self.uncommitted.is_none() || acks.unwrap_or(self.acks) != Acks::Quorum
    }

    /// Whether such a publisher hears of what it publishes before that is stored. While the store takes nothing, nobody
    /// does: it would be lost.
    pub(super) fn answers_from_memory(&self, acks: Option<Acks>) -> bool {
        acks.unwrap_or(self.acks) == Acks::Memory && self.rejected.is_none()
    }

    /// So many bytes, up to `end`, are stored here and wait for the others.
    pub(super) fn note_uncommitted(&mut self, end: Offset, bytes: u64) {
        if let Some(uncommitted) = &mut self.uncommitted {
            uncommitted.bytes.push_back((end, bytes));
            uncommitted.bytes_sum += bytes;
        }
    }

    /// How many bytes are stored here and wait for the others.
    pub(super) fn uncommitted_bytes(&self) -> u64 {
        self.uncommitted.as_ref().map_or(0, |uncommitted| uncommitted.bytes_sum)
    }

    pub(super) fn has_uncommitted(&self) -> bool {
        self.uncommitted.as_ref().is_some_and(|uncommitted| !uncommitted.waiting.is_empty())
    }

    /// Appends of which everything is stored here are done, unless others have to store it too.
    pub(super) fn on_stored(&mut self, stored: Vec<Waiting>) {
        let Some(uncommitted) = &mut self.uncommitted else { return self.acknowledge(stored) };
        let mut at_once = Vec::new();
        for stored in stored {
            if stored.acks.unwrap_or(self.acks) != Acks::Quorum {
                at_once.push(stored);
            } else if stored.end <= self.high_watermark && uncommitted.waiting.is_empty() {
                // In order: what comes later is answered later, also where it repeats what is committed.
                self.effects.push_back(stored.acknowledge(Reached::Replicas));
            } else if self.stopping {
                // Nobody commits it any more.
                self.effects.push_back(stored.leave_undecided());
            } else {
                uncommitted.waiting.push_back(stored);
            }
        }
        self.acknowledge(at_once);
    }
}
