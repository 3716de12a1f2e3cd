//! What a gateway asks of a partition, and what it is told: the requests that may cross from core to core.

use futures_channel::oneshot;
pub(crate) use shard_core::request::UndecidedAppend;
pub use shard_core::{
    delivery::{AckOutcome, Claim, ConsumerId, LeaseId, LeasedMessage},
    log::{Place, ProducerRefusal, Repeats},
    request::{
        AckAction, CursorStatus, DigestQuery, Durability, FollowerLag, LogDigest, PartitionStatus,
        PartitionSubscription, PartitionUnavailable, PublishError, Published, PullRequest, Pulled, ReadError, ReadFrom,
        ReadReply, ReadRequest, SeekTo, SubscriptionError,
    },
};
use shard_core::{
    format::record_batch::UnassignedBatch,
    log::Acks,
    model::{LeaderEpoch, Offset, SubscriptionId, TopicPartition},
    replication::{FetchError, FetchReply, FetchRequest},
    trace::TraceContext,
};

use crate::{search::Search, store::ReadFault};

/// Where an answer goes; the asker may be on another core, and may have gone.
pub(crate) type Reply<T, E> = oneshot::Sender<Result<T, E>>;

/// How a batch is published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublishTerms {
    /// When its publisher wants to hear of it; as the partition says if nothing is said.
    pub acks: Option<Acks>,
    /// What it is a part of, if that is recorded.
    pub trace: Option<TraceContext>,
}

impl PublishTerms {
    /// Of what is done with where it came from once it is there: by then it is as safe as it gets, whatever the topic says.
    pub(crate) const MOVED: Self = Self { acks: Some(Acks::Quorum), trace: None };
}

/// What can be asked of the owner of a partition; `ShardHandle` has a method for each.
#[derive(Debug)]
pub(crate) enum Request {
    Publish {
        partition: TopicPartition,
        batch: UnassignedBatch,
        terms: PublishTerms,
        /// It may go to another node if the partition has gone there.
        may_pass_on: bool,
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
    /// Whether the log holds what an earlier leader had stored and not committed.
    Holds {
        partition: TopicPartition,
        epoch: LeaderEpoch,
        end: Offset,
        reply: Reply<bool, PartitionUnavailable>,
    },
    /// What a replica here, whoever leads, holds of a stretch of the log.
    Digest {
        query: DigestQuery,
        reply: Reply<LogDigest, PartitionUnavailable>,
    },
    /// A core of another node follows partitions that are led on this core.
    Fetch {
        fetch: FetchRequest,
        reply: Reply<FetchReply, FetchError>,
    },
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
