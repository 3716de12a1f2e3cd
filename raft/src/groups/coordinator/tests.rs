//! What the coordinator decides, event by event.

use shard_core::model::{SubscriptionName, Timestamp, TopicName};

use super::*;
use crate::{
    groups::{MemberScope, MemberStatus, Membership, request::Answer},
    metadata::{Command, Consumption, NodeId, SubscriptionConfig, TopicConfig},
};

const SUBSCRIPTION: SubscriptionId = SubscriptionId::new(1);
const SESSION: Duration = Duration::from_secs(10);
const ALMOST_A_SESSION: Duration = Duration::from_millis(9_999);

/// A coordinator and metadata that take its proposals when they are told to.
struct World {
    coordinator: Coordinator<u32>,
    state: Arc<ClusterState>,
    now: Monotonic,
    next_reply: u32,
    answers: BTreeMap<u32, Answered>,
    proposed: VecDeque<(SubscriptionId, Vec<GroupChange>)>,
}

impl World {
    fn new(subscriptions: u64, partitions: u32) -> Self {
        let mut state = ClusterState::default();
        let created_at = Timestamp::default();
        let topic = TopicName::new("orders").unwrap();
        let mut apply = |command| state.apply(command).unwrap();
        apply(Command::RegisterNode { node: NodeId::new(1), address: "localhost:1".to_owned() });
        let config = TopicConfig { partitions, ..TopicConfig::default() };
        apply(Command::CreateTopic { name: topic.clone(), config, created_at });
        for number in 0..subscriptions {
            let name = SubscriptionName::new(&format!("s{number}")).unwrap();
            let config = SubscriptionConfig { consumption: Consumption::Assigned, ..SubscriptionConfig::default() };
            apply(Command::CreateSubscription { name, topic: topic.clone(), config, created_at });
        }
        let (state, now) = (Arc::new(state), Monotonic::from_micros(1));
        let coordinator = Coordinator::new(now, &state);
        Self { coordinator, state, now, next_reply: 0, answers: BTreeMap::new(), proposed: VecDeque::new() }
    }

    fn ask(&mut self, subscription: SubscriptionId, what: Wish) -> u32 {
        self.next_reply += 1;
        self.coordinator.on_request(self.now, Request { subscription, what }, self.next_reply);
        self.perform();
        self.next_reply
    }

    fn join(&mut self, consumer_id: &str) -> u32 {
        self.ask(SUBSCRIPTION, Wish::Join { consumer_id: consumer_id.into() })
    }

    fn leave(&mut self, consumer_id: &str) -> u32 {
        self.ask(SUBSCRIPTION, Wish::Leave { consumer_id: consumer_id.into() })
    }

    fn heartbeat(&mut self, consumer_id: &str, adopted: u64) -> Result<Membership, GroupError> {
        let reply = self.ask(SUBSCRIPTION, Wish::Heartbeat { consumer_id: consumer_id.into(), adopted });
        self.member(reply)
    }

    fn member(&self, reply: u32) -> Result<Membership, GroupError> {
        match self.answers[&reply].clone()? {
            Answer::Member(membership) => Ok(membership),
            other @ (Answer::Left | Answer::Described(_)) => panic!("{other:?}"),
        }
    }

    fn describe(&mut self) -> Vec<MemberStatus> {
        let reply = self.ask(SUBSCRIPTION, Wish::Describe);
        match self.answers[&reply].clone() {
            Ok(Answer::Described(members)) => members,
            other => panic!("{other:?}"),
        }
    }

    fn perform(&mut self) {
        while let Some(effect) = self.coordinator.poll_effect() {
            match effect {
                Effect::Propose { subscription, changes } => self.proposed.push_back((subscription, changes)),
                Effect::Answer { reply, answer } => drop(self.answers.insert(reply, answer)),
            }
        }
    }

