//! How commands change the nodes.

use std::sync::Arc;

use super::{check_length, check_limit};
use crate::{
    limits,
    metadata::{ClusterState, Incarnation, Node, NodeId, Outcome, Partition, Refusal, Topic, state::Level},
};

/// What the software of a node understands that came before nodes said so.
const FIRST_LEVEL: u32 = 1;

impl ClusterState {
    /// How nodes came before they had epochs: such a node is never fenced.
    pub(super) fn register_node(&mut self, id: NodeId, address: String) -> Result<Outcome, Refusal> {
        check_length("address", &address, limits::ADDRESS_BYTES_MAX)?;
        self.check_number(id)?;
        if let Some(known) = self.nodes.get_mut(&id) {
            known.address = address;
            return Ok(Outcome::NodeRegistered);
        }
        self.check_software(FIRST_LEVEL)?;
        let node = Node {
            id,
            address,
            client_address: String::new(),
            incarnation: Incarnation::UNKNOWN,
            epoch: 0,
            fenced: false,
            draining: false,
            rack: None,
            shards: 1,
            software: FIRST_LEVEL,
        };
        self.nodes.insert(id, node);
        Ok(Outcome::NodeRegistered)
    }

    /// A node is there, new or again, in a new epoch. Of a node that starts again, its former run is out of sync.
    pub(super) fn join_node(&mut self, node: Node, shared_store: bool) -> Result<Outcome, Refusal> {
        let id = node.id;
        check_length("address", &node.address, limits::ADDRESS_BYTES_MAX)?;
        check_length("client_address", &node.client_address, limits::ADDRESS_BYTES_MAX)?;
        check_length("rack", node.rack.as_deref().unwrap_or_default(), limits::RACK_BYTES_MAX)?;
        self.check_number(id)?;
        self.check_store(id, shared_store)?;
        let is_first = self.nodes.is_empty();
        if !is_first {
            self.check_software(node.software)?;
        }
        let former = self.nodes.get(&id);
        let is_other = |known: &Node| ![Incarnation::UNKNOWN, node.incarnation].contains(&known.incarnation);
        if former.is_some_and(is_other) {
            return Err(Refusal::NodeIdTaken { node: id });
        }
        let (former_epoch, draining) = former.map_or((0, false), |known| (known.epoch, known.draining));
        // Two runs of a node in one log entry have different epochs too.
        let epoch = self.version.max(former_epoch.saturating_add(1));
        let is_alone = self.nodes.keys().all(|other| *other == id);

        self.shared_store = Some(shared_store);
        if is_first {
            self.level = Level(self.level.0.max(node.software));
        }
        self.nodes.insert(id, Node { epoch, draining, fenced: !is_alone, ..node });
        if !is_alone {
            self.drop_from_isrs(id);
            self.begin_epochs(id);
        }
        Ok(Outcome::NodeJoined { epoch })
    }

    pub(super) fn fence_node(&mut self, id: NodeId, epoch: u64) -> Result<Outcome, Refusal> {
        let node = self.node_of_epoch(id, epoch)?;
        if !node.fenced {
            node.fenced = true;
            self.drop_from_isrs(id);
        }
        Ok(Outcome::NodeFenced)
    }

    pub(super) fn unfence_node(&mut self, id: NodeId, epoch: u64) -> Result<Outcome, Refusal> {
        self.node_of_epoch(id, epoch)?.fenced = false;
        Ok(Outcome::NodeUnfenced)
    }

    pub(super) fn set_draining(&mut self, id: NodeId, draining: bool) -> Result<Outcome, Refusal> {
        self.check_number(id)?;
        self.nodes.get_mut(&id).ok_or(Refusal::NodeNotFound)?.draining = draining;
        Ok(Outcome::NodeDraining { draining })
    }

    pub(super) fn upgrade(&mut self, level: u32) -> Result<Outcome, Refusal> {
        if level < self.level.0 {
            return Err(Refusal::NoWayBack { level: self.level.0 });
        }
        let oldest = self.nodes.values().map(|node| node.software).min().unwrap_or(FIRST_LEVEL);
        if level > oldest.max(self.level.0) {
            return Err(Refusal::SoftwareTooOld { needed: level, has: oldest });
        }
        self.level = Level(level);
        Ok(Outcome::Upgraded { level })
    }

    /// Whether the cluster's level allows a command.
    pub(super) fn check_level(&self, needed: u32) -> Result<(), Refusal> {
        let level = self.level.0;
        if needed > level { Err(Refusal::LevelTooLow { needed, level }) } else { Ok(()) }
    }

    pub(super) fn check_number(&self, id: NodeId) -> Result<(), Refusal> {
        if self.removed.contains(&id) {
            return Err(Refusal::NodeRemoved { node: id });
        }
        if self.nodes.contains_key(&id) {
            return Ok(());
        }
        check_limit("nodes", self.nodes.len(), 1, limits::NODES_MAX)
    }

    fn check_software(&self, has: u32) -> Result<(), Refusal> {
        let needed = self.level.0;
        if has < needed { Err(Refusal::SoftwareTooOld { needed, has }) } else { Ok(()) }
    }

    /// All nodes keep messages alike. A cluster of one may choose anew: what it had stays where it was.
    fn check_store(&self, id: NodeId, shared_store: bool) -> Result<(), Refusal> {
        let is_alone = self.nodes.keys().all(|other| *other == id);
        match self.shared_store {
            Some(known) if known != shared_store && !is_alone => Err(Refusal::StoreMismatch { shared_store: known }),
            Some(_) | None => Ok(()),
        }
    }

    fn node_of_epoch(&mut self, id: NodeId, epoch: u64) -> Result<&mut Node, Refusal> {
        self.check_number(id)?;
        let node = self.nodes.get_mut(&id).ok_or(Refusal::NodeNotFound)?;
        if node.epoch == epoch { Ok(node) } else { Err(Refusal::StaleNodeEpoch { epoch: node.epoch }) }
    }

    /// A node is out of sync in every partition in which others are in sync.
    fn drop_from_isrs(&mut self, id: NodeId) {
        let is_in_sync = |partition: &Partition| partition.isr.contains(&id);
        self.change_each(is_in_sync, |partition, min_insync| partition.drop_from_isr(id, min_insync));
    }

    /// A node leads what it owns in a new epoch, as it has started again: what its former run has under way, and what its
    /// followers know of that one, means nothing from now on.
    fn begin_epochs(&mut self, id: NodeId) {
        if self.shared_store == Some(false) {
            let is_owned = |partition: &Partition| partition.owner == Some(id);
            self.change_each(is_owned, |partition, _| partition.own_again(id));
        }
    }

    /// Changes partitions of which something holds; the change says whether it is one.
    fn change_each(&mut self, holds: impl Fn(&Partition) -> bool, change: impl Fn(&mut Partition, u16) -> bool) {
        let has_any = |topic: &&Arc<Topic>| topic.partitions.iter().any(&holds);
        let topics: Vec<Arc<Topic>> = self.topics.iter().filter(has_any).cloned().collect();
        for topic in topics {
            let mut changed = Topic::clone(&topic);
            let min_insync = changed.config.min_insync;
            let mut any = false;
            for partition in changed.partitions.iter_mut().filter(|partition| holds(partition)) {
                any |= change(partition, min_insync);
            }
            if any {
                self.put_topic(Arc::new(changed));
            }
        }
    }
}

#[cfg(test)]
mod tests;
