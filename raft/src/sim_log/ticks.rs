//! What a node does from time to time, and what it makes of what reaches it.

use super::{
    events::{Act, Event, Message, Waiter},
    node::monotonic,
    replica::Role,
    world::{TICK_MS, World},
};
use crate::metadata::{NodeId, PartitionTarget};

/// How long a node waits to be let in before it asks again.
const PATIENCE_MS: u64 = 700;

impl World {
    pub(super) fn tick(&mut self, place: usize) {
        self.later(place, TICK_MS, Act::Tick);
        if self.say_alive(place) {
            self.hand_over_failed(place);
            self.say_lost(place);
            for partition in 0..self.oracles.len() {
                self.tick_leader(place, partition);
                self.tick_follower(place, partition);
            }
        }
        self.nodes[place].take_up(self.now);
        let state = std::sync::Arc::clone(&self.nodes[place].state);
        for command in self.nodes[place].controller.decide(monotonic(self.now), &state) {
            self.propose(place, vec![command], Waiter::Nobody);
        }
        if let Some(term) = self.nodes[place].leads {
            let end = if self.log.term == term { self.log.end() } else { state.version() };
            for other in (0..self.nodes.len()).filter(|other| *other != place) {
                self.send(place, other, Message::Leads { term, end });
            }
            if self.log.term == term {
                self.learn(place, end);
            }
        }
    }

    /// A node tells all that it is there, or asks to be let in. Whether it is there.
    fn say_alive(&mut self, place: usize) -> bool {
        let node = &self.nodes[place];
        let applied = node.state.version();
        let agreed = node.state.node(node.id).map_or(0, |known| known.epoch);
        let Some(known) = node.epoch else {
            self.ask(place);
            return false;
        };
        // A request that was given up may be granted after the one that was answered; both are of this run.
        let epoch = known.max(agreed);
        if epoch > known {
            self.nodes[place].epoch = Some(epoch);
            self.observe(place);
        }
        let message = Message::Alive { node: self.id_of(place), epoch, applied };
        for other in 0..self.nodes.len() {
            self.send(place, other, message.clone());
        }
        true
    }

    /// A node asks the leader of the metadata to be let in.
    fn ask(&mut self, place: usize) {
        let Some(leader) = self.log.leader else { return };
        if self.nodes[place].asks_at > self.now {
            return;
        }
        self.nodes[place].asks_at = self.now + PATIENCE_MS;
        let waiter = Waiter::Joining { place, boot: self.nodes[place].boot };
        self.send(place, leader, Message::Propose { commands: vec![self.join_command(place)], waiter });
    }

    /// Has nobody count on a node for what it has lost.
    fn say_lost(&mut self, place: usize) {
        if self.nodes[place].asks_at > self.now {
            return;
        }
        self.nodes[place].asks_at = self.now + PATIENCE_MS;
        let id = self.id_of(place);
        for partition in self.nodes[place].lost.clone() {
            if let Some(known) = self.known(place, partition) {
                let change = (known.leader_epoch, known.partition_epoch, PartitionTarget::Without(id));
                self.propose_change(place, partition, change, Waiter::Nobody);
            }
        }
    }

    /// Has a partition led by another node whose disk has failed this one; or by this one in a new epoch, if nobody else
    /// may: each epoch of a leader is one opening of the log.
    fn hand_over_failed(&mut self, place: usize) {
        let id = self.id_of(place);
        for partition in 0..self.oracles.len() {
            let is_failed = matches!(self.nodes[place].replicas[partition].role, Role::Failed);
            let Some(known) = self.known(place, partition).filter(|known| is_failed && known.owner == Some(id)) else {
                continue;
            };
            if self.now % 500 > TICK_MS {
                continue;
            }
            let state = &self.nodes[place].state;
            let is_alone = known.eligible(|node| node != id && state.is_live(node)).is_empty();
            let to = if is_alone { PartitionTarget::Owner(id) } else { PartitionTarget::Without(id) };
            let change = (known.leader_epoch, known.partition_epoch, to);
            self.propose_change(place, partition, change, Waiter::Nobody);
        }
    }

    pub(super) fn take(&mut self, place: usize, message: Message) {
        let now = monotonic(self.now);
        let node = &mut self.nodes[place];
        match message {
            Message::Alive { node: who, epoch, applied } => node.controller.heard(now, who, epoch, applied),
            Message::Gone { node: who, epoch } => node.controller.gone(now, who, epoch),
            Message::Leads { term, end } => {
                node.follow(term);
                if term >= node.term {
                    self.learn(place, end);
                }
            }
            Message::Propose { commands, waiter } => self.propose(place, commands, waiter),
            Message::Proposed { waiter, epoch, refusal, end } => {
                self.learn(place, end);
                let node = &mut self.nodes[place];
                match waiter {
                    Waiter::Joining { boot, .. } if boot == node.boot => {
                        node.epoch = node.epoch.max(Some(epoch));
                        self.observe(place);
                    }
                    Waiter::Leader { partition, number, .. } => {
                        self.proposal_ended(place, partition, number, refusal);
                    }
                    Waiter::Nobody | Waiter::Joining { .. } => {}
                }
            }
            Message::Fetch { partition, by, run, position, number } => {
                self.answer_fetch(place, partition, (by, number), (run, position));
            }
            Message::Fetched { partition, number, epoch, answer, fetched, cursor } => {
                self.fetched(place, partition, (number, epoch), (answer, fetched, cursor));
            }
            Message::Publish { partition, publisher, attempt, by } => {
                self.take_publish(place, partition, (publisher, attempt), by);
            }
            Message::Decide { partition, attempt, undecided } => self.decide(place, partition, attempt, undecided),
            Message::Read { partition, from, by } => {
                if let Some(end) = self.read(place, partition, from) {
                    self.over_the_line(place, by, Event::Consumed { partition, end });
                }
            }
            Message::Consumed { partition, end } => self.move_cursor(place, partition, end),
        }
    }

    /// The places of some nodes.
    pub(super) fn places(&self, nodes: &[NodeId]) -> Vec<usize> {
        nodes.iter().map(|node| self.place_of(*node)).collect()
    }
}
