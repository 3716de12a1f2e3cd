//! The metadata of the simulated cluster: one order of commands, and what each node knows of it.

use std::sync::Arc;

use shard_core::model::{Timestamp, TopicName};

use super::{
    events::{Event, Message, Waiter},
    mutant::Mutant,
    world::World,
};
use crate::metadata::{
    AckKey, ClusterState, Command, NodeId, Outcome, Partition, PartitionTarget, Refusal, TopicConfig,
    TransitionRefusal, invariants::Watch,
};

/// After so long without a leader another one is found.
const ELECTION_MS: u64 = 500;

/// What the cluster has agreed on, and who leads it.
#[derive(Debug)]
pub(super) struct Log {
    entries: Vec<Vec<Command>>,
    /// The state after each entry, and before the first.
    states: Vec<Arc<ClusterState>>,
    pub(super) term: u64,
    pub(super) leader: Option<usize>,
    leaderless_since: Option<u64>,
    watch: Watch,
}

impl Default for Log {
    fn default() -> Self {
        let states = vec![Arc::default()];
        Self { entries: Vec::new(), states, term: 0, leader: None, leaderless_since: None, watch: Watch::default() }
    }
}

impl Log {
    pub(super) fn newest(&self) -> &Arc<ClusterState> {
        self.states.last().unwrap()
    }

    pub(super) fn end(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap()
    }

    pub(super) fn state_at(&self, version: u64) -> &Arc<ClusterState> {
        &self.states[usize::try_from(version).unwrap()]
    }
}

impl World {
    /// The nodes come together and the topic is created, before anything goes wrong.
    pub(super) fn found(&mut self) {
        let mut commands = vec![Command::Bootstrap { cluster_id: "sim".to_owned(), ack_key: AckKey::default() }];
        commands.extend((0..self.nodes.len()).map(|place| self.join_command(place)));
        self.write(commands);
        let epochs: Vec<(NodeId, u64)> = self.agreed().nodes().map(|node| (node.id, node.epoch)).collect();
        let mut commands: Vec<Command> =
            epochs.iter().map(|&(node, epoch)| Command::UnfenceNode { node, epoch }).collect();
        let config = TopicConfig {
            partitions: self.shape.partitions,
            replication_factor: self.shape.replication_factor,
            min_insync: self.shape.min_insync,
            ..TopicConfig::default()
        };
        let name = TopicName::new("orders").unwrap();
        commands.push(Command::CreateTopic { name, config, created_at: Timestamp::default() });
        self.write(commands);
        for (place, (_, epoch)) in epochs.into_iter().enumerate() {
            self.nodes[place].epoch = Some(epoch);
            self.learn(place, self.log.end());
        }
    }

    pub(super) fn join_command(&self, place: usize) -> Command {
        let node = &self.nodes[place];
        Command::JoinNode {
            node: node.id,
            incarnation: node.incarnation(),
            address: String::new(),
            client_address: String::new(),
            rack: None,
            shards: 1,
            software: 1,
            shared_store: false,
        }
    }

    /// A node that leads, as far as it knows, has something written; it may come to nothing.
    pub(super) fn propose(&mut self, place: usize, commands: Vec<Command>, waiter: Waiter) {
        let Some(term) = self.nodes[place].leads else { return };
        // What waits for a slow disk may be written after what came later.
        let waits = if !self.healing && self.random.once_in(8) { self.random.below(2_500) } else { 0 };
        let at = self.now + waits + self.delay();
        self.queue.put(at, Event::Commit { term, commands, waiter });
    }

    pub(super) fn commit(&mut self, term: u64, commands: Vec<Command>, waiter: Waiter) {
        let is_lost = !self.healing && self.random.once_in(25);
        let Some(leader) = self.log.leader.filter(|_| self.log.term == term && !is_lost) else { return };
        let outcomes = self.write(commands);
        let end = self.log.end();
        for place in 0..self.nodes.len() {
            self.send(leader, place, Message::Leads { term, end });
        }
        let place = match waiter {
            Waiter::Nobody => return,
            Waiter::Joining { place, .. } | Waiter::Leader { place, .. } => place,
        };
        let (epoch, refusal) = match outcomes.into_iter().next() {
            Some(Ok(Outcome::NodeJoined { epoch })) => (epoch, None),
            Some(Ok(Outcome::PartitionsChanged { refused, .. })) => (0, refused.first().map(|refused| refused.reason)),
            _ => (0, None),
        };
        if self.healing || !self.random.once_in(12) {
            self.send(leader, place, Message::Proposed { waiter, epoch, refusal, end });
        }
    }

    /// Somebody has a command written, without a fault; nodes hear of it as of others.
    pub(super) fn write_now(&mut self, command: Command) {
        self.write(vec![command]);
    }

    /// The same, and what it has come to.
    pub(super) fn write_whole(&mut self, command: Command) -> Result<Outcome, Refusal> {
        self.write(vec![command]).remove(0)
    }

    /// An entry is in the log for good. R1, R2.
    fn write(&mut self, commands: Vec<Command>) -> Vec<Result<Outcome, Refusal>> {
        let mut state = ClusterState::clone(self.log.newest());
        let outcomes = apply_entry(&mut state, self.log.end() + 1, &commands, self.mutant);
        for (command, outcome) in commands.iter().zip(&outcomes) {
            self.count(command, outcome);
        }
        self.log.watch.see(&state);
        self.counts.leader_changes += std::mem::take(&mut self.log.watch.owner_changes);
        self.log.entries.push(commands);
        self.log.states.push(Arc::new(state));
        self.trace(self.log.end());
        for partition in 0..self.oracles.len() {
            self.compare_sets(partition);
            self.check_members(partition);
        }
        outcomes
    }

