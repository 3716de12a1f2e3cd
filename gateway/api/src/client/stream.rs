//! The stream to a node, with TLS around it or without.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::endpoint::{Endpoint, Scheme};
use super::error::{ClientError, WaitedFor};
use super::tls::ClientTls;
use crate::limits;

/// A connection to a node.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ClientStream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Endpoint {
    /// Connects to the node, and shakes hands if it is to be spoken to by TLS.
    ///
    /// # Errors
    /// Nobody listens there, it is not who it should be, or the connection doesn't come in time.
    pub async fn connect(&self) -> Result<ClientStream, ClientError> {
        let failed = |source| ClientError::Connect { server: self.to_string(), source };
        let stream = in_time(TcpStream::connect((self.host(), self.port()))).await?.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let Scheme::Https(chosen) = self.scheme() else { return Ok(ClientStream::Plain(stream)) };
        let refused = |error: io::Error| ClientError::Tls { server: self.to_string(), detail: error.to_string() };
        let tls = chosen.clone().map_or_else(ClientTls::of_the_machine, Ok).map_err(refused)?;
        let name = self.host().try_into().map_err(|error| refused(io::Error::other(error)))?;
        let stream = in_time(tls.connector().connect(name, stream)).await?.map_err(refused)?;
        Ok(ClientStream::Tls(Box::new(stream)))
    }
}

async fn in_time<T>(connecting: impl Future<Output = T>) -> Result<T, ClientError> {
    let waited: Duration = limits::CONNECT_TIMEOUT;
    let too_late = |_| ClientError::Timeout { waited_for: WaitedFor::Connection, waited };
    timeout(waited, connecting).await.map_err(too_late)
}

impl AsyncRead for ClientStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
