//! Nodes that come, go silent and start again, leaders that change, proposals that are late, lost and out of order: when it
//! is over, every partition is with a node that lives, and nothing moves any more.

use proptest::prelude::*;

use super::{TICK, followers_in_sync, node};
use crate::{
    controller::{Controller, drain_progress},
    limits,
    metadata::{ClusterState, Command, Incarnation, TopicConfig, invariants::Watch},
};
use shard_core::model::{Monotonic, Timestamp, TopicName};

const NODES: u64 = 4;
const CONTROLLERS: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    /// A node says nothing from now on, or speaks again.
    Speech { number: u64, speaks: bool },
    /// A node starts again.
    Restart { number: u64 },
    /// Another node leads, or the same in another term.
    Lead { number: u64 },
    /// A node is to be emptied, or not.
    Drain { number: u64, draining: bool },
    /// More partitions.
    Topic { name: String, partitions: u32, replication_factor: u16 },
    /// An operator wants it even.
    Rebalance,
    /// Time passes.
    Pass { rounds: u32 },
}

struct World {
    now: Monotonic,
    state: ClusterState,
    /// What was there some rounds ago: a new leader may begin with it.
    before: ClusterState,
    controllers: Vec<Controller>,
    leader: usize,
    term: u64,
    silent: [bool; CONTROLLERS],
    /// What was proposed, and when it is applied.
    under_way: Vec<(Monotonic, Command)>,
    /// Tells by turns how late a proposal is, and whether it is lost.
    turn: u32,
    rounds: u32,
    watch: Watch,
    shared_store: bool,
    trace: Vec<Command>,
}

impl World {
    fn new(shared_store: bool) -> Self {
        let now = Monotonic::default();
        let mut world = Self {
            now,
            state: ClusterState::default(),
            before: ClusterState::default(),
            controllers: (0..CONTROLLERS).map(|_| Controller::new(now)).collect(),
            leader: 0,
            term: 1,
            silent: [false; CONTROLLERS],
            under_way: Vec::new(),
            turn: 0,
            rounds: 0,
            watch: Watch::default(),
            shared_store,
            trace: Vec::new(),
        };
        world.controllers[0].leads(now, 1);
        (1..=NODES).for_each(|number| world.join(number));
        world
    }

    fn apply(&mut self, command: Command) {
        self.state.advance_to(self.state.version() + 1);
        drop(self.state.apply(command));
        self.watch.see(&self.state);
    }

