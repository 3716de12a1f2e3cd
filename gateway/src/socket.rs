//! One client's stream with the waits bounded.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use futures_lite::future::poll_once;

use crate::{
    connection_table::Slot,
    limits::{LINGER_BYTES_MAX, LINGER_TIMEOUT, READ_BYTES, WRITE_PROGRESS_BYTES},
    metrics::GatewayMetrics,
    stream::Stream,
};

/// The buffer that all reads of a core go through, so that a connection that waits needs none.
#[derive(Clone, Debug)]
pub(crate) struct Scratch {
    bytes: Rc<RefCell<Box<[u8]>>>,
}

/// One connection. Dropping it closes it.
#[derive(Debug)]
pub struct Socket {
    stream: Stream,
    slot: Slot,
    scratch: Scratch,
    metrics: Arc<GatewayMetrics>,
    write_timeout: Duration,
}

/// Why a socket is of no more use.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum SocketError {
    #[error("the connection failed: {0}")]
    Failed(#[from] io::Error),
    #[error("the client was silent for too long")]
    TimedOut,
}

impl Scratch {
    /// A buffer of the size of the largest read.
    pub(crate) fn new() -> Self {
        Self { bytes: Rc::new(RefCell::new(vec![0; READ_BYTES].into_boxed_slice())) }
    }
}

impl Socket {
    pub(crate) fn new(
        stream: Stream,
        slot: Slot,
        scratch: Scratch,
        metrics: Arc<GatewayMetrics>,
        write_timeout: Duration,
    ) -> Self {
        Self { stream, slot, scratch, metrics, write_timeout }
    }

    /// Where the client connected from.
    #[must_use]
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.stream.peer_address()
    }

    /// The name on the client's certificate, which was verified; none if it showed none.
    #[must_use]
    pub fn certificate_name(&self) -> Option<&Arc<str>> {
        self.stream.certificate_name()
    }

    /// Appends what has arrived to `into`; zero bytes mean that the client sends no more. Never times out.
    pub fn poll_read(&mut self, context: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        let mut scratch = self.scratch.bytes.borrow_mut();
        let count = ready!(self.stream.poll_read(context, &mut scratch))?;
        into.extend_from_slice(scratch.get(..count).unwrap_or_default());
        self.metrics.received_bytes.add(count as u64);
        Poll::Ready(Ok(count))
    }

    /// Appends what arrives next to `into`; zero bytes mean that the client sends no more.
    ///
    /// # Errors
    /// The deadline passed, or the connection broke.
    pub async fn read(&mut self, into: &mut Vec<u8>) -> Result<usize, SocketError> {
        poll_fn(|context| match self.poll_read(context, into) {
            Poll::Ready(read) => Poll::Ready(read.map_err(SocketError::Failed)),
            Poll::Pending => self.slot.poll_expired(context).map(|()| Err(SocketError::TimedOut)),
        })
        .await
    }

    /// Writes what the client takes of `bytes` now, and says how much. It may stay underway until [`Socket::poll_flush`] is
    /// ready. Never times out.
    pub fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(self.stream.poll_write(context, bytes))?;
        self.metrics.sent_bytes.add(written as u64);
        Poll::Ready(Ok(written))
    }

    /// Ready once everything that was written is on its way. Never times out.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(context)
    }

    /// Writes all of `bytes`. A client that doesn't take them within the write timeout, part by part, is given up.
    ///
    /// # Errors
    /// An unknown part of the bytes was sent; the socket is of no more use.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), SocketError> {
        let mut since_deadline = WRITE_PROGRESS_BYTES;
        while !bytes.is_empty() {
            let written = poll_fn(|context| match self.stream.poll_write(context, bytes) {
                Poll::Ready(written) => Poll::Ready(written.map_err(SocketError::Failed)),
                Poll::Pending => self.poll_too_slow(context, &mut since_deadline),
            })
            .await?;
            if written == 0 {
                return Err(SocketError::Failed(io::ErrorKind::WriteZero.into()));
            }
            self.metrics.sent_bytes.add(written as u64);
            since_deadline = since_deadline.saturating_add(written);
            bytes = bytes.get(written..).unwrap_or_default();
        }
        poll_fn(|context| match self.stream.poll_flush(context) {
            Poll::Ready(flushed) => Poll::Ready(flushed.map_err(SocketError::Failed)),
            Poll::Pending => self.poll_too_slow(context, &mut since_deadline),
        })
        .await?;
        self.slot.clear_deadline();
        Ok(())
    }

    /// Says that no more will be sent; the client can read what was. Reads, and this, end at the deadline.
    pub async fn finish_writing(&mut self) {
        poll_fn(|context| match self.stream.poll_finish(context) {
            // A client that is gone already needs not be told.
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => self.slot.poll_expired(context),
        })
        .await;
    }

    /// Reads on for a moment behind the last answer: closing at once would reset the connection, and the answer could
    /// be lost before the client has read it. `scrap` is overwritten.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) async fn linger(&mut self, scrap: &mut Vec<u8>) -> Result<(), SocketError> {
        self.set_deadline(LINGER_TIMEOUT);
        self.finish_writing().await;
        let mut discarded = 0;
        while discarded < LINGER_BYTES_MAX {
            scrap.clear();
            match self.read(scrap).await {
                Ok(0) | Err(SocketError::TimedOut) => break,
                Ok(count) => discarded += count,
                Err(error @ SocketError::Failed(_)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Tells a client that the stream ends here and was not cut, where that has to be told and can be without waiting.
    pub(crate) async fn say_goodbye(&mut self) {
        if self.stream.says_goodbye() {
            poll_once(poll_fn(|context| self.stream.poll_finish(context))).await;
        }
    }

    /// The time as of the last tick.
    pub(crate) fn now(&self) -> Instant {
        self.slot.now()
    }

    /// Reads end once `after` has passed from now; a write replaces and then clears it.
    pub fn set_deadline(&self, after: Duration) {
        self.slot.set_deadline(after);
    }

    /// Lets reads wait as long as it takes.
    pub fn clear_deadline(&self) {
        self.slot.clear_deadline();
    }

    /// Ready once the deadline has passed, or the node gives up on its connections.
    pub fn poll_expired(&self, context: &Context<'_>) -> Poll<()> {
        self.slot.poll_expired(context)
    }

    /// While nothing more can be written: ready once that has taken too long for what was written in that time.
    fn poll_too_slow<T>(&self, context: &Context<'_>, since_deadline: &mut usize) -> Poll<Result<T, SocketError>> {
        if *since_deadline >= WRITE_PROGRESS_BYTES {
            *since_deadline = 0;
            self.slot.set_deadline(self.write_timeout);
        }
        self.slot.poll_expired(context).map(|()| Err(SocketError::TimedOut))
    }
}
