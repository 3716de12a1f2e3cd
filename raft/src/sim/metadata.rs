//! The metadata of the simulated cluster: one order of commands, and what each node knows of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use shard_core::model::{PartitionIndex, SubscriptionId};

use super::{
    events::{Event, Message, Waiter},
    history::Judged,
    mutant::Mutant,
    operators::Written,
    world::World,
};
use crate::metadata::{
    ClusterState, Command, MemberId, NodeId, Outcome, PartitionAssignment, Refusal, StoredState, invariants::Watch,
};

pub(super) const SUBSCRIPTION: SubscriptionId = SubscriptionId::new(1);
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
    /// Entries of leaders that are none any more, which a later leader may have.
    cut_off: Vec<(Vec<Command>, Waiter)>,
    watch: Watch,
    /// The runs of nodes that have said that they are there and know it.
    pub(super) announced: BTreeSet<(NodeId, u64)>,
    /// Who had each partition in each generation of the group.
    generations: BTreeMap<u64, Vec<Option<(MemberId, u64)>>>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            states: vec![Arc::default()],
            term: 0,
            leader: None,
            leaderless_since: None,
            cut_off: Vec::new(),
            watch: Watch::default(),
            announced: BTreeSet::new(),
            generations: BTreeMap::new(),
        }
    }
}

impl Log {
    pub(super) fn newest(&self) -> &Arc<ClusterState> {
        self.states.last().unwrap()
    }

    pub(super) fn end(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap()
    }

    /// The entries after `version` up to `end`.
    fn between(&self, version: u64, end: u64) -> impl Iterator<Item = (u64, &Vec<Command>)> {
        let numbered = (1..).zip(&self.entries).skip(usize::try_from(version).unwrap());
        numbered.take_while(move |(index, _)| *index <= end)
    }

    fn see(&mut self, state: &ClusterState) {
        self.watch.see(state);
        if state.nodes().len() > 1 {
            for node in state.nodes().filter(|node| !node.fenced) {
                let said = self.announced.contains(&(node.id, node.epoch));
                assert!(said, "a run of node {} is let in that never said it is there", node.id);
            }
        }
        let Some(group) = state.group(SUBSCRIPTION) else { return };
        let mut owned: Vec<_> = group.partitions().iter().map(PartitionAssignment::owned).collect();
        owned.truncate(owned.iter().rposition(Option::is_some).map_or(0, |last| last + 1));
        let known = self.generations.entry(group.generation()).or_insert_with(|| owned.clone());
        assert_eq!(*known, owned, "generation {} has two assignments", group.generation());
    }
}

impl World {
    /// A node that leads, as far as it knows, has something written; it may come to nothing.
    pub(super) fn propose(&mut self, place: usize, commands: Vec<Command>, waiter: Waiter) {
        let Some(term) = self.nodes[place].leads else { return };
        // What waits for a slow disk may be written after what came later.
        let waits = if !self.healing && self.random.once_in(6) { self.random.below(2_000) } else { 0 };
        let at = self.now + waits + self.delay();
        self.queue.put(at, Event::Commit { term, commands, waiter });
    }

    pub(super) fn commit(&mut self, term: u64, commands: Vec<Command>, waiter: Waiter) {
        let Some(leader) = self.log.leader.filter(|_| self.log.term == term) else {
            return self.cut_off(commands, waiter);
        };
        if !self.healing && self.random.once_in(20) {
            return self.counts.lost_proposals += 1;
        }
        let (outcomes, end) = self.append(leader, commands, waiter);
        self.answer(leader, waiter, &outcomes, end);
    }

    /// An entry of a leader that is none any more. It cuts it off its log; another node may have it all the same, and lead
    /// one day, where five nodes vote.
    fn cut_off(&mut self, commands: Vec<Command>, waiter: Waiter) {
        self.counts.lost_proposals += 1;
        if let Waiter::Client { leader, place, boot, change } = waiter
            && self.nodes[leader].up
        {
            let gives_up = self.mutant == Some(Mutant::GivesUpWhatItTook);
            let written = if gives_up { Written::NotTaken } else { Written::MayHold };
            self.send_once(leader, place, Message::Written { change, boot, written });
        }
        if self.random.once_in(2) {
            self.log.cut_off.push((commands, waiter));
        }
    }