    /// Counts what has become of who is in sync.
    fn compare_sets(&mut self, partition: usize) {
        if self.tells {
            println!("{} agreed on {partition}: {:?}", self.now, self.agreed_partition(partition));
        }
        let end = self.log.end();
        let sets = |state: &ClusterState| {
            let found = partition_of(state, partition)?;
            Some((found.partition_epoch, found.owner, found.elr.clone()))
        };
        let (Some(before), Some(after)) = (sets(self.log.state_at(end - 1)), sets(self.log.state_at(end))) else {
            return;
        };
        self.counts.isr_changes += u64::from(before.0 != after.0);
        let is_from_elr = before.1 != after.1 && after.1.is_some_and(|owner| before.2.contains(&owner));
        self.counts.from_elr += u64::from(is_from_elr);
    }

    fn count(&mut self, command: &Command, outcome: &Result<Outcome, Refusal>) {
        match (command, outcome) {
            (Command::FenceNode { .. }, Ok(_)) => self.counts.fences += 1,
            (Command::ChangePartitions { changes }, Ok(Outcome::PartitionsChanged { refused, .. })) => {
                let says_isr = changes.iter().any(|change| matches!(change.to, PartitionTarget::InSync { .. }));
                self.counts.refused_isr += u64::from(says_isr && !refused.is_empty());
                for refused in refused {
                    let is_sound = !matches!(
                        refused.reason,
                        TransitionRefusal::PartitionNotFound | TransitionRefusal::SharedStore
                    );
                    assert!(is_sound, "{refused:?}");
                }
            }
            // What was said of an earlier run comes late.
            (_, Ok(_) | Err(Refusal::StaleNodeEpoch { .. })) => {}
            (command, Err(refusal)) => panic!("{command:?}: {refusal}"),
        }
    }

    /// A node hears how long the log is, and applies what it lacks. R12.
    pub(super) fn learn(&mut self, place: usize, end: u64) {
        let version = self.nodes[place].state.version();
        if end <= version {
            return;
        }
        let node = &mut self.nodes[place];
        node.log_end = node.log_end.max(end);
        node.state = Arc::clone(self.log.state_at(end));
        self.observe(place);
    }

    /// Looks whether the leader reaches a majority, and finds another if it does not for a while.
    pub(super) fn elect(&mut self) {
        self.queue.put(self.now + 50, Event::Elect);
        for place in 0..self.nodes.len() {
            if self.has_majority(place) {
                self.nodes[place].followed_at = self.now;
            }
        }
        let leads = |place: usize| self.nodes[place].leads == Some(self.log.term) && self.has_majority(place);
        if self.log.leader.is_some_and(leads) {
            return self.log.leaderless_since = None;
        }
        let since = *self.log.leaderless_since.get_or_insert(self.now);
        let candidates: Vec<usize> = (0..self.nodes.len()).filter(|place| self.has_majority(*place)).collect();
        if self.now - since < ELECTION_MS || candidates.is_empty() {
            return;
        }
        let leader = candidates[self.random.index(candidates.len())];
        self.log.term += 1;
        self.log.leader = Some(leader);
        self.log.leaderless_since = None;
        self.counts.elections += 1;
        for place in 0..self.nodes.len() {
            if self.follows(leader, place) {
                self.nodes[place].follow(self.log.term);
            }
        }
        // A leader does nothing before it knows all that the last one had written.
        self.learn(leader, self.log.end());
        self.nodes[leader].lead(self.now, self.log.term);
    }

    /// Whether a majority follows a node, or would.
    fn has_majority(&self, place: usize) -> bool {
        let followers = (0..self.nodes.len()).filter(|other| self.follows(place, *other)).count();
        self.follows(place, place) && 2 * followers > self.nodes.len()
    }

    /// Whether a node hears another, is heard by it, and knows of no later leader.
    fn follows(&self, leader: usize, place: usize) -> bool {
        let node = &self.nodes[place];
        let runs = node.up && node.stands_until <= self.now;
        let is_linked = self.is_linked(leader, place) && self.is_linked(place, leader);
        runs && is_linked && (node.term <= self.nodes[leader].term || self.nodes[leader].leads.is_none())
    }

    /// A partition, as a node knows it.
    pub(super) fn known(&self, place: usize, partition: usize) -> Option<&Partition> {
        partition_of(&self.nodes[place].state, partition)
    }

    /// A partition, as it was agreed on.
    pub(super) fn agreed_partition(&self, partition: usize) -> Option<&Partition> {
        partition_of(self.agreed(), partition)
    }
}

fn partition_of(state: &ClusterState, partition: usize) -> Option<&Partition> {
    state.topics().next()?.partitions.get(partition)
}

/// Applies an entry as every node does, and as the mutant has it.
fn apply_entry(
    state: &mut ClusterState,
    index: u64,
    commands: &[Command],
    mutant: Option<Mutant>,
) -> Vec<Result<Outcome, Refusal>> {
    state.advance_to(index);
    let mut outcomes = Vec::new();
    for command in commands {
        let mut command = command.clone();
        if let (Command::ChangePartitions { changes }, Some(Mutant::NoNodeEpochCheck)) = (&mut command, mutant) {
            for change in changes {
                let PartitionTarget::InSync { joining, .. } = &mut change.to else { continue };
                for run in joining {
                    run.epoch = state.node(run.node).map_or(0, |node| node.epoch);
                }
            }
        }
        outcomes.push(state.apply(command));
    }
    outcomes
}
