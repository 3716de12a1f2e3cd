//! What can be asked of the metadata.

use serde::{Deserialize, Serialize};
use shard_core::model::{SubscriptionId, SubscriptionName, Timestamp, TopicName};

use super::{
    AckKey, ApiKey, GroupChange, KeyId, NodeId, PrincipalConfig, PrincipalName, SubscriptionConfig, SubscriptionPatch,
    TopicConfig, TopicPatch, wire,
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
    /// Adds a node, or changes its address.
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
}
