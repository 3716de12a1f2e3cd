//! The cluster's metadata: topics, subscriptions, nodes and who owns which partition, agreed on by Raft.
//!
//! [`metadata`] is pure. Around it: openraft decides the order of commands ([`start`]), sled keeps its log and vote,
//! and the state is held in memory, made again at each start from the newest snapshot and the log behind it.
#![forbid(unsafe_code)]

pub mod limits;
pub mod metadata;

mod handle;
mod proposal;
mod updates;

pub use handle::{MetadataHandle, ProposeError};
pub use updates::MetadataUpdates;
