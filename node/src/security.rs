//! What keeps certificates and the keys for tokens fresh while the node runs.

use std::sync::Arc;

use gateway::{auth::jwt::JwtVerifier, tls::TlsPort};

use crate::{StartError, config::Config, jwt::JwtService, metrics::SecurityStatus, tls::TlsService};

/// The certificate and the keys of a running node, where it has any. Dropping it ends their refreshing.
pub(crate) struct Security {
    tls: Option<TlsService>,
    jwt: Option<JwtService>,
}

impl Security {
    /// Reads what the configuration names.
    ///
    /// # Errors
    /// A file can't be used.
    pub(crate) async fn start(config: &Config) -> Result<Self, StartError> {
        Ok(Self { tls: TlsService::start(&config.tls)?, jwt: JwtService::start(&config.jwt).await? })
    }

    /// What clients are spoken to with; none for plain HTTP.
    pub(crate) fn port(&self) -> Option<TlsPort> {
        self.tls.as_ref().map(TlsService::port)
    }

    /// What verifies the tokens of clients, if any are taken.
    pub(crate) fn verifier(&self) -> Option<&JwtVerifier> {
        self.jwt.as_ref().map(|jwt| jwt.status().verifier())
    }

    /// What metrics tell.
    pub(crate) fn status(&self) -> SecurityStatus {
        SecurityStatus {
            tls: self.tls.as_ref().map(TlsService::status),
            jwt: self.jwt.as_ref().map(|jwt| Arc::clone(jwt.status())),
        }
    }
}
