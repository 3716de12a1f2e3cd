//! The replicas of a partition, as the metadata have them.

/// Who keeps a partition, and who of them is in sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSet {
    /// The nodes that keep it.
    pub replicas: Vec<u64>,
    /// Those in sync: what is committed is on the disk of each.
    pub isr: Vec<u64>,
    /// Rises with each change of the above.
    pub partition_epoch: u32,
    /// How many have to be in sync for anything to be committed.
    pub min_insync: u16,
}

impl ReplicaSet {
    /// A partition that one node alone keeps.
    #[must_use]
    pub fn alone(node: u64) -> Self {
        Self { replicas: vec![node], isr: vec![node], partition_epoch: 0, min_insync: 1 }
    }

    /// Whether enough replicas are in sync for anything to be committed.
    #[must_use]
    pub fn is_sufficient(&self) -> bool {
        self.isr.len() >= usize::from(self.min_insync)
    }
}
