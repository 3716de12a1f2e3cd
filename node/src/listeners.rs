//! The ports of a node, taken before anything is started.

use std::{io, net::SocketAddr};

use gateway::tls::TlsPort;
use socket2::Socket;
use tokio::net::TcpListener;

use crate::{StartError, addresses, config::Config, early::EarlyServer, link::LinkListener, metrics};

/// Taken, and not served yet.
pub(crate) struct Listeners {
    /// The data port; one socket for each core.
    pub(crate) http: SocketAddr,
    pub(crate) sockets: Vec<Socket>,
    pub(crate) metrics: Option<TcpListener>,
    /// The port for other nodes.
    pub(crate) nodes: Option<LinkListener>,
    /// What answers at the data port until the cores do: among others, a node may have to wait for a majority.
    pub(crate) early: Option<EarlyServer>,
}

impl Listeners {
    /// Takes the ports that a node of so many cores needs, which speak TLS to clients if there is a `tls`.
    ///
    /// # Errors
    /// Says which one can't be had, and what to change.
    pub(crate) async fn take(config: &Config, cores: usize, tls: Option<TlsPort>) -> Result<Self, StartError> {
        let data = config.data_address();
        let (http, sockets) = addresses::take_for_cores(data, cores).map_err(unreachable(data, "server.port"))?;
        let metrics = match config.metrics.enabled.then(|| config.metrics_address()) {
            Some(address) => Some(metrics::bind(address).await.map_err(unreachable(address, "metrics.port"))?),
            None => None,
        };
        let nodes = match config.cluster.listen_address() {
            Some(address) => Some(LinkListener::bind(address).await.map_err(unreachable(address, "cluster.listen"))?),
            None => None,
        };
        let early = nodes.is_some().then(|| EarlyServer::start(http, tls)).transpose();
        let early = early.map_err(unreachable(data, "server.port"))?;
        Ok(Self { http, sockets, metrics, nodes, early })
    }
}

fn unreachable(address: SocketAddr, setting: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |error| StartError::Address { address, setting, error }
}
