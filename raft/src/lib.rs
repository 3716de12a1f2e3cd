//! The cluster's metadata: topics, subscriptions, nodes and who owns which partition, agreed on by Raft.
//!
//! [`metadata`] and [`controller`] are pure. Around them: openraft decides the order of commands ([`start`]), sled keeps its log and vote,
//! and the state is held in memory, made again at each start from the newest snapshot and the log behind it.
#![forbid(unsafe_code)]

pub mod controller;
pub mod limits;
pub mod metadata;

#[cfg(test)]
mod chance;
mod checksum;
mod clock;
mod coalesce;
mod controlling;
mod election;
#[cfg(test)]
mod golden;
mod groups;
mod handle;
mod handover;
mod join;
mod leader;
mod membership;
mod network;
mod node;
mod operator;
mod peers;
mod proposal;
mod proposer;
mod signs;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod sim_log;
mod snapshots;
mod state_machine;
mod store;
mod type_config;
mod updates;

pub use groups::{GroupError, GroupHandle, MemberScope, MemberStatus, Membership};
pub use handle::{MetadataHandle, ProposeError};
pub use node::{ClusterPlan, MetadataConfig, MetadataMetrics, MetadataNode, StartError, metadata_owner, start};
pub use operator::{ClusterHandle, ClusterStanding, MemberStanding, OperateError, OperateRefusal, RaftRole};
pub use peers::{CallError, CallFuture, Peer, PeerServer, Transport};
pub use signs::Contact;
pub use snapshots::{DamagedSnapshot, SnapshotError};
pub use store::{BadEntry, DamagedValue, IdentityError, OpenLogError, ReachedError};
pub use updates::MetadataUpdates;
