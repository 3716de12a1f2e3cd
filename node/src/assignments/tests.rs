//! Which changes of the metadata become which changes of the shards.

use std::time::Duration;

use raft::metadata::{
    AckKey, Change, Command, Consumption, FlushPolicy as TopicFlush, GroupChange, StartPosition, SubscriptionConfig,
    SubscriptionPatch, TopicConfig, TopicPatch,
};
use shard_core::{
    log::FlushPolicy,
    model::{SubscriptionName, Timestamp, TopicName},
};

use super::*;

const PLACEMENT: Placement = Placement {
    node: NodeId::new(1),
    shard_count: 2,
    settings: SettingsTranslation { flush_interval: Duration::from_millis(100) },
};

/// A cluster to which commands are applied one by one.
struct Cluster(ClusterState);

impl Cluster {
    fn new() -> Self {
        let mut cluster = Self(ClusterState::default());
        cluster.apply(Command::Bootstrap { cluster_id: "c".to_owned(), ack_key: AckKey::new([7; 16]) });
        cluster.apply(Command::RegisterNode { node: NodeId::new(1), address: "127.0.0.1:1".to_owned() });
        cluster
    }

    fn apply(&mut self, command: Command) {
        self.0.apply(command).unwrap();
    }

    fn create_topic(&mut self, name: &str, partitions: u32) {
        let config = TopicConfig { partitions, ..TopicConfig::default() };
        self.apply(Command::CreateTopic { name: topic_name(name), config, created_at: Timestamp::from_millis(1) });
    }

    fn create_subscription(&mut self, name: &str, topic: &str) {
        let config = SubscriptionConfig { start: StartPosition::Earliest, ..SubscriptionConfig::default() };
        let (name, topic) = (SubscriptionName::new(name).unwrap(), topic_name(topic));
        self.apply(Command::CreateSubscription { name, topic, config, created_at: Timestamp::from_millis(1) });
    }

    fn update_topic(&mut self, name: &str, patch: TopicPatch) {
        self.apply(Command::UpdateTopic { name: topic_name(name), expected_revision: None, patch });
    }
}

fn topic_name(name: &str) -> TopicName {
    TopicName::new(name).unwrap()
}

/// What happened to which partition, in order, over both shards.
fn steps(before: &ClusterState, after: &ClusterState) -> Vec<String> {
    let name = |change: PartitionChange| {
        let verb = match &change {
            PartitionChange::Open { replicas: None, .. } => "open",
            PartitionChange::Open { replicas: Some(_), .. } => "lead",
            PartitionChange::Follow { .. } => "follow",
            PartitionChange::FollowAnother { .. } => "follow another",
            PartitionChange::SetReplicas { .. } => "set replicas",
            PartitionChange::Configure { .. } => "configure",
            PartitionChange::Release { .. } => "release",
            PartitionChange::Delete { .. } => "delete",
            PartitionChange::OpenSubscription { .. } => "subscribe",
            PartitionChange::Assign { .. } => "assign",
            PartitionChange::CloseSubscription { .. } => "unsubscribe",
        };
        format!("{verb} {}", change.partition())
    };
    let steps = diff(Some(before), after, &PLACEMENT);
    let all = [steps.let_go_first, steps.make, steps.let_go, steps.follow].into_iter().flatten();
    let mut steps: Vec<_> = all.flatten().map(name).collect();
    steps.sort();
    steps
}

#[test]
fn a_node_that_starts_opens_everything_it_owns_before_its_subscriptions() {
    let mut cluster = Cluster::new();
    cluster.create_topic("orders", 4);
    cluster.create_subscription("billing", "orders");
    let changes = diff(None, &cluster.0, &PLACEMENT).make;
    assert_eq!(changes.len(), 2);
    for (shard, changes) in changes.iter().enumerate() {
        assert_eq!(changes.len(), 4);
        assert!(matches!(changes[..2], [PartitionChange::Open { .. }, PartitionChange::Open { .. }]));
        let subscribe = |change: &PartitionChange| matches!(change, PartitionChange::OpenSubscription { .. });
        assert!(changes[2..].iter().all(subscribe));
        assert!(changes.iter().all(|change| shard_of(change.partition(), 2) == shard));
    }
}

#[test]
fn the_same_state_changes_nothing() {
    let mut cluster = Cluster::new();
    cluster.create_topic("orders", 4);
    cluster.create_subscription("billing", "orders");
    assert_eq!(steps(&cluster.0, &cluster.0.clone()), Vec::<String>::new());
}

