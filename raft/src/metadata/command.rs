//! What can be asked of the metadata.

use serde::{Deserialize, Serialize};
use shard_core::model::{SubscriptionId, SubscriptionName, Timestamp, TopicName};

use super::{
    AckKey, ApiKey, GroupChange, Incarnation, KeyId, NodeId, PartitionTransition, PrincipalConfig, PrincipalName,
    SubscriptionConfig, SubscriptionPatch, TopicConfig, TopicPatch, wire,
};

/// A change of the metadata. It carries the time and the random bytes it needs, so that every node applies it alike.
///
/// Commands lie in the Raft log, encoded by position: a new kind goes to the end, and a kind whose fields change is a
/// new kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Names the cluster, once.
    Bootstrap {
        /// The cluster's id: a UUID as text.
        cluster_id: String,
        /// The key of its ack ids.
        ack_key: AckKey,
    },
    /// Adds a node, or changes its address: how nodes came before they had epochs.
    RegisterNode {
        /// Its configured number.
        node: NodeId,
        /// Where other nodes reach it.
        address: String,
    },
    /// Creates a topic; creating the same again changes nothing.
    CreateTopic {
        /// Its name.
        #[serde(with = "wire::topic_name")]
        name: TopicName,
        /// Its configuration.
        config: TopicConfig,
        /// The proposer's time.
        #[serde(with = "wire::timestamp")]
        created_at: Timestamp,
    },
    /// Changes a topic's configuration.
    UpdateTopic {
        /// Its name.
        #[serde(with = "wire::topic_name")]
        name: TopicName,
        /// The revision that is to be changed; `None` is whichever there is.
        expected_revision: Option<u64>,
        /// The change.
        patch: TopicPatch,
    },
    /// Deletes a topic and its subscriptions, which would have nothing to read.
    DeleteTopic {
        /// Its name.
        #[serde(with = "wire::topic_name")]
        name: TopicName,
        /// The revision that is to be deleted; `None` is whichever there is.
        expected_revision: Option<u64>,
    },
    /// Creates a subscription; creating the same again changes nothing.
    CreateSubscription {
        /// Its name.
        #[serde(with = "wire::subscription_name")]
        name: SubscriptionName,
        /// The topic it reads.
        #[serde(with = "wire::topic_name")]
        topic: TopicName,
        /// Its configuration.
        config: SubscriptionConfig,
        /// The proposer's time.
        #[serde(with = "wire::timestamp")]
        created_at: Timestamp,
    },
    /// Changes a subscription's configuration.
    UpdateSubscription {
        /// Its name.
        #[serde(with = "wire::subscription_name")]
        name: SubscriptionName,
        /// The revision that is to be changed; `None` is whichever there is.
        expected_revision: Option<u64>,
        /// The change.
        patch: SubscriptionPatch,
    },
    /// Deletes a subscription.
    DeleteSubscription {
        /// Its name.
        #[serde(with = "wire::subscription_name")]
        name: SubscriptionName,
        /// The revision that is to be deleted; `None` is whichever there is.
        expected_revision: Option<u64>,
    },
    /// Tells what happened to the consumers of a subscription, and assigns its partitions anew.
    ChangeGroup {
        /// The subscription.
        #[serde(with = "wire::subscription_id")]
        subscription: SubscriptionId,
        /// What happened, in order.
        changes: Vec<GroupChange>,
        /// The proposer's time.
        #[serde(with = "wire::timestamp")]
        at: Timestamp,
    },
    /// Creates a principal, or says anew what it may do.
    PutPrincipal {
        /// Its name.
        name: PrincipalName,
        /// What it may do and how much.
        config: PrincipalConfig,
        /// The revision that is to be changed; `None` is whichever there is, or none.
        expected_revision: Option<u64>,
        /// The proposer's time.
        #[serde(with = "wire::timestamp")]
        at: Timestamp,
    },
    /// Deletes a principal and its keys.
    DeletePrincipal {
        /// Its name.
        name: PrincipalName,
        /// The revision that is to be deleted; `None` is whichever there is.
        expected_revision: Option<u64>,
    },
    /// Adds a key to a principal.
    CreateKey {
        /// The key.
        key: ApiKey,
        /// What the principal is if it is to be created with it; it may be there just like that.
        principal: Option<PrincipalConfig>,
    },
    /// Deletes a key.
    DeleteKey {
        /// Its id.
        id: KeyId,
    },
    /// A new node comes, or a known one starts again. It is fenced until it is heard of, unless it is alone.
    JoinNode {
        /// Its configured number.
        node: NodeId,
        /// Whose data directory it has.
        incarnation: Incarnation,
        /// Where other nodes reach it.
        address: String,
        /// Where clients reach it.
        client_address: String,
        /// Its rack.
        rack: Option<String>,
        /// Over how many cores it spreads its partitions.
        shards: u32,
        /// The highest level of commands that it understands.
        software: u32,
        /// Whether its messages lie where every node reaches them.
        shared_store: bool,
    },
    /// A node was not heard of: its partitions may be given to others. Nobody's owner changes by this alone.
    FenceNode {
        /// The node.
        node: NodeId,
        /// The run of it that was not heard of.
        epoch: u64,
    },
    /// A node is there.
    UnfenceNode {
        /// The node.
        node: NodeId,
        /// The run of it that was heard of.
        epoch: u64,
    },
    /// A node is to be emptied, or no longer.
    SetDraining {
        /// The node.
        node: NodeId,
        /// Whether it is to be.
        draining: bool,
    },
    /// A node leaves the cluster for good.
    RemoveNode {
        /// The node.
        node: NodeId,
        /// Whether a fenced node goes with what only it has.
        force: bool,
    },
    /// Changes where partitions lie, each if it is still as its change says.
    ChangePartitions {
        /// The changes, in order.
        changes: Vec<PartitionTransition>,
    },
    /// From now on commands of this level may be used; every node understands them.
    Upgrade {
        /// The level.
        level: u32,
    },
}

impl Command {
    /// The level that the cluster must have: nodes with older software don't know the command.
    #[must_use]
    pub const fn level(&self) -> u32 {
        match self {
            Self::Bootstrap { .. }
            | Self::RegisterNode { .. }
            | Self::CreateTopic { .. }
            | Self::UpdateTopic { .. }
            | Self::DeleteTopic { .. }
            | Self::CreateSubscription { .. }
            | Self::UpdateSubscription { .. }
            | Self::DeleteSubscription { .. }
            | Self::ChangeGroup { .. }
            | Self::PutPrincipal { .. }
            | Self::DeletePrincipal { .. }
            | Self::CreateKey { .. }
            | Self::DeleteKey { .. }
            | Self::JoinNode { .. }
            | Self::FenceNode { .. }
            | Self::UnfenceNode { .. }
            | Self::SetDraining { .. }
            | Self::RemoveNode { .. }
            | Self::ChangePartitions { .. }
            | Self::Upgrade { .. } => 1,
        }
    }
}
