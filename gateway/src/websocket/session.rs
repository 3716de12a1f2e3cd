//! One WebSocket connection: what the client asks, what is delivered to it, and how it ends.
//!
//! A single task does it all. It waits for whatever happens next: bytes from the client, an answer that is done, a
//! delivery, the next ping, the node's stopping. While too much is waiting to be sent, or too many answers are on their
//! way, it reads nothing more: the client is held back, not buffered.

mod batches;
mod credit;
mod durable_feed;
mod feeds;
mod frames;
mod keepalive;
mod leases;
mod outgoing;
mod requests;
mod seat;
mod topic_feed;
mod topic_frames;
mod transport;

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    task::{Poll, ready},
};

use futures_lite::future::yield_now;
use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};

use self::{
    feeds::{FeedEvent, Feeds},
    keepalive::{Keepalive, Sign},
    outgoing::Delivery,
    transport::Transport,
};
use super::{
    Upgraded,
    codec::{CodecError, Incoming},
    handshake::Subprotocol,
};
use crate::{
    application::Admitted,
    audit::Source,
    auth::Caller,
    byte_budget::{ByteBudget, Reservation},
    client::Client,
    context::Context,
    guard::{Guard, Pulse},
    http::request_id::RequestId,
    limits,
    operations::deadline,
    request_scope,
    tick::Tick,
};

/// A future of this core that a session owns.
type Local<T> = Pin<Box<dyn Future<Output = T>>>;

/// Speaks the subprotocol of a connection that has just been upgraded, until it ends.
///
/// Its future is what an idle connection keeps. What was needed to begin is gone by then, and there is no room in it for
/// what ending takes: together that would be six times as much.
pub(crate) fn run(context: Context, connection: Upgraded) -> impl Future<Output = ()> {
    let Upgraded { socket, subprotocol, leftover, request_id, client, admitted, bodies } = connection;
    let Admitted { caller, hold } = admitted;
    let opened_by = (request_id, client, caller);
    let context = Rc::new(context);
    let transport = Transport::new(
        (socket, subprotocol),
        (context.config.body_bytes_max, &leftover),
        context.core.outputs().clone(),
    );
    drop(leftover);
    let mut session = Session::new(context, transport, opened_by, bodies);
    async move {
        let _hold = hold;
        let close = {
            let mut serving = pin!(session.serve());
            poll_fn(|context| request_scope::within(request_id, || serving.as_mut().poll(context))).await
        };
        tracing::debug!(%request_id, ?close, "WebSocket ends");
        Box::pin(session.end(close)).await;
    }
}

/// A connection and all that goes on over it.
struct Session {
    context: Rc<Context>,
    client: Client,
    /// The request that opened it.
    request_id: RequestId,
    transport: Transport,
    /// Answers on their way: each ends as a frame, if the client wants one.
    work: FuturesUnordered<Local<Option<Vec<u8>>>>,
    feeds: Feeds,
    keepalive: Keepalive,
    guard: Guard,
    pulse: Pulse,
    tick: Tick,
    bodies: ByteBudget,
    /// For the message that is arriving.
    arriving: Reservation,
    stopping: Local<()>,
    /// Whether received frames wait for their turn, or until fewer answers are on their way, or more have been sent.
    input_waits: bool,
}

