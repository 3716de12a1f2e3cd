//! What the cluster agrees on, as a pure state: commands go in, a new state and an outcome come out.
//!
//! Nothing here reads a clock or draws a random number: what a command needs of either, its proposer puts into it.
//! The same commands in the same order give the same state on every node.

mod access;
mod api_key;
mod apply;
mod catalog;
mod change;
mod command;
mod election;
mod grant;
mod group;
mod loads;
mod node;
mod outcome;
mod placement;
mod principal;
mod push_config;
mod secret;
mod snapshot;
mod state;
mod subscription;
mod subscription_config;
mod topic;
mod topic_config;
mod transition;
mod wire;

#[cfg(test)]
pub(crate) mod arbitrary;
#[cfg(test)]
pub(crate) mod invariants;

pub use access::Access;
pub use api_key::{ApiKey, InvalidKeyId, KeyHash, KeyId};
pub use change::{Change, SubscriptionPatch, TopicPatch};
pub use command::Command;
pub use grant::{Action, Grant, InvalidGrant, NamePattern, Resource, Scope};
pub use group::{Group, GroupChange, Member, MemberId, PartitionAssignment};
pub use loads::Load;
pub use node::{Incarnation, Node, NodeId};
pub use outcome::{Outcome, Refusal};
pub use principal::{InvalidLimits, InvalidPrincipalName, Principal, PrincipalConfig, PrincipalLimits, PrincipalName};
pub use push_config::{InvalidPushConfig, PushConfig, PushPatch, PushPause};
pub use secret::{AckKey, PushSecret};
pub use snapshot::RestoreError;
pub use state::ClusterState;
pub use subscription::Subscription;
pub use subscription_config::{
    Backoff, Consumption, DeliveryMode, InvalidSubscriptionConfig, Ordering, StartPosition, SubscriptionConfig,
    SubscriptionKind,
};
pub use topic::{Partition, Topic};
pub use topic_config::{Acks, Compression, FlushPolicy, InvalidTopicConfig, TopicConfig};
pub use transition::{
    LostPartition, NodeRun, PartitionTarget, PartitionTransition, RefusedTransition, TransitionRefusal,
};

pub(crate) use snapshot::{StoredState, StoredStateV1};
