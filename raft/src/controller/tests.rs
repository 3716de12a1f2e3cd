//! What the controller decides, case by case; and in `random`, after anything that may happen.

mod random;
mod replicas;

use std::time::Duration;

use shard_core::model::{PartitionIndex, Timestamp, TopicId, TopicName, TopicPartition};

use super::*;
use crate::metadata::{Incarnation, NodeRun, Partition, PartitionTarget, PartitionTransition, TopicConfig};

/// A cluster whose only controller leads, and in which what is decided is applied at once.
struct Cluster {
    now: Monotonic,
    state: ClusterState,
    controller: Controller,
    shared_store: bool,
    /// Nodes that say nothing.
    silent: Vec<u64>,
}

const fn node(number: u64) -> NodeId {
    NodeId::new(number)
}

impl Cluster {
    /// Nodes 1 to `count`, which have been there for long.
    fn new(count: u64, shared_store: bool) -> Self {
        let now = Monotonic::default();
        let mut controller = Controller::new(now);
        controller.leads(now, 1);
        let mut cluster = Self { now, state: ClusterState::default(), controller, shared_store, silent: Vec::new() };
        for number in 1..=count {
            cluster.join(number);
        }
        cluster.run(limits::NODE_SETTLED + limits::NODE_SESSION);
        cluster
    }

    fn apply(&mut self, command: Command) {
        self.state.advance_to(self.state.version() + 1);
        self.state.apply(command).unwrap();
    }

    fn join(&mut self, number: u64) {
        self.join_with(number, 1);
    }

    fn join_with(&mut self, number: u64, software: u32) {
        self.apply(Command::JoinNode {
            node: node(number),
            incarnation: Incarnation::new([1; 16]),
            address: String::new(),
            client_address: String::new(),
            rack: None,
            shards: 1,
            software,
            shared_store: self.shared_store,
        });
    }

    fn create_topic(&mut self, name: &str, partitions: u32, replication_factor: u16) {
        let min_insync = replication_factor.div_ceil(2);
        let config = TopicConfig { partitions, replication_factor, min_insync, ..TopicConfig::default() };
        let (name, created_at) = (TopicName::new(name).unwrap(), Timestamp::default());
        self.apply(Command::CreateTopic { name, config, created_at });
    }

    /// Followers that live have fetched everything, and their leaders say so.
    fn catch_up(&mut self) {
        for command in followers_in_sync(&self.state) {
            self.apply(command);
        }
    }

    fn drain(&mut self, number: u64, draining: bool) {
        self.apply(Command::SetDraining { node: node(number), draining });
    }

    /// One round: everybody who is not silent says that it is there, and what is decided happens.
    fn round(&mut self) -> Vec<Command> {
        self.now = self.now.plus(limits::CONTROLLER_INTERVAL);
        for node in self.state.clone().nodes().filter(|node| !self.silent.contains(&node.id.get())) {
            self.controller.heard(self.now, node.id, node.epoch, self.state.version());
        }
        let commands = self.controller.decide(self.now, &self.state);
        for command in commands.clone() {
            self.apply(command);
        }
        commands
    }

    /// Rounds for so long; all that was decided.
    fn run(&mut self, time: Duration) -> Vec<Command> {
        let end = self.now.plus(time);
        let mut commands = Vec::new();
        while self.now < end {
            commands.extend(self.round());
        }
        commands
    }

    fn owned(&self) -> Vec<usize> {
        self.state.nodes().map(|node| self.state.load(node.id).owned).collect()
    }

    fn partition(&self, index: usize) -> &Partition {
        &self.state.topics().next().unwrap().partitions[index]
    }

    fn is_live(&self, number: u64) -> bool {
        self.state.is_live(node(number))
    }
}

