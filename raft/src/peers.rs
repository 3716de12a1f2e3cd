//! How the metadata of one node asks that of another: what carries questions, and who answers them.

mod message;
mod server;

use std::{pin::Pin, sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::metadata::{ClusterState, NodeId};

pub use server::PeerServer;

pub(crate) use message::{Canvass, GroupAnswer, Heartbeat, Joined, NoLead, Question, Registration, Reply, Sign};
pub(crate) use server::Seat;

/// Where a question goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The node that must answer; any may for a seed, of which only the address is known.
    pub node: Option<NodeId>,
    /// Where it is reached, as `HOST:PORT`.
    pub address: String,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum CallError {
    /// It was not asked.
    #[error("the node can't be reached: {reason}")]
    Unreachable { reason: String },
    /// It may have been asked.
    #[error("the node did not answer: {reason}")]
    Lost { reason: String },
}

/// What a call becomes.
pub type CallFuture = Pin<Box<dyn Future<Output = Result<Vec<u8>, CallError>> + Send>>;

/// Carries questions to other nodes and brings their answers, which [`PeerServer::answer`] gives there.
pub trait Transport: Send + Sync + 'static {
    /// Asks once. Dropping the future gives the answer up.
    fn call(&self, peer: Peer, question: Vec<u8>, deadline: Duration) -> CallFuture;
}

/// This node's way to the others.
#[derive(Clone)]
pub(crate) struct Peers {
    transport: Option<Arc<dyn Transport>>,
    applied: watch::Receiver<Arc<ClusterState>>,
}

impl Peers {
    /// Without a transport nobody is reached: a node by itself.
    pub(crate) fn new(transport: Option<Arc<dyn Transport>>, applied: watch::Receiver<Arc<ClusterState>>) -> Self {
        Self { transport, applied }
    }

    /// Where a node is reached now; `otherwise` is where it was said to be before the metadata knew it.
    pub(crate) fn locate(&self, node: NodeId, otherwise: &str) -> Peer {
        let known = self.applied.borrow().node(node).map(|node| node.address.clone());
        Peer { node: Some(node), address: known.unwrap_or_else(|| otherwise.to_owned()) }
    }

    /// Asks a node.
    ///
    /// # Errors
    /// The variant says whether it may have been asked.
    pub(crate) async fn ask(&self, peer: Peer, question: &Question, deadline: Duration) -> Result<Reply, CallError> {
        let Some(transport) = &self.transport else {
            return Err(CallError::Unreachable { reason: "this node is not part of a cluster".to_owned() });
        };
        let encoded = postcard::to_stdvec(question)
            .map_err(|error| CallError::Unreachable { reason: format!("the question can't be encoded: {error}") })?;
        let answered = tokio::time::timeout(deadline, transport.call(peer, encoded, deadline)).await;
        let answer = answered.map_err(|elapsed| CallError::Lost { reason: elapsed.to_string() })??;
        postcard::from_bytes(&answer)
            .map_err(|error| CallError::Lost { reason: format!("its answer can't be read: {error}") })
    }
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peers").finish_non_exhaustive()
    }
}
