//! The simulated cluster: time, lines that lose and delay, and what reaches whom.

use std::{collections::BTreeMap, sync::Arc};

use shard_core::model::PartitionIndex;

use super::{
    clients::Consumer,
    events::{Event, Message},
    history::History,
    metadata::Log,
    mutant::Mutant,
    node::SimNode,
    operators::{OPERATORS, Operator},
    queue::Queue,
    store::Stored,
};
use crate::{
    chance::Random,
    metadata::{ClusterState, NodeId},
};

pub(super) const TICK_MS: u64 = 100;
const FAULTS_MS: u64 = 15_000;
/// Within so long everything is well again: an election, a session of nodes and of consumers, and what settles thereafter.
const HEAL_MS: u64 = 15_000;
/// From then on nothing is published.
pub(super) const QUIET_MS: u64 = FAULTS_MS + HEAL_MS - 3_000;

/// What a run has met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) elections: u64,
    pub(super) crashes: u64,
    pub(super) wiped: u64,
    pub(super) removed: u64,
    pub(super) pauses: u64,
    pub(super) cuts: u64,
    pub(super) joins: u64,
    pub(super) fences: u64,
    pub(super) owner_changes: u64,
    pub(super) stale_changes: u64,
    pub(super) stale_epochs: u64,
    pub(super) lost_proposals: u64,
    pub(super) from_snapshots: u64,
    pub(super) stored: u64,
    pub(super) acknowledged: u64,
    pub(super) fenced_writes: u64,
    pub(super) generations: u64,
    pub(super) consumed: u64,
    pub(super) not_let_in: u64,
    pub(super) changes_done: u64,
    pub(super) changes_refused: u64,
    pub(super) changes_nowhere: u64,
    pub(super) changes_unknown: u64,
    pub(super) asked_again: u64,
    /// Entries of a leader that is none any more, which a later one had and brought in.
    pub(super) brought_in: u64,
    pub(super) reads: u64,
    /// Of all events in their order.
    trace: u64,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) random: Random,
    pub(super) mutant: Option<Mutant>,
    pub(super) now: u64,
    pub(super) queue: Queue<Event>,
    pub(super) log: Log,
    pub(super) nodes: Vec<SimNode>,
    /// The last number that a node was given.
    pub(super) last_node: u64,
    /// Lines that let nothing through, from one place to another.
    pub(super) cuts: Vec<(usize, usize)>,
    pub(super) store: BTreeMap<PartitionIndex, Stored>,
    pub(super) consumers: Vec<Consumer>,
    pub(super) operators: Vec<Operator>,
    pub(super) history: History,
    /// Changes that were answered after the faults.
    pub(super) changes_healed: u64,
    pub(super) last_message: u64,
    pub(super) last_proposal: u64,
    pub(super) first_healing_message: u64,
    pub(super) acknowledged: Vec<(PartitionIndex, u64)>,
    pub(super) healing: bool,
    pub(super) counts: Counts,
}