    /// Lets time pass, deadline by deadline.
    fn pass(&mut self, time: Duration) {
        let end = self.now.plus(time);
        while let Some(due) = self.coordinator.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.coordinator.on_deadline(self.now);
            self.perform();
        }
        self.now = end;
    }

    /// The metadata takes the oldest proposal.
    fn take(&mut self) {
        let (subscription, changes) = self.proposed.pop_front().unwrap();
        let mut state = ClusterState::clone(&self.state);
        let proposed = match state.apply(Command::ChangeGroup { subscription, changes, at: Timestamp::default() }) {
            Ok(_) => Proposed::Held,
            Err(refusal) => Proposed::Failed(GroupError::Unknown { reason: refusal.to_string() }),
        };
        self.state = Arc::new(state);
        self.coordinator.on_state(self.now, &self.state);
        self.coordinator.on_proposed(self.now, subscription, proposed);
        self.perform();
    }

    fn fail(&mut self, error: GroupError) {
        let (subscription, _) = self.proposed.pop_front().unwrap();
        self.coordinator.on_proposed(self.now, subscription, Proposed::Failed(error));
        self.perform();
    }

    /// Lets time pass and takes what is proposed meanwhile; how many proposals that were.
    fn settle(&mut self, time: Duration) -> usize {
        let end = self.now.plus(time);
        let mut taken = 0;
        while self.now < end {
            self.pass(limits::GROUP_WINDOW.min(end.since(self.now)));
            while !self.proposed.is_empty() {
                self.take();
                taken += 1;
            }
        }
        taken
    }

    fn generation(&self) -> u64 {
        self.state.group(SUBSCRIPTION).unwrap().generation()
    }
}

#[test]
fn what_happens_together_is_one_proposal_and_answered_when_it_holds() {
    let mut world = World::new(1, 4);
    let joins: Vec<_> = (0..100).map(|number| world.join(&format!("c{number}"))).collect();
    let again = world.join("c7");
    world.pass(limits::GROUP_WINDOW);
    assert!(world.answers.is_empty(), "nothing holds yet");
    assert_eq!(world.proposed.len(), 1);
    world.take();
    for join in joins.iter().chain([&again]) {
        assert_eq!(world.member(*join).unwrap().generation, 1);
    }
    assert_eq!(world.member(again).unwrap(), world.member(joins[7]).unwrap());
}

#[test]
fn heartbeats_change_nothing_and_keep_a_session() {
    let mut world = World::new(1, 4);
    world.join("a");
    world.settle(limits::GROUP_WINDOW);
    for _ in 0..20 {
        world.settle(SESSION / 3);
        world.heartbeat("a", 1).unwrap();
    }
    assert_eq!((world.generation(), world.describe()[0].silent_for), (1, Duration::ZERO));
    world.settle(ALMOST_A_SESSION);
    assert!(world.proposed.is_empty() && world.generation() == 1);
    let silent_for = world.describe()[0].silent_for;
    assert_eq!(silent_for, ALMOST_A_SESSION);
    world.settle(limits::GROUP_WINDOW * 2);
    assert_eq!(world.generation(), 2);
    assert_eq!(world.heartbeat("a", 1), Err(GroupError::UnknownConsumer));
}

#[test]
fn who_does_not_let_go_is_expelled_although_it_lives() {
    let mut world = World::new(1, 2);
    world.join("a");
    world.settle(limits::GROUP_WINDOW);
    world.join("b");
    world.settle(limits::GROUP_WINDOW);
    let mut passed = Duration::ZERO;
    while world.heartbeat("a", 1).is_ok() {
        world.heartbeat("b", 2).unwrap();
        world.settle(Duration::from_secs(1));
        passed += Duration::from_secs(1);
        assert!(passed < SESSION * 2, "it is still there");
    }
    assert!(passed >= SESSION);
    world.settle(limits::GROUP_WINDOW);
    assert_eq!(world.heartbeat("b", 2).unwrap().partitions.len(), 2);
    let join = world.join("a");
    world.settle(limits::GROUP_WINDOW);
    assert!(world.member(join).is_ok(), "it may join again");
}

