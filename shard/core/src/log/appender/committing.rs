//! Appends to a replicated log: stored here, they wait until the other replicas in sync have stored them too.

use super::{AppendEffect, Appender, Offset, Reached, VecDeque, Waiting};
use crate::log::config::Acks;

/// Appends that are stored here and not committed.
#[derive(Debug)]
pub(super) struct Uncommitted {
    acks: Acks,
    waiting: VecDeque<Waiting>,
    /// The bytes of what is stored here, by where it ends.
    bytes: VecDeque<(Offset, u64)>,
    /// Their sum.
    bytes_sum: u64,
}

impl Uncommitted {
    const fn new(acks: Acks) -> Self {
        Self { acks, waiting: VecDeque::new(), bytes: VecDeque::new(), bytes_sum: 0 }
    }
}

impl Appender {
    /// Has consumers see what is stored from now on once it is committed, and publishers hear of it when `acks` says.
    #[must_use]
    pub fn replicated(self, acks: Acks) -> Self {
        Self { uncommitted: Some(Uncommitted::new(acks)), ..self }
    }

    /// From now on publishers hear of what they publish when `acks` says. Means nothing to a log that is not replicated.
    pub fn set_acks(&mut self, acks: Acks) {
        if let Some(uncommitted) = &mut self.uncommitted {
            uncommitted.acks = acks;
        }
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

    /// Whether publishers hear of what they publish before it is committed.
    #[must_use]
    pub fn acks_at_once(&self) -> bool {
        self.uncommitted.as_ref().is_none_or(|uncommitted| uncommitted.acks == Acks::Leader)
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
        match &mut self.uncommitted {
            Some(Uncommitted { acks: Acks::Quorum, waiting, .. }) => {
                for stored in stored {
                    // In order: what comes later is answered later, also where it repeats what is committed.
                    if stored.end <= self.high_watermark && waiting.is_empty() {
                        self.effects.push_back(stored.acknowledge(Reached::Replicas));
                    } else if self.stopping {
                        // Nobody commits it any more.
                        self.effects.push_back(stored.leave_undecided());
                    } else {
                        waiting.push_back(stored);
                    }
                }
            }
            Some(Uncommitted { acks: Acks::Leader, .. }) | None => self.acknowledge(stored),
        }
    }
}
