//! What those who look after the cluster ask of it, through any node.

mod driver;
mod lead;
mod message;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shard_core::model::TopicPartition;
use tokio::sync::oneshot;

use crate::metadata::NodeId;
use driver::Call;

pub use message::OperateRefusal;

pub(crate) use driver::OperatorDriver;
pub(crate) use message::{Operated, Operation};

/// Speaks for operators from any thread and any executor. Clones are cheap.
///
/// Emptying and removing a node are changes of the metadata, and are proposed like others.
#[derive(Clone, Debug)]
pub struct ClusterHandle {
    calls: flume::Sender<Call>,
}

/// How the cluster stands, beyond what the metadata says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterStanding {
    /// Who leads the metadata; `None` if nobody is known to.
    pub leader: Option<NodeId>,
    /// The term; it rises with each election.
    pub term: u64,
    /// The members of the Raft group, by number.
    pub members: Vec<MemberStanding>,
    /// The last entry of the leader's log, or of this node's if there is no leader.
    pub last_log_index: u64,
    /// The last entry that is applied on the node that was asked.
    pub applied_index: u64,
    /// How long ago the node that was asked last knew itself to be part of the cluster that decides.
    pub silence: Duration,
}

/// A member of the Raft group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberStanding {
    /// The node.
    pub node: NodeId,
    /// What it does.
    pub role: RaftRole,
    /// How far its log is known to reach; only the leader knows.
    pub log_index: Option<u64>,
}

/// What a member of the Raft group does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RaftRole {
    /// It decides in which order things happen.
    Leader,
    /// It has a vote.
    Follower,
    /// It gets the log, and has no vote.
    Learner,
}

/// Why something that an operator wants is not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum OperateError {
    /// Nothing was changed.
    #[error("{0}")]
    Refused(#[from] OperateRefusal),
    /// Nothing was changed.
    #[error("nobody leads the cluster's metadata now")]
    NoLeader,
    /// Nothing was changed.
    #[error("too many requests of operators are waiting")]
    Overloaded,
    /// Nothing was changed.
    #[error("the metadata is stopping")]
    Stopping,
    /// It may have been done.
    #[error("it is not known whether it was done: {reason}")]
    Unknown { reason: String },
}

impl ClusterHandle {
    /// A handle with no cluster behind it: everything is answered `Stopping`.
    #[must_use]
    pub fn detached() -> Self {
        let (calls, _) = flume::bounded(1);
        Self { calls }
    }

    /// How the cluster stands: by its leader's account, or by this node's if nobody leads.
    ///
    /// # Errors
    /// This node can't be asked now.
    pub async fn describe(&self) -> Result<ClusterStanding, OperateError> {
        match self.ask(Operation::Describe).await? {
            Operated::Described(standing) => Ok(standing),
            Operated::Done { .. } | Operated::Refused(_) => Err(other_answer()),
        }
    }

    /// Evens out the partitions from now on, however small the differences are. [`moves_to_even`] says how far that is.
    ///
    /// [`moves_to_even`]: crate::controller::moves_to_even
    ///
    /// # Errors
    /// The variant says whether it may go on all the same.
    pub async fn rebalance(&self) -> Result<(), OperateError> {
        self.done(Operation::Rebalance).await
    }

    /// Lets a node own a partition. When it answers, the metadata say so, on this node too.
    ///
    /// # Errors
    /// The variant says whether the partition may have moved.
    pub async fn move_partition(&self, named: TopicPartition, to: NodeId) -> Result<(), OperateError> {
        self.done(Operation::Move { topic: named.topic.get(), partition: named.partition.get(), to }).await
    }

    /// Lets another node lead the metadata: `to`, or one that has most of the log.
    ///
    /// # Errors
    /// The variant says whether another node may lead now.
    pub async fn transfer_leadership(&self, to: Option<NodeId>) -> Result<(), OperateError> {
        self.done(Operation::Lead { to }).await
    }

    /// Lets a node own a partition that may lack what was acknowledged: `node`, or the first that is up of those that keep it.
    /// Only while no node is up that holds everything.
    ///
    /// # Errors
    /// The variant says whether it may have been done.
    pub async fn elect_unclean(&self, named: TopicPartition, node: Option<NodeId>) -> Result<(), OperateError> {
        let (topic, partition) = (named.topic.get(), named.partition.get());
        self.done(Operation::ElectUnclean { topic, partition, node }).await
    }

    async fn done(&self, operation: Operation) -> Result<(), OperateError> {
        match self.ask(operation).await? {
            Operated::Done { .. } => Ok(()),
            Operated::Refused(refusal) => Err(refusal.into()),
            Operated::Described(_) => Err(other_answer()),
        }
    }

    async fn ask(&self, operation: Operation) -> Result<Operated, OperateError> {
        let (reply, answer) = oneshot::channel();
        self.calls.try_send(Call { operation, reply }).map_err(|refused| match refused {
            flume::TrySendError::Full(_) => OperateError::Overloaded,
            flume::TrySendError::Disconnected(_) => OperateError::Stopping,
        })?;
        answer.await.unwrap_or_else(|_| Err(OperateError::Unknown { reason: "the metadata stopped".to_owned() }))
    }
}

/// A leader of another version might say so.
fn other_answer() -> OperateError {
    OperateError::Unknown { reason: "the leader answered another question".to_owned() }
}
