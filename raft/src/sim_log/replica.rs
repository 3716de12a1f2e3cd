//! A partition on a node: whether it leads or follows, and how it comes to.

use std::sync::Arc;

use shard_core::{
    model::{LeaderEpoch, Offset},
    replication::{Follower, FollowerStart, Leader, LeaderConfig, ReplicaSet},
};

use super::{
    events::{Act, Done},
    following::Following,
    leading::Leading,
    mutant::Mutant,
    node::monotonic,
    world::World,
};
use crate::metadata::Partition;

/// How long a follower may be behind before it is left there.
const LAG_MAX: std::time::Duration = std::time::Duration::from_millis(1_500);

/// A partition on a node.
#[derive(Debug, Default)]
pub(super) struct Replica {
    /// Tells what comes of this opening from what comes of an earlier one.
    pub(super) opening: u64,
    pub(super) epoch: u32,
    pub(super) role: Role,
}

/// What a node does with a partition.
#[derive(Debug, Default)]
pub(super) enum Role {
    #[default]
    Closed,
    /// It will lead, or follow.
    Opening {
        leads: bool,
    },
    Leads(Box<Leading>),
    Follows(Box<Following>),
    /// Its disk has failed it while it led; it waits for another epoch.
    Failed,
}

impl World {
    pub(super) fn leading(&mut self, place: usize, partition: usize) -> Option<&mut Leading> {
        match &mut self.nodes[place].replicas[partition].role {
            Role::Leads(leading) => Some(leading),
            Role::Closed | Role::Opening { .. } | Role::Follows(_) | Role::Failed => None,
        }
    }

    pub(super) fn following(&mut self, place: usize, partition: usize) -> Option<&mut Following> {
        match &mut self.nodes[place].replicas[partition].role {
            Role::Follows(following) => Some(following),
            Role::Closed | Role::Opening { .. } | Role::Leads(_) | Role::Failed => None,
        }
    }

    /// The metadata have changed: the partition is opened anew if another node leads it, or in another epoch. One that
    /// follows just follows another.
    pub(super) fn take_role(&mut self, place: usize, partition: usize) {
        let (now, id) = (monotonic(self.now), self.id_of(place));
        let Some(known) = self.known(place, partition).cloned() else { return };
        let (epoch, leads) = (known.leader_epoch.get(), known.owner == Some(id));
        let set = self.replica_set(place, &known);
        let replica = &mut self.nodes[place].replicas[partition];
        let is_new = epoch > replica.epoch;
        assert!(epoch >= replica.epoch, "R2: epochs only rise");
        match &mut replica.role {
            Role::Leads(leading) if !is_new => {
                leading.core.on_replicas(now, set);
                self.lead_on(place, partition);
            }
            Role::Follows(following) if !leads => {
                if is_new {
                    replica.epoch = epoch;
                    following.core.on_leader(LeaderEpoch::new(epoch), false);
                    if self.mutant == Some(Mutant::CutsToHighWatermark) {
                        return self.reopen(place, partition, leads);
                    }
                    self.fetch_soon(place, partition, 0);
                }
            }
            Role::Opening { .. } | Role::Failed if !is_new => {}
            Role::Closed | Role::Opening { .. } | Role::Leads(_) | Role::Follows(_) | Role::Failed => {
                self.give_up_appends(place, partition);
                self.nodes[place].replicas[partition].epoch = epoch;
                self.reopen(place, partition, leads);
            }
        }
    }

    /// Closes the partition, whatever is under way, and opens it a while later.
    pub(super) fn reopen(&mut self, place: usize, partition: usize, leads: bool) {
        let opening = self.next_number();
        let replica = &mut self.nodes[place].replicas[partition];
        replica.opening = opening;
        replica.role = Role::Opening { leads };
        let after = self.delay();
        self.later(place, after, Act::Open { partition, opening });
    }

    pub(super) fn open(&mut self, place: usize, partition: usize, opening: u64) {
        let mutant = self.mutant;
        let node = &mut self.nodes[place];
        let replica = &mut node.replicas[partition];
        let Role::Opening { leads } = replica.role else { return };
        if replica.opening != opening {
            return;
        }
        let disk = &mut node.disks[partition];
        disk.settle(&mut self.random);
        let is_cut = if leads { Mutant::ReusesOffsets } else { Mutant::CutsToHighWatermark };
        if mutant == Some(is_cut) && disk.checkpoint > Offset::ZERO {
            disk.truncate(disk.checkpoint);
        }
        let (lineage, log, epoch) = (disk.lineage(), disk.synced_range(), LeaderEpoch::new(replica.epoch));
        if !leads {
            let core = Follower::new(FollowerStart { epoch, log, lineage });
            self.nodes[place].replicas[partition].role = Role::Follows(Box::new(Following::new(core)));
            return self.fetch_soon(place, partition, 0);
        }
        let cursor = disk.cursor_synced;
        let Some(known) = self.known(place, partition).cloned() else { return };
        let set = self.replica_set(place, &known);
        let config = LeaderConfig { node: self.id_of(place).get(), epoch, set, lag_max: LAG_MAX };
        let core = Leader::new(monotonic(self.now), config, lineage, (log.start, log.end));
        self.nodes[place].replicas[partition].role = Role::Leads(Box::new(Leading::new(core, cursor)));
        self.note_leader(place, partition);
        if mutant == Some(Mutant::ServesBeforeOffice) {
            self.open_appender(place, partition);
        }
        self.lead_on(place, partition);
    }

    /// The disk has done something for an opening of a partition.
    pub(super) fn done(&mut self, place: usize, partition: usize, opening: u64, done: Done) {
        if self.nodes[place].replicas[partition].opening != opening {
            return;
        }
        match done {
            Done::Appended(_) | Done::Late(_) | Done::Rejected | Done::Failed | Done::Cursors { .. } => {
                self.done_for_leader(place, partition, done);
            }
            Done::Stored | Done::Cut(_) | Done::Restarted(_) => self.done_for_follower(place, partition, done),
        }
        self.check_members(partition);
    }

    /// The disk does something, and a while later has.
    pub(super) fn on_disk(&mut self, place: usize, partition: usize, done: Done) {
        let is_slow = !self.healing && self.random.once_in(40);
        let after = 1 + self.random.below(if is_slow { 400 } else { 6 });
        let opening = self.nodes[place].replicas[partition].opening;
        self.later(place, after, Act::Done { partition, opening, done });
    }

    fn replica_set(&self, place: usize, known: &Partition) -> ReplicaSet {
        let state = Arc::clone(&self.nodes[place].state);
        let numbers = |nodes: &[crate::metadata::NodeId]| nodes.iter().map(|node| node.get()).collect();
        ReplicaSet {
            replicas: numbers(&known.replicas),
            isr: numbers(&known.isr),
            elr: numbers(&known.elr),
            partition_epoch: known.partition_epoch,
            min_insync: state.topics().next().map_or(1, |topic| topic.config.min_insync),
        }
    }
}
