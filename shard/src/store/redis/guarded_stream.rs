//! A byte stream of one executor in the form that the `redis` crate takes, with the replies on it bounded.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_lite::io::{AsyncRead, AsyncWrite};
use send_wrapper::SendWrapper;
use shard_core::redis::{ReplyGuard, ReplyLimits};

/// What a server may send at most in one reply: a page of a log with one of the largest batches, and room for ids.
const LIMITS: ReplyLimits = ReplyLimits {
    bytes_max: shard_core::limits::BATCH_BYTES_MAX as u64 + (16 << 20),
    elements_max: 16_384,
    depth_max: 4,
    line_bytes_max: 16 << 10,
};

/// A stream that is `Send` for the type checker only: any use on another thread, its end included, is a panic.
///
/// The `redis` crate asks for `Send` since most executors move tasks between threads; glommio never does.
pub(super) struct GuardedStream<S> {
    stream: SendWrapper<S>,
    guard: ReplyGuard,
}

impl<S> GuardedStream<S> {
    /// Guards a stream at its start.
    pub(super) fn new(stream: S) -> Self {
        Self { stream: SendWrapper::new(stream), guard: ReplyGuard::new(LIMITS) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for GuardedStream<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let count = ready!(Pin::new(&mut *this.stream).poll_read(context, buffer))?;
        let new = buffer.get(..count).unwrap_or_default();
        // On an error nothing of it reaches the parser, which would reserve memory for whatever is claimed.
        Poll::Ready(match this.guard.feed(new) {
            Ok(()) => Ok(count),
            Err(unbounded) => Err(io::Error::new(io::ErrorKind::InvalidData, unbounded)),
        })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for GuardedStream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().stream).poll_flush(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().stream).poll_close(context)
    }
}
