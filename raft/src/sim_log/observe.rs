//! A node has a newer state of the metadata, or starts with an old one.

use super::{mutant::Mutant, node::monotonic, world::World};
use crate::controller::Controller;

impl World {
    pub(super) fn observe(&mut self, place: usize) {
        if !self.nodes[place].is_in() {
            return;
        }
        self.forget_lost(place);
        let id = self.id_of(place);
        for partition in 0..self.oracles.len() {
            let is_kept = self.known(place, partition).is_some_and(|known| known.replicas.contains(&id));
            if is_kept && !self.nodes[place].lost.contains(&partition) {
                self.take_role(place, partition);
            }
        }
    }

    /// What is lost is made again from others, once nobody counts on this node to have it.
    fn forget_lost(&mut self, place: usize) {
        let id = self.id_of(place);
        for partition in self.nodes[place].lost.clone() {
            let counts = |known: &crate::metadata::Partition| known.isr.contains(&id) || known.elr.contains(&id);
            if self.known(place, partition).is_some_and(|known| !counts(known)) {
                self.nodes[place].lost.retain(|lost| *lost != partition);
                self.nodes[place].disks[partition].cut_at_damage();
            }
        }
    }

    /// A node that was down starts with what is on its disk.
    pub(super) fn start(&mut self, place: usize) {
        let state = std::sync::Arc::clone(self.log.state_at(self.nodes[place].log_end));
        let now = monotonic(self.now);
        let node = &mut self.nodes[place];
        if node.up {
            return;
        }
        node.state = state;
        node.up = true;
        node.controller = Controller::new(now);
        let mutant = self.mutant;
        for partition in 0..self.oracles.len() {
            let id = self.id_of(place);
            let was_in_sync = self.known(place, partition).is_some_and(|known| known.isr.contains(&id));
            let node = &mut self.nodes[place];
            let disk = &mut node.disks[partition];
            if mutant == Some(Mutant::CutsAtDamage) {
                disk.cut_at_damage();
            } else if disk.is_damaged() {
                node.lost.push(partition);
            }
            if mutant == Some(Mutant::DeletesOnSuspicion) && !was_in_sync {
                disk.restart(shard_core::model::Offset::ZERO);
            }
            self.check_members(partition);
        }
        self.later(place, 0, super::events::Act::Tick);
    }
}
