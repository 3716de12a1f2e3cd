//! Drives one connection: bytes to the parser, requests to the application, answers back, one after the other.

mod answer;
mod coding;
mod stream;
mod wire;

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use self::wire::{Wire, shrink_idle};
use crate::{
    application::{Admitted, Application, Fault},
    byte_budget::Reservation,
    client::Client,
    http::{
        parser::{Need, Progress, RequestParser},
        refusal::Refusal,
        request::Request,
    },
    limits::{BODY_BYTES_FREE, BODY_RATE_MIN},
    server_state::ServerState,
    socket::{Socket, SocketError},
    websocket::{Upgraded, handshake::Subprotocol},
};

/// Serves one connection until it is over.
pub(crate) async fn drive<A: Application>(state: Rc<ServerState<A>>, socket: Socket) {
    let metrics = state.application.metrics();
    // Boxed, so that a WebSocket doesn't keep the room that speaking HTTP took.
    let http_connection = metrics.http_connections.hold();
    let upgraded = Box::pin(Connection::new(Rc::clone(&state), socket).run()).await;
    drop(http_connection);
    if let Some(upgraded) = upgraded {
        let _websocket_connection = metrics.websocket_connections.hold();
        Box::pin(state.application.upgraded(upgraded)).await;
    }
}

struct Connection<A> {
    state: Rc<ServerState<A>>,
    wire: Wire,
    request: Request,
    client: Client,
    body_reservation: Reservation,
    /// Who opened the WebSocket that follows.
    admitted: Admitted,
    /// When the client began to send the body.
    body_began: Instant,
    /// What the last read waited for.
    awaited: Option<Need>,
}

/// What follows an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Request,
    Close,
    WebSocket(Subprotocol),
}

/// Why a connection ends without an answer that says so.
#[derive(Debug)]
enum End {
    Socket(SocketError),
    /// The client is through, or was silent between requests, or the node stops.
    Quiet,
    Refused(Refusal),
}

impl From<SocketError> for End {
    fn from(error: SocketError) -> Self {
        Self::Socket(error)
    }
}

impl<A: Application> Connection<A> {
    fn new(state: Rc<ServerState<A>>, socket: Socket) -> Self {
        let parser = RequestParser::new(state.application.config()).streaming(A::streams_body);
        let body_reservation = state.bodies.reservation();
        let client = Client::at(socket.peer_address(), socket.certificate_name().cloned());
        let wire = Wire { socket, parser, outbound: Vec::new() };
        let body_began = wire.socket.now();
        Self {
            state,
            wire,
            request: Request::default(),
            client,
            body_reservation,
            admitted: Admitted::default(),
            body_began,
            awaited: None,
        }
    }

    async fn run(mut self) -> Option<Upgraded> {
        let ended = match self.converse().await {
            Ok(Next::WebSocket(subprotocol)) => {
                let Wire { socket, parser, .. } = self.wire;
                let (leftover, bodies) = (parser.into_unread(), self.state.bodies.clone());
                let (client, admitted) = (self.client, self.admitted);
                let request_id = self.request.id;
                return Some(Upgraded { socket, subprotocol, leftover, request_id, client, admitted, bodies });
            }
            Ok(Next::Request | Next::Close) if self.wire.parser.unread_bytes() > 0 => self.wire.linger().await,
            // The client may be sending a body that nobody takes.
            Ok(Next::Request | Next::Close) if self.wire.parser.is_within_body() => self.wire.linger().await,
            Ok(Next::Request | Next::Close) | Err(End::Quiet) => Ok(()),
            Err(End::Refused(refusal)) => self.refuse(refusal).await,
            Err(End::Socket(error)) => Err(error),
        };
        match ended {
            Ok(()) => self.wire.socket.say_goodbye().await,
            Err(SocketError::TimedOut) => self.state.application.metrics().connection_timeouts.add(1),
            Err(SocketError::Failed(error)) => tracing::debug!(%error, "connection failed"),
        }
        None
    }

