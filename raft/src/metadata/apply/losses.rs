//! How a node that has lost what it had promised to have is counted on no more.

use crate::metadata::{ClusterState, NodeId, Partition, TransitionRefusal};

impl ClusterState {
    /// A node says that it can't be counted on for a partition. It stays what it is if nobody else could be.
    pub(super) fn go_without(
        &self,
        partition: &mut Partition,
        node: NodeId,
        min_insync: u16,
    ) -> Result<(), TransitionRefusal> {
        if self.shared_store() == Some(true) {
            return Err(TransitionRefusal::SharedStore);
        }
        if !partition.replicas.contains(&node) {
            return Err(TransitionRefusal::NotReplica { node });
        }
        if partition.owner == Some(node) {
            let heirs = partition.eligible(|heir| heir != node && self.is_live(heir));
            let stays = |heir: &&NodeId| self.nodes.get(heir).is_some_and(|heir| !heir.draining);
            let heir = heirs.iter().find(stays).or(heirs.first()).ok_or(TransitionRefusal::NobodyElse { node })?;
            partition.go_without(node, Some(*heir), min_insync);
            return Ok(());
        }
        if !partition.is_counted_on(node) {
            return Err(TransitionRefusal::Unchanged);
        }
        // Whoever comes back with all of it may own it then.
        if partition.isr.iter().chain(&partition.elr).all(|holder| *holder == node) {
            return Err(TransitionRefusal::NobodyElse { node });
        }
        partition.go_without(node, None, min_insync);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