/// What leaders propose when followers have fetched everything.
fn followers_in_sync(state: &ClusterState) -> Vec<Command> {
    let mut commands = Vec::new();
    for (named, partition) in state.topics().flat_map(|topic| topic.placed_partitions()) {
        let is_led = partition.owner.is_some_and(|owner| state.is_live(owner) && partition.isr.contains(&owner));
        let lacks = |node: &&NodeId| state.is_live(**node) && !partition.isr.contains(node);
        let joining: Vec<NodeId> = partition.replicas.iter().filter(lacks).copied().collect();
        if is_led && !joining.is_empty() {
            let run = |node: &NodeId| NodeRun { node: *node, epoch: state.node(*node).unwrap().epoch };
            let to = PartitionTarget::InSync {
                isr: partition.isr.iter().chain(&joining).copied().collect(),
                joining: joining.iter().map(run).collect(),
            };
            let change = PartitionTransition { to, ..draft::transition(named, partition, node(0)) };
            commands.push(Command::ChangePartitions { changes: vec![change] });
        }
    }
    commands
}

fn moves(commands: &[Command]) -> usize {
    let changes =
        |command: &Command| if let Command::ChangePartitions { changes } = command { changes.len() } else { 0 };
    commands.iter().map(changes).sum()
}

fn named(index: u32) -> TopicPartition {
    TopicPartition::new(TopicId::new(1), PartitionIndex::new(index))
}

const TICK: Duration = limits::CONTROLLER_INTERVAL;
const ALMOST_A_SESSION: Duration = limits::NODE_SESSION.saturating_sub(TICK);

#[test]
fn a_silent_node_is_fenced_after_a_session_and_its_partitions_go_to_all_others() {
    let mut cluster = Cluster::new(3, true);
    cluster.create_topic("t", 9, 1);
    assert_eq!(cluster.owned(), [3, 3, 3]);
    cluster.silent.push(2);
    cluster.run(ALMOST_A_SESSION);
    assert!(cluster.is_live(2), "its session is not over");
    let commands = cluster.round();
    assert!(matches!(&commands[..], [Command::FenceNode { .. }, Command::ChangePartitions { .. }]), "{commands:?}");
    assert!(!cluster.is_live(2));
    assert_eq!(cluster.owned(), [5, 0, 4]);
    assert!(cluster.run(limits::NODE_SESSION).is_empty(), "it is done");
}

#[test]
fn a_new_leader_gives_who_it_never_heard_of_a_whole_session_and_others_what_is_left_of_theirs() {
    let mut cluster = Cluster::new(3, true);
    let mut next = Controller::new(cluster.now);
    let epoch = cluster.state.node(node(2)).unwrap().epoch;
    next.heard(cluster.now, node(2), epoch, 0);
    cluster.controller = next;
    cluster.silent = vec![2, 3];
    cluster.run(Duration::from_secs(1));
    cluster.controller.leads(cluster.now, 2);
    cluster.run(Duration::from_secs(1));
    assert!(!cluster.is_live(2) && cluster.is_live(3));
    cluster.run(Duration::from_millis(900));
    assert!(cluster.is_live(3));
    cluster.round();
    assert!(!cluster.is_live(3));
}

#[test]
fn while_it_stood_still_nobody_was_silent() {
    let mut cluster = Cluster::new(3, true);
    cluster.silent.push(3);
    for _ in 0..5 {
        cluster.now = cluster.now.plus(Duration::from_mins(1));
        cluster.round();
    }
    assert!(cluster.is_live(2) && cluster.is_live(3));
    cluster.run(limits::NODE_SESSION);
    assert!(cluster.is_live(2) && !cluster.is_live(3));
}

#[test]
fn a_node_comes_back_once_it_has_seen_that_it_is_a_new_run() {
    let mut cluster = Cluster::new(2, true);
    let before = cluster.state.node(node(2)).unwrap().epoch;
    cluster.silent.push(2);
    cluster.join(2);
    let epoch = cluster.state.node(node(2)).unwrap().epoch;
    cluster.controller.heard(cluster.now, node(2), before, cluster.state.version());
    cluster.round();
    assert!(!cluster.is_live(2), "a former run says nothing");
    cluster.controller.heard(cluster.now, node(2), epoch, epoch - 1);
    cluster.round();
    assert!(!cluster.is_live(2), "it has not seen it");
    cluster.controller.heard(cluster.now, node(2), epoch, epoch);
    cluster.controller.heard(cluster.now, node(2), before, epoch);
    cluster.round();
    assert!(cluster.is_live(2), "what comes late from the former run does not count");
}

