//! What a gateway asks of a partition, and what it is told: the requests that may cross from core to core.

use std::time::Duration;

use futures_channel::oneshot;
use shard_core::{
    delivery::ClaimRefused,
    format::record_batch::{RecordBatch, UnassignedBatch},
    model::{LeaderEpoch, Offset, OffsetRange, SubscriptionId, Timestamp, TopicPartition},
};
pub use shard_core::{
    delivery::{AckOutcome, Claim, ConsumerId, LeaseId, LeasedMessage},
    log::{Place, ProducerRefusal, Repeats},
};

use crate::{search::Search, store::ReadFault};

/// How durable a message was when its publisher was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Synced to the owner's disk.
    Leader,
    /// Written by the owner, not synced yet.
    Buffered,
    /// In the owner's memory alone.
    Memory,
    /// In Redis, synced to its disk.
    RedisFsync,
    /// In Redis, not synced yet.
    RedisBuffered,
}

/// What became of a published batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The offset of its first record; if nothing was there before, the others follow without a gap.
    pub base_offset: Offset,
    /// Which of its records an earlier try had stored.
    pub repeats: Repeats,
    /// When the owner took it.
    pub timestamp: Timestamp,
    /// What it had reached.
    pub durability: Durability,
}

/// Why a batch was not published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum PublishError {
    /// Nothing was stored.
    #[error("{0}")]
    Unavailable(#[from] PartitionUnavailable),
    /// Nothing was stored.
    #[error("the partition has {unflushed_bytes} bytes waiting for the store, the limit is {unflushed_bytes_max}")]
    Backpressure { unflushed_bytes: u64, unflushed_bytes_max: u64 },
    /// Nothing was stored; a later try may succeed.
    #[error("the store took nothing: {reason}")]
    Rejected { reason: String },
    /// Nothing was stored by this try: the producer's numbers don't go on where they were.
    #[error("{0}")]
    Producer(ProducerRefusal),
    /// It is not known whether the batch will be there after a restart.
    #[error("the store failed while the batch was written: {reason}")]
    StoreFailed { reason: String },
}

impl Published {
    /// Where the record at that place of the batch is, and whether it was there before.
    #[must_use]
    pub fn place(&self, ordinal: u64) -> Place {
        self.repeats.place(self.base_offset, ordinal)
    }
}

/// Why a partition can't serve a request at all; nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum PartitionUnavailable {
    #[error("no partition {0} is on this node")]
    NotHere(TopicPartition),
    #[error("partition {partition} is closed: {reason}")]
    Closed { partition: TopicPartition, reason: String },
    /// It will be served again by itself once the store is back.
    #[error("partition {partition} waits for its store: {reason}")]
    StoreAway { partition: TopicPartition, reason: String },
    #[error("the queue of the partition's core is full")]
    Overloaded,
    #[error("the node is stopping")]
    Stopping,
}

/// Where a read begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    /// At this offset.
    Offset(Offset),
    /// At the first record taken at this time or later.
    Timestamp(Timestamp),
}

/// A read of a partition without a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// Where it begins.
    pub from: ReadFrom,
    /// How many bytes of batches it may return; one batch is returned however large.
    pub bytes_max: usize,
    /// How long to wait for a record if there is none yet.
    pub wait: Duration,
}

/// Batches of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadReply {
    /// Where the read began: the first batch holds this offset, unless there is none.
    pub from: Offset,
    /// Whole batches in order, without a gap; the first may begin before `from`.
    pub batches: Vec<RecordBatch>,
    /// Consumers see what lies below it.
    pub high_watermark: Offset,
}

impl ReadReply {
    /// Whether consumers see more behind what was read.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.batches.last().is_some_and(|batch| batch.offsets().end < self.high_watermark)
    }
}