#[test]
fn who_lets_go_in_time_stays_however_slow_the_metadata_is() {
    let mut world = World::new(1, 2);
    world.join("a");
    world.settle(limits::GROUP_WINDOW);
    world.join("b");
    world.settle(limits::GROUP_WINDOW);
    for _ in 0..40 {
        world.heartbeat("a", 2).unwrap();
        world.heartbeat("b", 2).unwrap();
        world.pass(SESSION / 10);
    }
    assert_eq!(world.proposed, [(SUBSCRIPTION, vec![GroupChange::Adopt { member: member_id(1), generation: 2 }])]);
    world.take();
    assert_eq!(world.heartbeat("b", 3).unwrap().partitions.len(), 1);
}

fn member_id(id: u64) -> crate::metadata::MemberId {
    crate::metadata::MemberId::new(id)
}

#[test]
fn a_new_coordinator_gives_everyone_a_whole_session() {
    let mut world = World::new(1, 2);
    world.join("a");
    world.settle(limits::GROUP_WINDOW);
    world.settle(SESSION / 2);
    world.coordinator = Coordinator::new(world.now, &world.state);
    world.settle(ALMOST_A_SESSION);
    assert_eq!(world.generation(), 1);
    assert_eq!(world.join("a"), world.next_reply);
    assert_eq!(world.member(world.next_reply).unwrap().member, member_id(1), "it keeps its membership");
}

#[test]
fn time_in_which_nobody_could_be_heard_does_not_count() {
    let mut world = World::new(1, 2);
    world.join("a");
    world.settle(limits::GROUP_WINDOW);
    world.now = world.now.plus(SESSION * 100);
    world.coordinator.on_deadline(world.now);
    world.settle(SESSION / 2);
    assert!(world.heartbeat("a", 1).is_ok());
}

/// F56.
#[test]
fn two_hundred_members_that_flap_make_few_generations_and_starve_nobody() {
    let mut world = World::new(1, 50);
    for number in 0..50 {
        world.join(&format!("stable{number}"));
    }
    world.settle(limits::GROUP_WINDOW);
    let seconds = 20;
    let (mut proposals, mut answered, mut lost) = (0, 0, 0);
    for round in 0..seconds * 10 {
        // Each comes and goes once a second; a tenth of them at a time.
        for number in (0..200).filter(|number| number % 10 == round % 10) {
            if world.state.group(SUBSCRIPTION).unwrap().member(&format!("flap{number}")).is_some() {
                world.leave(&format!("flap{number}"));
            } else {
                world.join(&format!("flap{number}"));
            }
        }
        proposals += world.settle(Duration::from_millis(100));
        for number in 0..50 {
            let stable = world.heartbeat(&format!("stable{number}"), u64::MAX >> 1).unwrap();
            // It has one of 50 partitions, and every other member gets none while there are more members than that.
            lost += usize::from(stable.partitions.is_empty());
            answered += 1;
        }
    }
    let allowed = usize::try_from(limits::GROUP_CHANGES_AHEAD_MAX + 5 * u32::try_from(seconds).unwrap()).unwrap();
    assert!(proposals <= allowed && proposals > 50, "{proposals} proposals in {seconds} s");
    assert!(world.generation() <= u64::try_from(allowed).unwrap());
    assert_eq!((answered, lost), (50 * seconds * 10, 0), "a stable member had nothing");
    let waiting = (1..=world.next_reply).filter(|reply| !world.answers.contains_key(reply)).count();
    assert!(waiting < 60, "{waiting} wait for an answer");
}

#[test]
fn what_did_not_come_about_is_proposed_again_and_who_waited_is_told() {
    let mut world = World::new(1, 2);
    let join = world.join("a");
    world.pass(limits::GROUP_WINDOW);
    world.fail(GroupError::Overloaded);
    assert_eq!(world.member(join), Err(GroupError::Overloaded));
    world.pass(SESSION);
    assert!(world.proposed.is_empty(), "whoever wants to join asks again");

    world.join("a");
    world.settle(limits::GROUP_WINDOW);
    let leave = world.leave("a");
    world.pass(limits::GROUP_WINDOW);
    let reason = "a disk failed".to_owned();
    world.fail(GroupError::Unknown { reason: reason.clone() });
    assert_eq!(world.answers[&leave], Err(GroupError::Unknown { reason }));
    assert_eq!(world.heartbeat("a", 1), Err(GroupError::UnknownConsumer), "its time is over");
    world.settle(limits::GROUP_CHANGE_INTERVAL);
    assert_eq!(world.state.member_count(), 0);
}

