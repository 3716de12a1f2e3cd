//! What commands do to the state, one by one and in any order.

use std::{collections::BTreeSet, sync::Arc};

use proptest::prelude::*;
use shard_core::model::{SubscriptionId, SubscriptionName, Timestamp, TopicName};

use super::*;
use crate::metadata::{
    Change, InvalidTopicConfig, MemberId, NodeId, PartitionAssignment, PushConfig, PushPatch, PushPause,
    SubscriptionConfig, SubscriptionKind, SubscriptionPatch, TopicConfig, TopicPatch, arbitrary, invariants::Watch,
};

const TIME: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn state() -> ClusterState {
    let mut state = ClusterState::default();
    state.apply(Command::RegisterNode { node: NodeId::new(1), address: "localhost:1".to_owned() }).unwrap();
    state
}

fn topic_name(name: &str) -> TopicName {
    TopicName::new(name).unwrap()
}

fn subscription_name(name: &str) -> SubscriptionName {
    SubscriptionName::new(name).unwrap()
}

fn create_topic(name: &str, partitions: u32) -> Command {
    let config = TopicConfig { partitions, ..TopicConfig::default() };
    Command::CreateTopic { name: topic_name(name), config, created_at: TIME }
}

fn create_subscription(name: &str, topic: &str) -> Command {
    Command::CreateSubscription {
        name: subscription_name(name),
        topic: topic_name(topic),
        config: SubscriptionConfig::default(),
        created_at: TIME,
    }
}

fn set_partitions(name: &str, partitions: u32, expected_revision: Option<u64>) -> Command {
    let patch = TopicPatch { partitions: Change::Set(partitions), ..TopicPatch::default() };
    Command::UpdateTopic { name: topic_name(name), expected_revision, patch }
}

fn delete_topic(name: &str) -> Command {
    Command::DeleteTopic { name: topic_name(name), expected_revision: None }
}

#[test]
fn a_topic_created_again_alike_is_unchanged_and_otherwise_refused() {
    let mut state = state();
    let Ok(Outcome::TopicCreated(topic)) = state.apply(create_topic("orders", 4)) else { panic!("not created") };
    assert_eq!(topic.partitions.len(), 4);
    let later = Command::CreateTopic {
        name: topic_name("orders"),
        config: TopicConfig::default(),
        created_at: TIME.plus_millis(1),
    };
    assert_eq!(state.apply(later), Ok(Outcome::TopicUnchanged(topic)));
    assert_eq!(state.apply(create_topic("orders", 5)), Err(Refusal::TopicExists));
    assert_eq!(state.topics().len(), 1);
}

#[test]
fn a_topic_recreated_under_its_name_has_a_new_id_and_revision() {
    let mut state = state();
    state.apply(create_topic("orders", 4)).unwrap();
    let old = Arc::clone(state.topic("orders").unwrap());
    state.apply(delete_topic("orders")).unwrap();
    assert!(state.topic("orders").is_none() && state.topic_by_id(old.id).is_none());
    state.apply(create_topic("orders", 4)).unwrap();
    let new = state.topic("orders").unwrap();
    assert!(new.id > old.id && new.revision > old.revision);
}

#[test]
fn deleting_a_topic_deletes_its_subscriptions_and_no_others() {
    let mut state = state();
    for command in [
        create_topic("orders", 1),
        create_topic("bills", 1),
        create_subscription("a", "orders"),
        create_subscription("b", "bills"),
        create_subscription("c", "orders"),
        delete_topic("orders"),
    ] {
        state.apply(command).unwrap();
    }
    let left: Vec<_> = state.subscriptions().map(|subscription| subscription.name.as_str()).collect();
    assert_eq!(left, ["b"]);
    assert_eq!(state.partition_count(), 1);
}

#[test]
fn partitions_only_grow_and_the_old_ones_stay_as_they_are() {
    let mut state = state();
    state.apply(create_topic("orders", 4)).unwrap();
    let old = Arc::clone(state.topic("orders").unwrap());
    let Ok(Outcome::TopicUpdated(new)) = state.apply(set_partitions("orders", 6, Some(old.revision))) else {
        panic!("not updated")
    };
    assert_eq!(new.partitions.len(), 6);
    assert_eq!(new.partitions[..4], old.partitions[..]);
    assert_eq!((new.id, new.created_at), (old.id, old.created_at));
    assert_eq!(state.partition_count(), 6);
    assert_eq!(state.apply(set_partitions("orders", 5, None)), Err(Refusal::PartitionsOnlyGrow { partitions: 6 }));
}