/// Why a read gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum ReadError {
    #[error("{0}")]
    Unavailable(#[from] PartitionUnavailable),
    #[error("offset {offset} is older than the log, which starts at {start}")]
    Expired { offset: Offset, start: Offset },
    #[error("offset {offset} is past the end of the log, {end}")]
    PastEnd { offset: Offset, end: Offset },
    #[error("the log is damaged at offset {offset}: {reason}")]
    Corrupt { offset: Offset, reason: String },
    #[error("the store has lost the messages {lost}")]
    Lost { lost: OffsetRange },
    #[error("the store can't be read now: {reason}")]
    StoreAway { reason: String },
}

/// A partition as the topic's description shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionStatus {
    /// The core that owns it.
    pub shard: usize,
    /// Which owner it is.
    pub leader_epoch: LeaderEpoch,
    /// The first offset still there.
    pub start_offset: Offset,
    /// Consumers see what lies below it.
    pub high_watermark: Offset,
    /// The next offset to be assigned.
    pub end_offset: Offset,
    /// Bytes in the store.
    pub bytes: u64,
    /// Why it is closed, if it is.
    pub closed: Option<String>,
}

/// A pull from one partition of a subscription; it never waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// The batches that hold the messages, in offset order; they hold other messages too.
    pub batches: Vec<RecordBatch>,
    /// The messages leased, in the order in which they are to be delivered.
    pub leased: Vec<LeasedMessage>,
}

/// What a consumer says of messages it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
}

impl From<ReadFault> for ReadError {
    fn from(fault: ReadFault) -> Self {
        match fault {
            ReadFault::Expired { offset, start } => Self::Expired { offset, start },
            ReadFault::PastEnd { offset, end } => Self::PastEnd { offset, end },
            ReadFault::Damaged { offset, reason } => Self::Corrupt { offset, reason },
            ReadFault::Lost { lost } => Self::Lost { lost },
            ReadFault::Away { reason } => Self::StoreAway { reason },
        }
    }
}

/// Where a subscription is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

/// A subscription on a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionSubscription {
    /// The partition.
    pub partition: TopicPartition,
    /// The subscription.
    pub subscription: SubscriptionId,
}

/// Where an answer goes; the asker may be on another core, and may have gone.
pub(crate) type Reply<T, E> = oneshot::Sender<Result<T, E>>;

/// What can be asked of the owner of a partition; `ShardHandle` has a method for each.
#[derive(Debug)]
pub(crate) enum Request {
    Publish {
        partition: TopicPartition,
        batch: UnassignedBatch,
        reply: Reply<Published, PublishError>,
    },
    Read {
        partition: TopicPartition,
        read: ReadRequest,
        reply: Reply<ReadReply, ReadError>,
    },
    Status {
        partition: TopicPartition,
        reply: Reply<PartitionStatus, PartitionUnavailable>,
    },
    Pull {
        cursor: PartitionSubscription,
        pull: PullRequest,
        reply: Reply<Pulled, SubscriptionError>,
    },
    Acknowledge {
        cursor: PartitionSubscription,
        action: AckAction,
        leases: Vec<(Offset, LeaseId)>,
        reply: Reply<Vec<AckOutcome>, SubscriptionError>,
    },
    AckUpTo {
        cursor: PartitionSubscription,
        up_to: Offset,
        claim: Option<Claim>,
        reply: Reply<(), SubscriptionError>,
    },
    Seek {
        cursor: PartitionSubscription,
        to: SeekTo,
        reply: Reply<(), SubscriptionError>,
    },
    CursorStatus {
        cursor: PartitionSubscription,
        reply: Reply<CursorStatus, SubscriptionError>,
    },
    AwaitDeliverable {
        subscription: SubscriptionId,
        partitions: Vec<TopicPartition>,
        reply: Reply<(), PartitionUnavailable>,
    },
    ReleaseConsumer {
        cursor: PartitionSubscription,
        consumer: ConsumerId,
    },
    Search {
        partition: TopicPartition,
        search: Search,
    },
}
