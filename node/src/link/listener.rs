//! The port for other nodes: takes connections and gives each to the lane it names.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use raft::PeerServer;
use shard::peer::PeerPort;
use shard_core::link::{Lane, PREFACE_BYTES, Preface};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

use super::{LinkSelf, server};
use crate::limits;

/// The ways to the cores, once they run. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct ShardLanes {
    ports: Arc<OnceLock<Vec<PeerPort>>>,
}

impl ShardLanes {
    /// The cores run.
    pub(crate) fn open(&self, ports: Vec<PeerPort>) {
        drop(self.ports.set(ports));
    }

    /// Gives a connection to a core. One that the node does not have, as it had more when it was last asked, is served by
    /// another: requests find their core from there.
    fn hand_over(&self, shard: u16, stream: std::net::TcpStream) {
        let Some(ports) = self.ports.get() else { return };
        let Some(port) = ports.get(usize::from(shard) % ports.len().max(1)) else { return };
        if let Err(error) = port.hand_over(stream, shard) {
            tracing::debug!(shard, %error, "a core took no connection of another node");
        }
    }
}

/// The port, taken but not served yet.
pub(crate) struct LinkListener {
    listener: TcpListener,
}

impl LinkListener {
    /// Takes the port.
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await? })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the task is aborted.
    pub(crate) fn serve(self, us: LinkSelf, peers: PeerServer, shards: ShardLanes) -> JoinHandle<()> {
        tokio::spawn(async move {
            let room = Arc::new(Semaphore::new(limits::LINK_CONNECTIONS_MAX));
            let mut connections = JoinSet::new();
            loop {
                let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
                while connections.try_join_next().is_some() {}
                let stream = match self.listener.accept().await {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Out of file descriptors, most likely: there may be some again soon.
                        tracing::warn!(%error, "a connection of another node can't be taken");
                        sleep(limits::LINK_ACCEPT_REST).await;
                        continue;
                    }
                };
                let (us, peers, shards) = (us.clone(), peers.clone(), shards.clone());
                connections.spawn(async move {
                    dispatch(stream, &us, peers, &shards).await;
                    drop(permit);
                });
            }
        })
    }
}

async fn dispatch(mut stream: TcpStream, us: &LinkSelf, peers: PeerServer, shards: &ShardLanes) {
    let mut preface = [0; PREFACE_BYTES];
    let read = timeout(limits::LINK_HANDSHAKE_WAIT, stream.read_exact(&mut preface)).await;
    if !matches!(read, Ok(Ok(_))) {
        return;
    }
    let lane = match Preface::decode(&preface) {
        Ok(preface) => preface.lane,
        Err(error) => {
            tracing::warn!(%error, "something that is no node connected to the port for nodes");
            return;
        }
    };
    drop(stream.set_nodelay(true));
    match lane {
        Lane::Control => {
            if let Err(error) = server::serve(stream, us.expected(lane, None), peers).await {
                tracing::debug!(%error, "a connection of the control lane has ended");
            }
        }
        Lane::Shard(shard) => match stream.into_std() {
            Ok(stream) => shards.hand_over(shard, stream),
            Err(error) => tracing::debug!(%error, "a connection can't be given to a core"),
        },
    }
}
