//! The shard's lane of the link between nodes: this core's requests to partitions elsewhere, and those of other nodes to
//! partitions here.
//!
//! `links` keeps at most one connection to each core of another node that is needed; `connect` makes it and
//! `handshake` begins it; `channel` reads, writes and watches it, on either side; `asking` has the requests that wait for
//! replies, `serving` those that are being done for another node; `forward` finds the owner and decides with
//! [`shard_core::peer_wire::Attempts`] what is asked again. `port` is how a connection that another thread has accepted gets here,
//! and `tls` is what both lanes encrypt theirs with.
//!
//! A node never asks on for another one: what is not here when it is asked for is answered so.

mod asking;
mod channel;
mod connect;
mod forward;
mod handshake;
mod links;
mod outcome;
mod port;
mod serving;
mod tls;

use shard_core::link::{Expected, Lane, LinkIdentity, LinkSecret};

pub(crate) use self::{
    forward::{Forward, Question},
    links::Links,
    outcome::{Error, Outcome},
};
pub use self::{
    port::{HandOverRefused, PeerPort, PeerPortEnd, peer_port},
    serving::PeerServer,
    tls::{Gathering, PeerMaterialError, PeerTls, PeerTlsMaterial, PeerTlsSetup, in_words},
};
use crate::routes::Routes;

/// What a shard needs to speak with other nodes.
#[derive(Clone, Debug)]
pub struct PeerConfig {
    /// Who owns what, and where the nodes are.
    pub routes: Routes,
    /// What all nodes of the cluster know, if they have a secret.
    pub secret: Option<LinkSecret>,
    /// What connections are encrypted with, if they are.
    pub tls: Option<PeerTls>,
}

impl PeerConfig {
    fn expected(&self, us: LinkIdentity, peer: Option<u64>, lane: Lane) -> Expected {
        let mut nonce = [0; 32];
        for (half, id) in nonce.chunks_mut(16).zip([uuid::Uuid::new_v4(), uuid::Uuid::new_v4()]) {
            half.copy_from_slice(id.as_bytes());
        }
        Expected { us, peer, lane, secret: self.secret.clone(), nonce }
    }
}
