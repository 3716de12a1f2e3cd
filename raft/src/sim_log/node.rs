//! A node: what it knows, what it keeps, and how its partitions are open.

use std::sync::Arc;

use shard_core::model::Monotonic;

use super::{disk::Disk, replica::Replica};
use crate::{
    chance::Random,
    controller::Controller,
    metadata::{ClusterState, Incarnation, NodeId},
};

/// For so long a leader of the metadata goes on without having been followed; less than what passes until there is another.
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
    /// When it asks again for what it has asked for.
    pub(super) asks_at: u64,
    pub(super) state: Arc<ClusterState>,
    pub(super) controller: Controller,
    /// The term in which it leads the metadata, as far as it knows; and the last term that it heard of.
    pub(super) leads: Option<u64>,
    /// When a majority last followed it.
    pub(super) followed_at: u64,
    pub(super) term: u64,
    pub(super) replicas: Vec<Replica>,
    /// Partitions of which it has found less than it had promised, which the metadata do not say yet.
    pub(super) lost: Vec<usize>,
    /// Until then its disk takes nothing more.
    pub(super) full_until: u64,
    /// What it keeps when it is killed: how many entries of the metadata's log, and the partitions.
    pub(super) log_end: u64,
    pub(super) disks: Vec<Disk>,
}

impl SimNode {
    pub(super) fn new(id: NodeId, partitions: usize) -> Self {
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
            replicas: (0..partitions).map(|_| Replica::default()).collect(),
            lost: Vec::new(),
            full_until: 0,
            log_end: 0,
            disks: (0..partitions).map(|_| Disk::default()).collect(),
        }
    }

    pub(super) fn incarnation(&self) -> Incarnation {
        Incarnation::new([u8::try_from(self.id.get()).unwrap(); 16])
    }

    /// Forgets what is not on its disk.
    pub(super) fn die(&mut self, random: &mut Random) {
        let (id, boot, log_end) = (self.id, self.boot + 1, self.log_end);
        let mut disks = std::mem::take(&mut self.disks);
        for disk in &mut disks {
            disk.settle(random);
        }
        *self = Self { boot, up: false, disks, log_end, ..Self::new(id, self.replicas.len()) };
    }

    /// Whether this run is in, as far as it knows: before, it serves nothing by what it knew from an earlier run.
    pub(super) fn is_in(&self) -> bool {
        self.state.node(self.id).is_some_and(|known| Some(known.epoch) == self.epoch)
    }

    /// It is elected to lead the metadata.
    pub(super) fn lead(&mut self, now: u64, term: u64) {
        self.leads = Some(term);
        self.term = term;
        self.followed_at = now;
    }

    /// Another node leads the metadata.
    pub(super) fn follow(&mut self, term: u64) {
        if term > self.term {
            self.term = term;
            self.leads = None;
        }
    }

    /// Takes up what a leader of the metadata does, or lets go of it.
    pub(super) fn take_up(&mut self, now: u64) {
        match self.leads.filter(|_| now - self.followed_at < FOLLOWED_MS) {
            Some(term) => self.controller.leads(monotonic(now), term),
            None => self.controller.follows(),
        }
    }
}

pub(super) fn monotonic(millis: u64) -> Monotonic {
    Monotonic::from_micros(millis * 1_000)
}
