//! What was said before comes after.

use super::*;
use crate::metadata::{Command, NodeRun, Outcome, PartitionTarget, PartitionTransition, TransitionRefusal};
use shard_core::model::TopicId;

impl World {
    /// What a leader would say now: that all are in sync.
    fn all_in_sync(&self, run: NodeRun) -> Command {
        let partition = self.agreed_partition(0).unwrap();
        let to = PartitionTarget::InSync { isr: partition.replicas.clone(), joining: vec![run] };
        let (leader_epoch, partition_epoch) = (partition.leader_epoch, partition.partition_epoch);
        let change = PartitionTransition { topic: TopicId::new(1), partition: 0, leader_epoch, partition_epoch, to };
        Command::ChangePartitions { changes: vec![change] }
    }

    fn run_of(&self, place: usize) -> NodeRun {
        let node = self.agreed().node(self.id_of(place)).unwrap();
        NodeRun { node: node.id, epoch: node.epoch }
    }
}

fn refusal(outcome: Outcome) -> Option<TransitionRefusal> {
    let Outcome::PartitionsChanged { refused, .. } = outcome else { panic!("{outcome:?}") };
    refused.first().map(|refused| refused.reason)
}

/// KIP-903. That a follower is in sync is written only after it has started again, with less than it had.
#[test]
fn a_run_that_is_over_does_not_come_into_sync() {
    let mut world = World::calm(Shape::THREE, 1);
    (0..5).for_each(|_| _ = world.publish_to(0));
    world.die(2);
    world.run_for(3_000);
    assert_eq!(world.isr(), [0, 1]);
    world.start_again(2);
    world.run_for(100);
    // It has all, and the leader says so; but that is held up.
    world.is_cut_off(0, &[1]);
    let late = world.all_in_sync(world.run_of(2));
    world.die(2);
    world.nodes[2].disks[0].restart(shard_core::model::Offset::ZERO);
    world.cuts.clear();
    world.start_again(2);
    while !world.agreed().is_live(world.id_of(2)) {
        world.run_for(20);
    }
    world.is_cut_off(2, &[0]);
    let epoch = world.run_of(2).epoch;
    let refused = world.write_whole(late).map(refusal);
    if world.isr() == [0, 1] {
        let node = world.id_of(2);
        let is_late = matches!(refused, Ok(Some(TransitionRefusal::StaleRun { .. } | TransitionRefusal::Stale { .. })));
        assert!(is_late, "{refused:?}: {node} is of epoch {epoch}");
    }
    world.mend();
}

/// F36. That a follower is in sync is written only after another one leads.
#[test]
fn what_a_former_leader_has_said_does_not_hold() {
    let mut world = World::calm(Shape::THREE, 1);
    world.die(2);
    world.run_for(3_000);
    let late = world.all_in_sync(world.run_of(2));
    world.die(0);
    world.start_again(2);
    world.run_for(4_000);
    assert_eq!(world.owner(), Some(1));
    let refused = world.write_whole(late).map(refusal);
    assert!(matches!(refused, Ok(Some(TransitionRefusal::Stale { .. }))), "{refused:?}");
    world.mend();
}

/// F36. What a follower is told late, by a leader that is one no more, means nothing to it.
#[test]
fn what_a_former_leader_answers_means_nothing() {
    let mut world = World::calm(Shape::THREE, 1);
    world.begin_clients();
    for _ in 0..4 {
        let owner = world.owner().unwrap();
        // All that it says is held up until another one leads.
        let until = world.now + 4_000;
        world.clogs = (0..3).filter(|other| *other != owner).map(|other| (owner, other, until)).collect();
        world.run_for(8_000);
    }
    world.mend();
    assert!(world.counts.leader_changes >= 3, "{:?}", world.counts);
}
