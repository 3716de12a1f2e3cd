//! Accepts the connections of one core and serves each as a task of its own.

use std::{panic::AssertUnwindSafe, pin::Pin, rc::Rc, time::Duration};

use futures_lite::{
    AsyncWrite, FutureExt,
    future::{or, poll_fn, poll_once},
};
use glommio::{
    net::{TcpListener, TcpStream},
    timer::sleep,
};

use crate::{
    application::{Application, Fault},
    connection,
    connection_table::Slot,
    http::{refusal::Refusal, request::Version, response::Envelope},
    limits::{ACCEPT_BACKOFF_MAX, ACCEPT_BACKOFF_MIN, DEADLINE_TICK},
    server_state::ServerState,
    shutdown::Shutdown,
    socket::Socket,
    stream::Stream,
    tls::{self, TlsPort},
};

/// Serves what `listener` accepts on this core until the application's shutdown is requested; then finishes the
/// requests in progress, within the configured grace, and returns. Idle connections are closed at once.
///
/// With `tls` it speaks TLS and nothing else.
pub async fn serve<A: Application>(application: A, listener: TcpListener, tls: Option<TlsPort>) {
    let state = Rc::new(ServerState::new(application));
    let ticker = glommio::spawn_local(tick(Rc::clone(&state)));
    accept_until_stopped(&state, listener, tls.as_ref()).await;
    drain(&state).await;
    ticker.cancel().await;
}

/// Accepts until the node stops; then nobody listens any more.
async fn accept_until_stopped<A: Application>(
    state: &Rc<ServerState<A>>,
    listener: TcpListener,
    tls: Option<&TlsPort>,
) {
    let shutdown = state.application.shutdown().clone();
    let metrics = state.application.metrics();
    let mut backoff = ACCEPT_BACKOFF_MIN;
    while let Some(accepted) = or(stopped(&shutdown), async { Some(listener.accept().await) }).await {
        match accepted {
            Ok(stream) => {
                backoff = ACCEPT_BACKOFF_MIN;
                metrics.connections_accepted.add(1);
                welcome(state, stream, tls);
                // A flood of connections must not keep those that are there from being served.
                glommio::executor().yield_if_needed().await;
            }
            Err(error) => {
                // Out of file descriptors, mostly: trying again at once would spin until some are closed.
                metrics.accept_errors.add(1);
                tracing::warn!(%error, ?backoff, "accepting a connection failed");
                or(shutdown.wait(), async {
                    sleep(backoff).await;
                })
                .await;
                backoff = (backoff * 2).min(ACCEPT_BACKOFF_MAX);
            }
        }
    }
}

async fn stopped<T>(shutdown: &Shutdown) -> Option<T> {
    shutdown.wait().await;
    None
}

/// Serves a new connection, or turns it away.
fn welcome<A: Application>(state: &Rc<ServerState<A>>, stream: TcpStream, tls: Option<&TlsPort>) {
    // Answers are written whole: waiting for more to put in a packet only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "connection failed");
        return;
    }
    let metrics = state.application.metrics();
    let slot = match admit(state, &stream) {
        Ok(slot) => slot,
        Err(refusal) => {
            metrics.connections_refused.add(1);
            // By TLS it can't be told anything before a handshake, and that is what there is too much of.
            if tls.is_none() {
                let state = Rc::clone(state);
                glommio::spawn_local(async move { turn_away(&state, stream, refusal).await }).detach();
            }
            return;
        }
    };
    let state = Rc::clone(state);
    let Some(port) = tls.cloned() else {
        let write_timeout = state.application.config().write_timeout;
        let socket = Socket::new(Stream::plain(stream), slot, state.scratch.clone(), metrics.clone(), write_timeout);
        glommio::spawn_local(guarded(Rc::clone(&state), connection::drive(state, socket))).detach();
        return;
    };
    let securing = async move |state: Rc<ServerState<A>>| {
        // Boxed, so that the connection doesn't keep the room that the handshake took.
        if let Some(socket) = Box::pin(tls::secure(&state, &port, stream, slot)).await {
            connection::drive(state, socket).await;
        }
    };
    glommio::spawn_local(guarded(Rc::clone(&state), securing(state))).detach();
}

/// A place for a connection, if the node and its address have one left.
fn admit<A: Application>(state: &ServerState<A>, stream: &TcpStream) -> Result<Slot, Refusal> {
    let address = match (state.application.addresses(), stream.peer_addr()) {
        (Some(addresses), Ok(peer)) => Some(addresses.open(peer.ip()).ok_or(Refusal::TooManyOfAddress)?),
        // Who is gone already takes no place for long.
        (None, _) | (_, Err(_)) => None,
    };
    state.table.open().map(|slot| slot.counted(address)).ok_or(Refusal::TooManyConnections)
}

/// Runs a connection's task. A panic in one would end the whole executor, and with it all partitions of the core.
async fn guarded<A: Application>(state: Rc<ServerState<A>>, connection: impl Future<Output = ()>) {
    if AssertUnwindSafe(connection).catch_unwind().await.is_err() {
        state.application.metrics().connection_panics.add(1);
        tracing::error!("a connection's task panicked; its connection is closed");
    }
}

/// Tells a client that there are too many, if that can be done without waiting.
async fn turn_away<A: Application>(state: &ServerState<A>, mut stream: TcpStream, refusal: Refusal) {
    let request_id = state.next_request_id();
    let response = state.application.fault(&Fault::Refused(refusal), request_id);
    let mut bytes = Vec::new();
    let date = state.table.clock().date().to_owned();
    let version = Version::Http11;
    let envelope = Envelope { request_id, date: &date, last: true, version, head_only: false, grant: None };
    response.encode(&mut bytes, &envelope);
    poll_once(poll_fn(|context| Pin::new(&mut stream).poll_write(context, &bytes))).await;
}

/// Looks at the deadlines while there are connections.
async fn tick<A: Application>(state: Rc<ServerState<A>>) {
    loop {
        state.table.opened().await;
        sleep(DEADLINE_TICK).await;
        state.table.tick();
    }
}

/// Waits for the connections to end, and gives up on those that don't.
async fn drain<A: Application>(state: &ServerState<A>) {
    state.table.wake_all();
    let grace = state.application.config().shutdown_grace;
    let emptied = |within: Duration| {
        or(
            async {
                state.table.emptied().await;
                true
            },
            async move {
                sleep(within).await;
                false
            },
        )
    };
    if !emptied(grace).await {
        tracing::warn!(connections = state.table.count(), "giving up on connections that have not ended");
        state.table.give_up_all();
        emptied(DEADLINE_TICK).await;
    }
}