#[test]
fn only_the_leader_decides() {
    let mut cluster = Cluster::new(2, true);
    cluster.controller.follows();
    cluster.silent.push(2);
    assert!(cluster.run(limits::NODE_SESSION * 2).is_empty());
    assert!(!cluster.controller.rebalance());
    let refused = cluster.controller.move_partition(cluster.now, &cluster.state, named(0), node(1));
    assert_eq!(refused, Err(MoveRefusal::NotLeader));
}

#[test]
fn what_is_on_its_way_is_not_decided_again_at_once() {
    let mut cluster = Cluster::new(2, true);
    cluster.create_topic("t", 4, 1);
    cluster.silent.push(2);
    cluster.run(ALMOST_A_SESSION);
    let decided = |cluster: &mut Cluster| {
        cluster.now = cluster.now.plus(TICK);
        let node = cluster.state.nodes().next().unwrap();
        cluster.controller.heard(cluster.now, node.id, node.epoch, 0);
        cluster.controller.decide(cluster.now, &cluster.state)
    };
    let first = decided(&mut cluster);
    assert_eq!(moves(&first), 2);
    let again: Vec<_> = (0..5).map(|_| decided(&mut cluster)).collect();
    assert!(again[..4].iter().all(Vec::is_empty));
    assert_eq!(again[4], first, "it may have been lost");
}

#[test]
fn a_node_that_is_back_gets_its_share_when_it_has_been_there_for_a_while() {
    let mut cluster = Cluster::new(3, true);
    cluster.create_topic("t", 300, 1);
    cluster.silent.push(3);
    cluster.run(limits::NODE_SESSION);
    assert_eq!(cluster.owned(), [150, 150, 0]);
    cluster.silent.clear();
    cluster.run(limits::NODE_SETTLED);
    assert_eq!(cluster.owned(), [150, 150, 0]);
    let commands = cluster.run(limits::NODE_SESSION);
    assert_eq!(cluster.owned(), [100, 100, 100]);
    assert_eq!(moves(&commands), 100, "no more than need to");
}

#[test]
fn a_large_takeover_is_split_into_commands_and_planned_moves_into_rounds() {
    let mut cluster = Cluster::new(2, true);
    cluster.create_topic("a", 1_000, 1);
    cluster.create_topic("b", 1_000, 1);
    cluster.silent.push(2);
    let commands = cluster.run(limits::NODE_SESSION);
    let sizes: Vec<_> = commands.iter().map(|command| moves(std::slice::from_ref(command))).collect();
    assert_eq!(sizes, [0, 400, 400, 200]);
    cluster.silent.clear();
    cluster.run(limits::NODE_SETTLED);
    let first = cluster.run(limits::PLANNED_MOVES_INTERVAL * 2);
    assert!(moves(&first) <= 2 * limits::PLANNED_MOVES_MAX && moves(&first) > 0);
}

#[test]
fn a_node_is_emptied_in_rounds() {
    let mut cluster = Cluster::new(3, true);
    cluster.create_topic("t", 900, 1);
    cluster.drain(1, true);
    assert_eq!(
        drain_progress(&cluster.state, node(1)),
        DrainProgress { left: 300, stuck: 0, kept: 300, kept_stuck: 0 }
    );
    cluster.round();
    assert_eq!(drain_progress(&cluster.state, node(1)).left, 200);
    cluster.run(limits::PLANNED_MOVES_INTERVAL * 3);
    assert_eq!(cluster.owned(), [0, 450, 450]);
    assert_eq!(drain_progress(&cluster.state, node(1)), DrainProgress::default());
    assert!(cluster.run(limits::NODE_SETTLED * 2).is_empty());
    cluster.drain(1, false);
    cluster.run(limits::NODE_SETTLED);
    assert_eq!(cluster.owned(), [300, 300, 300]);
}

