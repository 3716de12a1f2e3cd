//! What is asked of the owner of a partition, and what it answers: plain data, which crosses cores as it is and nodes as
//! bytes ([`crate::peer_wire`]).

mod digest;
mod publish;
mod read;
mod search;
mod subscription;
mod unavailable;

pub use digest::{DigestQuery, Digester, LogDigest};
pub use publish::{Durability, PublishError, Published, UndecidedAppend};
pub use read::{FollowerLag, PartitionStatus, ReadError, ReadFrom, ReadReply, ReadRequest};
pub use search::{CancelQuery, Cancelled, LetterQuery, Letters, RedriveQuery, Redriven, Scheduled, ScheduledQuery};
pub use subscription::{
    AckAction, CursorStatus, PartitionSubscription, PullRequest, Pulled, SeekTo, SubscriptionError,
};
pub use unavailable::PartitionUnavailable;
