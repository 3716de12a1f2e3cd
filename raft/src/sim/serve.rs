//! What nodes do: look around, take what reaches them, and serve partitions.

use shard_core::model::{PartitionIndex, SubscriptionName, Timestamp, TopicName};

use super::{
    clients::PARTITIONS,
    events::{Event, Message, Ticket, Waiter},
    metadata::SUBSCRIPTION,
    mutant::Mutant,
    node::monotonic,
    store::Fenced,
    world::{TICK_MS, World},
};
use crate::{
    groups::{
        GroupError,
        coordinator::{Effect, Proposed},
        request::{Request, Wish},
    },
    metadata::{Command, Consumption, MemberId, SubscriptionConfig, TopicConfig},
};

/// How long a coordinator waits to hear of what it proposed, and a node to be let in.
const PATIENCE_MS: u64 = 700;

impl World {
    pub(super) fn tick(&mut self, place: usize, boot: u64) {
        let node = &self.nodes[place];
        if !node.up || node.boot != boot {
            return;
        }
        if node.stands_until > self.now {
            return self.queue.put(node.stands_until, Event::Tick { place, boot });
        }
        self.queue.put(self.now + TICK_MS, Event::Tick { place, boot });
        self.say_alive(place);
        self.open_owned(place);
        self.give_up_waiting(place);
        self.nodes[place].take_up(self.now);
        let state = std::sync::Arc::clone(&self.nodes[place].state);
        let commands = self.nodes[place].controller.decide(monotonic(self.now), &state);
        for command in commands {
            if !(self.mutant == Some(Mutant::NoTakeover) && matches!(command, Command::ChangePartitions { .. })) {
                self.propose(place, vec![command], Waiter::Nobody);
            }
        }
        if self.nodes[place].leads.is_some() {
            self.lead(place);
        }
        if self.random.once_in(40) {
            self.take_snapshot(place);
        }
    }

    /// A node tells all that it is there, or asks to be let in.
    fn say_alive(&mut self, place: usize) {
        let node = &self.nodes[place];
        let applied = node.state.version();
        let agreed = node.state.node(node.id).map_or(0, |known| known.epoch);
        let Some(known) = node.epoch else { return self.ask_to_join(place) };
        // A request that was given up may be granted after the one that was answered; both are of this run.
        let epoch = if self.mutant == Some(Mutant::KeepsFirstEpoch) { known } else { known.max(agreed) };
        self.nodes[place].epoch = Some(epoch);
        let node = &self.nodes[place];
        if applied >= epoch {
            self.log.announced.insert((node.id, epoch));
        }
        let message = Message::Alive { node: node.id, epoch, applied };
        for other in 0..self.nodes.len() {
            self.send(place, other, message.clone());
        }
    }

    fn ask_to_join(&mut self, place: usize) {
        let Some(leader) = self.log.leader else { return };
        let node = &mut self.nodes[place];
        if node.asks_at > self.now {
            return;
        }
        node.asks_at = self.now + PATIENCE_MS;
        let command = Command::JoinNode {
            node: node.id,
            incarnation: node.incarnation(),
            address: String::new(),
            client_address: String::new(),
            rack: None,
            shards: 1,
            software: 1,
            shared_store: true,
        };
        let waiter = Waiter::Joining { place, boot: node.boot };
        self.send(place, leader, Message::Propose { commands: vec![command], waiter });
    }

