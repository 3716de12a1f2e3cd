//! What a core holds of partitions that several nodes keep: those it leads, those it follows, who fetches from it and from
//! whom it fetches.
//!
//! What is decided is in [`shard_core::replication`]; what is done about it in `shard/src/shard/{leading,following,fetching,
//! feeding}.rs`. A change of role closes a partition and opens it anew: nothing of one role is left in the other.

mod distrust;
mod feeding;
mod fetcher;
mod following;
mod leading;
mod proposal;

pub use self::{
    distrust::ReplicaFault,
    proposal::{IsrProposal, ReplicationConfig},
};
pub(crate) use self::{
    distrust::{Cause, Distrusted, Followed, Stage},
    feeding::{Parked, PeerKey, Sessions},
    fetcher::Fetchers,
    following::{Done, Following, Work},
    leading::{Assuming, Leading},
};
