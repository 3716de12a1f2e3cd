//! What the cluster agrees on, in one order that every node follows at its own pace.

use shard_core::delivery::{Assignee, ConsumerId, PartitionAssignment};

/// One thing that was agreed on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Agreed {
    /// Another node, or another run of the same one, is to own the partition.
    Owner { epoch: u32 },
    /// Whose the partition is, where it is assigned.
    Assigned(PartitionAssignment),
}

/// All that was agreed on.
#[derive(Debug, Default)]
pub(crate) struct Metadata {
    pub(crate) log: Vec<Agreed>,
    pub(crate) epoch: u32,
    pub(crate) assignment: PartitionAssignment,
    last_member: u64,
}

impl Metadata {
    /// Gives the partition to another owner.
    pub(crate) fn grant(&mut self) -> u32 {
        self.epoch += 1;
        self.log.push(Agreed::Owner { epoch: self.epoch });
        self.epoch
    }

    /// Takes the partition from its consumer; or, when that was done, gives it to another one.
    pub(crate) fn reassign(&mut self) {
        let generation = self.assignment.generation + 1;
        let assignee = if self.assignment.assignee.is_some() {
            None
        } else {
            self.last_member += 1;
            Some(Assignee { consumer: ConsumerId(self.last_member), since: generation })
        };
        self.assignment = PartitionAssignment { generation, assignee };
        self.log.push(Agreed::Assigned(self.assignment));
    }
}
