//! The replicas of a partition, as the metadata have them.

/// Who keeps a partition, and who of them is in sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSet {
    /// The nodes that keep it.
    pub replicas: Vec<u64>,
    /// Those in sync: what is committed is on the disk of each.
    pub isr: Vec<u64>,
    /// Those that left the ISR but hold all that was acknowledged.
    pub elr: Vec<u64>,
    /// Rises with each change of the above.
    pub partition_epoch: u32,
    /// How many have to be in sync for anything to be committed.
    pub min_insync: u16,
}

impl ReplicaSet {
    /// A partition that one node alone keeps.
    #[must_use]
    pub fn alone(node: u64) -> Self {
        Self { replicas: vec![node], isr: vec![node], elr: Vec::new(), partition_epoch: 0, min_insync: 1 }
    }

    /// Whether enough replicas are in sync for anything to be committed.
    #[must_use]
    pub fn is_sufficient(&self) -> bool {
        self.isr.len() >= usize::from(self.min_insync)
    }

    /// Whether anybody but the node that leads holds all that was acknowledged, and takes over when it can.
    #[must_use]
    pub fn has_heirs(&self) -> bool {
        self.isr.len() > 1 || !self.elr.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_holds_all_that_was_acknowledged_is_an_heir() {
        let alone = ReplicaSet::alone(1);
        assert!(!alone.has_heirs());
        assert!(ReplicaSet { isr: vec![1, 2], ..alone.clone() }.has_heirs());
        assert!(ReplicaSet { elr: vec![3], ..alone }.has_heirs(), "it has left, and may come back");
    }
}
