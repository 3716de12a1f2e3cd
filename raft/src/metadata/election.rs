//! Who may own a partition, and what its sets become, so that nothing acknowledged is lost.
//!
//! Every node of the ISR holds all that was acknowledged. One that leaves it while fewer than `min_insync` are left goes to
//! the ELR: from then on nothing is acknowledged, so it keeps holding all of it until the ISR is large enough again.

use std::mem;

use shard_core::model::LeaderEpoch;

use super::{NodeId, Partition};

impl Partition {
    /// The nodes that may own it next, the preferred one first: those in sync, and if none of them lives, those of the ELR.
    #[must_use]
    pub fn eligible(&self, is_live: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
        let live = |set: &[NodeId]| -> Vec<NodeId> {
            self.replicas.iter().copied().filter(|node| set.contains(node) && is_live(*node)).collect()
        };
        let in_sync = live(&self.isr);
        if in_sync.is_empty() { live(&self.elr) } else { in_sync }
    }

    /// Whether a node is relied on to hold all that was acknowledged.
    pub(super) fn is_counted_on(&self, node: NodeId) -> bool {
        self.isr.contains(&node) || self.elr.contains(&node)
    }

    /// Another node owns it, in a new epoch. One of the ELR is alone in sync, and those that were in sync stay eligible.
    pub(super) fn elect(&mut self, owner: NodeId, min_insync: u16) {
        if !self.isr.contains(&owner) {
            let former = mem::replace(&mut self.isr, vec![owner]);
            self.elr.retain(|node| *node != owner);
            self.elr.extend(former);
            self.sets_changed(min_insync);
        }
        self.own(owner);
    }

    /// It lies on one node alone, which owns it.
    pub(super) fn move_whole(&mut self, owner: NodeId) {
        self.replicas = vec![owner];
        self.isr = vec![owner];
        self.elr = Vec::new();
        self.partition_epoch = self.partition_epoch.saturating_add(1);
        self.own(owner);
    }

    /// A node that may lack what was acknowledged owns it, and nobody is counted on to hold what it lacks.
    pub(super) fn begin_incarnation(&mut self, owner: NodeId, min_insync: u16) {
        self.isr = vec![owner];
        self.elr = Vec::new();
        self.incarnation = self.incarnation.saturating_add(1);
        self.sets_changed(min_insync);
        self.own(owner);
    }

    /// It is to be kept by fewer nodes: those stay that hold most, its owner among them.
    pub(super) fn prefer_to_keep(&mut self, replicas_wanted: usize) {
        if self.replicas.len() <= replicas_wanted {
            return;
        }
        let (isr, before) = (self.isr.clone(), self.replicas.clone());
        self.replicas.sort_by_key(|node| !isr.contains(node));
        let place = self.replicas.iter().position(|node| self.owner == Some(*node));
        if let Some(place) = place.filter(|place| *place >= replicas_wanted) {
            let owner = self.replicas.remove(place);
            self.replicas.insert(0, owner);
        }
        if self.replicas != before {
            self.partition_epoch = self.partition_epoch.saturating_add(1);
        }
    }

    /// A node is out of sync, unless nobody else is in sync. Whether anything changed.
    pub(super) fn drop_from_isr(&mut self, node: NodeId, min_insync: u16) -> bool {
        if self.isr.len() < 2 || !self.isr.contains(&node) {
            return false;
        }
        self.isr.retain(|member| *member != node);
        self.elr.push(node);
        self.sets_changed(min_insync);
        true
    }

    /// A node is counted on no more. Whoever takes it over from that node owns it before, and holds all that was acknowledged.
    pub(super) fn go_without(&mut self, node: NodeId, heir: Option<NodeId>, min_insync: u16) {
        if let Some(heir) = heir {
            self.elect(heir, min_insync);
        }
        self.forget_holder(node, min_insync);
    }

    /// Its owner starts again, and is another one to those that followed it.
    pub(super) fn own_again(&mut self, owner: NodeId) -> bool {
        let is_again = self.owner == Some(owner) && self.replicas.len() > 1;
        if is_again {
            self.next_epoch();
        }
        is_again
    }

    /// Nobody is eligible any more but those in sync. Whether anything changed.
    pub(super) fn clear_elr(&mut self) -> bool {
        let changed = !self.elr.is_empty();
        if changed {
            self.elr.clear();
            self.partition_epoch = self.partition_epoch.saturating_add(1);
        }
        changed
    }

    /// The sets are new; while enough nodes are in sync, messages are acknowledged that others do not hold.
    pub(super) fn sets_changed(&mut self, min_insync: u16) {
        if self.isr.len() >= usize::from(min_insync) {
            self.elr.clear();
        }
        self.partition_epoch = self.partition_epoch.saturating_add(1);
    }

    /// Has it owned by a node in a new epoch.
    pub(super) fn own(&mut self, owner: NodeId) {
        self.owner = Some(owner);
        self.next_epoch();
    }

    /// Nobody owns it, in a new epoch.
    pub(super) fn disown(&mut self) {
        self.owner = None;
        self.next_epoch();
    }

    /// A node is in neither set any more; those of the ELR are in sync if nobody else is.
    fn forget_holder(&mut self, node: NodeId, min_insync: u16) {
        if self.is_counted_on(node) {
            self.isr.retain(|member| *member != node);
            self.elr.retain(|member| *member != node);
            if self.isr.is_empty() {
                self.isr.append(&mut self.elr);
            }
            self.sets_changed(min_insync);
        }
    }

    fn next_epoch(&mut self) {
        self.leader_epoch = LeaderEpoch::new(self.leader_epoch.get().saturating_add(1));
    }
}
