//! Makes a connection to a core of another node.

use std::{
    net::{SocketAddr, ToSocketAddrs as _},
    time::Duration,
};

use futures_lite::{
    future,
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
};
use glommio::{net::TcpStream, timer::Timer};
use shard_core::link::{FrameDecoder, Handshake, Lane, Preface};

use super::{PeerConfig, handshake::shake};
use crate::{blocking::off_the_shard, limits};

/// A connection with another node, encrypted or not.
pub(super) type LinkStream = Box<dyn Duplex>;

/// What takes bytes and gives bytes.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for S {}

/// Connects, says whom the connection is for, and begins it with a handshake. One that is encrypted is so from behind the
/// preface on. Says also which version of the link is spoken.
///
/// # Errors
/// Why it can't be had, in words.
pub(super) async fn connect(
    config: &PeerConfig,
    (node, core): (u64, u16),
    address: &str,
) -> Result<(LinkStream, FrameDecoder, u16), String> {
    let connecting = async {
        let resolved = resolve(address).await?;
        let stream = TcpStream::connect_timeout(resolved, limits::PEER_CONNECT_TIMEOUT).await;
        let mut stream = stream.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let lane = Lane::Shard(core);
        stream.write_all(&Preface { lane }.encode()).await.map_err(|error| error.to_string())?;
        let mut stream: LinkStream = match &config.tls {
            None => Box::new(stream),
            Some(tls) => Box::new(Box::pin(tls.connect(stream, lane, address)).await?),
        };
        let us = config.routes.load().us.clone();
        let (handshake, hello) = Handshake::connect(config.expected(us, Some(node), lane));
        let (peer, decoder) = shake(&mut stream, handshake, Some(hello)).await?;
        Ok((stream, decoder, peer.version))
    };
    within(limits::PEER_CONNECT_TIMEOUT, connecting).await
}

/// The address of a node; a name is looked up beside the shard.
async fn resolve(address: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = address.parse() {
        return Ok(address);
    }
    let name = address.to_owned();
    let found = off_the_shard(move || name.to_socket_addrs().map(|mut addresses| addresses.next())).await;
    match found {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(format!("the name {address} has no address")),
        Err(error) => Err(format!("the name {address} can't be looked up: {error}")),
    }
}

/// Gives up after a while.
pub(super) async fn within<T>(duration: Duration, what: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    future::or(what, async {
        Timer::new(duration).await;
        Err("it took too long".to_owned())
    })
    .await
}