#[test]
fn who_left_and_joins_again_is_a_new_member_in_one_proposal() {
    let mut world = World::new(1, 2);
    world.join("a");
    world.settle(limits::GROUP_WINDOW);
    let (leave, join) = (world.leave("a"), world.join("a"));
    world.pass(limits::GROUP_WINDOW);
    world.take();
    assert_eq!(world.answers[&leave], Ok(Answer::Left));
    assert_eq!(world.member(join).unwrap().member, member_id(2));
    assert!(world.proposed.is_empty());
}

#[test]
fn limits_are_answers() {
    let mut world = World::new(1, 2);
    let first = world.join("a");
    let mut last = first;
    for _ in 0..limits::REQUESTS_PER_CONSUMER_MAX {
        last = world.join("a");
    }
    assert_eq!(world.answers[&last], Err(GroupError::Overloaded), "too many wait for one consumer");
    for number in 1..limits::MEMBERS_PER_GROUP_MAX {
        world.join(&number.to_string());
    }
    let refused = world.join("one more");
    let scope = MemberScope::Subscription;
    let too_many = GroupError::TooManyMembers { scope, limit: limits::MEMBERS_PER_GROUP_MAX };
    assert_eq!(world.answers[&refused], Err(too_many.clone()));
    world.settle(Duration::from_secs(5));
    assert_eq!(world.state.member_count(), limits::MEMBERS_PER_GROUP_MAX);
    let refused = world.join("one more");
    assert_eq!(world.answers[&refused], Err(too_many));
    world.leave("a");
    let join = world.join("one more");
    world.settle(Duration::from_secs(1));
    assert!(world.member(join).is_ok(), "there is room again");
}

#[test]
fn groups_take_turns_when_many_change_at_once() {
    let count = u64::try_from(limits::GROUP_PROPOSALS_MAX).unwrap() * 3;
    let mut world = World::new(count, 1);
    for number in 1..=count {
        world.ask(SubscriptionId::new(number), Wish::Join { consumer_id: "a".into() });
    }
    world.pass(limits::GROUP_WINDOW);
    assert_eq!(world.proposed.len(), limits::GROUP_PROPOSALS_MAX);
    let mut proposed = BTreeSet::new();
    while let Some((subscription, _)) = world.proposed.front() {
        assert!(proposed.insert(*subscription), "{subscription:?} proposes twice");
        world.take();
    }
    assert_eq!(world.state.member_count(), usize::try_from(count).unwrap());
    assert_eq!(world.coordinator.proposals, 0);
}

#[test]
fn who_waits_for_a_group_that_goes_is_told_and_it_is_forgotten() {
    let mut world = World::new(1, 2);
    world.join("a");
    world.settle(limits::GROUP_WINDOW);
    let (join, leave) = (world.join("b"), world.leave("a"));
    let mut state = ClusterState::clone(&world.state);
    let name = SubscriptionName::new("s0").unwrap();
    state.apply(Command::DeleteSubscription { name, expected_revision: None }).unwrap();
    world.state = Arc::new(state);
    world.coordinator.on_state(world.now, &world.state);
    world.perform();
    for reply in [join, leave] {
        assert_eq!(world.answers[&reply], Err(GroupError::SubscriptionNotFound));
    }
    assert_eq!(world.coordinator.next_deadline(), None);
}

#[test]
fn a_group_without_members_is_forgotten_but_not_how_often_it_changed() {
    let mut world = World::new(1, 2);
    let start = world.now;
    let mut changes = 0;
    while world.now.since(start) < Duration::from_secs(10) {
        world.join("a");
        changes += world.settle(limits::GROUP_CHANGE_INTERVAL / 2);
        world.leave("a");
        changes += world.settle(limits::GROUP_CHANGE_INTERVAL / 2);
    }
    assert!(changes <= 55, "{changes} changes in ten seconds");
    world.settle(Duration::from_mins(1));
    assert!(world.coordinator.groups.is_empty() && world.coordinator.next_deadline().is_none());
}
