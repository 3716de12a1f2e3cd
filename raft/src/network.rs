//! openraft's messages to the other members of the group.

use openraft::{
    AnyError, BasicNode, RaftNetwork, RaftNetworkFactory,
    error::{InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError, Unreachable},
    network::RPCOption,
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse, VoteRequest,
        VoteResponse,
    },
};

use crate::{
    metadata::NodeId,
    peers::{CallError, Peers, Question, Reply},
    type_config::TypeConfig,
};

/// Makes the ways to the other members.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    peers: Peers,
}

/// The way to one member.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    peers: Peers,
    node: NodeId,
    /// Where it was when it became a member; the metadata knows better once it is applied.
    address: String,
}

impl Network {
    pub(crate) const fn new(peers: Peers) -> Self {
        Self { peers }
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Member;

    async fn new_client(&mut self, target: u64, node: &BasicNode) -> Member {
        Member { peers: self.peers.clone(), node: NodeId::new(target), address: node.addr.clone() }
    }
}

impl Member {
    async fn ask<E: std::error::Error>(
        &self,
        question: Question,
        option: &RPCOption,
    ) -> Result<Reply, RPCError<u64, BasicNode, E>> {
        let peer = self.peers.locate(self.node, &self.address);
        self.peers.ask(peer, &question, option.hard_ttl()).await.map_err(|error| match error {
            // openraft rests before it tries an unreachable member again.
            CallError::Unreachable { .. } => RPCError::Unreachable(Unreachable::from(AnyError::new(&error))),
            CallError::Lost { .. } => RPCError::Network(NetworkError::from(AnyError::new(&error))),
        })
    }

    const fn remote<E: std::error::Error>(&self, error: E) -> RPCError<u64, BasicNode, E> {
        RPCError::RemoteError(RemoteError { target: self.node.get(), target_node: None, source: error })
    }
}

impl RaftNetwork<TypeConfig> for Member {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RPCError<u64, BasicNode, RaftError<u64>>> {
        let reply = self.ask(Question::Append(rpc), &option).await?;
        let Reply::Append(answered) = reply else { return Err(no_answer(&reply)) };
        answered.map_err(|error| self.remote(error))
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<InstallSnapshotResponse<u64>, RPCError<u64, BasicNode, RaftError<u64, InstallSnapshotError>>> {
        let reply = self.ask(Question::Snapshot(rpc), &option).await?;
        let Reply::Snapshot(answered) = reply else { return Err(no_answer(&reply)) };
        answered.map_err(|error| self.remote(error))
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, RPCError<u64, BasicNode, RaftError<u64>>> {
        let reply = self.ask(Question::Vote(rpc), &option).await?;
        let Reply::Vote(answered) = reply else { return Err(no_answer(&reply)) };
        answered.map_err(|error| self.remote(error))
    }
}

/// A member that is not ready, or of a version that answers something else.
fn no_answer<E: std::error::Error>(reply: &Reply) -> RPCError<u64, BasicNode, E> {
    let reason = if let Reply::Unready { reason } = reply {
        format!("the node is not ready: {reason}")
    } else {
        "the node answered another question".to_owned()
    };
    RPCError::Unreachable(Unreachable::from(AnyError::error(reason)))
}
