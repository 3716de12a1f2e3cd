//! A node: what it knows, what it keeps, and what it makes of what reaches it.

use std::{collections::BTreeMap, sync::Arc};

use shard_core::model::{Monotonic, PartitionIndex};

use super::events::Ticket;
use crate::{
    controller::Controller,
    groups::coordinator::Coordinator,
    metadata::{ClusterState, Incarnation, NodeId},
};

/// One node of the cluster.
#[derive(Debug)]
pub(super) struct SimNode {
    pub(super) id: NodeId,
    /// Counts its runs.
    pub(super) boot: u64,
    pub(super) up: bool,
    /// Until then it stands still.
    pub(super) stands_until: u64,
    /// The epoch of this run, once it knows it.
    pub(super) epoch: Option<u64>,
    /// When it asks again to be let in.
    pub(super) asks_at: u64,
    pub(super) state: Arc<ClusterState>,
    pub(super) controller: Controller,
    /// The term in which it leads, as far as it knows; and the last term that it heard of.
    pub(super) leads: Option<u64>,
    pub(super) term: u64,
    pub(super) coordination: Option<Coordination>,
    /// The partitions that it serves, and in which epoch.
    pub(super) open: BTreeMap<PartitionIndex, u32>,
    pub(super) disk: Disk,
}

/// What a node keeps when it is killed.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// How many entries of the log it has.
    pub(super) end: u64,
    /// The newest snapshot: of which entry, and its bytes.
    pub(super) snapshot: Option<(u64, Vec<u8>)>,
}

/// The coordinator of groups on a leader.
#[derive(Debug)]
pub(super) struct Coordination {
    pub(super) core: Coordinator<Ticket>,
    /// Proposals on their way: until when the coordinator waits to hear of each.
    pub(super) proposals: BTreeMap<u64, u64>,
    pub(super) last_number: u64,
}

impl SimNode {
    pub(super) fn new(place: usize) -> Self {
        Self {
            id: NodeId::new(u64::try_from(place).unwrap() + 1),
            boot: 0,
            up: true,
            stands_until: 0,
            epoch: None,
            asks_at: 0,
            state: Arc::default(),
            controller: Controller::new(Monotonic::default()),
            leads: None,
            term: 0,
            coordination: None,
            open: BTreeMap::new(),
            disk: Disk::default(),
        }
    }

    pub(super) fn incarnation(&self) -> Incarnation {
        Incarnation::new([u8::try_from(self.id.get()).unwrap(); 16])
    }

    /// Forgets what is not on its disk.
    pub(super) fn die(&mut self) {
        let (id, boot) = (self.id, self.boot + 1);
        let disk = std::mem::take(&mut self.disk);
        let fresh = Self::new(usize::try_from(id.get() - 1).unwrap());
        *self = Self { boot, up: false, disk, ..fresh };
    }

    /// It leads from now on.
    pub(super) fn lead(&mut self, now: u64, term: u64) {
        self.leads = Some(term);
        self.term = term;
        self.controller.leads(monotonic(now), term);
        let core = Coordinator::new(monotonic(now), &self.state);
        self.coordination = Some(Coordination { core, proposals: BTreeMap::new(), last_number: 0 });
    }

    /// Another node leads.
    pub(super) fn follow(&mut self, term: u64) {
        if term > self.term {
            self.term = term;
            self.leads = None;
            self.controller.follows();
            self.coordination = None;
        }
    }

    /// The epoch in which it serves a partition.
    pub(super) fn serves(&self, partition: PartitionIndex) -> Option<u32> {
        self.open.get(&partition).copied()
    }
}

pub(super) fn monotonic(millis: u64) -> Monotonic {
    Monotonic::from_micros(millis * 1_000)
}