/// What happens next.
enum Event {
    Received,
    Answer(Option<Vec<u8>>),
    Feed(FeedEvent),
    Tick,
    Stopping,
    Disconnected,
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Close {
    /// The client is gone.
    Lost,
    /// The client has closed, and has had its close answered; it said that it is done, or may come back.
    ByClient { done: bool },
    /// With a code and a reason for the client.
    With(u16, &'static str),
    /// The codec has put its close frame out already.
    Broken,
}

impl Session {
    fn new(
        context: Rc<Context>,
        transport: Transport,
        (request_id, client, caller): (RequestId, Client, Caller),
        bodies: ByteBudget,
    ) -> Self {
        let shutdown = context.shutdown.clone();
        let pulse = Pulse::new(context.config.ping_interval, &caller);
        Self {
            feeds: Feeds::new(Rc::clone(&context), transport.subprotocol()),
            transport,
            work: FuturesUnordered::new(),
            keepalive: Keepalive::default(),
            guard: Guard::new(caller),
            client,
            request_id,
            tick: Tick::after(pulse.every()),
            pulse,
            arriving: bodies.reservation(),
            bodies,
            stopping: Box::pin(async move { shutdown.wait().await }),
            // The first frames may have come with the upgrade.
            input_waits: true,
            context,
        }
    }

    /// Until there is a reason to close.
    async fn serve(&mut self) -> Close {
        let mut events = 0;
        loop {
            let event = poll_fn(|context| self.poll_event(context)).await;
            if let Some(close) = self.handle(event) {
                return close;
            }
            events += 1;
            if events % limits::WEBSOCKET_EVENTS_PER_TURN == 0 {
                yield_now().await;
            }
        }
    }

    fn poll_event(&mut self, context: &mut std::task::Context<'_>) -> Poll<Event> {
        if let Poll::Ready(Err(_)) = self.transport.poll_flush(context) {
            return Poll::Ready(Event::Disconnected);
        }
        if self.stopping.as_mut().poll(context).is_ready() {
            return Poll::Ready(Event::Stopping);
        }
        if self.tick.poll(context).is_ready() {
            return Poll::Ready(Event::Tick);
        }
        // A consumer lives as long as it is connected, however slowly it reads.
        self.feeds.keep(context);
        if self.transport.is_congested() {
            self.feeds.let_go();
            return Poll::Pending;
        }
        if let Poll::Ready(Some(frame)) = self.work.poll_next_unpin(context) {
            return Poll::Ready(Event::Answer(frame));
        }
        if let Poll::Ready(event) = self.feeds.poll_event(context) {
            return Poll::Ready(Event::Feed(event));
        }
        self.poll_input(context)
    }

    fn poll_input(&mut self, context: &mut std::task::Context<'_>) -> Poll<Event> {
        if self.work.len() >= limits::WEBSOCKET_WORK_MAX {
            return Poll::Pending;
        }
        if std::mem::take(&mut self.input_waits) {
            return Poll::Ready(Event::Received);
        }
        match ready!(self.transport.poll_receive(context)) {
            Ok(bytes) if bytes > 0 => Poll::Ready(Event::Received),
            Ok(_) | Err(_) => Poll::Ready(Event::Disconnected),
        }
    }

    fn handle(&mut self, event: Event) -> Option<Close> {
        match event {
            Event::Received => return self.take_input(),
            Event::Answer(frame) => self.answer(frame),
            Event::Feed(event) => self.deliver(event),
            Event::Tick => return self.on_tick(),
            Event::Stopping => return Some(Close::With(1001, "the node is stopping: reconnect elsewhere")),
            Event::Disconnected => return Some(Close::Lost),
        }
        None
    }

    /// Handles the frames that have arrived, as many as may be on their way at once and have room for their answers.
    fn take_input(&mut self) -> Option<Close> {
        for _ in 0..limits::WEBSOCKET_FRAMES_PER_EVENT {
            if self.work.len() >= limits::WEBSOCKET_WORK_MAX || self.transport.is_congested() {
                break;
            }
            match self.transport.next_incoming() {
                Ok(Some(Incoming::Alive)) => self.keepalive.on_sign_of_life(),
                Ok(Some(Incoming::Closed { normal })) => return Some(Close::ByClient { done: normal }),
                Ok(None) => return self.reserve_arriving(),
                Ok(Some(message)) => {
                    if let Some(close) = self.take_message(&message) {
                        return Some(close);
                    }
                }
                Err(CodecError { .. }) => return Some(Close::Broken),
            }
        }
        self.input_waits = true;
        None
    }

    fn take_message(&mut self, message: &Incoming) -> Option<Close> {
        self.keepalive.on_sign_of_life();
        // What is put to work has a reservation of its own. Giving back never fails.
        let _ = self.arriving.resize(0);
        if let Some(revoked) = self.look() {
            return Some(revoked);
        }
        match (self.transport.subprotocol(), message) {
            (Subprotocol::Json, Incoming::Text(text)) => self.handle_text(text),
            (Subprotocol::Batch, Incoming::Binary(frame)) => self.handle_binary(frame),
            (Subprotocol::Json, _) => return Some(Close::With(1003, "this subprotocol has text frames only")),
            (Subprotocol::Batch, _) => return Some(Close::With(1003, "this subprotocol has binary frames only")),
        }
        None
    }

    /// Ends the session once what opened it counts no more, or may not read any longer what it reads.
    fn look(&mut self) -> Option<Close> {
        let state = self.context.metadata.state();
        let reason = match self.guard.look(&state) {
            Ok(false) => return None,
            Ok(true) if self.feeds.names().all(|name| self.guard.check(name.verb(), &state).is_ok()) => return None,
            Ok(true) => "it may no longer be read what is read over this connection",
            Err(_) => "the key that opened this connection is not valid any more",
        };
        self.context.audit.revoked(&self.source(), reason);
        Some(Close::With(1008, reason))
    }

    /// Where what is asked over this connection comes from.
    fn source(&self) -> Source<'_> {
        Source { request: self.request_id, caller: self.guard.caller(), from: self.client.address }
    }

    /// Accounts for what is held of the next message.
    fn reserve_arriving(&mut self) -> Option<Close> {
        let charged = self.transport.arriving_bytes().saturating_sub(limits::BODY_BYTES_FREE);
        let reserved = self.arriving.resize(charged);
        reserved.is_err().then_some(Close::With(1013, "too many messages are on their way to this node"))
    }

    fn answer(&mut self, frame: Option<Vec<u8>>) {
        if let Some(frame) = frame {
            self.transport.send(&frame);
        }
    }

    fn deliver(&mut self, event: FeedEvent) {
        match event {
            FeedEvent::Messages(Delivery { frame, count }) => {
                self.context.metrics.messages_consumed.add(u64::from(count));
                self.transport.deliver(&frame);
            }
            FeedEvent::Frame(frame) => self.transport.send(&frame),
        }
    }

    fn on_tick(&mut self) -> Option<Close> {
        self.tick = Tick::after(self.pulse.every());
        let revoked = self.look();
        if revoked.is_some() || !self.pulse.beat() {
            return revoked;
        }
        let reading = !self.transport.is_congested() && self.work.len() < limits::WEBSOCKET_WORK_MAX;
        match self.keepalive.on_tick(self.transport.progress(), reading) {
            Sign::Ping => self.transport.ping(),
            Sign::None => {}
            Sign::Silent => return Some(Close::With(1011, "no pong came in time")),
            Sign::Stalled => {
                self.context.metrics.slow_consumers.add(1);
                return Some(Close::With(1013, "the client does not read what it is sent"));
            }
        }
        None
    }

    /// Lets answers that are on their way be finished if the client can still get them, and closes.
    async fn end(mut self, close: Close) {
        // The answer to the client's close says that it has left.
        let leaving = join_all(self.feeds.close(close == Close::ByClient { done: true }));
        deadline::within(limits::WEBSOCKET_CLOSE_TIMEOUT, leaving).await;
        // Half of the grace that the node gives, so that the close itself has its time.
        let grace = self.context.config.shutdown_grace / 2;
        let finish = async {
            if let Close::With(1001, _) = close {
                while let Some(frame) = self.work.next().await {
                    self.answer(frame);
                }
            }
        };
        deadline::within(grace, finish).await;
        if let Close::With(code, reason) = close {
            self.transport.close(code, reason);
        }
        let handshake = !matches!(close, Close::Lost | Close::ByClient { .. });
        deadline::within(limits::WEBSOCKET_CLOSE_TIMEOUT, self.transport.finish(handshake)).await;
    }
}