impl Counts {
    fn fields(&mut self) -> [(&'static str, &mut u64, u64); 26] {
        [
            ("elections", &mut self.elections, 300),
            ("nodes killed", &mut self.crashes, 300),
            ("disks lost", &mut self.wiped, 50),
            ("nodes removed", &mut self.removed, 50),
            ("nodes that stood still", &mut self.pauses, 200),
            ("lines cut", &mut self.cuts, 300),
            ("nodes let in", &mut self.joins, 500),
            ("nodes fenced", &mut self.fences, 200),
            ("new owners", &mut self.owner_changes, 500),
            ("changes of partitions too late", &mut self.stale_changes, 20),
            ("changes of nodes too late", &mut self.stale_epochs, 10),
            ("proposals lost", &mut self.lost_proposals, 200),
            ("starts from snapshots", &mut self.from_snapshots, 50),
            ("messages stored", &mut self.stored, 10_000),
            ("messages acknowledged", &mut self.acknowledged, 10_000),
            ("writes fenced off", &mut self.fenced_writes, 20),
            ("generations", &mut self.generations, 500),
            ("messages consumed", &mut self.consumed, 10_000),
            ("consumers not let in", &mut self.not_let_in, 100),
            ("changes done", &mut self.changes_done, 5_000),
            ("changes refused", &mut self.changes_refused, 500),
            ("changes that nobody took", &mut self.changes_nowhere, 100),
            ("changes of which it is not known", &mut self.changes_unknown, 300),
            ("changes brought to the leader again", &mut self.asked_again, 500),
            ("entries brought in by a later leader", &mut self.brought_in, 20),
            ("reads of the metadata", &mut self.reads, 5_000),
        ]
    }

    pub(super) fn add(&mut self, other: &Self) {
        for ((_, sum, _), (_, count, _)) in self.fields().into_iter().zip(other.clone().fields()) {
            *sum += *count;
        }
    }

    /// A run in which too little happened shows nothing.
    pub(super) fn assert_enough(mut self, seeds: u64) {
        for (what, count, in_a_hundred_seeds) in self.fields() {
            assert!(*count * 100 >= in_a_hundred_seeds * seeds, "{what}: {count} in {seeds} runs");
        }
    }
}

impl World {
    pub(super) fn new(seed: u64, mutant: Option<Mutant>) -> Self {
        let mut random = Random::new(seed);
        let nodes = 3 + random.below(2);
        let mut world = Self {
            random,
            mutant,
            now: 1,
            queue: Queue::default(),
            log: Log::default(),
            nodes: (1..=nodes).map(|number| SimNode::new(NodeId::new(number))).collect(),
            last_node: nodes,
            cuts: Vec::new(),
            store: BTreeMap::new(),
            consumers: (0..super::clients::CONSUMERS).map(Consumer::new).collect(),
            operators: (0..OPERATORS).map(|_| Operator::default()).collect(),
            history: History::default(),
            changes_healed: 0,
            last_message: 0,
            last_proposal: 0,
            first_healing_message: u64::MAX,
            acknowledged: Vec::new(),
            healing: false,
            counts: Counts::default(),
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for place in 0..self.nodes.len() {
            let at = self.random.below(TICK_MS);
            self.queue.put(at, Event::Tick { place, boot: 0 });
        }
        for publisher in 0..super::clients::PUBLISHERS {
            self.queue.put(1_000, Event::Publish { publisher });
        }
        for consumer in 0..super::clients::CONSUMERS {
            self.queue.put(1_000 + self.random.below(500), Event::Consume { consumer });
        }
        for operator in 0..OPERATORS {
            self.queue.put(1_000 + self.random.below(500), Event::Operate { operator });
        }
        self.queue.put(1, Event::Elect);
        self.queue.put(2_000, Event::Fault);
    }

    pub(super) fn run_with_faults(&mut self) {
        self.run_until(FAULTS_MS);
    }

    /// The faults are over.
    pub(super) fn heal(&mut self) {
        self.healing = true;
        self.first_healing_message = self.last_message;
        self.cuts.clear();
        // Somebody must be there to consume.
        for consumer in self.consumers.iter_mut().take(1) {
            consumer.wants_in = true;
        }
        for node in &mut self.nodes {
            node.stands_until = 0;
        }
        self.run_until(FAULTS_MS + HEAL_MS);
        self.check_healed();
    }

    fn run_until(&mut self, end: u64) {
        while self.queue.next_at().is_some_and(|at| at <= end) {
            self.now = self.now.max(self.queue.next_at().unwrap_or(end));
            if let Some(event) = self.queue.pop() {
                self.happen(event);
                self.check_users();
            }
        }
        self.now = end;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Tick { place, boot } => self.tick(place, boot),
            Event::Start { place } => self.start(place),
            Event::Arrive { place, message } => self.arrive(place, message),
            Event::Commit { term, commands, waiter } => self.commit(term, commands, waiter),
            Event::Elect => self.elect(),
            Event::Publish { publisher } => self.publish(publisher),
            Event::Published { partition, id } => {
                self.counts.acknowledged += 1;
                self.acknowledged.push((partition, id));
            }
            Event::Consume { consumer } => self.consume(consumer),
            Event::Answer { ticket, answer } => self.consumers[ticket.consumer].hear(ticket.number, answer),
            Event::Delivered { consumer, member, partition, end } => self.delivered(consumer, member, partition, end),
            Event::Operate { operator } => self.operate(operator),
            Event::Bring { place, boot, change } => {
                let node = &self.nodes[place];
                if node.stands_until > self.now {
                    self.queue.put(node.stands_until, Event::Bring { place, boot, change });
                } else if node.up && node.boot == boot {
                    self.bring(place, change);
                }
            }
            Event::Fault => self.fault(),
        }
    }

    /// What reaches a node that stands still waits there.
    fn arrive(&mut self, place: usize, message: Message) {
        let node = &self.nodes[place];
        if node.stands_until > self.now {
            self.queue.put(node.stands_until, Event::Arrive { place, message });
        } else if node.up {
            self.take(place, message);
        }
    }

    /// Where a node is; `None` if it is gone for good.
    pub(super) fn place_of(&self, node: NodeId) -> Option<usize> {
        self.nodes.iter().position(|known| known.id == node)
    }

    /// Whether anything gets from one place to another.
    pub(super) fn is_linked(&self, from: usize, to: usize) -> bool {
        from == to || !self.cuts.contains(&(from, to))
    }

    pub(super) fn send(&mut self, from: usize, to: usize, message: Message) {
        if from == to {
            self.queue.put(self.now, Event::Arrive { place: to, message });
        } else if self.is_linked(from, to) {
            if !self.healing && self.random.once_in(30) {
                self.over_the_line(Event::Arrive { place: to, message: message.clone() });
            }
            self.over_the_line(Event::Arrive { place: to, message });
        }
    }

    /// As `send`, and never twice.
    pub(super) fn send_once(&mut self, from: usize, to: usize, message: Message) {
        if from == to {
            self.queue.put(self.now, Event::Arrive { place: to, message });
        } else if self.is_linked(from, to) {
            self.over_the_line(Event::Arrive { place: to, message });
        }
    }

    /// It comes late, or not at all.
    pub(super) fn over_the_line(&mut self, event: Event) {
        if self.healing || !self.random.once_in(25) {
            let at = self.now + self.delay();
            self.queue.put(at, event);
        }
    }

    pub(super) fn delay(&mut self) -> u64 {
        let is_long = !self.healing && self.random.once_in(12);
        let delay = 1 + self.random.below(if is_long { 600 } else { 15 });
        self.trace(delay);
        delay
    }

    pub(super) const fn trace(&mut self, number: u64) {
        self.counts.trace = (self.counts.trace ^ number ^ self.now).wrapping_mul(0x0100_0000_01b3);
    }

    /// What the cluster has agreed on, whoever knows it.
    pub(super) fn agreed(&self) -> &Arc<ClusterState> {
        self.log.newest()
    }
}
