//! A partition that this core leads.

use shard_core::{
    model::LeaderEpoch,
    replication::{CursorFeed, Leader},
};

use crate::{
    command::{PartitionChange, PartitionSettings},
    event::OpenedLog,
};

/// What a leader has beside the partition itself.
#[derive(Debug)]
pub(crate) struct Leading {
    pub(crate) leader: Leader,
    pub(crate) feed: CursorFeed,
    /// Which change of the cursors is on its way to this node's disk.
    pub(crate) cursors_in_flight: u64,
    /// A change that is on this node's disk and waits for the others, and whether the store would rather have a snapshot next.
    pub(crate) cursors_waiting: Option<(u64, bool)>,
    /// Whether a follower asked for what is on its way to the disk after the cache had let go of it: it is to be told of it once it is
    /// there.
    pub(crate) is_owed: bool,
}

/// A partition that is led here and not served yet: what was committed before is not known until the replicas in sync have
/// said what they have.
#[derive(Debug)]
pub(crate) struct Assuming {
    pub(crate) epoch: LeaderEpoch,
    pub(crate) settings: PartitionSettings,
    pub(crate) leading: Leading,
    pub(crate) opened: OpenedLog,
    /// What the metadata have changed meanwhile.
    pub(crate) deferred: Vec<PartitionChange>,
}

impl Leading {
    pub(crate) fn new(leader: Leader) -> Self {
        Self { leader, feed: CursorFeed::default(), cursors_in_flight: 1, cursors_waiting: None, is_owed: false }
    }

    /// Takes the change that waited, if all replicas in sync have it; whether the store would rather have a snapshot next.
    pub(crate) fn take_committed_cursors(&mut self) -> Option<bool> {
        let committed = self.leader.cursors_committed();
        self.cursors_waiting.take_if(|(change, _)| *change <= committed).map(|(_, replace)| replace)
    }
}
