//! Keeps a partition's log alike on several nodes, so that what was acknowledged outlives the loss of some of them.
//!
//! One replica leads: it appends, and says how far all that are in sync have come. The others follow: they fetch from it,
//! write, sync, and say how far they have got by where they fetch next. What every replica in sync has on its disk is
//! committed: consumers see it, publishers are answered. A log is cut only by comparing which epochs its batches are of,
//! never by how far it was committed (KIP-101, KIP-279); and a replica that was in sync is one no more only once the
//! metadata say so.
//!
//! Nothing here depends on a clock for what is safe: time only decides when a follower is to be left behind.

mod catch_up;
mod cursors;
mod fetch;
mod follower;
mod leader;
mod lineage;
mod lineage_search;
mod replica_set;
mod session;

pub use catch_up::CatchUpBudget;
pub use cursors::{CursorFeed, CursorNews};
pub use fetch::{
    CursorUpdate, FetchAnswer, FetchError, FetchPart, FetchPosition, FetchRefusal, FetchReply, FetchRequest,
    FetchVerdict, NodeRun, TailError,
};
pub use follower::{Distrust, Fetched, Follower, FollowerEffect, FollowerStart};
pub use leader::{Leader, LeaderConfig, LeaderEffect, NotEnoughReplicas, ProposalEnd};
pub use lineage::{EpochEnd, Lineage};
pub use lineage_search::LineageSearch;
pub use replica_set::ReplicaSet;
pub use session::{FetchSession, SessionError};
