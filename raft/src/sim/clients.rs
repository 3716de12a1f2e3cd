//! Publishers and consumers, which ask any node.

use std::{collections::BTreeMap, sync::Arc};

use shard_core::model::PartitionIndex;

use super::{
    events::{Event, Message, Ticket},
    metadata::SUBSCRIPTION,
    serve::partitions,
    world::World,
};
use crate::{
    groups::{
        GroupError, Membership,
        request::{Answer, Answered, Wish},
    },
    metadata::MemberId,
};

pub(super) const PUBLISHERS: usize = 2;
pub(super) const CONSUMERS: usize = 4;
pub(super) const PARTITIONS: u32 = 6;
pub(super) const SESSION_MS: u64 = 1_000;
const PATIENCE_MS: u64 = 400;
const HEARTBEAT_MS: u64 = 300;

/// A consumer as a client writes it.
#[derive(Debug)]
pub(super) struct Consumer {
    place: usize,
    /// Counts its runs: each has a name of its own.
    run: u64,
    pub(super) wants_in: bool,
    pub(super) held: Option<Held>,
    /// The question that it waits for, and since when.
    asked: Option<(u64, u64)>,
    last_number: u64,
    heartbeat_at: u64,
}

/// What it was told last, and how far it has messages.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) member: MemberId,
    pub(super) generation: u64,
    pub(super) uses: BTreeMap<PartitionIndex, usize>,
}

impl Consumer {
    pub(super) const fn new(place: usize) -> Self {
        Self { place, run: 0, wants_in: true, held: None, asked: None, last_number: 0, heartbeat_at: 0 }
    }

    pub(super) fn restart(&mut self) {
        let run = self.run + 1;
        *self = Self { run, wants_in: self.wants_in, last_number: self.last_number, ..Self::new(self.place) };
    }

    fn act(&mut self, now: u64) -> Option<(Wish, u64)> {
        self.asked.take_if(|(_, since)| *since + PATIENCE_MS < now);
        let consumer_id: Arc<str> = format!("c{}-{}", self.place, self.run).into();
        let wish = match &self.held {
            Some(_) if !self.wants_in => {
                self.held = None;
                Wish::Leave { consumer_id }
            }
            Some(held) if self.asked.is_none() && self.heartbeat_at <= now => {
                self.heartbeat_at = now + HEARTBEAT_MS;
                Wish::Heartbeat { consumer_id, adopted: held.generation }
            }
            None if self.wants_in && self.asked.is_none() => Wish::Join { consumer_id },
            Some(_) | None => return None,
        };
        self.last_number += 1;
        self.asked = if self.held.is_some() || self.wants_in { Some((self.last_number, now)) } else { None };
        Some((wish, self.last_number))
    }

    /// An answer; one to a question that it has given up on is of no interest.
    pub(super) fn hear(&mut self, number: u64, answer: Answered) {
        if self.asked.take_if(|(asked, _)| *asked == number).is_none() {
            return;
        }
        match answer {
            Ok(Answer::Member(membership)) => self.take(membership),
            Ok(other @ (Answer::Left | Answer::Described(_))) => panic!("it did not ask for that: {other:?}"),
            Err(GroupError::UnknownConsumer) => self.held = None,
            // A leader that does not know of the subscription yet, or could not write.
            Err(GroupError::Unknown { .. } | GroupError::Overloaded | GroupError::SubscriptionNotFound) => {}
            Err(error) => panic!("that can't be: {error}"),
        }
    }

    fn take(&mut self, Membership { member, generation, partitions, .. }: Membership) {
        let former = self.held.take();
        if let Some(held) = former.filter(|held| held.member == member) {
            let is_newer = generation >= held.generation;
            let given = |partition: &PartitionIndex| held.uses.get(partition).copied().unwrap_or_default();
            let uses = partitions.iter().map(|partition| (*partition, given(partition))).collect();
            self.held = Some(if is_newer { Held { member, generation, uses } } else { held });
        } else {
            let uses = partitions.into_iter().map(|partition| (partition, 0)).collect();
            self.held = Some(Held { member, generation, uses });
        }
    }
}

