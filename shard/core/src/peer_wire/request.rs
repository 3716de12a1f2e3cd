//! What can be asked of a partition on another node.

use std::time::Duration;

use bytes::Bytes;

use super::PeerWireError;
use crate::{
    delivery::{Claim, ConsumerId, LeaseId},
    limits,
    log::Acks,
    model::{LeaderEpoch, Offset, SubscriptionId, TopicPartition},
    replication::FetchRequest,
    request::{
        AckAction, CancelQuery, DigestQuery, LetterQuery, PartitionSubscription, PullRequest, ReadRequest,
        RedriveQuery, ScheduledQuery, SeekTo,
    },
    trace::TraceBytes,
};

/// A request; the batch of a publish is in the frame's tail. One that is part of a trace that is recorded is a `PublishTraced`,
/// from version 2 of the link on.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
#[expect(missing_docs, reason = "each is the method of the same name that gateways ask with")]
pub enum PeerRequest {
    Publish { partition: TopicPartition, acks: Option<Acks> },
    Read { partition: TopicPartition, read: ReadRequest },
    Status { partition: TopicPartition },
    Pull { cursor: PartitionSubscription, pull: PullRequest },
    Acknowledge { cursor: PartitionSubscription, action: AckAction, leases: Vec<(Offset, LeaseId)> },
    AckUpTo { cursor: PartitionSubscription, up_to: Offset, claim: Option<Claim> },
    Seek { cursor: PartitionSubscription, to: SeekTo },
    CursorStatus { cursor: PartitionSubscription },
    AwaitDeliverable { subscription: SubscriptionId, partitions: Vec<TopicPartition> },
    ReleaseConsumer { cursor: PartitionSubscription, consumer: ConsumerId },
    Letters(LetterQuery),
    Redrive(RedriveQuery),
    Scheduled(ScheduledQuery),
    Cancel(CancelQuery),
    Fetch(FetchRequest),
    Holds { partition: TopicPartition, epoch: LeaderEpoch, end: Offset },
    Digest(DigestQuery),
    PublishTraced { partition: TopicPartition, acks: Option<Acks>, trace: TraceBytes },
}

impl PeerRequest {
    /// The head of its frame.
    ///
    /// # Errors
    /// It can't be encoded, for want of memory.
    pub fn encode(&self) -> Result<Bytes, PeerWireError> {
        rkyv::api::high::to_bytes_in::<_, rkyv::rancor::Failure>(self, Vec::new())
            .map(Bytes::from)
            .map_err(|_| PeerWireError::Head { bytes: 0 })
    }

    /// Reads the head of a frame, and bounds what it asks for.
    ///
    /// # Errors
    /// It is no request; any bytes are safe to give.
    pub fn decode(head: &[u8]) -> Result<Self, PeerWireError> {
        rkyv::from_bytes::<Self, rkyv::rancor::Failure>(head)
            .map(Self::bounded)
            .map_err(|_| PeerWireError::Head { bytes: head.len() })
    }

    /// The same, asking for no more than an answer can hold; whoever wants more asks again, as after any answer.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        match &mut self {
            Self::Read { read, .. } => {
                read.bytes_max = read.bytes_max.min(limits::PEER_ANSWER_BYTES_MAX);
                read.wait = read.wait.min(limits::PEER_READ_WAIT_MAX);
            }
            Self::Pull { pull, .. } => {
                pull.bytes_max = pull.bytes_max.min(limits::PEER_ANSWER_BYTES_MAX);
                pull.messages_max = pull.messages_max.min(limits::PEER_ANSWER_MESSAGES_MAX);
                pull.ack_deadline =
                    pull.ack_deadline.map(|deadline| deadline.min(Duration::from_millis(u32::MAX.into())));
            }
            Self::Letters(query) => query.count_max = query.count_max.min(limits::PEER_FOUND_MAX),
            Self::Redrive(query) => query.letters.count_max = query.letters.count_max.min(limits::PEER_FOUND_MAX),
            Self::Scheduled(query) => query.count_max = query.count_max.min(limits::PEER_FOUND_MAX),
            Self::Publish { .. }
            | Self::Status { .. }
            | Self::Acknowledge { .. }
            | Self::AckUpTo { .. }
            | Self::Seek { .. }
            | Self::CursorStatus { .. }
            | Self::AwaitDeliverable { .. }
            | Self::ReleaseConsumer { .. }
            | Self::Cancel(_)
            | Self::Fetch(_)
            | Self::Holds { .. }
            | Self::Digest(_)
            | Self::PublishTraced { .. } => {}
        }
        self
    }

    /// A partition that it is about; where there are several, all of one owner.
    #[must_use]
    pub fn partition(&self) -> Option<TopicPartition> {
        match self {
            Self::Publish { partition, .. }
            | Self::Read { partition, .. }
            | Self::Status { partition }
            | Self::PublishTraced { partition, .. }
            | Self::Holds { partition, .. } => Some(*partition),
            Self::Pull { cursor, .. }
            | Self::Acknowledge { cursor, .. }
            | Self::AckUpTo { cursor, .. }
            | Self::Seek { cursor, .. }
            | Self::CursorStatus { cursor }
            | Self::ReleaseConsumer { cursor, .. } => Some(cursor.partition),
            Self::AwaitDeliverable { partitions, .. } => partitions.first().copied(),
            Self::Letters(query) => Some(query.place.partition),
            Self::Redrive(query) => Some(query.letters.place.partition),
            Self::Scheduled(query) => Some(query.partition),
            Self::Cancel(query) => Some(query.partition),
            Self::Digest(query) => Some(query.partition),
            Self::Fetch(fetch) => fetch.positions.first().map(|&(partition, _)| partition),
        }
    }
}
