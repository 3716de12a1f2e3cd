//! One core's share of a node: owns partitions, performs what their cores decide, and answers gateways.

mod alarm;
mod append_spans;
mod blocking;
mod clock;
pub mod command;
mod config;
mod event;
mod executor_watch;
mod handle;
mod limits;
mod mailbox;
mod marks;
mod mesh;
pub mod metrics;
mod partition;
pub mod peer;
mod placement;
mod replication;
mod request;
mod routes;
mod search;
mod shard;
pub mod store;
mod subscriptions;
mod tail_cache;
mod tally;
mod topic_counts;
pub mod tracer;
mod waiters;

pub use config::ShardConfig;
pub use handle::ShardHandle;
pub use mesh::MeshPlan;
pub use placement::shard_of;
pub use replication::{IsrProposal, ReplicaFault, ReplicationConfig};
pub use request::{
    AckAction, AckOutcome, Claim, ConsumerId, CursorStatus, DigestQuery, Durability, FollowerLag, LeaseId,
    LeasedMessage, LogDigest, PartitionStatus, PartitionSubscription, PartitionUnavailable, Place, ProducerRefusal,
    PublishError, PublishTerms, Published, PullRequest, Pulled, ReadError, ReadFrom, ReadReply, ReadRequest, Repeats,
    SeekTo, SubscriptionError,
};
pub use routes::{NodeRoute, PartitionRoute, RouteTable, Routes};
pub use search::{CancelQuery, Cancelled, LetterQuery, Letters, RedriveQuery, Redriven, Scheduled, ScheduledQuery};
pub use shard::Shard;
pub use store::{StoreConfig, redis};
pub use tally::{Progress, Tally};
