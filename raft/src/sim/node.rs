//! A node: what it knows, what it keeps, and what it makes of what reaches it.

use std::{collections::BTreeMap, sync::Arc};

use shard_core::model::{Monotonic, PartitionIndex};

use super::{events::Ticket, operators::Proposals};
use crate::{
    controller::Controller,
    groups::coordinator::Coordinator,
    metadata::{ClusterState, Incarnation, NodeId},
};

/// For so long a leader goes on without having been followed; less than what passes until there is another.
const FOLLOWED_MS: u64 = 300;

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
    /// When a majority last followed it.
    pub(super) followed_at: u64,
    pub(super) term: u64,
    pub(super) coordination: Option<Coordination>,
    /// The changes that clients wait for.
    pub(super) proposals: Proposals,
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
}

impl SimNode {
    pub(super) fn new(id: NodeId) -> Self {
        Self {
            id,
            boot: 0,
            up: true,
            stands_until: 0,
            epoch: None,
            asks_at: 0,
            state: Arc::default(),
            controller: Controller::new(Monotonic::default()),
            leads: None,
            followed_at: 0,
            term: 0,
            coordination: None,
            proposals: BTreeMap::new(),
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
        *self = Self { boot, up: false, disk, ..Self::new(id) };
    }

    /// Loses its disk while it is down, and so becomes another node.
    pub(super) fn lose_disk(&mut self, id: NodeId) {
        self.id = id;
        self.disk = Disk::default();
    }

    /// It is elected.
    pub(super) fn lead(&mut self, now: u64, term: u64) {
        self.leads = Some(term);
        self.term = term;
        self.followed_at = now;
    }

    /// Another node leads.
    pub(super) fn follow(&mut self, term: u64) {
        if term > self.term {
            self.term = term;
            self.leads = None;
        }
    }

    /// The term in which it leads and a majority has followed just now: only then does it decide and answer.
    pub(super) fn acts(&self, now: u64) -> Option<u64> {
        self.leads.filter(|_| now - self.followed_at < FOLLOWED_MS)
    }

    /// Takes up what a leader does, or lets go of it.
    pub(super) fn take_up(&mut self, now: u64) {
        let Some(term) = self.acts(now) else {
            self.controller.follows();
            self.coordination = None;
            return;
        };
        self.controller.leads(monotonic(now), term);
        if self.coordination.is_none() {
            let core = Coordinator::new(monotonic(now), &self.state);
            self.coordination = Some(Coordination { core, proposals: BTreeMap::new() });
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
