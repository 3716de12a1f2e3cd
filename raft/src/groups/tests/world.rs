//! The simulated cluster: metadata that agrees after a while, messages that get lost, and time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use shard_core::model::{PartitionIndex, SubscriptionId, SubscriptionName, Timestamp, TopicName};

use super::{
    consumer::Consumer,
    coordination::Coordination,
    events::{Event, Queue},
    owners::{OWNERS, Owners},
};
use crate::{
    chance::Random,
    groups::{
        GroupError,
        coordinator::{Effect, Proposed},
    },
    metadata::{
        Change, ClusterState, Command, Consumption, Group, GroupChange, MemberId, NodeId, PartitionAssignment,
        SubscriptionConfig, TopicConfig, TopicPatch,
    },
};

pub(super) const SUBSCRIPTION: SubscriptionId = SubscriptionId::new(1);
pub(super) const SESSION_MS: u64 = 1_000;
const CONSUMERS: usize = 7;
const PARTITIONS: u32 = 6;
const PARTITIONS_MAX: u32 = 9;
const FAULTS_MS: u64 = 15_000;
/// Within so long everything is as it should be: sessions end, who clings is expelled and joins again, and all move.
const HEAL_MS: u64 = 8 * SESSION_MS;

/// A part that does not do what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    /// An owner of partitions lets in who says that it has one.
    AcceptsAnyMember,
    /// An owner of partitions does not look at the stated generation.
    AcceptsStaleGeneration,
    /// The metadata assign what is revoked before it was let go.
    AssignsBeforeLetGo,
    /// The coordinator lets go for members that have not.
    LetsGoForOthers,
    /// Members that don't let go stay.
    NeverExpels,
    /// Members whose consumers are gone stay.
    KeepsWhoIsGone,
    /// Two assignments have one generation.
    ReusesGenerations,
    /// Time in which the coordinator stood still counts.
    CountsPauses,
    /// A new coordinator takes up the sessions where they might have been.
    NoFreshSessions,
}

/// What a run has met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) generations: u64,
    pub(super) revoked: u64,
    pub(super) expelled: u64,
    pub(super) expired: u64,
    pub(super) accepted: u64,
    pub(super) refused: u64,
    pub(super) crashes: u64,
    pub(super) pauses: u64,
    /// Consumers that came back under their membership.
    pub(super) resumed: u64,
    /// Proposals of which nobody heard what became of them.
    pub(super) lost: u64,
    /// Of all events in their order.
    trace: u64,
}

#[derive(Debug)]
pub(super) struct World {
    random: Random,
    mutant: Option<Mutant>,
    now: u64,
    queue: Queue,
    state: Arc<ClusterState>,
    coordination: Coordination,
    owners: Owners,
    consumers: Vec<Consumer>,
    /// Each generation's assignment, and each member's consumer.
    generations: BTreeMap<u64, Vec<Option<(MemberId, u64)>>>,
    members: BTreeMap<MemberId, Arc<str>>,
    healing: bool,
    pub(super) counts: Counts,
}

impl Mutant {
    pub(super) const ALL: [Self; 9] = [
        Self::AcceptsAnyMember,
        Self::AcceptsStaleGeneration,
        Self::AssignsBeforeLetGo,
        Self::LetsGoForOthers,
        Self::NeverExpels,
        Self::KeepsWhoIsGone,
        Self::ReusesGenerations,
        Self::CountsPauses,
        Self::NoFreshSessions,
    ];
}

impl Counts {
    pub(super) fn add(&mut self, other: &Self) {
        self.generations += other.generations;
        self.revoked += other.revoked;
        self.expelled += other.expelled;
        self.expired += other.expired;
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.crashes += other.crashes;
        self.pauses += other.pauses;
        self.resumed += other.resumed;
        self.lost += other.lost;
    }
}

impl World {
    pub(super) fn new(seed: u64, mutant: Option<Mutant>) -> Self {
        let state = Arc::new(first_state());
        let mut world = Self {
            random: Random::new(seed),
            mutant,
            now: 1,
            queue: Queue::default(),
            coordination: Coordination::new(0, 1, &state),
            owners: Owners::new(&state),
            state,
            consumers: (0..CONSUMERS).map(Consumer::new).collect(),
            generations: BTreeMap::new(),
            members: BTreeMap::new(),
            healing: false,
            counts: Counts::default(),
        };
        for consumer in 0..CONSUMERS {
            let at = world.random.below(2_000);
            world.queue.put(at, Event::Tick { consumer });
        }
        world.queue.put(500, Event::Fault);
        world
    }

