//! TLS for clients, by rustls on the core's own executor: what a port speaks with, and how a connection gets there.

mod certificate;
mod failure;
mod handshake;
mod material;

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use futures_rustls::{TlsAcceptor, rustls::ServerConfig};

pub use certificate::{client_name, not_after};
pub use failure::HandshakeFailure;
pub(crate) use handshake::secure;
pub use material::{ClientAuth, MaterialError, MinVersion, TlsMaterial};

/// What a node shows and demands in handshakes.
#[derive(Clone)]
pub struct TlsSetup {
    config: Arc<ServerConfig>,
    not_after: i64,
}

/// The setup that new connections get. Clones share it; it is replaced by one thread and read by all cores.
#[derive(Clone, Debug)]
pub struct TlsPort {
    setup: Arc<ArcSwap<TlsSetup>>,
}

impl TlsSetup {
    /// When the node's certificate ends, in seconds since the Unix epoch.
    #[must_use]
    pub const fn not_after(&self) -> i64 {
        self.not_after
    }
}

/// Without what is in it: there is a key.
impl fmt::Debug for TlsSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSetup").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

impl TlsPort {
    /// A port that begins with this setup.
    #[must_use]
    pub fn new(setup: TlsSetup) -> Self {
        Self { setup: Arc::new(ArcSwap::from_pointee(setup)) }
    }

    /// Has connections from now on use another setup; those that stand keep theirs.
    pub fn replace(&self, setup: TlsSetup) {
        self.setup.store(Arc::new(setup));
    }

    /// What takes the next handshake.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.setup.load().config))
    }
}
