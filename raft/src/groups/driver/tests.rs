//! Consumers over a real cluster of one, with sled below it.

use std::path::Path;

use shard_core::model::{SubscriptionName, TopicName};
use tokio::task::{self, JoinHandle};

use super::*;
use crate::{
    GroupHandle, MetadataConfig, MetadataNode,
    metadata::{
        Change, Consumption, GroupChange, Outcome, SubscriptionConfig, SubscriptionPatch, TopicConfig, TopicPatch,
    },
    start,
};

/// The metadata with a node around it whose shards take every state at once.
struct Running {
    metadata: MetadataHandle,
    groups: GroupHandle,
    node: MetadataNode,
    shards: JoinHandle<()>,
}

async fn run(directory: &Path) -> Running {
    let config = MetadataConfig::alone(directory.to_owned(), 1, "127.0.0.1:7081".to_owned());
    let (metadata, mut updates, node) = loop {
        // sled lets go of its lock in a thread of its own.
        match start(config.clone(), None).await {
            Err(error) if error.to_string().contains("acquire lock") => task::yield_now().await,
            started => break started.unwrap(),
        }
    };
    let shards = task::spawn(async move {
        while let Some(state) = updates.next().await {
            updates.published(state.version());
        }
    });
    Running { groups: node.groups(), metadata, node, shards }
}

impl Running {
    async fn stop(self) {
        self.node.shutdown().await;
        self.shards.await.unwrap();
    }

    /// A topic, and a subscription of it whose partitions are assigned.
    async fn create(&self, partitions: u32, session_timeout_ms: u64) -> SubscriptionId {
        let (name, created_at) = (TopicName::new("orders").unwrap(), Timestamp::default());
        let config = TopicConfig { partitions, ..TopicConfig::default() };
        self.metadata.propose(Command::CreateTopic { name, config, created_at }).await.unwrap();
        self.subscribe("billing", Consumption::Assigned, session_timeout_ms).await
    }

    async fn subscribe(&self, name: &str, consumption: Consumption, session_timeout_ms: u64) -> SubscriptionId {
        let command = Command::CreateSubscription {
            name: SubscriptionName::new(name).unwrap(),
            topic: TopicName::new("orders").unwrap(),
            config: SubscriptionConfig { consumption, session_timeout_ms, ..SubscriptionConfig::default() },
            created_at: Timestamp::default(),
        };
        let Ok(Outcome::SubscriptionCreated(created)) = self.metadata.propose(command).await else {
            panic!("not created")
        };
        created.id
    }

    /// Takes note of every generation until a member has so many partitions.
    async fn await_partitions(&self, subscription: SubscriptionId, member: &Membership, count: usize) -> Membership {
        let mut current = member.clone();
        while current.partitions.len() != count {
            let (id, known) = (current.consumer_id.as_str(), current.generation);
            let changed = self.groups.changed(subscription, id, known).await.unwrap();
            current = self.groups.heartbeat(subscription, id, changed.generation).await.unwrap();
        }
        current
    }
}

#[expect(clippy::unnecessary_wraps, reason = "that is what a join takes")]
fn id(name: &str) -> Option<String> {
    Some(name.to_owned())
}

/// F8.
#[tokio::test]
async fn a_second_consumer_gets_its_share_once_the_first_has_let_go() {
    let root = tempfile::tempdir().unwrap();
    let running = run(root.path()).await;
    let subscription = running.create(4, 60_000).await;
    let first = running.groups.join(subscription, id("a")).await.unwrap();
    assert_eq!(first.partitions.len(), 4);
    assert_eq!(running.metadata.state().group(subscription).unwrap().generation(), first.generation);

    let second = running.groups.join(subscription, id("b")).await.unwrap();
    assert_eq!(second.partitions, [], "the first one has not let go");
    let told = running.groups.changed(subscription, "a", first.generation).await.unwrap();
    assert_eq!((told.partitions.len(), told.generation), (2, second.generation));
    // An older generation lets nothing go.
    running.groups.heartbeat(subscription, "a", first.generation).await.unwrap();
    running.groups.heartbeat(subscription, "a", told.generation).await.unwrap();
    let second = running.await_partitions(subscription, &second, 2).await;
    assert!(second.partitions.iter().all(|partition| !told.partitions.contains(partition)));

    running.groups.leave(subscription, "a").await.unwrap();
    assert_eq!(running.groups.heartbeat(subscription, "a", 9).await, Err(GroupError::UnknownConsumer));
    let second = running.groups.heartbeat(subscription, "b", second.generation).await.unwrap();
    assert_eq!(second.partitions.len(), 4);
    running.stop().await;
}

