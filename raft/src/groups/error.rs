//! Why a request about a group was not done.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a consumer's request was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum GroupError {
    /// Nothing was changed. Whoever used this id is no member any more: it has to join again.
    #[error("there is no such consumer in this subscription, or its session has ended")]
    UnknownConsumer,
    /// Nothing was changed.
    #[error("the subscription's partitions are not assigned to consumers")]
    NotAssigned,
    /// Nothing was changed.
    #[error("there is no such subscription")]
    SubscriptionNotFound,
    /// Nothing was changed.
    #[error("{scope} has {limit} consumers, which is all it may have")]
    TooManyMembers { scope: MemberScope, limit: usize },
    /// Nothing was changed.
    #[error("a consumer's id has 1 to {bytes_max} visible ASCII characters")]
    InvalidConsumerId { bytes_max: usize },
    /// Nothing was changed.
    #[error("too many requests of consumers are waiting")]
    Overloaded,
    /// Nothing was changed.
    #[error("the groups' coordinator is stopping")]
    Stopping,
    /// It may hold, now or after a restart.
    #[error("it is not known whether it holds: {reason}")]
    Unknown { reason: String },
}

/// Where there is no room for another consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberScope {
    /// In the subscription.
    Subscription,
    /// In the cluster.
    Cluster,
}

impl fmt::Display for MemberScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Subscription => "the subscription",
            Self::Cluster => "the cluster",
        })
    }
}
