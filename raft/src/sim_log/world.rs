//! The simulated cluster: time, lines that lose, delay and repeat, and what reaches whom.

use std::sync::Arc;

use super::{
    clients::Clients,
    counts::Counts,
    events::{Act, Event, Message},
    metadata::Log,
    mutant::Mutant,
    node::SimNode,
    oracle::Oracle,
    shape::Shape,
};
use crate::{
    chance::Random,
    metadata::{ClusterState, NodeId},
    sim::queue::Queue,
};

pub(super) const TICK_MS: u64 = 100;
const FAULTS_MS: u64 = 14_000;
/// E14. Within so long everything is well again: an election, a session of nodes, and what settles thereafter.
const HEAL_MS: u64 = 12_000;

#[derive(Debug)]
pub(super) struct World {
    pub(super) random: Random,
    pub(super) shape: Shape,
    pub(super) mutant: Option<Mutant>,
    pub(super) now: u64,
    pub(super) queue: Queue<Event>,
    pub(super) log: Log,
    pub(super) nodes: Vec<SimNode>,
    /// Lines that let nothing through, from one place to another.
    pub(super) cuts: Vec<(usize, usize)>,
    /// Lines on which everything is held up, and until when.
    pub(super) clogs: Vec<(usize, usize, u64)>,
    /// What must hold of each partition.
    pub(super) oracles: Vec<Oracle>,
    pub(super) clients: Clients,
    /// Numbers fetches, openings and attempts: none is used twice.
    pub(super) last_number: u64,
    pub(super) healing: bool,
    /// Whether it says what happens.
    pub(super) tells: bool,
    pub(super) counts: Counts,
}

impl World {
    /// A cluster that has just come up.
    pub(super) fn new(seed: u64, shape: Shape, mutant: Option<Mutant>) -> Self {
        let partitions = usize::try_from(shape.partitions).unwrap();
        let node = |number| SimNode::new(NodeId::new(number), partitions);
        let mut world = Self {
            random: Random::new(seed),
            shape,
            mutant,
            now: 1,
            queue: Queue::default(),
            log: Log::default(),
            nodes: (1..=shape.nodes).map(node).collect(),
            cuts: Vec::new(),
            clogs: Vec::new(),
            oracles: (0..partitions).map(|_| Oracle::default()).collect(),
            clients: Clients::new(partitions),
            last_number: 0,
            healing: false,
            tells: false,
            counts: Counts::default(),
        };
        world.found();
        for place in 0..world.nodes.len() {
            let at = world.random.below(TICK_MS);
            world.queue.put(at, Event::Act { place, boot: 0, act: Act::Tick });
        }
        world.queue.put(1, Event::Elect);
        world
    }

    pub(super) fn run_with_faults(&mut self) {
        self.begin_clients();
        self.queue.put(1_500, Event::Fault);
        self.run_until(FAULTS_MS);
    }

    /// The faults are over.
    pub(super) fn heal(&mut self) {
        self.end_faults();
        self.run_until(FAULTS_MS + HEAL_MS);
        self.check_healed();
    }

    pub(super) fn run_until(&mut self, end: u64) {
        while self.queue.next_at().is_some_and(|at| at <= end) {
            self.now = self.now.max(self.queue.next_at().unwrap_or(end));
            if let Some(event) = self.queue.pop() {
                self.happen(event);
            }
        }
        self.now = end;
    }

    /// One event later.
    pub(super) fn step(&mut self) {
        self.now = self.now.max(self.queue.next_at().unwrap_or(self.now));
        if let Some(event) = self.queue.pop() {
            self.happen(event);
        }
    }

    fn happen(&mut self, event: Event) {
        if self.tells && event.is_telling() {
            println!("{} {event:?}", self.now);
        }
        match event {
            Event::Act { place, boot, act } => self.act(place, boot, act),
            Event::Start { place } => self.start(place),
            Event::Arrive { place, message } => self.arrive(place, message),
            Event::Commit { term, commands, waiter } => self.commit(term, commands, waiter),
            Event::Elect => self.elect(),
            Event::Publish { publisher } => self.publish(publisher),
            Event::GiveUp { publisher, attempt } => self.give_up(publisher, attempt),
            Event::Answered { publisher, attempt, answer } => self.answered(publisher, attempt, &answer),
            Event::Consume { partition } => self.consume(partition),
            Event::Consumed { partition, end } => self.consumed(partition, end),
            Event::Fault => self.fault(),
        }
    }

    /// A node that stands still does what it has to later; a run of it that is over does nothing.
    fn act(&mut self, place: usize, boot: u64, act: Act) {
        let node = &self.nodes[place];
        if !node.up || node.boot != boot {
            return;
        }
        if node.stands_until > self.now {
            return self.queue.put(node.stands_until, Event::Act { place, boot, act });
        }
        match act {
            Act::Tick => self.tick(place),
            Act::Open { partition, opening } => self.open(place, partition, opening),
            Act::Fetch { partition, opening, number } => self.fetch(place, partition, (opening, number)),
            Act::Done { partition, opening, done } => self.done(place, partition, opening, done),
        }
    }

    fn arrive(&mut self, place: usize, message: Message) {
        let node = &self.nodes[place];
        if node.stands_until > self.now {
            self.queue.put(node.stands_until, Event::Arrive { place, message });
        } else if node.up {
            self.take(place, message);
        }
    }

    /// A run of a node does something after so many milliseconds.
    pub(super) fn later(&mut self, place: usize, after: u64, act: Act) {
        let boot = self.nodes[place].boot;
        self.queue.put(self.now + after, Event::Act { place, boot, act });
    }

    pub(super) const fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    pub(super) fn id_of(&self, place: usize) -> NodeId {
        self.nodes[place].id
    }

    pub(super) fn place_of(&self, node: NodeId) -> usize {
        self.nodes.iter().position(|known| known.id == node).unwrap()
    }

    /// Whether anything gets from one place to another.
    pub(super) fn is_linked(&self, from: usize, to: usize) -> bool {
        from == to || !self.cuts.contains(&(from, to))
    }

    pub(super) fn send(&mut self, from: usize, to: usize, message: Message) {
        if !self.healing && from != to && self.random.once_in(40) {
            self.over_the_line(from, to, Event::Arrive { place: to, message: message.clone() });
        }
        self.over_the_line(from, to, Event::Arrive { place: to, message });
    }

    /// It comes late, or not at all.
    pub(super) fn over_the_line(&mut self, from: usize, to: usize, event: Event) {
        if from == to {
            return self.queue.put(self.now, event);
        }
        if self.is_linked(from, to) && (self.healing || !self.random.once_in(30)) {
            let held = self.clogs.iter().find(|(a, b, until)| (*a, *b) == (from, to) && *until > self.now);
            let held_until = held.map_or(self.now, |(_, _, until)| *until);
            let at = held_until + self.delay();
            self.queue.put(at, event);
        }
    }

    pub(super) fn delay(&mut self) -> u64 {
        let is_long = !self.healing && self.random.once_in(20);
        let delay = 1 + self.random.below(if is_long { 800 } else { 8 });
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
