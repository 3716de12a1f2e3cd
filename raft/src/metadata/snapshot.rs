//! The whole state in the form in which it is stored and sent: lists, from which the lookups are made again.

mod v1;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    Access, AckKey, ApiKey, ClusterState, MemberId, Node, NodeId, Principal, PrincipalName, Subscription, Topic,
    catalog::{Catalog, Entry},
    group::StoredGroup,
    state::{Counters, Level},
};
use crate::limits;

pub(crate) use v1::StoredStateV1;

/// Everything in a [`ClusterState`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredState {
    version: u64,
    cluster_id: String,
    ack_key: AckKey,
    nodes: Vec<Node>,
    topics: Vec<Arc<Topic>>,
    subscriptions: Vec<Arc<Subscription>>,
    last_topic_id: u64,
    last_subscription_id: u64,
    last_revision: u64,
    groups: Vec<StoredGroup>,
    last_member_id: u64,
    principals: Vec<Arc<Principal>>,
    keys: Vec<Arc<ApiKey>>,
    removed: Vec<NodeId>,
    shared_store: Option<bool>,
    level: u32,
}

/// Why a stored state is not a state; it was read whole, but contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum RestoreError {
    #[error("node {id} is there twice, was removed, or knows less than the cluster needs")]
    Node { id: u64 },
    #[error("topic {id} is there twice, or its name is, or its id was never given out")]
    Topic { id: u64 },
    #[error("topic {id} does not have the partitions that its configuration names")]
    Partitions { id: u64 },
    #[error("topic {id} lies on a node that is not there")]
    Replicas { id: u64 },
    #[error("subscription {id} is there twice, or its name is, or its id was never given out")]
    Subscription { id: u64 },
    #[error("subscription {id} reads topic {topic}, which is not there")]
    SubscriptionTopic { id: u64, topic: u64 },
    #[error("the group of subscription {id} is missing, not due, there twice, or contradicts itself")]
    Group { id: u64 },
    #[error("a principal is there twice, or its revision was never given out")]
    Principal,
    #[error("a key is there twice, or has no principal, or is one too many of its principal's")]
    Key,
}

impl From<&ClusterState> for StoredState {
    fn from(state: &ClusterState) -> Self {
        Self {
            version: state.version,
            cluster_id: state.cluster_id.clone(),
            ack_key: state.ack_key,
            nodes: state.nodes.values().cloned().collect(),
            topics: state.topics.iter().cloned().collect(),
            subscriptions: state.subscriptions.iter().cloned().collect(),
            last_topic_id: state.counters.topic,
            last_subscription_id: state.counters.subscription,
            last_revision: state.counters.revision,
            groups: state.groups.values().map(|group| StoredGroup::from(&**group)).collect(),
            last_member_id: state.counters.member,
            principals: state.access.principals.values().cloned().collect(),
            keys: state.access.keys.values().cloned().collect(),
            removed: state.removed.iter().copied().collect(),
            shared_store: state.shared_store,
            level: state.level.0,
        }
    }
}

impl TryFrom<StoredState> for ClusterState {
    type Error = RestoreError;

    fn try_from(stored: StoredState) -> Result<Self, RestoreError> {
        let mut state = Self {
            version: stored.version,
            cluster_id: stored.cluster_id,
            ack_key: stored.ack_key,
            removed: stored.removed.into_iter().collect(),
            shared_store: stored.shared_store,
            level: Level(stored.level),
            counters: Counters {
                topic: stored.last_topic_id,
                subscription: stored.last_subscription_id,
                revision: stored.last_revision,
                member: stored.last_member_id,
            },
            ..Self::default()
        };
        restore_nodes(&mut state, stored.nodes)?;
        restore_topics(&mut state, stored.topics)?;
        for subscription in stored.subscriptions {
            let id = subscription.id.get();
            if id > state.counters.subscription || is_taken(&state.subscriptions, &subscription) {
                return Err(RestoreError::Subscription { id });
            }
            let read = state.topics.get_by_id(subscription.topic);
            if read.is_none_or(|topic| topic.name != subscription.topic_name) {
                return Err(RestoreError::SubscriptionTopic { id, topic: subscription.topic.get() });
            }
            state.subscriptions.put(subscription);
        }
        restore_groups(&mut state, stored.groups)?;
        state.access = Arc::new(restore_access(stored.principals, stored.keys, state.counters.revision)?);
        Ok(state)
    }
}

