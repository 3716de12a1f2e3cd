//! The server of a run: the broker, or a peer.

use std::str::FromStr;

use gateway_api::client::{TlsError, TlsOptions};

use crate::server::{BearerKey, Server};
#[cfg(feature = "peers")]
use crate::targets::peers::Peer;
use crate::workload::Target;

/// A server of any kind.
#[derive(Clone, Debug)]
pub enum Host {
    /// `PubSubRing`.
    Broker(Server),
    /// Another product.
    #[cfg(feature = "peers")]
    Peer(Peer),
}

/// Why a server can't be spoken to.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum HostError {
    #[error("--server {address}: {reason}")]
    Address { address: String, reason: String },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[cfg(not(feature = "peers"))]
    #[error("--target {target}: this program was built without the feature `peers`")]
    WithoutPeers { target: &'static str },
}

impl Host {
    /// The server at this address; at the target's usual one if none is given.
    ///
    /// # Errors
    ///
    /// When the address, or a file that the options name, can't be used.
    pub fn new(
        target: Target,
        address: Option<&str>,
        key: Option<BearerKey>,
        tls: &TlsOptions,
    ) -> Result<Self, HostError> {
        match target {
            Target::Pubsub => {
                let address = address.unwrap_or("http://127.0.0.1:8081");
                let endpoint = gateway_api::client::Endpoint::from_str(address)
                    .map_err(|error| HostError::Address { address: address.to_owned(), reason: error.to_string() })?;
                Ok(Self::Broker(Server::new(endpoint.with_tls(tls)?).with_key(key)))
            }
            #[cfg(feature = "peers")]
            Target::RedisStreams | Target::NatsJetstream | Target::RabbitMq => {
                Ok(Self::Peer(Peer::new(target, address)?))
            }
            #[cfg(not(feature = "peers"))]
            Target::RedisStreams | Target::NatsJetstream | Target::RabbitMq => {
                Err(HostError::WithoutPeers { target: target.name() })
            }
        }
    }

    /// `HOST:PORT`.
    #[must_use]
    pub fn authority(&self) -> String {
        match self {
            Self::Broker(server) => server.authority(),
            #[cfg(feature = "peers")]
            Self::Peer(peer) => peer.authority(),
        }
    }
}

impl From<Server> for Host {
    fn from(server: Server) -> Self {
        Self::Broker(server)
    }
}