    /// What a leader does besides deciding.
    fn lead(&mut self, place: usize) {
        let Some(term) = self.nodes[place].leads else { return };
        let end = if self.log.term == term { self.log.end() } else { self.nodes[place].state.version() };
        for other in (0..self.nodes.len()).filter(|other| *other != place) {
            self.send(place, other, Message::Leads { term, end });
        }
        if self.log.term == term {
            self.learn(place, end);
        }
        let state = std::sync::Arc::clone(&self.nodes[place].state);
        if state.nodes().len() == self.nodes.len() && state.topics().len() == 0 {
            self.propose(place, first_commands(), Waiter::Nobody);
        }
        let gone = state.nodes().filter(|node| node.fenced && self.place_of(node.id).is_none());
        for node in gone.map(|node| node.id).collect::<Vec<_>>() {
            self.propose(place, vec![Command::RemoveNode { node, force: true }], Waiter::Nobody);
        }
        let healing = self.healing;
        for node in state.nodes().filter(|node| node.draining && healing) {
            let command = Command::SetDraining { node: node.id, draining: false };
            self.propose(place, vec![command], Waiter::Nobody);
        }
        let Some(coordination) = &mut self.nodes[place].coordination else { return };
        let due = coordination.proposals.extract_if(.., |_, until| *until <= self.now).count();
        for _ in 0..due {
            let lost = GroupError::Unknown { reason: "the answer was lost".to_owned() };
            coordination.core.on_proposed(monotonic(self.now), SUBSCRIPTION, Proposed::Failed(lost));
        }
        coordination.core.on_deadline(monotonic(self.now));
        self.perform(place);
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
            Message::Proposed { waiter, epoch, end } => self.proposed(place, waiter, epoch, end),
            Message::Write { change, command, by, boot } => self.write(place, (change, command), by, boot),
            Message::Written { change, boot, written } if boot == node.boot => self.written(place, change, written),
            Message::Wish { wish, ticket } => self.wish(place, wish, ticket),
            Message::Open { partition, leader_epoch, boot } if boot == node.boot => {
                self.open(place, partition, leader_epoch);
            }
            Message::Open { .. } | Message::Written { .. } => {}
            Message::Store { partition, id } => self.store_message(place, partition, id),
            Message::Read { consumer, partition, member, generation } => {
                if let (Some(_), Some(stored)) =
                    (self.admit(place, partition, member, generation), self.store.get(&partition))
                {
                    let end = stored.messages.len();
                    self.over_the_line(Event::Delivered { consumer, member, partition, end });
                }
            }
            Message::Commit { partition, member, generation, end } => {
                let Some(epoch) = self.admit(place, partition, member, generation) else { return };
                let stored = self.store.entry(partition).or_default();
                let done = stored.commit(epoch, (member, generation), end, self.mutant);
                self.note_fenced(place, partition, done);
            }
        }
    }

    fn proposed(&mut self, place: usize, waiter: Waiter, epoch: u64, end: u64) {
        self.learn(place, end);
        let node = &mut self.nodes[place];
        match waiter {
            Waiter::Joining { boot, .. } if boot == node.boot => node.epoch = node.epoch.max(Some(epoch)),
            Waiter::Coordinator { boot, subscription, number, .. } if boot == node.boot => {
                if let Some(coordination) = &mut node.coordination
                    && coordination.proposals.remove(&number).is_some()
                {
                    coordination.core.on_proposed(monotonic(self.now), subscription, Proposed::Held);
                    self.perform(place);
                }
            }
            Waiter::Nobody | Waiter::Joining { .. } | Waiter::Coordinator { .. } | Waiter::Client { .. } => {}
        }
    }

    fn wish(&mut self, place: usize, wish: Wish, ticket: Ticket) {
        let node = &mut self.nodes[place];
        let acts = node.acts(self.now).is_some();
        if let Some(coordination) = node.coordination.as_mut().filter(|_| acts) {
            let request = Request { subscription: SUBSCRIPTION, what: wish };
            coordination.core.on_request(monotonic(self.now), request, ticket);
            self.perform(place);
        }
    }

    /// Does what the coordinator wants done.
    fn perform(&mut self, place: usize) {
        let boot = self.nodes[place].boot;
        while let Some(coordination) = &mut self.nodes[place].coordination {
            let Some(effect) = coordination.core.poll_effect() else { return };
            match effect {
                Effect::Answer { reply, answer } => {
                    if self.is_linked(place, reply.by) {
                        self.over_the_line(Event::Answer { ticket: reply, answer });
                    }
                }
                Effect::Propose { subscription, changes } => {
                    // A later coordinator of this node must not take the answer for its own.
                    self.last_proposal += 1;
                    let number = self.last_proposal;
                    coordination.proposals.insert(number, self.now + PATIENCE_MS);
                    let command = Command::ChangeGroup { subscription, changes, at: Timestamp::default() };
                    self.propose(place, vec![command], Waiter::Coordinator { place, boot, subscription, number });
                }
            }
        }
    }

    /// A node has a newer state.
    pub(super) fn observe(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        if let Some(coordination) = &mut node.coordination {
            coordination.core.on_state(monotonic(self.now), &node.state);
            self.perform(place);
        }
        let served: Vec<(PartitionIndex, u32)> =
            self.nodes[place].open.iter().map(|(partition, epoch)| (*partition, *epoch)).collect();
        for (partition, epoch) in served {
            if self.owner(place, partition) != Some((place, epoch)) {
                self.nodes[place].open.remove(&partition);
            }
        }
    }

    fn open_owned(&mut self, place: usize) {
        for partition in partitions() {
            let Some((owner, leader_epoch)) = self.owner(place, partition) else { continue };
            if owner == place && self.nodes[place].serves(partition).is_none() {
                let at = self.now + self.delay();
                let message = Message::Open { partition, leader_epoch, boot: self.nodes[place].boot };
                self.queue.put(at, Event::Arrive { place, message });
            }
        }
    }

    fn open(&mut self, place: usize, partition: PartitionIndex, leader_epoch: u32) {
        if self.owner(place, partition) == Some((place, leader_epoch))
            && self.store.entry(partition).or_default().open(place, leader_epoch).is_ok()
        {
            self.nodes[place].open.insert(partition, leader_epoch);
        }
    }

    fn store_message(&mut self, place: usize, partition: PartitionIndex, id: u64) {
        let Some(epoch) = self.nodes[place].serves(partition) else { return };
        let stored = self.store.entry(partition).or_default().append(epoch, id, self.mutant);
        if stored.is_ok() {
            self.counts.stored += 1;
            self.over_the_line(Event::Published { partition, id });
        }
        self.note_fenced(place, partition, stored);
    }

    /// The epoch in which a member is let in to a partition, if it is.
    fn admit(&mut self, place: usize, partition: PartitionIndex, member: MemberId, stated: u64) -> Option<u32> {
        let epoch = self.nodes[place].serves(partition)?;
        let group = self.nodes[place].state.group(SUBSCRIPTION)?;
        let skips = self.mutant == Some(Mutant::AcceptsStaleGeneration);
        let assigned = group.assignment(partition).filter(|(owner, _)| *owner == member);
        let is_in = assigned.is_some_and(|(_, since)| skips || (since <= stated && stated <= group.generation()));
        self.counts.not_let_in += u64::from(!is_in);
        is_in.then_some(epoch)
    }

    fn note_fenced(&mut self, place: usize, partition: PartitionIndex, done: Result<(), Fenced>) {
        if done == Err(Fenced) {
            self.counts.fenced_writes += 1;
            self.nodes[place].open.remove(&partition);
        }
    }
}

pub(super) fn partitions() -> impl Iterator<Item = PartitionIndex> {
    (0..PARTITIONS + 3).map(PartitionIndex::new)
}

fn first_commands() -> Vec<Command> {
    let (topic, created_at) = (TopicName::new("orders").unwrap(), Timestamp::default());
    let config = SubscriptionConfig {
        consumption: Consumption::Assigned,
        session_timeout_ms: super::clients::SESSION_MS,
        ..SubscriptionConfig::default()
    };
    let name = SubscriptionName::new("billing").unwrap();
    let partitions = PARTITIONS;
    vec![
        Command::CreateTopic {
            name: topic.clone(),
            config: TopicConfig { partitions, ..TopicConfig::default() },
            created_at,
        },
        Command::CreateSubscription { name, topic, config, created_at },
    ]
}