    /// The log has another entry.
    fn append(&mut self, leader: usize, commands: Vec<Command>, waiter: Waiter) -> (Vec<Judged>, u64) {
        let mut state = ClusterState::clone(self.log.newest());
        let outcomes = apply_entry(&mut state, self.log.end() + 1, &commands, self.mutant);
        for (command, outcome) in commands.iter().zip(&outcomes) {
            if let Waiter::Client { change, .. } = waiter {
                self.history.taken(change, self.log.end() + 1, outcome.clone());
            } else {
                self.count(command, outcome);
            }
            if let (Command::JoinNode { node, .. }, Ok(Outcome::NodeJoined { epoch })) = (command, outcome)
                && state.is_live(*node)
            {
                // The first node is alone, and needs to tell nobody.
                self.log.announced.insert((*node, *epoch));
            }
        }
        let generation = |state: &ClusterState| state.group(SUBSCRIPTION).map_or(0, |group| group.generation());
        self.counts.generations += generation(&state) - generation(self.log.newest());
        self.log.see(&state);
        self.counts.owner_changes += std::mem::take(&mut self.log.watch.owner_changes);
        self.log.entries.push(commands);
        self.log.states.push(Arc::new(state));
        self.trace(self.log.end());
        let (term, end) = (self.log.term, self.log.end());
        for place in 0..self.nodes.len() {
            self.send(leader, place, Message::Leads { term, end });
        }
        (outcomes, end)
    }

    fn answer(&mut self, leader: usize, waiter: Waiter, outcomes: &[Judged], end: u64) {
        let place = match waiter {
            Waiter::Nobody => return,
            Waiter::Client { place, boot, change, .. } => {
                if let Some(judged) = outcomes.first().cloned() {
                    let written = Written::Judged(end, judged);
                    self.send_once(leader, place, Message::Written { change, boot, written });
                }
                return;
            }
            Waiter::Joining { place, .. } | Waiter::Coordinator { place, .. } => place,
        };
        let epoch = match outcomes.first() {
            Some(Ok(Outcome::NodeJoined { epoch })) => *epoch,
            _ => 0,
        };
        if self.healing || !self.random.once_in(12) {
            self.send(leader, place, Message::Proposed { waiter, epoch, end });
        }
    }

    fn count(&mut self, command: &Command, outcome: &Result<Outcome, Refusal>) {
        match (command, outcome) {
            (Command::JoinNode { .. }, Ok(_)) => self.counts.joins += 1,
            (Command::FenceNode { .. }, Ok(_)) => self.counts.fences += 1,
            (Command::FenceNode { .. } | Command::UnfenceNode { .. }, Err(_)) => self.counts.stale_epochs += 1,
            (_, Ok(Outcome::NodeRemoved { lost, .. })) => {
                assert_eq!(*lost, 0, "others reach its messages");
                self.counts.removed += 1;
            }
            (_, Ok(Outcome::PartitionsChanged { refused, .. })) => {
                self.counts.stale_changes += u64::try_from(refused.len()).unwrap();
            }
            // A refusal comes late, after what was asked for next.
            (_, Ok(_))
            | (Command::CreateTopic { .. } | Command::UpdateTopic { .. }, Err(_))
            | (Command::RemoveNode { .. }, Err(Refusal::NodeInUse { .. } | Refusal::NoOtherNode))
            | (Command::JoinNode { .. } | Command::SetDraining { .. }, Err(Refusal::NodeRemoved { .. })) => {}
            (command, Err(refusal)) => panic!("{command:?}: {refusal}"),
        }
    }