#[test]
fn another_nodes_partitions_are_left_alone() {
    let mut cluster = Cluster::new();
    cluster.create_topic("orders", 4);
    let elsewhere = Placement { node: NodeId::new(2), ..PLACEMENT };
    assert!(diff(None, &cluster.0, &elsewhere).make.iter().all(Vec::is_empty));
}

#[test]
fn new_partitions_are_opened_with_the_subscriptions_that_were_there() {
    let mut cluster = Cluster::new();
    cluster.create_topic("orders", 1);
    cluster.create_subscription("billing", "orders");
    let before = cluster.0.clone();
    cluster.update_topic("orders", TopicPatch { partitions: Change::Set(2), ..TopicPatch::default() });
    assert_eq!(steps(&before, &cluster.0), ["open 1/1", "subscribe 1/1"]);
}

#[test]
fn a_changed_setting_configures_only_where_it_matters_to_a_log() {
    let mut cluster = Cluster::new();
    cluster.create_topic("orders", 1);
    cluster.create_topic("other", 1);
    let before = cluster.0.clone();
    cluster.update_topic("orders", TopicPatch { max_message_bytes: Change::Set(7), ..TopicPatch::default() });
    assert_eq!(steps(&before, &cluster.0), Vec::<String>::new());
    cluster.update_topic("orders", TopicPatch { flush: Change::Set(TopicFlush::Interval), ..TopicPatch::default() });
    assert_eq!(steps(&before, &cluster.0), ["configure 1/0"]);
    let changes: Vec<_> = diff(Some(&before), &cluster.0, &PLACEMENT).make.into_iter().flatten().collect();
    let [PartitionChange::Configure { settings, .. }] = changes[..] else { panic!("{changes:?}") };
    assert_eq!(settings.flush, FlushPolicy::Interval(Duration::from_millis(100)));
}

#[test]
fn a_deleted_topic_takes_its_subscriptions_with_it() {
    let mut cluster = Cluster::new();
    cluster.create_topic("orders", 2);
    cluster.create_subscription("billing", "orders");
    let before = cluster.0.clone();
    cluster.apply(Command::DeleteTopic { name: topic_name("orders"), expected_revision: None });
    assert_eq!(steps(&before, &cluster.0), ["delete 1/0", "delete 1/1"]);
}

#[test]
fn a_topic_made_again_under_its_name_is_another_topic() {
    let mut cluster = Cluster::new();
    cluster.create_topic("orders", 1);
    let before = cluster.0.clone();
    cluster.apply(Command::DeleteTopic { name: topic_name("orders"), expected_revision: None });
    cluster.create_topic("orders", 1);
    assert_eq!(steps(&before, &cluster.0), ["delete 1/0", "open 2/0"]);
}

#[test]
fn a_deleted_subscription_is_closed_and_a_changed_one_opened_again() {
    let mut cluster = Cluster::new();
    cluster.create_topic("orders", 1);
    cluster.create_subscription("billing", "orders");
    let before = cluster.0.clone();
    let name = SubscriptionName::new("billing").unwrap();
    let patch = SubscriptionPatch { ack_deadline_ms: Change::Set(1_000), ..SubscriptionPatch::default() };
    cluster.apply(Command::UpdateSubscription { name: name.clone(), expected_revision: None, patch });
    assert_eq!(steps(&before, &cluster.0), ["subscribe 1/0"]);
    cluster.apply(Command::DeleteSubscription { name, expected_revision: None });
    assert_eq!(steps(&before, &cluster.0), ["unsubscribe 1/0"]);
}

/// A cluster with an assigned subscription of a topic with two partitions, and what its group is told.
struct Assigned {
    cluster: Cluster,
    subscription: SubscriptionId,
}

impl Assigned {
    fn new() -> Self {
        let mut cluster = Cluster::new();
        cluster.create_topic("orders", 2);
        let config = SubscriptionConfig { consumption: Consumption::Assigned, ..SubscriptionConfig::default() };
        let (name, topic) = (SubscriptionName::new("billing").unwrap(), topic_name("orders"));
        cluster.apply(Command::CreateSubscription { name, topic, config, created_at: Timestamp::from_millis(1) });
        let subscription = cluster.0.subscription("billing").unwrap().id;
        Self { cluster, subscription }
    }