#[tokio::test]
async fn a_consumer_that_comes_back_in_its_session_keeps_its_partitions_also_over_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let running = run(root.path()).await;
    let subscription = running.create(3, 60_000).await;
    let first = running.groups.join(subscription, None).await.unwrap();
    assert_eq!(first.consumer_id.len(), 36);
    let version = running.metadata.state().version();
    assert_eq!(running.groups.join(subscription, id(&first.consumer_id)).await.as_ref(), Ok(&first));
    assert_eq!(running.metadata.state().version(), version, "that is no change");
    running.stop().await;

    let running = run(root.path()).await;
    assert_eq!(running.groups.join(subscription, id(&first.consumer_id)).await, Ok(first.clone()));
    let members = running.groups.members(subscription).await.unwrap();
    assert_eq!(members.len(), 1);
    assert_eq!((members[0].member, &members[0].partitions), (first.member, &first.partitions));
    running.stop().await;
}

#[tokio::test]
async fn a_consumer_that_falls_silent_loses_its_partitions() {
    let root = tempfile::tempdir().unwrap();
    let running = run(root.path()).await;
    let subscription = running.create(2, 500).await;
    let silent = running.groups.join(subscription, id("a")).await.unwrap();
    let waiting = running.groups.changed(subscription, "a", silent.generation);
    assert_eq!(waiting.await, Err(GroupError::UnknownConsumer));
    let group = running.metadata.state().group(subscription).map(Arc::clone).unwrap();
    assert!(group.members().len() == 0 && group.generation() > silent.generation);
    let again = running.groups.join(subscription, id("a")).await.unwrap();
    assert!(again.member > silent.member, "a new membership");
    running.stop().await;
}

#[tokio::test]
async fn a_topic_that_grows_and_a_subscription_that_goes_are_noticed() {
    let root = tempfile::tempdir().unwrap();
    let running = run(root.path()).await;
    let subscription = running.create(1, 60_000).await;
    let member = running.groups.join(subscription, id("a")).await.unwrap();
    let grown = running.groups.changed(subscription, "a", member.generation);
    let patch = TopicPatch { partitions: Change::Set(3), ..TopicPatch::default() };
    let grow = Command::UpdateTopic { name: TopicName::new("orders").unwrap(), expected_revision: None, patch };
    running.metadata.propose(grow).await.unwrap();
    let grown = grown.await.unwrap();
    assert_eq!(grown.partitions.len(), 3);

    let name = SubscriptionName::new("billing").unwrap();
    let patch = SubscriptionPatch { session_timeout_ms: Change::Set(70_000), ..SubscriptionPatch::default() };
    let update = Command::UpdateSubscription { name: name.clone(), expected_revision: None, patch };
    running.metadata.propose(update).await.unwrap();
    let member = running.groups.heartbeat(subscription, "a", grown.generation).await.unwrap();
    assert_eq!(member.session_timeout, Duration::from_secs(70));

    let gone = running.groups.changed(subscription, "a", grown.generation);
    running.metadata.propose(Command::DeleteSubscription { name, expected_revision: None }).await.unwrap();
    assert_eq!(gone.await, Err(GroupError::SubscriptionNotFound));
    assert_eq!(running.groups.join(subscription, None).await, Err(GroupError::SubscriptionNotFound));
    running.stop().await;
}

#[tokio::test]
async fn what_can_not_be_done_says_why() {
    let root = tempfile::tempdir().unwrap();
    let running = run(root.path()).await;
    let subscription = running.create(1, 60_000).await;
    let shared = running.subscribe("shared", Consumption::Shared, 10_000).await;
    assert_eq!(running.groups.join(shared, None).await, Err(GroupError::NotAssigned));
    let refused = running.groups.join(subscription, id("not visible")).await;
    assert!(matches!(refused, Err(GroupError::InvalidConsumerId { .. })));
    for refused in [
        running.groups.leave(subscription, "a").await.unwrap_err(),
        running.groups.heartbeat(subscription, "a", 0).await.unwrap_err(),
        running.groups.changed(subscription, "a", 0).await.unwrap_err(),
    ] {
        assert_eq!(refused, GroupError::UnknownConsumer);
    }
    let handle = running.groups.clone();
    running.stop().await;
    assert_eq!(handle.join(subscription, None).await, Err(GroupError::Stopping));
    assert_eq!(GroupHandle::detached().join(subscription, None).await, Err(GroupError::Stopping));
}

#[tokio::test]
async fn a_change_of_a_group_that_is_gone_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let running = run(root.path()).await;
    let changes = vec![GroupChange::Join { consumer_id: "a".to_owned() }];
    let command = Command::ChangeGroup { subscription: SubscriptionId::new(7), changes, at: Timestamp::default() };
    assert_eq!(running.metadata.propose(command).await, Err(ProposeError::Refused(Refusal::GroupNotFound)));
    running.stop().await;
}
