//! The port for other nodes: takes connections and gives each to the lane it names.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use raft::PeerServer;
use shard::peer::PeerPort;
use shard_core::link::{HandshakeError, Lane, PREFACE_BYTES, Preface, RefusalReason, begins_tls};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

use super::{LinkSelf, connection::ConnectionError, server, stream};
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
                let (stream, from) = match self.listener.accept().await {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Out of file descriptors, most likely: there may be some again soon.
                        tracing::warn!(%error, "a connection of another node can't be taken");
                        sleep(limits::LINK_ACCEPT_REST).await;
                        continue;
                    }
                };
                let (us, peers, shards) = (us.clone(), peers.clone(), shards.clone());
                connections.spawn(async move {
                    if let Err(error) = dispatch(stream, &us, peers, &shards).await {
                        if error.is_to_be_mended() {
                            us.refusals.accepted(from, &error);
                        }
                        tracing::debug!(%error, "a connection of another node has ended");
                    }
                    drop(permit);
                });
            }
        })
    }
}

/// Gives a connection to its lane, and serves it if that is the control lane.
async fn dispatch(
    mut stream: TcpStream,
    us: &LinkSelf,
    peers: PeerServer,
    shards: &ShardLanes,
) -> Result<(), ConnectionError> {
    let opening = timeout(limits::LINK_HANDSHAKE_WAIT, opening(&mut stream)).await;
    let Opening { lane, is_secured } = opening.map_err(|_| ConnectionError::Silent)??;
    stream.set_nodelay(true)?;
    if is_secured != us.tls().is_some() {
        if let Some(tls) = us.tls() {
            tls.count_plain();
        }
        let refusing = timeout(limits::LINK_HANDSHAKE_WAIT, refuse(&mut stream, RefusalReason::TlsOnOneSide)).await;
        // It is told why; if it does not hear that, it sees the connection end.
        drop(refusing);
        return Err(HandshakeError::Refused(RefusalReason::TlsOnOneSide).into());
    }
    match lane {
        Lane::Control => {
            let stream = timeout(limits::LINK_HANDSHAKE_WAIT, stream::accepted(stream, us)).await;
            server::serve(stream.map_err(|_| ConnectionError::Silent)??, us.expected(lane, None), peers).await
        }
        Lane::Shard(shard) => {
            shards.hand_over(shard, stream.into_std()?);
            Ok(())
        }
    }
}

/// What the first bytes of a connection say.
struct Opening {
    lane: Lane,
    is_secured: bool,
}

/// Reads the preface, and looks at the byte behind it: who connects speaks first, with TLS and without it.
async fn opening(stream: &mut TcpStream) -> Result<Opening, ConnectionError> {
    let mut preface = [0; PREFACE_BYTES];
    stream.read_exact(&mut preface).await?;
    let Preface { lane } = Preface::decode(&preface)?;
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Err(ConnectionError::Closed);
    }
    let [first] = first;
    Ok(Opening { lane, is_secured: begins_tls(first) })
}

/// Says why a connection is closed; then reads what has come, within a bound: to close with bytes unread may take back what
/// was said.
async fn refuse(stream: &mut TcpStream, reason: RefusalReason) -> Result<(), ConnectionError> {
    let mut bytes = Vec::new();
    reason.frame().encode_into(&mut bytes)?;
    stream.write_all(&bytes).await?;
    stream.shutdown().await?;
    let mut unread = stream.take(limits::LINK_PARTING_BYTES_MAX);
    bytes.resize(1 << 10, 0);
    while unread.read(&mut bytes).await? > 0 {}
    Ok(())
}
