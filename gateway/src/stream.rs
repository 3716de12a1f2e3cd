//! A client's bytes on their way, with TLS around them or without.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_lite::{AsyncRead, AsyncWrite};
use futures_rustls::server::TlsStream;
use glommio::net::TcpStream;

/// A connection's stream. What TLS needs is apart, so that a connection without it is no larger.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<Secured>),
}

/// A stream that speaks TLS; the handshake is behind it.
#[derive(Debug)]
pub(crate) struct Secured {
    stream: TlsStream<TcpStream>,
    certificate_name: Option<Arc<str>>,
}

impl Stream {
    pub(crate) const fn plain(stream: TcpStream) -> Self {
        Self::Plain(stream)
    }

    /// `certificate_name` is the name on the client's certificate, if it showed one.
    pub(crate) fn tls(stream: TlsStream<TcpStream>, certificate_name: Option<Arc<str>>) -> Self {
        Self::Tls(Box::new(Secured { stream, certificate_name }))
    }

    /// The name on the client's certificate, which was verified.
    pub(crate) fn certificate_name(&self) -> Option<&Arc<str>> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(secured) => secured.certificate_name.as_ref(),
        }
    }

    /// Where the other end is; unknown once it is gone.
    pub(crate) fn peer_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Plain(stream) => stream.peer_addr().ok(),
            Self::Tls(secured) => secured.stream.get_ref().0.peer_addr().ok(),
        }
    }

    /// Whether the end of the stream has to be said in words: else whoever reads can't tell it from a cut.
    pub(crate) const fn says_goodbye(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    pub(crate) fn poll_read(&mut self, context: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Self::Tls(secured) => {
                let read = Pin::new(&mut secured.stream).poll_read(context, into);
                // What was read may want an answer of TLS itself, which nobody else would send before the next write.
                if secured.stream.get_ref().1.wants_write() {
                    let _ = Pin::new(&mut secured.stream).poll_flush(context);
                }
                read
            }
        }
    }

    /// Takes some of the bytes; they are all on their way once [`Stream::poll_flush`] is ready.
    pub(crate) fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(secured) => Pin::new(&mut secured.stream).poll_write(context, bytes),
        }
    }

    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            // What it has taken is the kernel's.
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(secured) => Pin::new(&mut secured.stream).poll_flush(context),
        }
    }

    /// Says that no more is sent; the other direction stays.
    pub(crate) fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_close(context),
            Self::Tls(secured) => Pin::new(&mut secured.stream).poll_close(context),
        }
    }
}
