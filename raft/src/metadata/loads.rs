//! How many partitions each node has: counted as topics come, change and go.

use std::collections::BTreeMap;

use super::{NodeId, Topic};

/// How many partitions a node has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// How many it owns.
    pub owned: usize,
    /// How many it keeps, owned or not.
    pub replicas: usize,
}

/// The load of each node that has any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Loads(BTreeMap<NodeId, Load>);

impl Loads {
    pub(super) fn add(&mut self, topic: &Topic) {
        for partition in &topic.partitions {
            if let Some(owner) = partition.owner {
                self.0.entry(owner).or_default().owned += 1;
            }
            for node in &partition.replicas {
                self.0.entry(*node).or_default().replicas += 1;
            }
        }
    }

    pub(super) fn remove(&mut self, topic: &Topic) {
        for partition in &topic.partitions {
            if let Some(owner) = partition.owner {
                self.0.entry(owner).or_default().owned -= 1;
            }
            for node in &partition.replicas {
                self.0.entry(*node).or_default().replicas -= 1;
            }
        }
        self.0.retain(|_, load| *load != Load::default());
    }

    pub(super) fn of(&self, node: NodeId) -> Load {
        self.0.get(&node).copied().unwrap_or_default()
    }
}
