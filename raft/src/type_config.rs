//! The types that openraft carries for us.

use std::io::Cursor;

use serde::{Deserialize, Serialize};

use crate::metadata::{Command, Outcome, Refusal};

openraft::declare_raft_types!(
    /// What a log entry holds and what applying it gives.
    pub(crate) TypeConfig: D = CommandBatch, R = Applied
);

/// The commands of one log entry: what was waiting when it was written shares one flush.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CommandBatch(pub(crate) Vec<Command>);

/// What became of a log entry's commands, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Applied {
    pub(crate) version: u64,
    pub(crate) outcomes: Vec<Result<Outcome, Refusal>>,
}

pub(crate) type Raft = openraft::Raft<TypeConfig>;
pub(crate) type Entry = openraft::Entry<TypeConfig>;
pub(crate) type LogId = openraft::LogId<u64>;
pub(crate) type Vote = openraft::Vote<u64>;
pub(crate) type Membership = openraft::StoredMembership<u64, openraft::BasicNode>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<u64, openraft::BasicNode>;
pub(crate) type Snapshot = openraft::Snapshot<TypeConfig>;
pub(crate) type StorageError = openraft::StorageError<u64>;
pub(crate) type StorageIoError = openraft::StorageIOError<u64>;
