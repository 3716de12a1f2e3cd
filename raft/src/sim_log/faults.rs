//! What goes wrong.

use super::{
    events::{Event, Message, Waiter},
    replica::Role,
    world::World,
};
use crate::metadata::Command;

impl World {
    pub(super) fn fault(&mut self) {
        if self.healing {
            return;
        }
        let pause = if self.random.once_in(4) { 2_500 } else { 500 };
        self.queue.put(self.now + 50 + self.random.below(pause), Event::Fault);
        let place = self.random.index(self.nodes.len());
        match self.random.below(26) {
            0..=4 => self.kill(place),
            5 => self.stop(place),
            6..=7 => {
                self.counts.pauses += 1;
                self.nodes[place].stands_until = self.now + 100 + self.random.below(4_000);
            }
            8..=11 => self.cut(place),
            12..=15 => self.cuts.clear(),
            16..=17 => self.clog(place),
            18 => self.log.leader = None,
            19 => self.drain(place),
            20 => self.cut_power(),
            21 => {
                self.counts.disks_full += 1;
                self.nodes[place].full_until = self.now + self.random.below(3_000);
            }
            22..=24 => self.damage(place),
            _ => {}
        }
    }

    pub(super) fn end_faults(&mut self) {
        self.healing = true;
        self.clients.begin_healing();
        self.cuts.clear();
        self.clogs.clear();
        for node in &mut self.nodes {
            node.stands_until = 0;
            node.full_until = 0;
        }
        let draining: Vec<_> = self.agreed().nodes().filter(|node| node.draining).map(|node| node.id).collect();
        for node in draining {
            self.let_stay(node);
        }
    }

    /// A node is killed, and starts again a while later.
    pub(super) fn kill(&mut self, place: usize) {
        if self.nodes[place].up {
            self.die(place);
            if self.random.once_in(4) {
                self.damage(place);
            }
            let down = if self.random.once_in(2) { 50 } else { 5_000 };
            let at = self.now + 5 + self.random.below(down);
            self.queue.put(at, Event::Start { place });
        }
    }

    /// A node is down until it is started.
    pub(super) fn die(&mut self, place: usize) {
        self.counts.crashes += 1;
        self.nodes[place].die(&mut self.random);
        for partition in 0..self.oracles.len() {
            self.check_members(partition);
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

    /// All nodes lose their power at once.
    fn cut_power(&mut self) {
        if self.random.once_in(2) {
            self.counts.power_cuts += 1;
            (0..self.nodes.len()).for_each(|place| self.kill(place));
        }
    }

    /// A line lets nothing through any more, in one direction or in both; or all lines of a node, or those to half the nodes.
    fn cut(&mut self, place: usize) {
        self.counts.cuts += 1;
        let count = self.nodes.len();
        let other = self.random.index(count);
        match self.random.below(5) {
            0 => self.cuts.push((place, other)),
            1 => self.cuts.extend([(place, other), (other, place)]),
            2 => self.cuts.extend((0..count).map(|other| (place, other))),
            3 => self.cuts.extend((0..count).map(|other| (other, place))),
            _ => self.cuts.extend((0..count).flat_map(|other| [(place, other), (other, place)])),
        }
    }

    /// What goes over a line is held up for a while, and then comes all at once.
    fn clog(&mut self, place: usize) {
        self.counts.clogs += 1;
        let other = self.random.index(self.nodes.len());
        let until = self.now + 500 + self.random.below(3_000);
        self.clogs.push((place, other, until));
        if self.random.once_in(2) {
            self.clogs.push((other, place, until));
        }
    }

    fn drain(&mut self, place: usize) {
        let (Some(leader), node) = (self.log.leader, self.nodes[place].id) else { return };
        let Some(known) = self.agreed().node(node) else { return };
        let command = Command::SetDraining { node, draining: !known.draining };
        self.propose(leader, vec![command], Waiter::Nobody);
    }

    /// Whether another replica of the partition is damaged, or its disk has failed it.
    pub(super) fn is_lost_elsewhere(&self, place: usize, partition: usize) -> bool {
        (0..self.nodes.len()).any(|other| other != place && self.is_lost(other, partition))
    }

    fn is_lost(&self, place: usize, partition: usize) -> bool {
        let node = &self.nodes[place];
        node.disks[partition].is_damaged() || matches!(node.replicas[partition].role, Role::Failed)
    }

    /// Something of the log of a node that is down can't be read any more: of fewer replicas at a time than have to be in
    /// sync, or nobody could know any more what was acknowledged.
    fn damage(&mut self, place: usize) {
        let partition = self.random.index(self.oracles.len());
        let id = self.id_of(place);
        let Some(agreed) = self.agreed_partition(partition) else { return };
        let others: Vec<_> = agreed.isr.iter().chain(&agreed.elr).copied().filter(|node| *node != id).collect();
        let others = self.places(&others);
        let damaged = others.iter().filter(|place| self.is_lost(**place, partition)).count();
        let is_too_much = damaged == others.len() || damaged + 1 >= usize::from(self.shape.min_insync);
        let disk = &self.nodes[place].disks[partition];
        let has_any = !disk.batches().is_empty() && !disk.is_damaged();
        if self.nodes[place].up || is_too_much || !has_any || self.is_isr_changing(partition) {
            return;
        }
        self.counts.damaged += 1;
        if self.tells {
            println!("{} {place} loses something of {partition}", self.now);
        }
        self.oracles[partition].lost.insert(place);
        self.nodes[place].disks[partition].damage(&mut self.random);
    }
}
