//! What became of a command.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    ApiKey, InvalidGrant, InvalidLimits, InvalidSubscriptionConfig, InvalidTopicConfig, LostPartition, NodeId,
    Principal, RefusedTransition, Subscription, Topic,
};

/// A command that holds, and what there is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The cluster has its id.
    Bootstrapped,
    /// The node is known under its address.
    NodeRegistered,
    /// The topic is new.
    TopicCreated(Arc<Topic>),
    /// The topic was there just like that.
    TopicUnchanged(Arc<Topic>),
    /// The topic was changed.
    TopicUpdated(Arc<Topic>),
    /// The topic is gone, as it was; so are its subscriptions.
    TopicDeleted(Arc<Topic>),
    /// The subscription is new.
    SubscriptionCreated(Arc<Subscription>),
    /// The subscription was there just like that.
    SubscriptionUnchanged(Arc<Subscription>),
    /// The subscription was changed.
    SubscriptionUpdated(Arc<Subscription>),
    /// The subscription is gone, as it was.
    SubscriptionDeleted(Arc<Subscription>),
    /// The group has other members or other partitions now.
    GroupChanged {
        /// The generation that it is of.
        generation: u64,
    },
    /// Nothing of it fitted the group any more.
    GroupUnchanged,
    /// The principal is new.
    PrincipalCreated(Arc<Principal>),
    /// The principal was there just like that.
    PrincipalUnchanged(Arc<Principal>),
    /// The principal was changed.
    PrincipalUpdated(Arc<Principal>),
    /// The principal is gone, as it was; so are its keys.
    PrincipalDeleted(Arc<Principal>),
    /// The key is new.
    KeyCreated(Arc<ApiKey>),
    /// The key is gone, as it was.
    KeyDeleted(Arc<ApiKey>),
    /// The node is known.
    NodeJoined {
        /// The epoch of this run of it.
        epoch: u64,
    },
    /// The node is out.
    NodeFenced,
    /// The node is in.
    NodeUnfenced,
    /// The node is to be emptied, or no longer.
    NodeDraining {
        /// Whether it is to be.
        draining: bool,
    },
    /// The node has left, and its number is used up.
    NodeRemoved {
        /// How many partitions only it had: their messages are given up, and they are begun anew.
        lost: usize,
        /// The first of them.
        first_lost: Vec<LostPartition>,
    },
    /// Partitions lie elsewhere.
    PartitionsChanged {
        /// How many were changed.
        changed: usize,
        /// Those that were not.
        refused: Vec<RefusedTransition>,
    },
    /// The commands of a level may be used.
    Upgraded {
        /// The level.
        level: u32,
    },
}

/// Why a command was refused; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum Refusal {
    #[error("the cluster has an id already, {cluster_id}")]
    AlreadyBootstrapped { cluster_id: String },
    #[error("{field}: it has {bytes} bytes, at most {bytes_max} are allowed")]
    TextTooLong { field: String, bytes: usize, bytes_max: usize },
    #[error("there is a topic of this name with another configuration")]
    TopicExists,
    #[error("there is no topic of this name")]
    TopicNotFound,
    #[error("there is a subscription of this name with another topic or configuration")]
    SubscriptionExists,
    #[error("there is no subscription of this name")]
    SubscriptionNotFound,
    #[error("there is no such subscription, or its partitions are not assigned to consumers")]
    GroupNotFound,
    #[error("{0}")]
    InvalidTopicConfig(#[from] InvalidTopicConfig),
    #[error("{0}")]
    InvalidSubscriptionConfig(#[from] InvalidSubscriptionConfig),
    #[error("partitions: a topic's can't be taken away; it has {partitions}")]
    PartitionsOnlyGrow { partitions: u32 },
    #[error("replication_factor: {replication_factor} replicas need as many nodes, the cluster has {nodes}")]
    NotEnoughNodes { replication_factor: u16, nodes: usize },
    #[error("the revision is {revision}, not {expected_revision}")]
    RevisionMismatch { revision: u64, expected_revision: u64 },
    #[error("the cluster has {limit} {what}, which is all it may have")]
    LimitReached { what: String, limit: usize },
    #[error("there is no principal of this name")]
    PrincipalNotFound,
    #[error("there is a principal of this name with other grants or limits")]
    PrincipalExists,
    #[error("there is no key of this id")]
    KeyNotFound,
    #[error("there is a key of this id")]
    KeyExists,
    #[error("{0}")]
    InvalidGrant(#[from] InvalidGrant),
    #[error("{0}")]
    InvalidLimits(#[from] InvalidLimits),
    #[error("node {node} was removed, and its number is never used again")]
    NodeRemoved { node: NodeId },
    #[error("there is a node {node} with another data directory")]
    NodeIdTaken { node: NodeId },
    #[error("there is no such node")]
    NodeNotFound,
    #[error("the cluster's messages lie {}, the node's do not", if *.shared_store { "where every node reaches them" } else { "with the nodes that own them" })]
    StoreMismatch { shared_store: bool },
    #[error("the cluster needs software of level {needed}, the node's is of level {has}")]
    SoftwareTooOld { needed: u32, has: u32 },
    #[error("it needs a cluster of level {needed}, this one's is {level}")]
    LevelTooLow { needed: u32, level: u32 },
    #[error("the cluster is of level {level} and can't go back")]
    NoWayBack { level: u32 },
    #[error("the node has started again: it is of epoch {epoch}")]
    StaleNodeEpoch { epoch: u64 },
    #[error("the node has {partitions} partitions")]
    NodeInUse { partitions: usize },
    #[error("there is no other node that could take its place")]
    NoOtherNode,
}