#[test]
fn a_change_of_an_older_revision_is_refused() {
    let mut state = state();
    state.apply(create_topic("orders", 1)).unwrap();
    let old = state.topic("orders").unwrap().revision;
    state.apply(set_partitions("orders", 2, Some(old))).unwrap();
    let revision = state.topic("orders").unwrap().revision;
    let refusal = Refusal::RevisionMismatch { revision, expected_revision: old };
    assert_eq!(state.apply(set_partitions("orders", 3, Some(old))), Err(refusal.clone()));
    let delete = Command::DeleteTopic { name: topic_name("orders"), expected_revision: Some(old) };
    assert_eq!(state.apply(delete), Err(refusal));
}

#[test]
fn a_change_that_changes_nothing_keeps_the_revision() {
    let mut state = state();
    state.apply(create_topic("orders", 4)).unwrap();
    let topic = Arc::clone(state.topic("orders").unwrap());
    assert_eq!(state.apply(set_partitions("orders", 4, None)), Ok(Outcome::TopicUnchanged(topic)));
}

#[test]
fn a_subscription_needs_its_topic() {
    let mut state = state();
    assert_eq!(state.apply(create_subscription("a", "orders")), Err(Refusal::TopicNotFound));
    state.apply(create_topic("orders", 1)).unwrap();
    state.apply(create_topic("bills", 1)).unwrap();
    let Ok(Outcome::SubscriptionCreated(created)) = state.apply(create_subscription("a", "orders")) else {
        panic!("not created")
    };
    assert_eq!(state.apply(create_subscription("a", "orders")), Ok(Outcome::SubscriptionUnchanged(created)));
    assert_eq!(state.apply(create_subscription("a", "bills")), Err(Refusal::SubscriptionExists));
}

#[test]
fn a_subscription_can_be_changed_and_deleted() {
    let mut state = state();
    state.apply(create_topic("orders", 1)).unwrap();
    state.apply(create_subscription("a", "orders")).unwrap();
    let patch = SubscriptionPatch { ack_deadline_ms: Change::Set(500), ..SubscriptionPatch::default() };
    let name = subscription_name("a");
    let update = Command::UpdateSubscription { name: name.clone(), expected_revision: None, patch };
    let Ok(Outcome::SubscriptionUpdated(updated)) = state.apply(update) else { panic!("not updated") };
    assert_eq!(updated.config.ack_deadline_ms, 500);
    assert_eq!(state.subscription_by_id(updated.id), Some(&updated));
    let delete = Command::DeleteSubscription { name, expected_revision: None };
    assert_eq!(state.apply(delete.clone()), Ok(Outcome::SubscriptionDeleted(updated)));
    assert_eq!(state.apply(delete), Err(Refusal::SubscriptionNotFound));
}

#[test]
fn replicas_need_nodes() {
    let mut state = state();
    let config = TopicConfig { replication_factor: 2, ..TopicConfig::default() };
    let create = Command::CreateTopic { name: topic_name("orders"), config, created_at: TIME };
    assert_eq!(state.apply(create.clone()), Err(Refusal::NotEnoughNodes { replication_factor: 2, nodes: 1 }));
    state.apply(Command::RegisterNode { node: NodeId::new(2), address: "localhost:2".to_owned() }).unwrap();
    state.apply(create).unwrap();
    assert_eq!(state.topic("orders").unwrap().partitions[0].isr.len(), 2);
}

#[test]
fn a_cluster_is_bootstrapped_once() {
    let mut state = ClusterState::default();
    let bootstrap = |id: &str| Command::Bootstrap { cluster_id: id.to_owned(), ack_key: AckKey::new([1; 16]) };
    assert_eq!(state.apply(bootstrap("first")), Ok(Outcome::Bootstrapped));
    let refusal = Refusal::AlreadyBootstrapped { cluster_id: "first".to_owned() };
    assert_eq!(state.apply(bootstrap("second")), Err(refusal));
    assert_eq!(state.cluster_id(), "first");
}

#[test]
fn the_limits_of_the_cluster_hold() {
    let mut state = state();
    let full = limits::PARTITIONS_MAX / usize::try_from(limits::PARTITIONS_PER_TOPIC_MAX).unwrap();
    for number in 0..full {
        state.apply(create_topic(&format!("t{number}"), limits::PARTITIONS_PER_TOPIC_MAX)).unwrap();
    }
    let refusal = Refusal::LimitReached { what: "partitions".to_owned(), limit: limits::PARTITIONS_MAX };
    assert_eq!(state.apply(create_topic("x", limits::PARTITIONS_PER_TOPIC_MAX)), Err(refusal.clone()));
    let left = u32::try_from(limits::PARTITIONS_MAX - state.partition_count()).unwrap();
    state.apply(create_topic("y", left)).unwrap();
    assert_eq!(state.apply(set_partitions("y", left + 1, None)), Err(refusal));
    let partitions_max = limits::PARTITIONS_PER_TOPIC_MAX;
    let refused = state.apply(create_topic("z", partitions_max + 1));
    let invalid = InvalidTopicConfig::Partitions { partitions: partitions_max + 1, partitions_max };
    assert_eq!(refused, Err(invalid.into()));
}

