//! How a node leaves for good.

use std::sync::Arc;

use crate::{
    limits,
    metadata::{
        ClusterState, LostPartition, NodeId, Outcome, Partition, Refusal, Topic, TopicConfig, placement::Placer,
    },
};

/// What becomes of the partitions of a node that is removed with what it has.
struct Removal {
    node: NodeId,
    placer: Placer,
    lost: usize,
    first_lost: Vec<LostPartition>,
}

impl ClusterState {
    /// Takes a node out. One that has partitions goes only by force and when it is fenced: what others hold as well, or can
    /// reach, they take over; what only it held is given up, and those partitions are begun anew on others.
    pub(super) fn remove_node(&mut self, id: NodeId, force: bool) -> Result<Outcome, Refusal> {
        let Some(node) = self.nodes.get(&id) else {
            // A repetition is recognised.
            let is_known = self.removed.contains(&id);
            let again = Outcome::NodeRemoved { lost: 0, first_lost: Vec::new() };
            return if is_known { Ok(again) } else { Err(Refusal::NodeNotFound) };
        };
        if self.nodes.len() == 1 {
            return Err(Refusal::NoOtherNode);
        }
        let load = self.loads.of(id);
        let partitions = load.owned.max(load.replicas);
        let (mut lost, mut first_lost) = (0, Vec::new());
        if partitions > 0 {
            if !force || !node.fenced {
                return Err(Refusal::NodeInUse { partitions });
            }
            if !self.nodes.values().any(|other| other.id != id && !other.fenced) {
                return Err(Refusal::NoOtherNode);
            }
            (lost, first_lost) = self.give_up(id);
        }
        self.nodes.remove(&id);
        self.removed.insert(id);
        Ok(Outcome::NodeRemoved { lost, first_lost })
    }

    fn give_up(&mut self, node: NodeId) -> (usize, Vec<LostPartition>) {
        let placer = Placer::new(self).without(node);
        let mut removal = Removal { node, placer, lost: 0, first_lost: Vec::new() };
        let has_any = |topic: &&Arc<Topic>| topic.partitions.iter().any(|partition| partition.is_kept_by(node));
        let topics: Vec<Arc<Topic>> = self.topics.iter().filter(has_any).cloned().collect();
        for topic in topics {
            let mut changed = Topic::clone(&topic);
            for (index, partition) in (0..).zip(&mut changed.partitions) {
                if partition.is_kept_by(node) && removal.take(self, partition, &topic.config) {
                    removal.count_lost(LostPartition { topic: topic.id, partition: index });
                }
            }
            self.put_topic(Arc::new(changed));
        }
        (removal.lost, removal.first_lost)
    }
}

impl Removal {
    /// Takes the node out of a partition; whether its messages are lost.
    fn take(&mut self, state: &ClusterState, partition: &mut Partition, config: &TopicConfig) -> bool {
        let node = self.node;
        let wanted = state.replicas_wanted(config);
        if state.shared_store() == Some(true) {
            if let Some(owner) = self.placer.replicas(Vec::new(), wanted).first() {
                partition.move_whole(*owner);
            }
            return false;
        }
        let was_owner = partition.owner == Some(node);
        for set in [&mut partition.replicas, &mut partition.isr, &mut partition.elr] {
            set.retain(|other| *other != node);
        }
        if partition.isr.is_empty() {
            // Those of the ELR hold all that was acknowledged.
            partition.isr.append(&mut partition.elr);
        }
        if partition.isr.is_empty() {
            self.begin_anew(state, partition, wanted);
            partition.sets_changed(config.min_insync);
            return true;
        }
        partition.sets_changed(config.min_insync);
        if was_owner {
            match partition.eligible(|other| state.is_live(other)).first() {
                Some(owner) => partition.elect(*owner, config.min_insync),
                None => partition.disown(),
            }
        }
        false
    }

    /// A live node that was behind owns the partition with what it has, or else nodes begin with nothing.
    fn begin_anew(&mut self, state: &ClusterState, partition: &mut Partition, wanted: u16) {
        let behind: Vec<NodeId> =
            partition.replicas.iter().copied().filter(|replica| state.is_live(*replica)).collect();
        partition.isr = behind.first().copied().into_iter().collect();
        partition.replicas = self.placer.replicas(behind, wanted);
        if partition.isr.is_empty() {
            let live = partition.replicas.iter().copied().filter(|replica| state.is_live(*replica));
            partition.isr = live.collect();
        }
        match partition.isr.first() {
            Some(owner) => partition.own(*owner),
            None => partition.disown(),
        }
    }

    fn count_lost(&mut self, partition: LostPartition) {
        self.lost += 1;
        if self.first_lost.len() < limits::LOST_PARTITIONS_NAMED_MAX {
            self.first_lost.push(partition);
        }
    }
}

impl Partition {
    fn is_kept_by(&self, node: NodeId) -> bool {
        self.owner == Some(node) || self.replicas.contains(&node)
    }
}

#[cfg(test)]
mod tests;
