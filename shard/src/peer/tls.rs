//! TLS between nodes: each side shows a certificate of the cluster's own issuer. Both lanes have it from here, each on a
//! runtime of its own.

mod gathering;
mod material;
mod words;

use std::{
    fmt,
    io::{self, ErrorKind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;
use futures_lite::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use futures_rustls::{TlsAcceptor, TlsConnector, client, pki_types::ServerName, rustls::CommonState, server};
use shard_core::link::Lane;

use self::material::LaneSetup;
pub use self::{
    gathering::Gathering,
    material::{PeerMaterialError, PeerTlsMaterial, PeerTlsSetup},
    words::in_words,
};
use crate::limits;

/// What handshakes with other nodes are made with. Clones share it; it is replaced by one thread and read by all cores.
#[derive(Clone)]
pub struct PeerTls {
    inner: Arc<Inner>,
}

struct Inner {
    setup: ArcSwap<PeerTlsSetup>,
    handshakes: AtomicU64,
    failures: AtomicU64,
}

impl PeerTls {
    /// Begins with this setup.
    #[must_use]
    pub fn new(setup: PeerTlsSetup) -> Self {
        let setup = ArcSwap::from_pointee(setup);
        Self { inner: Arc::new(Inner { setup, handshakes: AtomicU64::new(0), failures: AtomicU64::new(0) }) }
    }

    /// Has connections from now on use another setup; those that stand keep theirs.
    pub fn replace(&self, setup: PeerTlsSetup) {
        self.inner.setup.store(Arc::new(setup));
    }

    /// How many handshakes succeeded, and how many did not.
    #[must_use]
    pub fn handshakes(&self) -> (u64, u64) {
        (self.inner.handshakes.load(Relaxed), self.inner.failures.load(Relaxed))
    }

    /// Counts a connection that came without TLS among the handshakes that did not succeed.
    pub fn count_plain(&self) {
        self.inner.failures.fetch_add(1, Relaxed);
    }

    /// Speaks TLS on a connection to `address`, HOST:PORT, behind its preface. How long it takes is bounded by the caller.
    ///
    /// # Errors
    /// Why it came to nothing, in words.
    pub async fn connect<S>(
        &self,
        stream: S,
        lane: Lane,
        address: &str,
    ) -> Result<client::TlsStream<Gathering<S>>, String>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = server_name(address)?;
        let setup = self.lane(lane);
        let connecting = TlsConnector::from(setup.connecting).connect(name, Gathering::new(stream)).into_fallible();
        let stream = self.finish(Box::pin(connecting).await).await?;
        check_protocol(stream.get_ref().1, setup.protocol)?;
        Ok(stream)
    }

    /// Speaks TLS on a connection that was accepted, and whose preface was read. How long it takes is bounded by the caller.
    ///
    /// # Errors
    /// Why it came to nothing, in words.
    pub async fn accept<S>(&self, stream: S, lane: Lane) -> Result<server::TlsStream<Gathering<S>>, String>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let setup = self.lane(lane);
        let accepting = TlsAcceptor::from(setup.accepting).accept(Gathering::new(stream)).into_fallible();
        let stream = self.finish(Box::pin(accepting).await).await?;
        check_protocol(stream.get_ref().1, setup.protocol)?;
        Ok(stream)
    }

    fn lane(&self, lane: Lane) -> LaneSetup {
        self.inner.setup.load().lane(lane).clone()
    }

    /// Counts what a handshake came to, and has the other side hear why one came to nothing.
    async fn finish<T, S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        shaken: Result<T, (io::Error, S)>,
    ) -> Result<T, String> {
        match shaken {
            Ok(stream) => {
                self.inner.handshakes.fetch_add(1, Relaxed);
                Ok(stream)
            }
            Err((error, stream)) => {
                self.inner.failures.fetch_add(1, Relaxed);
                part(stream).await;
                Err(in_words(&error).unwrap_or_else(|| cut_off(&error)))
            }
        }
    }
}

impl fmt::Debug for PeerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerTls").finish_non_exhaustive()
    }
}

/// Reads to the end what the other side sends, within a bound: to close with bytes unread may take back the alert that tells
/// it why.
async fn part<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    if stream.close().await.is_err() {
        return;
    }
    let (mut buffer, mut left) = ([0; 1024], limits::PEER_PARTING_BYTES_MAX);
    while let Ok(received @ 1..) = stream.read(&mut buffer).await {
        left = left.saturating_sub(received);
        if left == 0 {
            return;
        }
    }
}

fn cut_off(error: &io::Error) -> String {
    if error.kind() == ErrorKind::UnexpectedEof {
        return "the other side closed the connection in the TLS handshake".to_owned();
    }
    format!("the TLS handshake: {error}")
}

/// The name that the certificate of the node at `address` has to have.
fn server_name(address: &str) -> Result<ServerName<'static>, String> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    ServerName::try_from(host).map_err(|_| format!("no certificate can have the host of {address} for its name"))
}

/// Whoever has a certificate of the issuer, and means another lane or something that is no node, is not spoken to.
fn check_protocol(session: &CommonState, protocol: &[u8]) -> Result<(), String> {
    if session.alpn_protocol() == Some(protocol) {
        return Ok(());
    }
    Err("the other side speaks TLS, and is no node or means another lane".to_owned())
}

#[cfg(test)]
mod tests;
