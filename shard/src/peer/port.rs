//! How a connection that the control thread has accepted gets to the core that it is for.

use std::{net::TcpStream, os::fd::IntoRawFd as _};

use glommio::net;

use super::PeerServer;
use crate::limits;

/// Hands connections to one core. Clones share its queue.
#[derive(Clone, Debug)]
pub struct PeerPort {
    connections: flume::Sender<HandedOver>,
}

/// The other end of a port, on its core.
#[derive(Debug)]
pub struct PeerPortEnd {
    connections: flume::Receiver<HandedOver>,
}

/// A connection, and the shard that its preface names.
type HandedOver = (TcpStream, u16);

/// A connection was not taken; it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum HandOverRefused {
    #[error("as many connections as may wait for the core")]
    Full,
    #[error("the core has ended")]
    Ended,
}

/// A port and its end.
#[must_use]
pub fn peer_port() -> (PeerPort, PeerPortEnd) {
    let (sender, connections) = flume::bounded(limits::PEER_HANDOVERS_MAX);
    (PeerPort { connections: sender }, PeerPortEnd { connections })
}

impl PeerPort {
    /// Hands over a connection of which the preface, and nothing behind it, was read; it named `shard`. Where that is not
    /// this one, since the other node believes that there are more, requests find their core from here.
    ///
    /// # Errors
    /// It was not taken.
    pub fn hand_over(&self, stream: TcpStream, shard: u16) -> Result<(), HandOverRefused> {
        self.connections.try_send((stream, shard)).map_err(|error| match error {
            flume::TrySendError::Full(_) => HandOverRefused::Full,
            flume::TrySendError::Disconnected(_) => HandOverRefused::Ended,
        })
    }
}

impl PeerPortEnd {
    /// Serves every connection that comes, each as a task of its own, until the control thread has gone.
    pub async fn serve(self, server: PeerServer) {
        while let Ok((stream, shard)) = self.connections.recv_async().await {
            let server = server.clone();
            glommio::spawn_local(async move { server.serve(adopt(stream), shard).await }).detach();
        }
    }
}

/// Makes the stream one of this executor.
fn adopt(stream: TcpStream) -> net::TcpStream {
    // What can't be had without it is slower, and nothing else.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection of another node sends when it likes");
    }
    // SAFETY: the descriptor is a connected stream socket, and this is its one owner from here on.
    #[expect(unsafe_code, reason = "glommio takes streams of other threads by their descriptors alone")]
    unsafe {
        <net::TcpStream as std::os::fd::FromRawFd>::from_raw_fd(stream.into_raw_fd())
    }
}
