//! The state of the cluster at one point of the Raft log.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use shard_core::model::{SubscriptionId, TopicId};

use super::{Access, AckKey, Group, Load, Node, NodeId, Subscription, Topic, catalog::Catalog, loads::Loads};

/// What the cluster had agreed on at one point of its log. Clones share topics, subscriptions and groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterState {
    pub(super) version: u64,
    pub(super) cluster_id: String,
    pub(super) ack_key: AckKey,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    /// The numbers that were nodes: they are used up.
    pub(super) removed: BTreeSet<NodeId>,
    /// Whether messages lie where every node reaches them; `None` before a node said so.
    pub(super) shared_store: Option<bool>,
    pub(super) level: Level,
    pub(super) topics: Catalog<Topic>,
    pub(super) subscriptions: Catalog<Subscription>,
    /// One for each subscription that has a group.
    pub(super) groups: BTreeMap<SubscriptionId, Arc<Group>>,
    pub(super) partition_count: usize,
    pub(super) loads: Loads,
    /// The members of all groups.
    pub(super) member_count: usize,
    pub(super) counters: Counters,
    pub(super) access: Arc<Access>,
}

/// The last number of each kind that was given out; none is given out twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) topic: u64,
    pub(super) subscription: u64,
    pub(super) revision: u64,
    pub(super) member: u64,
}

/// The level of commands that every node understands; it begins with the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level(pub(super) u32);

impl Default for Level {
    fn default() -> Self {
        Self(1)
    }
}

impl ClusterState {
    /// The index of the last log entry that is in it, or is being applied; rises with each.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The cluster's UUID as text; empty before it is bootstrapped.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The key of the cluster's ack ids; zeros before it is bootstrapped.
    #[must_use]
    pub const fn ack_key(&self) -> AckKey {
        self.ack_key
    }

    /// Principals and keys. Behind the same pointer they are the same.
    #[must_use]
    pub const fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// A node by its number.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// Every node, by number.
    #[must_use]
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &Node> {
        self.nodes.values()
    }

    /// Whether a number was a node's that was removed.
    #[must_use]
    pub fn is_removed(&self, id: NodeId) -> bool {
        self.removed.contains(&id)
    }

    /// Whether a node is there and not fenced.
    #[must_use]
    pub fn is_live(&self, id: NodeId) -> bool {
        self.nodes.get(&id).is_some_and(|node| !node.fenced)
    }

    /// How many partitions a node has.
    #[must_use]
    pub fn load(&self, id: NodeId) -> Load {
        self.loads.of(id)
    }

    /// Whether messages lie where every node reaches them; `None` before a node said so.
    #[must_use]
    pub const fn shared_store(&self) -> Option<bool> {
        self.shared_store
    }

    /// The level of commands that may be used: every node understands them.
    #[must_use]
    pub const fn level(&self) -> u32 {
        self.level.0
    }

    /// A topic by name.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(name)
    }

    /// A topic by id.
    #[must_use]
    pub fn topic_by_id(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics.get_by_id(id)
    }

    /// Every topic, by name.
    #[must_use]
    pub fn topics(&self) -> impl ExactSizeIterator<Item = &Arc<Topic>> {
        self.topics.iter()
    }

    /// The topics whose names come after `name`, by name: the next page of a list.
    pub fn topics_after(&self, name: &str) -> impl Iterator<Item = &Arc<Topic>> {
        self.topics.iter_after(name)
    }

    /// A subscription by name.
    #[must_use]
    pub fn subscription(&self, name: &str) -> Option<&Arc<Subscription>> {
        self.subscriptions.get(name)
    }

    /// A subscription by id.
    #[must_use]
    pub fn subscription_by_id(&self, id: SubscriptionId) -> Option<&Arc<Subscription>> {
        self.subscriptions.get_by_id(id)
    }

    /// Every subscription, by name.
    #[must_use]
    pub fn subscriptions(&self) -> impl ExactSizeIterator<Item = &Arc<Subscription>> {
        self.subscriptions.iter()
    }

    /// The subscriptions whose names come after `name`, by name: the next page of a list.
    pub fn subscriptions_after(&self, name: &str) -> impl Iterator<Item = &Arc<Subscription>> {
        self.subscriptions.iter_after(name)
    }

    /// The subscriptions of a topic, by name; it looks at all there are.
    pub fn subscriptions_of(&self, topic: TopicId) -> impl Iterator<Item = &Arc<Subscription>> {
        self.subscriptions.iter().filter(move |subscription| subscription.topic == topic)
    }

    /// The consumers of a subscription; `None` if there is no such subscription, or if its partitions are not assigned to
    /// consumers.
    #[must_use]
    pub fn group(&self, subscription: SubscriptionId) -> Option<&Arc<Group>> {
        self.groups.get(&subscription)
    }

    /// Every group, by the id of its subscription.
    #[must_use]
    pub fn groups(&self) -> impl ExactSizeIterator<Item = &Arc<Group>> {
        self.groups.values()
    }

    /// How many members all groups have together.
    #[must_use]
    pub const fn member_count(&self) -> usize {
        self.member_count
    }

    /// How many partitions all topics have together.
    #[must_use]
    pub const fn partition_count(&self) -> usize {
        self.partition_count
    }
}