    pub(super) fn run_with_faults(&mut self) {
        self.run_until(FAULTS_MS);
    }

    /// The faults end; but one consumer goes on clinging to what it loses.
    pub(super) fn heal(&mut self) {
        self.healing = true;
        let mut may_cling = true;
        for consumer in &mut self.consumers {
            consumer.asleep_until = 0;
            consumer.clings &= may_cling;
            may_cling &= !consumer.clings;
        }
        self.coordination.resume(self.now, self.mutant);
        self.perform();
        self.run_until(FAULTS_MS + HEAL_MS);
        self.check_healed();
    }

    fn run_until(&mut self, end: u64) {
        loop {
            let event = self.queue.next_at().unwrap_or(u64::MAX);
            let deadline = self.coordination.deadline().unwrap_or(u64::MAX);
            let next = event.min(deadline);
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            if deadline < event {
                self.coordination.on_deadline(self.now);
            } else if let Some(event) = self.queue.pop() {
                self.arrive(event);
            }
            self.perform();
            self.check_users();
        }
    }

    fn arrive(&mut self, event: Event) {
        match event {
            Event::Tick { consumer } => self.tick(consumer),
            Event::Fault => self.fault(),
            Event::Answer { ticket, answer } => {
                let consumer = &mut self.consumers[ticket.consumer];
                if consumer.asleep_until <= self.now {
                    consumer.hear(ticket.number, answer, &mut self.counts);
                }
            }
            Event::Command { coordinator, changes } => self.commit(coordinator, changes),
            Event::OwnerState { owner, state } => self.owners.learn(owner, state),
            Event::Use { partition, member, generation } => {
                self.owners.serve((partition, member, generation), self.mutant, &mut self.counts);
            }
            Event::Resume { coordinator } if coordinator == self.coordination.number => {
                self.coordination.resume(self.now, self.mutant);
            }
            Event::Resume { .. } => {}
            other @ (Event::Request { .. } | Event::Proposed { .. } | Event::State { .. }) => {
                self.coordination.arrive(self.now, other);
            }
        }
    }

    fn perform(&mut self) {
        while let Some(effect) = self.coordination.poll(self.now, &mut self.counts) {
            match effect {
                Effect::Answer { reply, answer } => self.send_over_a_bad_line(Event::Answer { ticket: reply, answer }),
                Effect::Propose { changes, .. } => {
                    let at = self.now + self.delay();
                    self.queue.put(at, Event::Command { coordinator: self.coordination.number, changes });
                }
            }
        }
    }

    fn tick(&mut self, index: usize) {
        let pause = 60 + self.random.below(60);
        self.queue.put(self.now + pause, Event::Tick { consumer: index });
        let consumer = &mut self.consumers[index];
        if consumer.asleep_until > self.now {
            return;
        }
        if let Some((wish, ticket)) = consumer.act(self.now) {
            let event = Event::Request { wish, ticket };
            if !self.healing && self.random.once_in(20) {
                self.send_over_a_bad_line(event.clone());
            }
            self.send_over_a_bad_line(event);
        }
        let Some(held) = self.consumers[index].held().cloned() else { return };
        for partition in held.uses {
            if self.random.once_in(3) {
                let late = if self.random.once_in(10) { self.random.below(4_000) } else { 0 };
                let (member, generation) = (held.member, held.generation);
                let at = self.now + self.delay() + late;
                self.queue.put(at, Event::Use { partition, member, generation });
            }
        }
    }

    fn fault(&mut self) {
        if self.healing {
            return;
        }
        let pause = 50 + self.random.below(400);
        self.queue.put(self.now + pause, Event::Fault);
        let index = self.random.index(CONSUMERS);
        match self.random.below(20) {
            0 | 1 => self.replace_coordinator(),
            2 | 3 => {
                self.counts.pauses += 1;
                self.coordination.pause(self.now);
                let at = self.now + 100 + self.random.below(3_000);
                self.queue.put(at, Event::Resume { coordinator: self.coordination.number });
            }
            4..=7 => self.consumers[index].asleep_until = self.now + self.random.below(4_000),
            8..=11 => self.consumers[index].wants_in ^= true,
            12 | 13 => self.consumers[index].clings ^= true,
            14..=17 => self.consumers[index].restart(),
            18 => self.add_partition(),
            _ => {
                for consumer in &mut self.consumers {
                    consumer.wants_in = self.random.once_in(2);
                }
            }
        }
    }