    fn change(&mut self, change: GroupChange) {
        let (subscription, at) = (self.subscription, Timestamp::from_millis(1));
        self.cluster.apply(Command::ChangeGroup { subscription, changes: vec![change], at });
    }

    fn join(&mut self, consumer_id: &str) {
        self.change(GroupChange::Join { consumer_id: consumer_id.to_owned() });
    }

    fn adopt(&mut self, consumer_id: &str) {
        let group = self.cluster.0.group(self.subscription).unwrap();
        let (member, generation) = (group.member(consumer_id).unwrap().id, group.generation());
        self.change(GroupChange::Adopt { member, generation });
    }

    /// What the shards are told of the group, and each partition's assignee, by its number.
    fn told(&self, before: Option<&ClusterState>) -> Vec<(&'static str, Option<u64>)> {
        let changes = diff(before, &self.cluster.0, &PLACEMENT).make;
        let mut told: Vec<_> = changes.into_iter().flatten().filter_map(|change| assignment_in(&change)).collect();
        told.sort_by_key(|(partition, ..)| *partition);
        told.into_iter().map(|(_, verb, assignee)| (verb, assignee)).collect()
    }
}

fn assignment_in(change: &PartitionChange) -> Option<(TopicPartition, &'static str, Option<u64>)> {
    let consumer = |assignment: PartitionAssignment| assignment.assignee.map(|assignee| assignee.consumer.0);
    match change {
        PartitionChange::OpenSubscription { partition, settings } => {
            Some((*partition, "subscribe", consumer(settings.assignment.expect("it is assigned"))))
        }
        PartitionChange::Assign { partition, assignment, .. } => Some((*partition, "assign", consumer(*assignment))),
        PartitionChange::Open { .. }
        | PartitionChange::Follow { .. }
        | PartitionChange::FollowAnother { .. }
        | PartitionChange::SetReplicas { .. }
        | PartitionChange::Configure { .. }
        | PartitionChange::Release { .. }
        | PartitionChange::Delete { .. }
        | PartitionChange::CloseSubscription { .. } => None,
    }
}

#[test]
fn a_group_is_told_to_its_partitions_as_it_changes() {
    let mut assigned = Assigned::new();
    assert_eq!(assigned.told(None), [("subscribe", None), ("subscribe", None)]);
    let mut before = assigned.cluster.0.clone();
    assigned.join("ann");
    assert_eq!(assigned.told(Some(&before)), [("assign", Some(1)), ("assign", Some(1))]);
    before = assigned.cluster.0.clone();
    assigned.join("bob");
    let told = assigned.told(Some(&before));
    assert_eq!(told.iter().filter(|told| **told == ("assign", None)).count(), 1, "one is on its way: {told:?}");
    assert_eq!(told.iter().filter(|told| **told == ("assign", Some(1))).count(), 1, "{told:?}");
    before = assigned.cluster.0.clone();
    assigned.adopt("ann");
    let told = assigned.told(Some(&before));
    assert!(told.contains(&("assign", Some(1))) && told.contains(&("assign", Some(2))), "{told:?}");
    assert_eq!(assigned.told(Some(&assigned.cluster.0)), []);
    // A node that starts is told all of it at once.
    let mut started = assigned.told(None);
    started.sort_unstable();
    assert_eq!(started, [("subscribe", Some(1)), ("subscribe", Some(2))]);
}

#[tokio::test]
async fn a_state_is_applied_when_every_shard_has_said_so() {
    let (sender, commands) = flume::bounded(1);
    let mut cluster = Cluster::new();
    cluster.create_topic("orders", 2);
    let changes = vec![diff(None, &cluster.0, &PLACEMENT).make.into_iter().flatten().collect()];
    let applied = tokio::spawn(async move { apply(changes, &[sender]).await });
    let ShardCommand::Apply { changes, done } = commands.recv_async().await.unwrap() else { panic!("a stop") };
    assert_eq!(changes.len(), 2);
    assert!(!applied.is_finished());
    done.send(()).unwrap();
    assert!(applied.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_shard_that_ends_meanwhile_is_noticed() {
    let (sender, commands) = flume::bounded(1);
    let mut cluster = Cluster::new();
    cluster.create_topic("orders", 1);
    let changes = vec![diff(None, &cluster.0, &PLACEMENT).make.into_iter().flatten().collect()];
    let applied = tokio::spawn(async move { apply(changes, &[sender]).await });
    drop(commands.recv_async().await.unwrap());
    assert!(applied.await.unwrap().is_err());
}