fn restore_nodes(state: &mut ClusterState, nodes: Vec<Node>) -> Result<(), RestoreError> {
    for node in nodes {
        let id = node.id;
        let fits = !state.removed.contains(&id) && node.software >= state.level.0;
        if !fits || state.nodes.insert(id, node).is_some() {
            return Err(RestoreError::Node { id: id.get() });
        }
    }
    Ok(())
}

fn restore_topics(state: &mut ClusterState, topics: Vec<Arc<Topic>>) -> Result<(), RestoreError> {
    for topic in topics {
        let id = topic.id.get();
        if id > state.counters.topic || is_taken(&state.topics, &topic) {
            return Err(RestoreError::Topic { id });
        }
        if u32::try_from(topic.partitions.len()) != Ok(topic.config.partitions) {
            return Err(RestoreError::Partitions { id });
        }
        let mut named = topic.partitions.iter().flat_map(|partition| partition.owner.iter().chain(&partition.replicas));
        if !named.all(|node| state.nodes.contains_key(node)) {
            return Err(RestoreError::Replicas { id });
        }
        state.put_topic(topic);
    }
    Ok(())
}

fn restore_groups(state: &mut ClusterState, groups: Vec<StoredGroup>) -> Result<(), RestoreError> {
    let mut members = BTreeSet::new();
    for stored in groups {
        let subscription = stored.subscription;
        let contradiction = RestoreError::Group { id: subscription.get() };
        let topic = state.subscriptions.get_by_id(subscription).and_then(|found| state.topics.get_by_id(found.topic));
        let partitions = topic.map(|topic| topic.partitions.len());
        let group = stored.restore().filter(|group| Some(group.partitions().len()) == partitions);
        let group = Arc::new(group.ok_or(contradiction)?);
        let known = |id: MemberId| id.get() <= state.counters.member;
        if !group.members().all(|member| known(member.id) && members.insert(member.id)) {
            return Err(contradiction);
        }
        state.member_count += group.members().len();
        if state.groups.insert(subscription, group).is_some() {
            return Err(contradiction);
        }
    }
    let lacking = |subscription: &&Arc<Subscription>| {
        subscription.config.has_group() != state.groups.contains_key(&subscription.id)
    };
    match state.subscriptions.iter().find(lacking) {
        Some(subscription) => Err(RestoreError::Group { id: subscription.id.get() }),
        None => Ok(()),
    }
}

fn restore_access(
    principals: Vec<Arc<Principal>>,
    keys: Vec<Arc<ApiKey>>,
    last_revision: u64,
) -> Result<Access, RestoreError> {
    let mut access = Access::default();
    for principal in principals {
        let known = principal.revision <= last_revision;
        if !known || access.principals.insert(principal.name.clone(), principal).is_some() {
            return Err(RestoreError::Principal);
        }
    }
    let mut counts: BTreeMap<PrincipalName, usize> = BTreeMap::new();
    for key in keys {
        let count = counts.entry(key.principal.clone()).or_default();
        *count += 1;
        let fits = *count <= limits::KEYS_PER_PRINCIPAL_MAX && access.principals.contains_key(&key.principal);
        if !fits || access.keys.insert(key.id.clone(), key).is_some() {
            return Err(RestoreError::Key);
        }
    }
    Ok(access)
}

fn is_taken<T: Entry>(catalog: &Catalog<T>, entry: &T) -> bool {
    use std::borrow::Borrow;
    catalog.get(entry.name().borrow()).is_some() || catalog.get_by_id(entry.id()).is_some()
}

#[cfg(test)]
mod tests;
