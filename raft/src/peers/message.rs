//! What nodes ask each other about the metadata, encoded by postcard.
//!
//! A kind is known by its place: a new one goes to the end, and a kind whose fields change is a new kind.

use openraft::{
    error::{InstallSnapshotError, RaftError},
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse, VoteRequest,
        VoteResponse,
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    groups::{Answered, Request},
    metadata::{Command, Incarnation, NodeId, Refusal},
    operator::{Operated, Operation},
    type_config::{Applied, LogId, TypeConfig},
};

/// A question.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Question {
    /// Raft: take these log entries.
    Append(AppendEntriesRequest<TypeConfig>),
    /// Raft: vote for me.
    Vote(VoteRequest<u64>),
    /// Raft: take this part of a snapshot.
    Snapshot(InstallSnapshotRequest<TypeConfig>),
    /// Would you vote for me? Nothing changes by the answer.
    Canvass(Canvass),
    /// The leader wants to be followed by you.
    TakeLead,
    /// Write these commands as one log entry, if you lead.
    Propose(Vec<Command>),
    /// Let this run of a node into the cluster, if you lead.
    Join(Registration),
    /// A node lives.
    Heartbeat(Heartbeat),
    /// What consumers want of the coordinator of groups, if you lead.
    Groups(Vec<Request>),
    /// This run of a node ends: give its partitions to others, if you lead.
    Leave(Heartbeat),
    /// What an operator wants, if you lead.
    Operate(Operation),
}

/// The answer to the question of the same name.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Append(Result<AppendEntriesResponse<u64>, RaftError<u64>>),
    Vote(Result<VoteResponse<u64>, RaftError<u64>>),
    Snapshot(Result<InstallSnapshotResponse<u64>, RaftError<u64, InstallSnapshotError>>),
    Canvass {
        granted: bool,
    },
    TakeLead,
    Propose(Result<Applied, NoLead>),
    Join(Result<Joined, NoLead>),
    Heartbeat(Sign),
    Groups(Result<Vec<GroupAnswer>, NoLead>),
    /// The node can't answer now.
    Unready {
        reason: String,
    },
    Leave,
    Operate(Result<Operated, NoLead>),
    /// Commands were taken, and it is not known what becomes of them.
    MayHold,
}

/// What a node would stand for election with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Canvass {
    pub(crate) last_log_id: Option<LogId>,
}

/// A run of a node that wants to belong to the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registration {
    pub(crate) node: NodeId,
    pub(crate) incarnation: Incarnation,
    pub(crate) address: String,
    pub(crate) client_address: String,
    pub(crate) rack: Option<String>,
    pub(crate) shards: u32,
    pub(crate) software: u32,
    pub(crate) shared_store: bool,
}

/// What became of a registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Joined {
    /// It belongs to the cluster, by the log entry of this index.
    In { epoch: u64 },
    /// It never will, like that.
    Refused(Refusal),
}

/// A node's sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heartbeat {
    pub(crate) node: NodeId,
    /// Which run of it.
    pub(crate) epoch: u64,
    /// How far it has applied the log.
    pub(crate) version: u64,
}

/// What a node says of itself when it is told a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sign {
    /// Whether it leads, and a majority has just followed.
    pub(crate) leads: bool,
    /// Whether it takes who asks for the leader.
    pub(crate) follows: bool,
    /// How long ago it surely was part of the cluster that decides.
    pub(crate) silence_ms: u64,
    /// How far it has applied the log.
    pub(crate) version: u64,
    /// Whether the cluster has removed who asks.
    pub(crate) removed: bool,
}

/// The node does not lead; perhaps another does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NoLead {
    pub(crate) leader: Option<(NodeId, String)>,
}

/// An answer to one request of a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupAnswer {
    pub(crate) answered: Answered,
    /// The version of the metadata that it is true of.
    pub(crate) version: u64,
}

impl From<Registration> for Command {
    fn from(registration: Registration) -> Self {
        let Registration { node, incarnation, address, client_address, rack, shards, software, shared_store } =
            registration;
        Self::JoinNode { node, incarnation, address, client_address, rack, shards, software, shared_store }
    }
}
