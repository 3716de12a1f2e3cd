//! One core's share of a node: owns partitions, performs what their cores decide, and answers gateways.

mod handle;
mod request;

pub use handle::ShardHandle;
pub use request::{
    AckAction, AckOutcome, ConsumerId, CursorStatus, Durability, LeaseId, LeasedMessage, PartitionStatus,
    PartitionSubscription, PartitionUnavailable, PublishError, Published, PullRequest, Pulled, ReadError, ReadFrom,
    ReadReply, ReadRequest, SeekTo, SubscriptionError,
};
