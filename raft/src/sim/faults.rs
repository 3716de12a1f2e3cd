//! What goes wrong.

use shard_core::model::TopicName;

use super::{
    clients::{CONSUMERS, PARTITIONS},
    events::{Event, Message, Waiter},
    node::monotonic,
    world::World,
};
use crate::{
    controller::Controller,
    metadata::{Change, Command, TopicPatch},
};

impl World {
    pub(super) fn fault(&mut self) {
        if self.healing {
            return;
        }
        self.queue.put(self.now + 100 + self.random.below(600), Event::Fault);
        let place = self.random.index(self.nodes.len());
        let consumer = self.random.index(CONSUMERS);
        match self.random.below(24) {
            0..=2 => self.kill(place),
            3 => self.stop(place),
            4..=5 => {
                self.counts.pauses += 1;
                self.nodes[place].stands_until = self.now + 100 + self.random.below(4_000);
            }
            6..=8 => self.cut(place),
            9..=12 => self.cuts.clear(),
            13 => self.log.leader = None,
            14..=15 => self.drain(place),
            16 => self.add_partition(),
            17..=19 => self.consumers[consumer].wants_in ^= true,
            20..=21 => self.consumers[consumer].restart(),
            _ => {}
        }
    }

    fn kill(&mut self, place: usize) {
        if self.nodes[place].up {
            self.counts.crashes += 1;
            self.nodes[place].die();
            let down = if self.random.once_in(2) { 20 } else { 4_000 };
            let at = self.now + 5 + self.random.below(down);
            self.queue.put(at, Event::Start { place });
        }
    }

    /// As told to: it says that it goes.
    fn stop(&mut self, place: usize) {
        let node = &self.nodes[place];
        if let Some(epoch) = node.epoch.filter(|_| node.up && node.stands_until <= self.now) {
            let message = Message::Gone { node: node.id, epoch };
            for other in (0..self.nodes.len()).filter(|other| *other != place) {
                self.send(place, other, message.clone());
            }
        }
        self.kill(place);
    }

    pub(super) fn start(&mut self, place: usize) {
        self.replay(place);
        let node = &mut self.nodes[place];
        node.up = true;
        node.controller = Controller::new(monotonic(self.now));
        let boot = node.boot;
        self.queue.put(self.now, Event::Tick { place, boot });
    }

    /// A line lets nothing through any more, in one direction or in both; or all lines of a node.
    fn cut(&mut self, place: usize) {
        self.counts.cuts += 1;
        let other = self.random.index(self.nodes.len());
        match self.random.below(3) {
            0 => self.cuts.push((place, other)),
            1 => self.cuts.extend([(place, other), (other, place)]),
            _ => self.cuts.extend((0..self.nodes.len()).flat_map(|other| [(place, other), (other, place)])),
        }
    }

    fn drain(&mut self, place: usize) {
        let (Some(leader), node) = (self.log.leader, self.nodes[place].id) else { return };
        let Some(known) = self.agreed().node(node) else { return };
        let command = Command::SetDraining { node, draining: !known.draining };
        self.propose(leader, vec![command], Waiter::Nobody);
    }

    fn add_partition(&mut self) {
        let Some(leader) = self.log.leader else { return };
        let Some(partitions) = self.agreed().topics().next().map(|topic| topic.config.partitions) else { return };
        if partitions < PARTITIONS + 3 {
            // Two of them may be under way at a time.
            let patch = TopicPatch { partitions: Change::Set(partitions + 1), ..TopicPatch::default() };
            let name = TopicName::new("orders").unwrap();
            let command = Command::UpdateTopic { name, expected_revision: None, patch };
            self.propose(leader, vec![command], Waiter::Nobody);
        }
    }
}
