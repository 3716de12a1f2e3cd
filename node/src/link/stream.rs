//! The bytes of a connection of the control lane, with TLS around them or without.

use shard_core::link::Lane;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_util::compat::{FuturesAsyncReadCompatExt as _, TokioAsyncReadCompatExt as _};

use super::{LinkSelf, connection::ConnectionError};

/// A connection of the control lane, encrypted or not.
pub(super) type ControlStream = Box<dyn Duplex>;

/// What takes bytes and gives bytes.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// From behind its preface on, a connection to `address`.
pub(super) async fn connected(
    stream: TcpStream,
    us: &LinkSelf,
    address: &str,
) -> Result<ControlStream, ConnectionError> {
    let Some(tls) = us.tls() else { return Ok(Box::new(stream)) };
    let secured = Box::pin(tls.connect(stream.compat(), Lane::Control, address)).await;
    Ok(Box::new(secured.map_err(ConnectionError::Tls)?.compat()))
}

/// The same for one that was accepted.
pub(super) async fn accepted(stream: TcpStream, us: &LinkSelf) -> Result<ControlStream, ConnectionError> {
    let Some(tls) = us.tls() else { return Ok(Box::new(stream)) };
    let secured = Box::pin(tls.accept(stream.compat(), Lane::Control)).await;
    Ok(Box::new(secured.map_err(ConnectionError::Tls)?.compat()))
}
