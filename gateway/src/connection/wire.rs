//! A connection's socket with what has come in and what is to go out.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

use futures_lite::future::yield_now;

use crate::{
    http::{parser::RequestParser, response::Response},
    limits::{IDLE_BUFFER_BYTES, READ_BYTES},
    output_budget::OutputHold,
    peer::Peer,
    shutdown::Shutdown,
    socket::{Socket, SocketError},
};

/// The bytes of one connection.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) socket: Socket,
    pub(super) parser: RequestParser,
    /// Answers that are not written yet.
    pub(super) outbound: Vec<u8>,
    /// Accounts for them while they are being written, and for bodies that are written by themselves.
    pub(super) unsent: OutputHold,
}

impl Wire {
    /// Writes the answers that are due, behind what else is to be done now.
    ///
    /// One write to the disk settles requests of many connections. Each makes its answer first, then all are sent, one right
    /// after the other: a client that the first of them wakes is still awake at the next, which then costs far less.
    pub(super) async fn flush(&mut self) -> Result<(), SocketError> {
        if !self.outbound.is_empty() {
            yield_now().await;
            self.unsent.set(self.outbound.len());
            self.socket.write_all(&self.outbound).await?;
            self.outbound.clear();
            self.unsent.set(0);
        }
        Ok(())
    }

    /// Writes the answers that are due, of the last of which the body is yet to come, and that body.
    pub(super) async fn flush_with(&mut self, body: &[u8]) -> Result<(), SocketError> {
        self.unsent.set(self.outbound.len() + body.len());
        self.socket.write_all(&self.outbound).await?;
        self.outbound.clear();
        self.socket.write_all(body).await?;
        self.unsent.set(0);
        Ok(())
    }

    /// Reads what arrives next; zero bytes mean that no more will.
    pub(super) async fn read(&mut self) -> Result<usize, SocketError> {
        self.socket.read(self.parser.inbound_mut()).await
    }

    /// Reads what arrives next; for the node's stop it is as if the client had closed.
    pub(super) async fn read_unless_stopped(&mut self, shutdown: &Shutdown) -> Result<usize, SocketError> {
        poll_fn(|context| match self.socket.poll_read(context, self.parser.inbound_mut()) {
            Poll::Ready(read) => Poll::Ready(read.map_err(SocketError::Failed)),
            Poll::Pending if shutdown.requested() => Poll::Ready(Ok(0)),
            Poll::Pending => self.socket.poll_expired(context).map(|()| Err(SocketError::TimedOut)),
        })
        .await
    }

    /// Waits for an answer while it watches whether the client is still there. What the client sends meanwhile is
    /// kept for later, up to a bound.
    ///
    /// # Errors
    /// The node gives up on the connection; the answer is dropped.
    pub(super) async fn answered_or_given_up<F: Future<Output = Response> + Unpin>(
        &mut self,
        mut handling: F,
        peer: &Peer,
    ) -> Result<Response, SocketError> {
        poll_fn(|context| {
            loop {
                if let Poll::Ready(response) = Pin::new(&mut handling).poll(context) {
                    return Poll::Ready(Ok(response));
                }
                if self.socket.poll_expired(context).is_ready() {
                    return Poll::Ready(Err(SocketError::TimedOut));
                }
                if peer.is_gone() || self.parser.unread_bytes() >= READ_BYTES {
                    return Poll::Pending;
                }
                match self.socket.poll_read(context, self.parser.inbound_mut()) {
                    // The operation is told, and may still answer: a client can close its sending side alone.
                    Poll::Ready(Ok(0) | Err(_)) => peer.set_gone(),
                    Poll::Ready(Ok(_)) => {}
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// Reads on for a moment behind the last answer, see [`Socket::linger`].
    pub(super) async fn linger(&mut self) -> Result<(), SocketError> {
        self.socket.linger(&mut self.outbound).await
    }

    /// Gives back the memory that an idle connection doesn't need; nothing is unread or unwritten then.
    pub(super) fn shrink(&mut self) {
        shrink_idle(self.parser.inbound_mut());
        shrink_idle(&mut self.outbound);
    }
}

/// Empties a buffer that was large, and keeps one that is small.
pub(super) fn shrink_idle(buffer: &mut Vec<u8>) {
    if buffer.capacity() > IDLE_BUFFER_BYTES {
        *buffer = Vec::new();
    }
}