impl World {
    /// A node that answers clients, as a client finds one.
    pub(super) fn gateway(&mut self) -> Option<usize> {
        let place = self.random.index(self.nodes.len());
        let node = &self.nodes[place];
        (node.up && node.stands_until <= self.now).then_some(place)
    }

    pub(super) fn publish(&mut self, publisher: usize) {
        self.queue.put(self.now + 40 + self.random.below(40), Event::Publish { publisher });
        let partition = PartitionIndex::new(u32::try_from(self.random.below(u64::from(PARTITIONS))).unwrap());
        let Some(gateway) = self.gateway() else { return };
        let Some((owner, _)) = self.owner(gateway, partition) else { return };
        if !self.is_ending() {
            self.last_message += 1;
            self.send(gateway, owner, Message::Store { partition, id: self.last_message });
        }
    }

    pub(super) fn consume(&mut self, index: usize) {
        self.queue.put(self.now + 60 + self.random.below(60), Event::Consume { consumer: index });
        let Some(gateway) = self.gateway() else { return };
        // A node that led goes on for itself until it hears of another.
        let leader = if self.nodes[gateway].leads.is_some() { Some(gateway) } else { self.log.leader };
        if let Some(leader) = leader
            && let Some((wish, number)) = self.consumers[index].act(self.now)
        {
            let ticket = Ticket { consumer: index, number, by: gateway };
            self.send(gateway, leader, Message::Wish { wish, ticket });
        }
        self.use_partitions(index, gateway);
    }

    fn use_partitions(&mut self, consumer: usize, gateway: usize) {
        let Some(held) = &self.consumers[consumer].held else { return };
        let (member, generation) = (held.member, held.generation);
        let uses: Vec<_> = held.uses.iter().map(|(partition, given)| (*partition, *given)).collect();
        for (partition, end) in uses {
            let Some((owner, _)) = self.owner(gateway, partition) else { continue };
            let message = Message::Read { consumer, partition, member, generation };
            self.send(gateway, owner, message);
            let message = Message::Commit { partition, member, generation, end };
            if !self.healing && self.random.once_in(20) {
                let at = self.now + self.random.below(5_000);
                self.queue.put(at, Event::Arrive { place: owner, message });
            } else {
                self.send(gateway, owner, message);
            }
        }
    }

    pub(super) fn delivered(&mut self, consumer: usize, member: MemberId, partition: PartitionIndex, end: usize) {
        let held = self.consumers[consumer].held.as_mut().filter(|held| held.member == member);
        if let Some(given) = held.and_then(|held| held.uses.get_mut(&partition)) {
            *given = end.max(*given);
            let stored = self.store.entry(partition).or_default();
            stored.delivered = stored.delivered.max(end);
        }
    }

    /// No two members use a partition, by what they were told. Who is no member any more may think what it likes.
    pub(super) fn check_users(&self) {
        let Some(group) = self.agreed().group(SUBSCRIPTION) else { return };
        let mut users: BTreeMap<PartitionIndex, MemberId> = BTreeMap::new();
        let held = self.consumers.iter().filter_map(|consumer| consumer.held.as_ref());
        for held in held.filter(|held| group.member_by_id(held.member).is_some()) {
            for partition in held.uses.keys() {
                if let Some(other) = users.insert(*partition, held.member) {
                    assert_eq!(other, held.member, "E9: {partition:?} is used by {other} and {}", held.member);
                }
            }
        }
    }

    /// How much was consumed.
    pub(super) fn consumed(&self) -> u64 {
        let cursors = partitions().filter_map(|partition| self.store.get(&partition)).map(|stored| stored.cursor);
        u64::try_from(cursors.sum::<usize>()).unwrap()
    }
}
