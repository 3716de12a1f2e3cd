//! What keeps certificates and the keys for tokens fresh while the node runs.

use std::{sync::Arc, time::Duration};

use gateway::{auth::jwt::JwtVerifier, tls::TlsPort};
use shard::peer::PeerTls;

use crate::{
    StartError,
    config::Config,
    jwt::JwtService,
    metrics::SecurityStatus,
    tls::{ClientFiles, NodeFiles, TlsService},
};

/// The certificates and the keys of a running node, where it has any. Dropping it ends their refreshing.
pub(crate) struct Security {
    clients: Option<TlsService<ClientFiles>>,
    nodes: Option<TlsService<NodeFiles>>,
    jwt: Option<JwtService>,
}

impl Security {
    /// Reads what the configuration names.
    ///
    /// # Errors
    /// A file can't be used.
    pub(crate) async fn start(config: &Config) -> Result<Self, StartError> {
        let every = Duration::from_millis(config.tls.reload_interval_ms);
        let clients = ClientFiles::new(&config.tls).map(|files| TlsService::start(files, every)).transpose()?;
        let nodes = NodeFiles::new(&config.cluster.tls).map(|files| TlsService::start(files, every)).transpose()?;
        Ok(Self { clients, nodes, jwt: JwtService::start(&config.jwt).await? })
    }

    /// What clients are spoken to with; none for plain HTTP.
    pub(crate) fn port(&self) -> Option<TlsPort> {
        self.clients.as_ref().map(TlsService::port)
    }

    /// What other nodes are spoken to with; none for no TLS.
    pub(crate) fn link(&self) -> Option<PeerTls> {
        self.nodes.as_ref().map(TlsService::port)
    }

    /// What verifies the tokens of clients, if any are taken.
    pub(crate) fn verifier(&self) -> Option<&JwtVerifier> {
        self.jwt.as_ref().map(|jwt| jwt.status().verifier())
    }

    /// What metrics tell.
    pub(crate) fn status(&self) -> SecurityStatus {
        SecurityStatus {
            tls: self.clients.as_ref().map(TlsService::status),
            link: self.nodes.as_ref().map(|nodes| (nodes.status(), nodes.port())),
            jwt: self.jwt.as_ref().map(|jwt| Arc::clone(jwt.status())),
        }
    }
}