proptest! {
    #[test]
    fn any_commands_leave_a_state_that_is_consistent(commands in arbitrary::commands()) {
        let mut state = ClusterState::default();
        let mut watch = Watch::default();
        for (version, command) in (1..).zip(commands) {
            state.advance_to(version);
            let before = state.clone();
            if state.apply(arbitrary::aimed(&before, command)).is_err() {
                prop_assert_eq!(&state, &before, "a refused command changed the state");
            }
            watch.see(&state);
            let partitions: usize = state.topics().map(|topic| topic.partitions.len()).sum();
            prop_assert_eq!(state.partition_count(), partitions);
            for topic in state.topics() {
                prop_assert_eq!(usize::try_from(topic.config.partitions).unwrap(), topic.partitions.len());
                prop_assert_eq!(state.topic_by_id(topic.id), Some(topic));
            }
            for subscription in state.subscriptions() {
                let topic = state.topic_by_id(subscription.topic).unwrap();
                prop_assert_eq!(&topic.name, &subscription.topic_name);
                let group = state.group(subscription.id);
                prop_assert_eq!(group.is_some(), subscription.config.has_group());
                prop_assert!(group.is_none_or(|group| group.partitions().len() == topic.partitions.len()));
            }
            let members: usize = state.groups().map(|group| group.members().len()).sum();
            prop_assert_eq!(state.member_count(), members);
            prop_assert!(state.groups().all(|group| state.subscription_by_id(group.subscription()).is_some()));
        }
    }

    #[test]
    fn ids_are_never_given_out_twice(commands in arbitrary::commands()) {
        let mut state = ClusterState::default();
        let (mut topics, mut subscriptions) = (Vec::new(), Vec::new());
        for command in commands {
            let before = state.clone();
            match state.apply(command) {
                Ok(Outcome::TopicCreated(topic)) => topics.push(topic.id),
                Ok(Outcome::SubscriptionCreated(subscription)) => subscriptions.push(subscription.id),
                _ => {}
            }
            // A member may join and leave in one change: its number is used up all the same.
            let known: BTreeSet<_> = members(&before).collect();
            for member in members(&state).filter(|member| !known.contains(member)) {
                prop_assert!((before.counters.member + 1..=state.counters.member).contains(&member.get()));
            }
            prop_assert!(state.counters.member >= before.counters.member);
        }
        prop_assert!(topics.is_sorted_by(|a, b| a < b) && subscriptions.is_sorted_by(|a, b| a < b));
    }
}

fn members(state: &ClusterState) -> impl Iterator<Item = MemberId> {
    state.groups().flat_map(|group| group.members()).map(|member| member.id)
}

impl ClusterState {
    /// Puts other partitions into a group: what a broken implementation might do.
    pub(crate) fn tamper_with_group(
        &mut self,
        subscription: SubscriptionId,
        generation: u64,
        partitions: Vec<PartitionAssignment>,
    ) {
        let group = self.groups.get_mut(&subscription).unwrap();
        *group = Arc::new(group.tampered(generation, partitions));
    }
}

#[test]
fn a_push_subscription_that_was_paused_is_still_the_one_that_was_asked_for() {
    let mut state = state();
    state.apply(create_topic("t", 1)).unwrap();
    let push = PushConfig { url: "https://a.example".to_owned(), ..PushConfig::default() };
    let config =
        SubscriptionConfig { kind: SubscriptionKind::Push, push: Some(push.clone()), ..SubscriptionConfig::default() };
    let create = |push: PushConfig| Command::CreateSubscription {
        name: subscription_name("s"),
        topic: topic_name("t"),
        config: SubscriptionConfig { push: Some(push), ..config.clone() },
        created_at: Timestamp::default(),
    };
    state.apply(create(push.clone())).unwrap();
    let patch = SubscriptionPatch {
        push: PushPatch { paused: Change::Set(Some(PushPause::Gone)), ..PushPatch::default() },
        ..SubscriptionPatch::default()
    };
    state.apply(Command::UpdateSubscription { name: subscription_name("s"), expected_revision: None, patch }).unwrap();
    let again = state.apply(create(push.clone())).unwrap();
    let Outcome::SubscriptionUnchanged(subscription) = again else { panic!("{again:?}") };
    let paused = subscription.config.push.as_ref().and_then(|push| push.paused);
    assert_eq!(paused, Some(PushPause::Gone), "asking again does not resume it");
    let other = PushConfig { max_in_flight: 1, ..push };
    assert_eq!(state.apply(create(other)), Err(Refusal::SubscriptionExists));
}
