//! How the cluster must stand when the faults have been over for a while.

use std::collections::BTreeSet;

use super::{clients::PARTITIONS, metadata::SUBSCRIPTION, serve::partitions, world::World};
use crate::metadata::{Node, Partition};

impl World {
    /// Nothing new is published any more, so that all can be consumed.
    pub(super) const fn is_ending(&self) -> bool {
        self.healing && self.now > super::world::QUIET_MS
    }

    /// E1, E8, E14: all nodes are in, every partition is served, all that was acknowledged is there and was consumed.
    pub(super) fn check_healed(&mut self) {
        let state = std::sync::Arc::clone(self.agreed());
        assert_eq!(state.nodes().len(), self.nodes.len());
        assert!(state.nodes().all(|node| !node.fenced && !node.draining), "{:?}", state.nodes().collect::<Vec<_>>());
        for node in &self.nodes {
            assert!(*node.state == *state, "node {} does not know", node.id);
        }
        let topic = state.topics().next().expect("the topic was created");
        for (named, partition) in topic.placed_partitions() {
            self.check_served(named.partition, partition);
        }
        self.check_even(&state.nodes().map(|node: &Node| state.load(node.id).owned).collect::<Vec<_>>());
        self.check_group();
        for partition in partitions() {
            let Some(stored) = self.store.get(&partition) else { continue };
            let ids: BTreeSet<u64> = stored.messages.iter().map(|(id, _)| *id).collect();
            let lost = self.acknowledged.iter().find(|(of, id)| *of == partition && !ids.contains(id));
            assert_eq!(lost, None, "E1: it was acknowledged and is not there");
            assert_eq!(stored.cursor, stored.messages.len(), "E8: {partition:?} is not consumed to its end");
        }
        self.counts.consumed = self.consumed();
        assert_eq!(self.history.check(), Ok(()), "E13");
        assert!(self.changes_healed > 0, "E14: no change of the metadata is answered");
    }

    fn check_served(&self, index: shard_core::model::PartitionIndex, partition: &Partition) {
        let owner = self.place_of(partition.owner.unwrap()).unwrap();
        let epoch = partition.leader_epoch.get();
        assert_eq!(self.nodes[owner].serves(index), Some(epoch), "E14: {index:?} is not served by {owner}");
        assert!(self.store.get(&index).is_some_and(|stored| stored.is_open(owner, epoch)), "{index:?}");
        let is_published = self.acknowledged.iter().any(|(of, id)| *of == index && *id > self.first_healing_message);
        assert!(is_published || index.get() >= PARTITIONS, "E14: nothing is acknowledged on {index:?}");
    }

    fn check_even(&self, owned: &[usize]) {
        let (most, least) = (owned.iter().max().unwrap(), owned.iter().min().unwrap());
        assert!(most - least <= 1, "{owned:?} at {}", self.now);
    }

    /// Every consumer that wants is a member and no one else, every partition has one, and all know it.
    fn check_group(&self) {
        let group = self.agreed().group(SUBSCRIPTION).unwrap();
        let wanting: Vec<_> = self.consumers.iter().filter(|consumer| consumer.wants_in).collect();
        assert_eq!(group.members().len(), wanting.len(), "{group:?}");
        let mut used = 0;
        for consumer in wanting {
            let held = consumer.held.as_ref().expect("it is a member");
            let owned: BTreeSet<_> = group.partitions_of(held.member).collect();
            assert_eq!(held.uses.keys().copied().collect::<BTreeSet<_>>(), owned, "{} does not know", held.member);
            used += owned.len();
        }
        assert!(used == group.partitions().len() || group.members().len() == 0, "{group:?}");
    }
}