    fn replace_coordinator(&mut self) {
        self.counts.crashes += 1;
        let number = self.coordination.number + 1;
        self.coordination = Coordination::new(number, self.now, &self.state);
        if self.mutant == Some(Mutant::NoFreshSessions) {
            // As if it had been there all the time, and nobody had been heard.
            let began = self.now;
            (began..began + SESSION_MS).for_each(|at| self.coordination.on_deadline(at));
        }
    }

    fn add_partition(&mut self) {
        let topic = self.state.topic("orders").unwrap();
        let partitions = PARTITIONS_MAX.min(topic.config.partitions + 1);
        let patch = TopicPatch { partitions: Change::Set(partitions), ..TopicPatch::default() };
        self.apply(Command::UpdateTopic { name: topic.name.clone(), expected_revision: None, patch });
    }

    /// A proposal has reached the metadata: mostly it holds, and mostly who proposed hears of it.
    fn commit(&mut self, coordinator: u64, changes: Vec<GroupChange>) {
        let unknown = || Proposed::Failed(GroupError::Unknown { reason: "the answer was lost".to_owned() });
        let applied = self.healing || !self.random.once_in(12);
        if applied {
            let changes = self.tampered_changes(changes);
            self.apply(Command::ChangeGroup { subscription: SUBSCRIPTION, changes, at: Timestamp::default() });
        }
        let heard = applied && (self.healing || !self.random.once_in(12));
        self.counts.lost += u64::from(!heard);
        let (proposed, after) = if heard { (Proposed::Held, self.delay()) } else { (unknown(), 300 + self.delay()) };
        let state = Arc::clone(&self.state);
        self.queue.put(self.now + after, Event::Proposed { coordinator, proposed, state });
    }

    fn tampered_changes(&self, mut changes: Vec<GroupChange>) -> Vec<GroupChange> {
        let group = self.state.group(SUBSCRIPTION).unwrap();
        let clings: BTreeSet<MemberId> = group.revoked().map(|(member, _)| member).collect();
        match self.mutant {
            Some(Mutant::LetsGoForOthers) => {
                let generation = group.generation();
                changes.extend(clings.into_iter().map(|member| GroupChange::Adopt { member, generation }));
            }
            Some(Mutant::NeverExpels) => {
                changes.retain(|change| !matches!(change, GroupChange::Leave { member } if clings.contains(member)));
            }
            Some(Mutant::KeepsWhoIsGone) => {
                let silent = |member: &MemberId| {
                    self.consumers.iter().all(|consumer| consumer.held().is_none_or(|held| held.member != *member))
                };
                changes.retain(|change| !matches!(change, GroupChange::Leave { member } if silent(member)));
            }
            Some(_) | None => {}
        }
        changes
    }

    fn apply(&mut self, command: Command) {
        let mut state = ClusterState::clone(&self.state);
        state.apply(command).unwrap();
        state.advance_to(self.state.version() + 1);
        let before = Arc::clone(self.state.group(SUBSCRIPTION).unwrap());
        self.tamper(&mut state, &before);
        let after = Arc::clone(state.group(SUBSCRIPTION).unwrap());
        self.state = Arc::new(state);
        self.check_generation(&before, &after);
        for owner in 0..OWNERS {
            let at = self.now + self.delay();
            self.queue.put(at, Event::OwnerState { owner, state: Arc::clone(&self.state) });
        }
        let at = self.now + self.delay();
        let coordinator = self.coordination.number;
        self.queue.put(at, Event::State { coordinator, state: Arc::clone(&self.state) });
    }

    fn tamper(&self, state: &mut ClusterState, before: &Group) {
        let group = state.group(SUBSCRIPTION).unwrap();
        match self.mutant {
            Some(Mutant::AssignsBeforeLetGo) => {
                let since = group.generation();
                let assigned = |assignment: &PartitionAssignment| match *assignment {
                    PartitionAssignment::Revoked { wanted, .. } => PartitionAssignment::Owned { owner: wanted, since },
                    other @ (PartitionAssignment::Free | PartitionAssignment::Owned { .. }) => other,
                };
                let partitions = group.partitions().iter().map(assigned).collect();
                state.tamper_with_group(SUBSCRIPTION, since, partitions);
            }
            Some(Mutant::ReusesGenerations) if group.generation() % 4 == 3 => {
                let partitions = group.partitions().to_vec();
                state.tamper_with_group(SUBSCRIPTION, before.generation(), partitions);
            }
            Some(_) | None => {}
        }
    }

