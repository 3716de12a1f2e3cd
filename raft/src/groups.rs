//! Consumer groups: who of a subscription's consumers lives, and so which of them has which partition.
//!
//! What members and partitions there are is metadata ([`Group`]). Here is what decides when it
//! has to change: a pure `coordinator`, which knows the sessions, and around it a driver and the gateways' handle.

pub(crate) mod coordinator;
mod driver;
mod error;
mod forward;
mod handle;
mod port;
pub(crate) mod request;
mod watches;
mod wire;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shard_core::model::PartitionIndex;

use crate::metadata::{Group, Member, MemberId};

pub use error::{GroupError, MemberScope};
pub use handle::GroupHandle;

pub(crate) use driver::{GroupDriver, Wakers};
pub(crate) use forward::Forwarder;
pub(crate) use port::GroupPort;
pub(crate) use request::{Answered, Request};

/// What a consumer has to know of its place in a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// What the consumer calls itself.
    pub consumer_id: String,
    /// Identifies this membership, for the shards.
    pub member: MemberId,
    /// The group's generation.
    pub generation: u64,
    /// The partitions that are the consumer's in it, in order.
    #[serde(with = "wire::partitions")]
    pub partitions: Vec<PartitionIndex>,
    /// How long the consumer may be silent.
    pub session_timeout: Duration,
}

impl Membership {
    fn of(group: &Group, member: &Member, session_timeout: Duration) -> Self {
        Self {
            consumer_id: member.consumer_id.to_string(),
            member: member.id,
            generation: group.generation(),
            partitions: group.partitions_of(member.id).collect(),
            session_timeout,
        }
    }
}

/// How a member stands, for display.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// What the consumer calls itself.
    pub consumer_id: String,
    /// Identifies this membership.
    pub member: MemberId,
    /// The partitions that are its, in order.
    #[serde(with = "wire::partitions")]
    pub partitions: Vec<PartitionIndex>,
    /// The time since its last sign of life.
    pub silent_for: Duration,
}

#[cfg(test)]
mod tests;
