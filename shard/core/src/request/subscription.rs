//! What consumers ask of a subscription on a partition.

use std::time::Duration;

use super::{PartitionUnavailable, ReadError};
use crate::{
    delivery::{Claim, ClaimRefused, ConsumerId, LeasedMessage},
    format::record_batch::RecordBatch,
    model::{Offset, SubscriptionId, Timestamp, TopicPartition},
};

/// A subscription on a partition.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct PartitionSubscription {
    /// The partition.
    pub partition: TopicPartition,
    /// The subscription.
    pub subscription: SubscriptionId,
}

/// A pull from one partition of a subscription; it never waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct PullRequest {
    /// How many messages it may lease.
    pub messages_max: u32,
    /// How many bytes of batches it may return; one batch is returned however large.
    pub bytes_max: usize,
    /// How long the consumer has until it must ack; the subscription's setting if none.
    pub ack_deadline: Option<Duration>,
    /// Who pulls: what a consumer holds is released when it is gone.
    pub consumer: ConsumerId,
    /// Why it may pull, where partitions are assigned to consumers.
    pub claim: Option<Claim>,
}

/// Messages leased to a consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Pulled {
    /// The batches that hold the messages, in offset order; they hold other messages too.
    #[rkyv(with = rkyv::with::Skip)]
    pub batches: Vec<RecordBatch>,
    /// The messages leased, in the order in which they are to be delivered.
    pub leased: Vec<LeasedMessage>,
}

/// What a consumer says of messages it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum AckAction {
    /// Done with: never deliver it again.
    Ack,
    /// Deliver it again.
    Nack {
        /// After this long, zero is at once; by the subscription's back-off if none.
        delay: Option<Duration>,
    },
    /// Never deliver it again: it becomes a dead letter.
    Reject,
    /// Still working: the deadline is this long from now.
    Extend {
        /// From now.
        deadline: Duration,
    },
}

/// Why no ack of a request was applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum SubscriptionError {
    #[error("{0}")]
    Unavailable(#[from] PartitionUnavailable),
    #[error("subscription {0} is not on this partition")]
    NotHere(SubscriptionId),
    /// Nothing was leased or acked.
    #[error("{0}")]
    Claim(#[from] ClaimRefused),
    #[error("{0}")]
    Read(#[from] ReadError),
    #[error("the cursor could not be stored: {reason}")]
    StoreFailed { reason: String },
    /// It may have been done: whoever leads the partition next knows, and can be asked again.
    #[error("another node leads partition {0} before the change was committed")]
    Undecided(TopicPartition),
}

/// Where a subscription is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum SeekTo {
    /// The first message still there.
    Earliest,
    /// After the last message.
    Latest,
    /// The first message taken at this time or later.
    Timestamp(Timestamp),
    /// This offset.
    Offset(Offset),
}

/// A subscription on one partition, as its description shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct CursorStatus {
    /// Every offset below it is acked.
    pub ack_floor: Offset,
    /// How many messages are not acked, leased ones included.
    pub backlog: u64,
    /// How many messages consumers hold.
    pub leased: u64,
    /// When the oldest message not acked was published.
    pub oldest_unacked: Option<Timestamp>,
    /// How many deliveries were not the first of their message, since the partition was opened.
    pub redeliveries: u64,
    /// How many messages became dead letters, since the partition was opened.
    pub dead_lettered: u64,
    /// How many messages expired before they were acked, since the partition was opened.
    pub expired: u64,
    /// How many messages the filter kept out, since the partition was opened.
    pub filtered: u64,
}