#[test]
fn the_last_node_keeps_what_it_has() {
    let mut cluster = Cluster::new(2, true);
    cluster.create_topic("t", 4, 1);
    cluster.drain(1, true);
    cluster.drain(2, true);
    assert!(cluster.run(limits::NODE_SESSION).is_empty());
    assert_eq!(drain_progress(&cluster.state, node(1)), DrainProgress { left: 2, stuck: 2, kept: 2, kept_stuck: 2 });
    cluster.silent.push(2);
    cluster.run(limits::NODE_SESSION);
    assert_eq!(cluster.owned(), [4, 0], "better on a node that is to be emptied than on none");
}

#[test]
fn what_only_one_node_holds_waits_for_it() {
    let mut cluster = Cluster::new(2, false);
    cluster.create_topic("t", 4, 1);
    cluster.silent.push(1);
    let commands = cluster.run(limits::NODE_SESSION * 2);
    assert!(matches!(commands[..], [Command::FenceNode { .. }]), "{commands:?}");
    cluster.drain(1, true);
    assert!(cluster.run(limits::NODE_SESSION).is_empty());
    let progress = DrainProgress { left: 2, stuck: 2, kept: 2, kept_stuck: 2 };
    assert_eq!(drain_progress(&cluster.state, node(1)), progress);
    cluster.drain(1, false);
    cluster.silent.clear();
    cluster.round();
    assert!(cluster.is_live(1));
    assert_eq!(cluster.owned(), [2, 2]);
    assert_eq!(cluster.partition(0).leader_epoch.get(), 1, "its owner is the same");
}

#[test]
fn replicas_in_sync_take_over_and_give_back() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic("t", 3, 3);
    cluster.silent.push(1);
    cluster.run(limits::NODE_SESSION);
    assert_eq!(cluster.owned(), [0, 2, 1]);
    cluster.silent.clear();
    cluster.run(limits::NODE_SETTLED * 2);
    assert_eq!(cluster.owned(), [0, 2, 1], "it is not in sync");
    let partition = cluster.partition(0).clone();
    let to = crate::metadata::PartitionTarget::Replicas {
        isr: partition.replicas.clone(),
        replicas: partition.replicas.clone(),
        elr: Vec::new(),
        owner: partition.owner.unwrap(),
    };
    let change = crate::metadata::PartitionTransition { to, ..draft::transition(named(0), &partition, node(1)) };
    cluster.apply(Command::ChangePartitions { changes: vec![change] });
    cluster.round();
    assert_eq!(cluster.owned(), [1, 1, 1], "it is to own that partition");
    cluster.drain(1, true);
    cluster.run(limits::PLANNED_MOVES_INTERVAL);
    assert_eq!(cluster.owned()[0], 0);
}

#[test]
fn an_owner_that_starts_again_out_of_sync_is_replaced() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic("t", 1, 3);
    cluster.join(1);
    let epoch = cluster.state.node(node(1)).unwrap().epoch;
    cluster.apply(Command::UnfenceNode { node: node(1), epoch });
    assert_eq!(cluster.partition(0).owner, Some(node(1)));
    cluster.round();
    assert_eq!(cluster.partition(0).owner, Some(node(2)));
}

#[test]
fn operators_move_partitions_and_the_controller_leaves_them_there() {
    let mut cluster = Cluster::new(2, true);
    cluster.create_topic("t", 4, 1);
    let mut go = |index, to| {
        let command = cluster.controller.move_partition(cluster.now, &cluster.state, named(index), node(to))?;
        cluster.apply(command);
        Ok(())
    };
    assert_eq!(go(0, 1), Err(MoveRefusal::Unchanged { node: node(1) }));
    assert_eq!(go(0, 7), Err(MoveRefusal::NodeNotFound { node: node(7) }));
    assert_eq!(go(9, 1), Err(MoveRefusal::PartitionNotFound));
    go(0, 2).unwrap();
    go(2, 2).unwrap();
    assert_eq!(cluster.owned(), [0, 4]);
    assert!(cluster.run(limits::NODE_SETTLED * 4).is_empty());
    assert!(cluster.controller.rebalance());
    let commands = cluster.run(limits::NODE_SESSION);
    assert_eq!((cluster.owned(), moves(&commands)), (vec![2, 2], 2));
    cluster.silent.push(2);
    cluster.run(limits::NODE_SESSION);
    let refused = cluster.controller.move_partition(cluster.now, &cluster.state, named(0), node(2));
    assert_eq!(refused, Err(MoveRefusal::NodeDown { node: node(2) }));
}

