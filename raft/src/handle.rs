//! A gateway's way to the metadata: the newest published state, and changes of it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use crate::{
    limits,
    metadata::{ClusterState, Command, NodeId, Outcome, Refusal},
    proposal::Proposal,
};

/// Reads and changes the metadata from any thread and any executor. Clones are cheap.
#[derive(Clone, Debug)]
pub struct MetadataHandle {
    published: Arc<ArcSwap<ClusterState>>,
    proposals: flume::Sender<Proposal>,
}

/// Why a command has no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum ProposeError {
    /// Nothing was changed.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// Nothing was changed.
    #[error("the command has {bytes} bytes, at most {bytes_max} are allowed")]
    TooLarge { bytes: usize, bytes_max: usize },
    /// Nothing was changed.
    #[error("too many changes of the metadata are waiting")]
    Overloaded,
    /// Nothing was changed.
    #[error("this node does not lead the cluster")]
    NotLeader { leader: Option<NodeId> },
    /// Nothing was changed.
    #[error("the metadata is stopping")]
    Stopping,
    /// The command may hold, now or after a restart.
    #[error("it is not known whether the change holds: {reason}")]
    Unknown { reason: String },
    /// The command holds: it is durable and applied. Only the shards had not taken it in time; they will.
    #[error("the change holds, but is not in effect on this node yet (version {version})")]
    NotPublished { version: u64 },
}

impl MetadataHandle {
    /// A handle on a state that stays as it is, with no Raft behind it: every proposal is answered `Stopping`.
    #[must_use]
    pub fn detached(state: ClusterState) -> Self {
        let (proposals, _) = flume::bounded(1);
        Self::new(Arc::new(ArcSwap::from_pointee(state)), proposals)
    }

    pub(crate) const fn new(published: Arc<ArcSwap<ClusterState>>, proposals: flume::Sender<Proposal>) -> Self {
        Self { published, proposals }
    }

    /// The newest state that the shards of this node have taken; it waits for nothing.
    #[must_use]
    pub fn state(&self) -> Arc<ClusterState> {
        self.published.load_full()
    }

    /// Changes the metadata. When it answers, the change is durable, applied, and in `state`. Once the command has been
    /// taken, dropping the future does not take it back.
    ///
    /// # Errors
    /// The variant says whether the command holds.
    pub async fn propose(&self, command: Command) -> Result<Outcome, ProposeError> {
        let (reply, answer) = oneshot::channel();
        let proposal = Proposal::new(command, reply)?;
        self.proposals.try_send(proposal).map_err(|refused| match refused {
            flume::TrySendError::Full(_) => ProposeError::Overloaded,
            flume::TrySendError::Disconnected(_) => ProposeError::Stopping,
        })?;
        match answer.await {
            Ok(answer) => answer,
            Err(_) => Err(ProposeError::Unknown { reason: "the metadata stopped".to_owned() }),
        }
    }
}

/// Refuses what would not fit a log entry before it is sent anywhere.
pub(crate) const fn check_command_bytes(bytes: usize) -> Result<(), ProposeError> {
    if bytes > limits::COMMAND_BYTES_MAX {
        return Err(ProposeError::TooLarge { bytes, bytes_max: limits::COMMAND_BYTES_MAX });
    }
    Ok(())
}