    fn join(&mut self, number: u64) {
        self.apply(Command::JoinNode {
            node: node(number),
            incarnation: Incarnation::new([1; 16]),
            address: String::new(),
            client_address: String::new(),
            rack: Some(if number.is_multiple_of(2) { "a" } else { "b" }.to_owned()),
            shards: 1,
            software: 1,
            shared_store: self.shared_store,
        });
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Speech { number, speaks } => self.silent[usize::try_from(number - 1).unwrap()] = !speaks,
            Step::Restart { number } => self.join(number),
            Step::Lead { number } => {
                self.controllers[self.leader].follows();
                self.leader = usize::try_from(number - 1).unwrap();
                self.term += 1;
                self.controllers[self.leader].leads(self.now, self.term);
                // It may decide before it has applied everything.
                let state = self.before.clone();
                self.decide(&state, true);
            }
            Step::Drain { number, draining } => self.apply(Command::SetDraining { node: node(number), draining }),
            Step::Topic { name, partitions, replication_factor } => {
                let min_insync = replication_factor.div_ceil(2);
                let config = TopicConfig { partitions, replication_factor, min_insync, ..TopicConfig::default() };
                let (name, created_at) = (TopicName::new(&name).unwrap(), Timestamp::default());
                self.apply(Command::CreateTopic { name, config, created_at });
            }
            Step::Rebalance => _ = self.controllers[self.leader].rebalance(),
            Step::Pass { rounds } => (0..rounds).for_each(|_| self.round(true)),
        }
    }

    fn round(&mut self, faults: bool) {
        self.now = self.now.plus(TICK);
        let state = self.state.clone();
        for (node, _) in state.nodes().zip(self.silent).filter(|(_, silent)| !silent) {
            for controller in &mut self.controllers {
                controller.heard(self.now, node.id, node.epoch, state.version());
            }
        }
        self.decide(&state, faults);
        self.rounds += 1;
        if !self.shared_store && self.rounds.is_multiple_of(3) {
            for command in followers_in_sync(&state) {
                self.apply(command);
            }
        }
        let now = self.now;
        let (due, later): (Vec<_>, Vec<_>) = self.under_way.drain(..).partition(|(at, _)| *at <= now);
        self.under_way = later;
        if self.turn.is_multiple_of(4) {
            self.before = state;
        }
        for (_, command) in due {
            self.apply(command);
        }
    }

    fn decide(&mut self, state: &ClusterState, faults: bool) {
        for (number, controller) in self.controllers.iter_mut().enumerate() {
            let commands = controller.decide(self.now, state);
            assert!(commands.is_empty() || number == self.leader, "only the leader decides");
            for command in commands {
                self.turn = self.turn.wrapping_mul(5).wrapping_add(3);
                let late = if faults { (self.turn >> 3) % 9 } else { 0 };
                if !faults || late != 8 {
                    self.under_way.push((self.now.plus(TICK * late), command.clone()));
                }
                self.trace.push(command);
            }
        }
    }

    /// The faults are over; some nodes stay silent.
    fn settle(&mut self) {
        let rest = limits::NODE_SETTLED + 2 * limits::NODE_SESSION + limits::PLANNED_MOVES_INTERVAL * 40;
        for _ in 0..rest.as_millis() / TICK.as_millis() {
            self.round(false);
        }
    }

    fn check_settled(&mut self) {
        let state = self.state.clone();
        for (node, silent) in state.nodes().zip(self.silent) {
            assert_eq!(node.fenced, silent, "{node:?}");
        }
        let live = |node| state.is_live(node);
        if self.silent.iter().all(|silent| *silent) {
            return;
        }
        for (named, partition) in state.topics().flat_map(|topic| topic.placed_partitions()) {
            let owner = partition.owner.unwrap();
            let has_heir = self.shared_store || !partition.eligible(live).is_empty();
            assert!(live(owner) || !has_heir, "{named:?}: {partition:?}");
        }
        if self.shared_store {
            self.check_even();
        } else {
            self.check_replicas();
        }
        let decided = self.trace.len();
        (0..100).for_each(|_| self.round(false));
        assert_eq!(self.trace[decided..], [], "nothing moves any more");
    }

    /// Every partition that is led has as many replicas as there can be, all of them where they are to be.
    fn check_replicas(&self) {
        let state = &self.state;
        let takers = state.nodes().filter(|node| node.takes_partitions()).count();
        for topic in state.topics() {
            let wanted = usize::from(topic.config.replication_factor);
            for partition in &topic.partitions {
                let owner = partition.owner.unwrap();
                if !state.is_live(owner) || !partition.isr.contains(&owner) {
                    continue;
                }
                let free =
                    state.nodes().filter(|node| node.takes_partitions() && !partition.replicas.contains(&node.id));
                let is_left = |id: &&crate::metadata::NodeId| state.node(**id).unwrap().draining;
                let is_alone = free.count() == 0;
                assert!(is_alone || !partition.replicas.iter().any(|id| is_left(&id)), "{partition:?}");
                assert!(is_alone || partition.replicas.len() >= wanted, "{partition:?} of {takers}");
                let stay = &partition.replicas[..wanted.min(partition.replicas.len())];
                let is_well = stay.iter().all(|id| state.is_live(*id));
                assert!(!is_well || partition.replicas.len() <= wanted, "{partition:?}");
            }
        }
    }

    fn check_even(&self) {
        let takers: Vec<_> = self.state.nodes().filter(|node| node.takes_partitions()).map(|node| node.id).collect();
        let left = self.state.nodes().filter(|node| node.draining && !node.fenced);
        if takers.is_empty() {
            return;
        }
        for node in left {
            assert_eq!(drain_progress(&self.state, node.id).left, 0, "{node:?}");
        }
        let owned = || takers.iter().map(|node| self.state.load(*node).owned);
        let (most, least, total) = (owned().max().unwrap(), owned().min().unwrap(), owned().sum::<usize>());
        assert!(most - least < 2 || most * takers.len() * 10 <= total * 11, "{most} and {least} of {total}");
    }
}

fn step() -> impl Strategy<Value = Step> {
    let number = || 1..=NODES;
    prop_oneof![
        3 => (number(), any::<bool>()).prop_map(|(number, speaks)| Step::Speech { number, speaks }),
        2 => number().prop_map(|number| Step::Restart { number }),
        2 => number().prop_map(|number| Step::Lead { number }),
        1 => (number(), any::<bool>()).prop_map(|(number, draining)| Step::Drain { number, draining }),
        2 => ("[a-f]", 1..40_u32, 1..4_u16).prop_map(|(name, partitions, replication_factor)| Step::Topic {
            name, partitions, replication_factor
        }),
        1 => Just(Step::Rebalance),
        6 => (1..60_u32).prop_map(|rounds| Step::Pass { rounds }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn when_it_is_over_every_partition_is_with_a_node_that_lives_and_nothing_moves(
        shared_store in prop::bool::weighted(0.7),
        steps in proptest::collection::vec(step(), 0..40),
    ) {
        let mut world = World::new(shared_store);
        let mut again = World::new(shared_store);
        for step in steps {
            world.step(step.clone());
            again.step(step);
        }
        prop_assert_eq!(&world.trace, &again.trace, "the same events give the same decisions");
        world.settle();
        world.check_settled();
    }
}