#[test]
fn small_differences_are_evened_out_only_on_request() {
    let mut cluster = Cluster::new(2, true);
    cluster.create_topic("t", 100, 1);
    for index in [0, 2, 4] {
        let command = cluster.controller.move_partition(cluster.now, &cluster.state, named(index), node(2)).unwrap();
        cluster.apply(command);
    }
    let pause = limits::BALANCE_REST + limits::NODE_SETTLED;
    assert!(cluster.run(pause).is_empty(), "53 to 47");
    assert!(cluster.controller.rebalance());
    assert_eq!(moves(&cluster.run(limits::NODE_SESSION)), 3);
    assert_eq!(cluster.owned(), [50, 50]);
}

#[test]
fn the_view_says_how_each_node_stands() {
    let mut cluster = Cluster::new(3, true);
    cluster.create_topic("t", 3, 1);
    cluster.drain(2, true);
    cluster.silent.push(3);
    cluster.run(limits::NODE_SESSION);
    let view: Vec<_> =
        cluster_view(&cluster.state).into_iter().map(|view| (view.state, view.owned, view.replicas)).collect();
    assert_eq!(view, [(NodeState::Up, 3, 3), (NodeState::Draining, 0, 0), (NodeState::Down, 0, 0)]);
}

/// What it costs, for the record.
#[test]
fn ten_thousand_partitions_are_looked_at_and_taken_over() {
    let mut cluster = Cluster::new(3, true);
    for topic in 0..10 {
        cluster.create_topic(&format!("t{topic}"), 1_000, 1);
    }
    cluster.run(limits::NODE_SETTLED * 2);
    let began = std::time::Instant::now();
    let rounds = 1_000;
    (0..rounds).for_each(|_| assert!(cluster.round().is_empty()));
    println!("a round without changes: {:?}", began.elapsed() / rounds);
    cluster.silent.push(3);
    cluster.run(ALMOST_A_SESSION);
    let began = std::time::Instant::now();
    let commands = cluster.round();
    println!("{} partitions taken over, decided and applied: {:?}", moves(&commands), began.elapsed());
    assert_eq!(cluster.owned(), [5_000, 5_000, 0]);
}

#[test]
fn the_level_rises_once_every_node_has_newer_software_and_has_been_there_for_a_while() {
    let mut cluster = Cluster::new(3, true);
    for (number, software) in [(1, 3), (2, 2)] {
        cluster.join_with(number, software);
        cluster.run(2 * limits::NODE_SETTLED);
        assert_eq!(cluster.state.level(), 1, "node 3 is as old as before");
    }
    cluster.join_with(3, 4);
    cluster.run(limits::NODE_SETTLED.saturating_sub(TICK));
    assert_eq!(cluster.state.level(), 1, "it has just come");
    let commands = cluster.run(limits::NODE_SESSION);
    assert_eq!(commands.last(), Some(&Command::Upgrade { level: 2 }), "all that the oldest understands");
    assert_eq!(cluster.state.level(), 2);
    assert!(cluster.run(2 * limits::NODE_SETTLED).is_empty(), "it is done");
}

#[test]
fn the_level_does_not_rise_while_a_node_is_away_until_that_is_removed() {
    let mut cluster = Cluster::new(3, true);
    (1..=3).for_each(|number| cluster.join_with(number, 2));
    cluster.silent.push(3);
    cluster.run(2 * limits::NODE_SETTLED);
    assert_eq!(cluster.state.level(), 1, "it may come back with older software");
    cluster.join_with(3, 1);
    cluster.silent.clear();
    cluster.run(2 * limits::NODE_SETTLED);
    assert_eq!(cluster.state.level(), 1, "and so it did");
    cluster.apply(Command::RemoveNode { node: node(3), force: false });
    assert_eq!(cluster.round(), [Command::Upgrade { level: 2 }]);
}
