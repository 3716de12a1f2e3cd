//! Connections to the collector, encrypted or not, whichever protocol is spoken over them.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures_rustls::{TlsConnector, pki_types::ServerName};
use gateway::push::{PushHost, PushTarget};
use hyper::Uri;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_util::compat::{FuturesAsyncReadCompatExt as _, TokioAsyncReadCompatExt as _};
use tonic::codegen::Service;

use crate::limits;

/// A connection with the collector.
pub(super) type Connection = TokioIo<Box<dyn Duplex>>;

/// What takes bytes and gives bytes.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// Makes connections to one collector.
#[derive(Clone)]
pub(super) struct CollectorConnector {
    target: PushTarget,
    tls: TlsConnector,
}

impl CollectorConnector {
    pub(super) const fn new(target: PushTarget, tls: TlsConnector) -> Self {
        Self { target, tls }
    }

    /// What goes into a request's `host` header.
    pub(super) fn authority(&self) -> &str {
        &self.target.authority
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> io::Result<Connection> {
        let connected = timeout(limits::TRACE_CONNECT_TIMEOUT, self.try_connect()).await;
        connected.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in time")))
    }

    async fn try_connect(&self) -> io::Result<Connection> {
        let PushTarget { host, port, .. } = &self.target;
        let stream = match host {
            PushHost::Address(address) => TcpStream::connect((*address, *port)).await?,
            PushHost::Name(name) => TcpStream::connect((name.as_str(), *port)).await?,
        };
        stream.set_nodelay(true)?;
        if !self.target.tls {
            return Ok(TokioIo::new(Box::new(stream)));
        }
        let name = match host {
            PushHost::Address(address) => ServerName::from(*address),
            PushHost::Name(name) => ServerName::try_from(name.clone()).map_err(io::Error::other)?,
        };
        let stream = self.tls.connect(name, stream.compat()).await?;
        Ok(TokioIo::new(Box::new(stream.compat())))
    }
}

/// gRPC asks in this way; it knows no other collector than this one.
impl Service<Uri> for CollectorConnector {
    type Response = Connection;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Connection>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect().await })
    }
}
