//! Sends a body while it is made, and hands on the body of the request while it arrives.

use std::{
    future::poll_fn,
    io::{self, Write as _},
    task::{Context, Poll},
    time::Duration,
};

use super::{
    Connection, Next,
    wire::{Wire, shrink_idle},
};
use crate::{
    application::Application,
    byte_budget::Reservation,
    http::{
        answer_stream::{AnswerStream, BodyStream, Input, Piece},
        refusal::{Refusal, malformed},
        request::Version,
    },
    limits::{BODY_BYTES_FREE, READ_BYTES, STREAM_PIECES_PER_TURN, WRITE_PROGRESS_BYTES},
    shutdown::Shutdown,
    socket::SocketError,
};

/// One streaming answer on its way.
struct Streaming<'c> {
    stream: Box<dyn AnswerStream>,
    wire: &'c mut Wire,
    /// For what the stream holds of the request's body.
    held: &'c mut Reservation,
    shutdown: &'c Shutdown,
    write_timeout: Duration,
    body_timeout: Duration,
    version: Version,
    /// The last piece is among what is outbound.
    made: bool,
    /// The stream knows that the node stops.
    stopping: bool,
    from_client: FromClient,
    /// How much of what is outbound is written.
    written: usize,
    /// What was written since the deadline was set.
    since_deadline: usize,
    waits_for: Option<Wait>,
    /// The piece at hand, before it is framed.
    piece: Vec<u8>,
}

/// What the client may still send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FromClient {
    /// Requests that are for later; if it closes its side, it is gone.
    Requests,
    /// More of the request's body.
    Body,
    /// Requests that are for later; it may close its side and wait for the answer to its body.
    RequestsBehindBody,
    /// Nothing.
    Nothing,
}

/// What the deadline of the connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// The client has to read.
    Write,
    /// The client has to send.
    Input,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// All of it is sent.
    Sent,
    /// The client is gone.
    Left,
}

impl<A: Application> Connection<A> {
    /// Sends the body of the answer whose head is outbound, as it is made.
    pub(super) async fn send_stream(&mut self, stream: BodyStream, next: Next) -> Result<Next, SocketError> {
        let application = &self.state.application;
        let config = application.config();
        let mut streaming = Streaming {
            stream: stream.into_inner(),
            from_client: if self.wire.parser.is_within_body() { FromClient::Body } else { FromClient::Requests },
            wire: &mut self.wire,
            held: &mut self.body_reservation,
            shutdown: application.shutdown(),
            write_timeout: config.write_timeout,
            body_timeout: config.body_timeout,
            version: self.request.version(),
            made: false,
            stopping: false,
            written: 0,
            // The first wait sets a deadline.
            since_deadline: WRITE_PROGRESS_BYTES,
            waits_for: None,
            piece: Vec::new(),
        };
        let ended = poll_fn(|context| streaming.poll(context)).await;
        self.wire.socket.clear_deadline();
        self.wire.outbound.clear();
        self.wire.unsent.set(0);
        match ended {
            Ok(Ended::Sent) if !self.wire.parser.is_within_body() && !application.shutdown().requested() => Ok(next),
            Ok(Ended::Sent | Ended::Left) => Ok(Next::Close),
            Err(error) => {
                if matches!(error, SocketError::TimedOut) {
                    application.metrics().slow_consumers.add(1);
                }
                Err(error)
            }
        }
    }
}

