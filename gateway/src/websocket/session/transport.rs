//! A socket and the WebSocket codec over it: frames go out as far as the socket takes them, bytes come in as they are.

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll, ready},
};

use gateway_api::frame::batch;

use super::outgoing::Outgoing;
use crate::{
    limits,
    socket::Socket,
    websocket::{
        codec::{Codec, CodecError, Incoming},
        handshake::Subprotocol,
    },
};

/// One connection's bytes.
pub(super) struct Transport {
    socket: Socket,
    subprotocol: Subprotocol,
    codec: Codec,
    /// How much of what is outbound the socket has taken.
    written: usize,
    sent: u64,
    /// The bytes received since the last whole message: what of the next one is held.
    arriving: usize,
}

/// How far sending has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// The bytes that the socket has taken in all.
    pub(super) sent: u64,
    /// The bytes that wait for it.
    pub(super) waiting: usize,
}

/// What a client may still send when the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// Nothing: it has closed too.
    Nothing,
    /// More, which nobody reads.
    Unwanted,
}

impl Transport {
    /// Speaks over a socket: takes messages of so many bytes, and what was received already.
    pub(super) fn new(socket: Socket, subprotocol: Subprotocol, (message_bytes_max, received): (usize, &[u8])) -> Self {
        let mut codec = Codec::new(message_bytes_max);
        codec.inbound_mut().extend_from_slice(received);
        Self { socket, subprotocol, codec, written: 0, sent: 0, arriving: received.len() }
    }

    /// What its frames look like.
    pub(super) const fn subprotocol(&self) -> Subprotocol {
        self.subprotocol
    }

    /// Puts a frame out that is JSON.
    pub(super) fn send(&mut self, frame: &[u8]) {
        match self.subprotocol {
            Subprotocol::Json => self.send_json(frame),
            Subprotocol::Batch => self.codec.send_binary(&[&batch::header_length(frame), frame]),
        }
    }

    /// Puts messages out.
    pub(super) fn deliver(&mut self, frame: &Outgoing) {
        match frame {
            Outgoing::Json(json) => self.send_json(json),
            Outgoing::Shared { messages, end } => self.codec.send_text(&[&messages.json, end]),
            Outgoing::Batches { header, batches } => {
                let length = batch::header_length(header);
                let mut parts: Vec<&[u8]> = vec![&length, header];
                parts.extend(batches.iter().map(|batch| batch.bytes().as_ref()));
                self.codec.send_binary(&parts);
            }
        }
    }

    /// It is JSON of ours, so that it is text.
    fn send_json(&mut self, frame: &[u8]) {
        match std::str::from_utf8(frame) {
            Ok(text) => self.codec.send_text(&[text]),
            Err(error) => tracing::error!(%error, "a frame that is not UTF-8 was not sent"),
        }
    }

    pub(super) fn ping(&mut self) {
        self.codec.send_ping();
    }

    pub(super) fn close(&mut self, code: u16, reason: &'static str) {
        self.codec.send_close(code, reason);
    }

    /// The next frame of what was received.
    pub(super) fn next_incoming(&mut self) -> Result<Option<Incoming>, CodecError> {
        let incoming = self.codec.next_incoming();
        if matches!(incoming, Ok(Some(_))) {
            self.arriving = self.codec.unread_bytes();
        }
        incoming
    }

    /// How much is held of a message that is not whole yet.
    pub(super) const fn arriving_bytes(&self) -> usize {
        self.arriving
    }

    /// Whether so much waits for the socket that nothing should be added.
    pub(super) fn is_congested(&mut self) -> bool {
        self.progress().waiting >= limits::WEBSOCKET_OUTBOUND_BYTES
    }

    pub(super) fn progress(&mut self) -> Progress {
        Progress { sent: self.sent, waiting: self.codec.outbound_mut().len() - self.written }
    }

    /// Sends what is outbound; ready when nothing is left.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let outbound = self.codec.outbound_mut();
            let waiting = outbound.get(self.written..).unwrap_or_default();
            if waiting.is_empty() {
                self.written = 0;
                release(outbound);
                return self.socket.poll_flush(context);
            }
            let taken = ready!(self.socket.poll_write(context, waiting))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += taken;
            self.sent += u64::try_from(taken).unwrap_or_default();
        }
    }

    /// Receives what has arrived; zero bytes mean that the client sends no more.
    pub(super) fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let received = ready!(self.socket.poll_read(context, self.codec.inbound_mut()));
        self.arriving += received.as_ref().copied().unwrap_or_default();
        Poll::Ready(received)
    }

    /// Sends the rest, waits for the client's close if `handshake` says so, and closes the socket.
    pub(super) async fn finish(mut self, handshake: bool) {
        if poll_fn(|context| self.poll_flush(context)).await.is_err() {
            return;
        }
        let rest = if handshake { self.await_close().await } else { Rest::Nothing };
        let Self { mut socket, codec, .. } = self;
        // With what was received of a message that is not wanted.
        drop(codec);
        socket.finish_writing().await;
        if rest == Rest::Unwanted {
            discard(socket).await;
        }
    }

    /// Waits for the client's close. Nothing is collected for a client whose message is not wanted any more.
    async fn await_close(&mut self) -> Rest {
        while self.arriving <= limits::BODY_BYTES_FREE {
            if let Some(rest) = self.look_for_close() {
                return rest;
            }
            match poll_fn(|context| self.poll_receive(context)).await {
                Ok(received) if received > 0 => {}
                Ok(_) | Err(_) => return Rest::Nothing,
            }
        }
        Rest::Unwanted
    }

    /// What comes behind the close, once that has come; what else comes before it is thrown away.
    fn look_for_close(&mut self) -> Option<Rest> {
        loop {
            match self.next_incoming() {
                Ok(Some(Incoming::Closed { .. })) => return Some(Rest::Nothing),
                Ok(Some(Incoming::Text(_) | Incoming::Binary(_) | Incoming::Alive)) => {}
                Ok(None) => return None,
                Err(_) => return Some(Rest::Unwanted),
            }
        }
    }
}

/// Reads on for a moment: closing at once would reset the connection, and the close could be lost before the client has
/// read it.
async fn discard(mut socket: Socket) {
    let (mut discarded, mut unwanted) = (0, Vec::new());
    while discarded < limits::LINGER_BYTES_MAX {
        unwanted.clear();
        match poll_fn(|context| socket.poll_read(context, &mut unwanted)).await {
            Ok(received) if received > 0 => discarded += received,
            Ok(_) | Err(_) => break,
        }
    }
}

/// Empties a buffer, and gives back memory that only a burst needed.
fn release(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > limits::IDLE_BUFFER_BYTES {
        buffer.shrink_to(0);
    }
}
