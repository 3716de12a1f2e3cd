//! How far everything is committed.

use super::{Leader, LeaderEffect, Offset};

impl Leader {
    /// Commits what every replica has that is in sync or about to be. One that is about to leave counts until it has left.
    /// While too few are in sync nothing is committed, whatever they have (KIP-966).
    pub(super) fn commit(&mut self) {
        if !self.set.is_sufficient() || !self.set.isr.contains(&self.node) {
            return;
        }
        let (mut end, mut cursors) = (self.end, self.cursors);
        for node in self.set.isr.iter().chain(self.joining_nodes()).filter(|node| **node != self.node) {
            let progress = self.followers.get(node);
            end = end.min(progress.and_then(|progress| progress.end).unwrap_or(Offset::ZERO));
            cursors = cursors.min(progress.map_or(0, |progress| progress.cursors));
        }
        if end > self.high_watermark || cursors > self.cursors_committed {
            self.high_watermark = self.high_watermark.max(end);
            self.cursors_committed = self.cursors_committed.max(cursors);
            let (high_watermark, cursors) = (self.high_watermark, self.cursors_committed);
            self.effects.retain(|effect| !matches!(effect, LeaderEffect::Committed { .. }));
            self.effects.push(LeaderEffect::Committed { high_watermark, cursors });
        }
    }
}
