//! The control lane of the link between nodes: questions about the metadata and their answers, on the control thread.
//!
//! One port takes the connections of other nodes. Its first bytes say whom a connection is for: the control lane stays
//! here, the others are handed to the core they name.

mod client;
mod connection;
mod listener;
mod refusals;
mod server;
mod stream;

use std::sync::Arc;

use raft::PeerServer;
use shard::peer::PeerTls;
use shard_core::link::{ClusterText, Expected, Lane, LinkIdentity, LinkSecret};

pub(crate) use client::ControlClient;
pub(crate) use listener::{LinkListener, ShardLanes};
use refusals::Refusals;

/// What this node says of itself to others, on both sides of a connection. Clones share it.
#[derive(Clone)]
pub(crate) struct LinkSelf {
    node: u64,
    secret: Option<LinkSecret>,
    tls: Option<PeerTls>,
    refusals: Arc<Refusals>,
    /// Knows which cluster this node belongs to.
    metadata: PeerServer,
}

impl LinkSelf {
    pub(crate) fn new(node: u64, (secret, tls): (Option<LinkSecret>, Option<PeerTls>), metadata: PeerServer) -> Self {
        Self { node, secret, tls, refusals: Arc::new(Refusals::new()), metadata }
    }

    /// What both lanes are encrypted with, if they are.
    const fn tls(&self) -> Option<&PeerTls> {
        self.tls.as_ref()
    }

    /// What is said and expected in the handshake of one connection.
    fn expected(&self, lane: Lane, peer: Option<u64>) -> Expected {
        let cluster = self.metadata.cluster_id().and_then(|id| ClusterText::new(&id));
        let mut nonce = [0; 32];
        for half in nonce.chunks_exact_mut(16) {
            half.copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        }
        Expected {
            us: LinkIdentity { cluster, node: Some(self.node), incarnation: 0 },
            peer,
            lane,
            secret: self.secret.clone(),
            nonce,
        }
    }
}
