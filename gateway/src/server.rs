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
    http::{refusal::Refusal, request::Version, response::Envelope},
    limits::{ACCEPT_BACKOFF_MAX, ACCEPT_BACKOFF_MIN, DEADLINE_TICK},
    server_state::ServerState,
    shutdown::Shutdown,
    socket::Socket,
};

/// Serves what `listener` accepts on this core until the application's shutdown is requested; then finishes the
/// requests in progress, within the configured grace, and returns. Idle connections are closed at once.
pub async fn serve<A: Application>(application: A, listener: TcpListener) {
    let state = Rc::new(ServerState::new(application));
    let ticker = glommio::spawn_local(tick(Rc::clone(&state)));
    accept_until_stopped(&state, listener).await;
    drain(&state).await;
    ticker.cancel().await;
}

/// Accepts until the node stops; then nobody listens any more.
async fn accept_until_stopped<A: Application>(state: &Rc<ServerState<A>>, listener: TcpListener) {
    let shutdown = state.application.shutdown().clone();
    let metrics = state.application.metrics();
    let mut backoff = ACCEPT_BACKOFF_MIN;
    while let Some(accepted) = or(stopped(&shutdown), async { Some(listener.accept().await) }).await {
        match accepted {
            Ok(stream) => {
                backoff = ACCEPT_BACKOFF_MIN;
                metrics.connections_accepted.add(1);
                welcome(state, stream);
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
fn welcome<A: Application>(state: &Rc<ServerState<A>>, stream: TcpStream) {
    // Answers are written whole: waiting for more to put in a packet only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "connection failed");
        return;
    }
    let metrics = state.application.metrics();
    let Some(slot) = state.table.open() else {
        metrics.connections_refused.add(1);
        let state = Rc::clone(state);
        glommio::spawn_local(async move { turn_away(&state, stream).await }).detach();
        return;
    };
    let write_timeout = state.application.config().write_timeout;
    let socket = Socket::new(stream, slot, state.scratch.clone(), metrics.clone(), write_timeout);
    let state = Rc::clone(state);
    glommio::spawn_local(async move {
        // A panic in a task would end the whole executor, and with it all partitions of the core.
        let driving = AssertUnwindSafe(connection::drive(Rc::clone(&state), socket)).catch_unwind();
        if driving.await.is_err() {
            state.application.metrics().connection_panics.add(1);
            tracing::error!("a connection's task panicked; its connection is closed");
        }
    })
    .detach();
}

/// Tells a client that there are too many, if that can be done without waiting.
async fn turn_away<A: Application>(state: &ServerState<A>, mut stream: TcpStream) {
    let request_id = state.next_request_id();
    let response = state.application.fault(&Fault::Refused(Refusal::TooManyConnections), request_id);
    let mut bytes = Vec::new();
    let date = state.table.clock().date().to_owned();
    let envelope = Envelope { request_id, date: &date, last: true, version: Version::Http11, head_only: false };
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