    /// Answers requests until the connection is to close or to change its protocol.
    async fn converse(&mut self) -> Result<Next, End> {
        loop {
            match self.wire.parser.advance(&mut self.request) {
                Progress::Complete | Progress::Streamed => {
                    self.awaited = None;
                    self.wire.socket.clear_deadline();
                    let next = self.answer().await?;
                    if next != Next::Request {
                        self.wire.flush().await?;
                        return Ok(next);
                    }
                    glommio::executor().yield_if_needed().await;
                }
                Progress::Continue => self.wire.outbound.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n"),
                Progress::NeedMore(need) => {
                    self.wire.flush().await?;
                    self.receive(need).await?;
                }
                Progress::Refused(refusal) => return Err(End::Refused(refusal)),
            }
        }
    }

    /// Waits for the next bytes, as long as what they are needed for allows.
    async fn receive(&mut self, need: Need) -> Result<(), End> {
        let is_new = self.awaited.replace(need) != Some(need);
        let read = match need {
            Need::Request => self.receive_request(is_new).await,
            Need::Head => {
                // From its first byte on, however the head dribbles in.
                if is_new {
                    self.wire.socket.set_deadline(self.state.application.config().head_timeout);
                }
                self.wire.read().await
            }
            Need::Body => {
                let charged = self.request.bytes.len().saturating_sub(BODY_BYTES_FREE);
                self.body_reservation.resize(charged).map_err(|_| End::Refused(Refusal::TooManyBodies))?;
                let left = self.time_left_for_body(is_new).ok_or(End::Refused(Refusal::TooSlow))?;
                self.wire.socket.set_deadline(left);
                self.wire.read().await
            }
        };
        match read {
            Ok(0) => Err(End::Quiet),
            Ok(_) => Ok(()),
            Err(SocketError::TimedOut) if need == Need::Request => Err(End::Quiet),
            Err(SocketError::TimedOut) => Err(End::Refused(Refusal::TooSlow)),
            Err(error @ SocketError::Failed(_)) => Err(End::Socket(error)),
        }
    }

    /// How long the next part of the body may take: no silence is long, and on average it must have a rate. `None` if it
    /// has been too slow already.
    fn time_left_for_body(&mut self, is_new: bool) -> Option<Duration> {
        let (now, silence_max) = (self.wire.socket.now(), self.state.application.config().body_timeout);
        if is_new {
            self.body_began = now;
        }
        let received = u32::try_from(self.request.body().len()).unwrap_or(u32::MAX);
        let allowed = silence_max + Duration::from_secs(1) * received / BODY_RATE_MIN;
        let left = allowed.checked_sub(now.duration_since(self.body_began))?;
        Some(left.min(silence_max))
    }

    async fn receive_request(&mut self, is_new: bool) -> Result<usize, SocketError> {
        if is_new {
            self.wire.shrink();
            shrink_idle(&mut self.request.bytes);
            // Giving back never fails.
            let _ = self.body_reservation.resize(0);
            self.wire.socket.set_deadline(self.state.application.config().idle_timeout);
        }
        self.wire.read_unless_stopped(self.state.application.shutdown()).await
    }

    /// Answers what was not taken as a request, and closes.
    async fn refuse(&mut self, refusal: Refusal) -> Result<(), SocketError> {
        self.state.application.metrics().malformed_requests.add(1);
        self.wire.socket.clear_deadline();
        let is_head_sound = self.wire.parser.is_within_body() || matches!(refusal, Refusal::BodyTooLarge { .. });
        if is_head_sound {
            self.request.bytes.truncate(self.request.head_bytes);
            self.request.bytes.shrink_to_fit();
        } else {
            // What was read of a broken request, or is left of the one before, says nothing about this answer.
            self.request = Request::default();
        }
        self.request.id = self.state.next_request_id();
        let response = self.state.application.fault(&Fault::Refused(refusal), self.request.id).closing();
        self.push_answer(None, &response).await?;
        self.wire.flush().await?;
        self.wire.linger().await
    }
}