    /// A generation is one assignment, and a member id one consumer's.
    fn check_generation(&mut self, before: &Group, after: &Group) {
        let mut owned: Vec<_> = after.partitions().iter().map(PartitionAssignment::owned).collect();
        // A topic that grows while there is nobody changes nothing.
        owned.truncate(owned.iter().rposition(Option::is_some).map_or(0, |last| last + 1));
        let known = self.generations.entry(after.generation()).or_insert_with(|| owned.clone());
        assert_eq!(*known, owned, "generation {} has two assignments", after.generation());
        assert!(after.generation() >= before.generation(), "generations go back");
        self.counts.generations += after.generation() - before.generation();
        let revoked = |group: &Group| group.revoked().count();
        self.counts.revoked += u64::try_from(revoked(after).saturating_sub(revoked(before))).unwrap();
        for member in after.members() {
            let consumer = self.members.entry(member.id).or_insert_with(|| Arc::clone(&member.consumer_id));
            assert_eq!(*consumer, member.consumer_id, "{} is used twice", member.id);
        }
        self.trace(after.generation());
    }

    /// No two members use a partition, by what they were told. Who is no member any more may think what it likes.
    fn check_users(&self) {
        let group = self.state.group(SUBSCRIPTION).unwrap();
        let mut users: BTreeMap<PartitionIndex, MemberId> = BTreeMap::new();
        let held = self.consumers.iter().filter_map(Consumer::held);
        for held in held.filter(|held| group.member_by_id(held.member).is_some()) {
            for partition in &held.uses {
                if let Some(other) = users.insert(*partition, held.member) {
                    assert_eq!(other, held.member, "{partition:?} is used by {other} and {}", held.member);
                }
            }
        }
    }

    /// Everybody who wants is a member and no one else, every partition has an owner, evenly, and all know it.
    fn check_healed(&self) {
        let group = self.state.group(SUBSCRIPTION).unwrap();
        let wanting: Vec<_> = self.consumers.iter().filter(|consumer| consumer.wants_in).collect();
        assert_eq!(group.members().len(), wanting.len(), "{group:?}");
        let mut counts = Vec::new();
        for consumer in wanting {
            let held = consumer.held().unwrap();
            let owned: BTreeSet<_> = group.partitions_of(held.member).collect();
            assert_eq!(held.uses, owned, "{} does not know what it has", held.member);
            counts.push(owned.len());
        }
        if let (Some(most), Some(least)) = (counts.iter().max(), counts.iter().min()) {
            assert_eq!(counts.iter().sum::<usize>(), group.partitions().len(), "without an owner: {group:?}");
            assert!(most - least <= 1, "{counts:?}");
        }
    }

    fn send_over_a_bad_line(&mut self, event: Event) {
        if self.healing || !self.random.once_in(20) {
            let at = self.now + self.delay();
            self.queue.put(at, event);
        }
    }

    fn delay(&mut self) -> u64 {
        let long = !self.healing && self.random.once_in(12);
        let delay = 1 + self.random.below(if long { 600 } else { 20 });
        self.trace(delay);
        delay
    }

    fn trace(&mut self, number: u64) {
        self.counts.trace = (self.counts.trace ^ number ^ self.now).wrapping_mul(0x0100_0000_01b3);
    }
}

fn first_state() -> ClusterState {
    let mut state = ClusterState::default();
    let (topic, created_at) = (TopicName::new("orders").unwrap(), Timestamp::default());
    let consumption = Consumption::Assigned;
    for command in [
        Command::RegisterNode { node: NodeId::new(1), address: "localhost:1".to_owned() },
        Command::CreateTopic {
            name: topic.clone(),
            config: TopicConfig { partitions: PARTITIONS, ..TopicConfig::default() },
            created_at,
        },
        Command::CreateSubscription {
            name: SubscriptionName::new("billing").unwrap(),
            topic,
            config: SubscriptionConfig { consumption, session_timeout_ms: SESSION_MS, ..SubscriptionConfig::default() },
            created_at,
        },
    ] {
        state.apply(command).unwrap();
    }
    state
}
