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

    fn remote<T, E: std::error::Error>(&self, answered: Result<T, E>) -> Result<T, RPCError<u64, BasicNode, E>> {
        answered.map_err(|error| RPCError::RemoteError(RemoteError::new(self.node.get(), error)))
    }
}

impl RaftNetwork<TypeConfig> for Member {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RPCError<u64, BasicNode, RaftError<u64>>> {
        match self.ask(Question::Append(rpc), &option).await? {
            Reply::Append(answered) => self.remote(answered),
            other => Err(no_answer(&other)),
        }
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<InstallSnapshotResponse<u64>, RPCError<u64, BasicNode, RaftError<u64, InstallSnapshotError>>> {
        match self.ask(Question::Snapshot(rpc), &option).await? {
            Reply::Snapshot(answered) => self.remote(answered),
            other => Err(no_answer(&other)),
        }
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, RPCError<u64, BasicNode, RaftError<u64>>> {
        match self.ask(Question::Vote(rpc), &option).await? {
            Reply::Vote(answered) => self.remote(answered),
            other => Err(no_answer(&other)),
        }
    }
}

/// A member that is not ready, or of a version that answers something else.
fn no_answer<E: std::error::Error>(reply: &Reply) -> RPCError<u64, BasicNode, E> {
    let reason = match reply {
        Reply::Unready { reason } => format!("the node is not ready: {reason}"),
        _ => "the node answered another question".to_owned(),
    };
    RPCError::Unreachable(Unreachable::from(AnyError::error(reason)))
}
