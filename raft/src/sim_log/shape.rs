//! How large the simulated cluster is, and how its partitions are kept.

/// A cluster and its topic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) nodes: u64,
    pub(super) replication_factor: u16,
    pub(super) min_insync: u16,
    pub(super) partitions: u32,
}

impl Shape {
    /// Three nodes that all keep the partition, of which two have to be in sync.
    pub(super) const THREE: Self = Self { nodes: 3, replication_factor: 3, min_insync: 2, partitions: 1 };
    /// Two of three nodes keep the partition, and one of them is enough.
    pub(super) const TWO: Self = Self { nodes: 3, replication_factor: 2, min_insync: 1, partitions: 1 };

    /// The one that a seed runs with.
    pub(super) const fn of(seed: u64) -> Self {
        match seed % 6 {
            0..=2 => Self { partitions: 2, ..Self::THREE },
            3 => Self { partitions: 3, ..Self::TWO },
            4 => Self { nodes: 5, replication_factor: 3, min_insync: 2, partitions: 3 },
            _ => Self { nodes: 5, replication_factor: 5, min_insync: 3, partitions: 1 },
        }
    }
}