    /// A node hears how long the log is, and applies what it lacks. R12.
    pub(super) fn learn(&mut self, place: usize, end: u64) {
        let node = &mut self.nodes[place];
        let version = node.state.version();
        if end <= version {
            return;
        }
        let mut state = ClusterState::clone(&node.state);
        for (index, commands) in self.log.between(version, end) {
            drop(apply_entry(&mut state, index, commands, self.mutant));
        }
        let agreed = &self.log.states[usize::try_from(end).unwrap()];
        assert!(state == **agreed, "R12: node {} has come to another state", node.id);
        node.disk.end = node.disk.end.max(end);
        node.state = Arc::new(state);
        self.observe(place);
        self.answer_known(place);
    }

    /// A node makes its state again from its newest snapshot, or from nothing, and its log. R12.
    pub(super) fn replay(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        let shows_snapshot = self.mutant == Some(Mutant::ShowsItsSnapshot);
        let newest = node.disk.snapshot.as_ref().map_or(0, |(version, _)| *version);
        let end = if shows_snapshot { newest } else { node.disk.end };
        let mut state = match &node.disk.snapshot {
            Some((_, bytes)) => ClusterState::try_from(postcard::from_bytes::<StoredState>(bytes).unwrap()).unwrap(),
            None => ClusterState::default(),
        };
        self.counts.from_snapshots += u64::from(node.disk.snapshot.is_some());
        let missed = if self.mutant == Some(Mutant::SkipsAnEntry) { state.version() + 1 } else { 0 };
        for (index, commands) in self.log.between(state.version(), end) {
            let commands = if index == missed { &[][..] } else { commands };
            drop(apply_entry(&mut state, index, commands, self.mutant));
        }
        let agreed = &self.log.states[usize::try_from(end).unwrap()];
        assert!(state == **agreed, "R12: node {} has come to another state by its log", node.id);
        node.state = Arc::new(state);
    }

    pub(super) fn take_snapshot(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        let bytes = postcard::to_allocvec(&StoredState::from(&*node.state)).unwrap();
        node.disk.snapshot = Some((node.state.version(), bytes));
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
        if self.now - since < ELECTION_MS {
            return;
        }
        let candidates: Vec<usize> = (0..self.nodes.len()).filter(|place| self.has_majority(*place)).collect();
        if candidates.is_empty() {
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
        for (commands, waiter) in std::mem::take(&mut self.log.cut_off) {
            if self.random.once_in(2) {
                self.counts.brought_in += 1;
                drop(self.append(leader, commands, waiter));
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

    /// Who owns a partition, as a node knows it: its place, and in which epoch.
    pub(super) fn owner(&self, place: usize, partition: PartitionIndex) -> Option<(usize, u32)> {
        let topic = self.nodes[place].state.topics().next()?;
        let partition = topic.partition(partition)?;
        Some((self.place_of(partition.owner?)?, partition.leader_epoch.get()))
    }
}

/// Applies an entry as every node does, and as the mutant has it.
fn apply_entry(state: &mut ClusterState, index: u64, commands: &[Command], mutant: Option<Mutant>) -> Vec<Judged> {
    state.advance_to(index);
    let mut outcomes = Vec::new();
    for command in commands {
        let mut command = command.clone();
        if let (
            Command::FenceNode { node, epoch } | Command::UnfenceNode { node, epoch },
            Some(Mutant::NoNodeEpochCheck),
        ) = (&mut command, mutant)
        {
            *epoch = state.node(*node).map_or(0, |node| node.epoch);
        }
        outcomes.push(state.apply(command));
    }
    if mutant == Some(Mutant::AssignsBeforeLetGo) {
        assign_before_let_go(state);
    }
    outcomes
}

fn assign_before_let_go(state: &mut ClusterState) {
    let Some(group) = state.group(SUBSCRIPTION).filter(|group| group.revoked().next().is_some()) else { return };
    let since = group.generation();
    let assigned = |assignment: &PartitionAssignment| match *assignment {
        PartitionAssignment::Revoked { wanted, .. } => PartitionAssignment::Owned { owner: wanted, since },
        other @ (PartitionAssignment::Free | PartitionAssignment::Owned { .. }) => other,
    };
    let partitions = group.partitions().iter().map(assigned).collect();
    state.tamper_with_group(SUBSCRIPTION, since, partitions);
}