impl Streaming<'_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Ended, SocketError>> {
        for _ in 0..STREAM_PIECES_PER_TURN {
            let unsent = match self.poll_send(context) {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(SocketError::Failed(error))),
                Poll::Ready(Ok(())) if self.made => return Poll::Ready(Ok(Ended::Sent)),
                Poll::Ready(Ok(())) => false,
                Poll::Pending => true,
            };
            self.wire.unsent.set(self.wire.outbound.len() - self.written);
            if self.poll_input(context).is_ready() {
                return Poll::Ready(Ok(Ended::Left));
            }
            if self.shutdown.requested() && !self.stopping {
                self.stopping = true;
                self.stream.stop();
            }
            if unsent {
                self.stream.rest();
            } else if self.poll_make(context).is_ready() {
                continue;
            }
            self.set_deadline(unsent);
            if self.wire.socket.poll_expired(context).is_pending() {
                return Poll::Pending;
            }
            if self.waits_for != Some(Wait::Input) {
                return Poll::Ready(Err(SocketError::TimedOut));
            }
            self.end_input(Input::Broken(Refusal::TooSlow));
        }
        // The others of the core have their turn.
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what is outbound; ready once it is all written.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let unsent = self.wire.outbound.get(self.written..).unwrap_or_default();
            if unsent.is_empty() {
                self.written = 0;
                self.wire.outbound.clear();
                // What TLS holds back counts as not written.
                return self.wire.socket.poll_flush(context);
            }
            match self.wire.socket.poll_write(context, unsent) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(taken)) => {
                    self.written += taken;
                    self.since_deadline = self.since_deadline.saturating_add(taken);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Has the next piece made; all before it are written.
    fn poll_make(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let made = self.stream.poll_piece(context, &mut self.piece);
        if let Poll::Ready(piece) = made {
            self.frame(piece);
        } else {
            shrink_idle(&mut self.piece);
            shrink_idle(&mut self.wire.outbound);
        }
        self.account();
        made.map(|_| ())
    }

    fn frame(&mut self, piece: Piece) {
        let outbound = &mut self.wire.outbound;
        let chunked = self.version == Version::Http11;
        if !chunked {
            outbound.append(&mut self.piece);
        } else if !self.piece.is_empty() {
            // Writing to a vector does not fail.
            let _ = write!(outbound, "{:x}\r\n", self.piece.len());
            outbound.append(&mut self.piece);
            outbound.extend_from_slice(b"\r\n");
        }
        if piece == Piece::Last {
            self.made = true;
            if chunked {
                outbound.extend_from_slice(b"0\r\n\r\n");
            }
        }
    }

    /// Takes what the client sends: the request's body if it is taken while it arrives, else what is for later. Ready when
    /// the client is gone.
    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.from_client {
                FromClient::Nothing => return Poll::Pending,
                FromClient::Body => {
                    if !self.stream.wants_input() || self.hand_on() {
                        return Poll::Pending;
                    }
                }
                FromClient::Requests | FromClient::RequestsBehindBody => {
                    if self.wire.parser.unread_bytes() >= READ_BYTES {
                        return Poll::Pending;
                    }
                }
            }
            match self.wire.socket.poll_read(context, self.wire.parser.inbound_mut()) {
                Poll::Ready(Ok(0)) if self.from_client != FromClient::Requests => {
                    self.end_input(Input::Broken(malformed("the body ended before its end")));
                    self.from_client = FromClient::Nothing;
                }
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(_)) => {
                    // The client has shown that it is there.
                    if self.waits_for == Some(Wait::Input) {
                        self.waits_for = None;
                    }
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Hands on what has arrived of the body; true if nothing more is to be read for it now.
    fn hand_on(&mut self) -> bool {
        let mut arrived = Vec::new();
        let taken = self.wire.parser.take_piece(&mut arrived);
        // What came before the body broke counts.
        if !arrived.is_empty() {
            self.stream.take_input(Input::Bytes(&arrived));
            self.account();
        }
        match taken {
            Ok(false) => return !self.stream.wants_input(),
            Ok(true) => self.end_input(Input::End),
            Err(refusal) => self.end_input(Input::Broken(refusal)),
        }
        true
    }

    fn end_input(&mut self, how: Input<'_>) {
        if self.from_client == FromClient::Body {
            self.from_client = FromClient::RequestsBehindBody;
            self.stream.take_input(how);
        }
        self.waits_for = None;
    }

    /// Accounts for what the stream holds of the body.
    fn account(&mut self) {
        let charged = self.stream.held_bytes().saturating_sub(BODY_BYTES_FREE);
        if self.held.resize(charged).is_err() {
            self.end_input(Input::Broken(Refusal::TooManyBodies));
        }
    }

    /// Sets the deadline for what the client has to do next, if there is anything.
    fn set_deadline(&mut self, unsent: bool) {
        let wait = if unsent {
            Some(Wait::Write)
        } else if self.from_client == FromClient::Body && self.stream.wants_input() {
            Some(Wait::Input)
        } else {
            None
        };
        let renewed = wait == Some(Wait::Write) && self.since_deadline >= WRITE_PROGRESS_BYTES;
        if wait == self.waits_for && !renewed {
            return;
        }
        self.waits_for = wait;
        match wait {
            Some(Wait::Write) => {
                self.since_deadline = 0;
                self.wire.socket.set_deadline(self.write_timeout);
            }
            Some(Wait::Input) => self.wire.socket.set_deadline(self.body_timeout),
            None => self.wire.socket.clear_deadline(),
        }
    }
}
