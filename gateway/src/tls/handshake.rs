//! From an accepted connection to one that speaks TLS, within a deadline.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use glommio::net::TcpStream;

use super::{HandshakeFailure, TlsPort, client_name};
use crate::{
    application::{Application, Fault},
    connection_table::Slot,
    http::{
        refusal::{Refusal, malformed},
        request::Version,
        response::Envelope,
    },
    server_state::ServerState,
    shutdown::Shutdown,
    socket::Socket,
    stream::Stream,
};

/// What a client without TLS is told.
const SPEAKS_TLS: Refusal = malformed("this port speaks TLS: the address begins with https:// or wss://");

/// A handshake that came to nothing, with the stream if it can still be written to.
struct Broken {
    failure: HandshakeFailure,
    reason: String,
    stream: Option<TcpStream>,
}

/// Speaks TLS on a new connection from now on. `None` if that could not be agreed on: it is counted and told, and the
/// connection is over.
pub(crate) async fn secure<A: Application>(
    state: &ServerState<A>,
    port: &TlsPort,
    stream: TcpStream,
    slot: Slot,
) -> Option<Socket> {
    slot.set_deadline(state.application.config().handshake_timeout);
    let shaken = shake_hands(port, stream, &slot, state.application.shutdown()).await;
    slot.clear_deadline();
    let metrics = state.application.metrics();
    let socket = |stream| {
        let write_timeout = state.application.config().write_timeout;
        Socket::new(stream, slot, state.scratch.clone(), metrics.clone(), write_timeout)
    };
    match shaken {
        Ok(stream) => {
            metrics.tls_handshakes.add(1);
            Some(socket(stream))
        }
        Err(Broken { failure, reason, stream }) => {
            metrics.count_handshake_failure(failure);
            tracing::debug!(kind = failure.name(), reason, "a TLS handshake failed");
            if let Some(stream) = stream {
                part(state, socket(Stream::plain(stream)), failure).await;
            }
            None
        }
    }
}

async fn shake_hands(port: &TlsPort, stream: TcpStream, slot: &Slot, shutdown: &Shutdown) -> Result<Stream, Broken> {
    let mut first = [0];
    match in_time(slot, shutdown, stream.peek(&mut first)).await {
        None => return Err(too_slow(Some(stream))),
        Some(Ok(1..)) => {}
        Some(Ok(0) | Err(_)) => {
            let reason = "the client closed the connection before it said anything".to_owned();
            return Err(Broken { failure: HandshakeFailure::Closed, reason, stream: None });
        }
    }
    // No record of TLS begins with a letter, and every request of HTTP does.
    if first.iter().all(u8::is_ascii_alphabetic) {
        let reason = "the client speaks HTTP without TLS".to_owned();
        return Err(Broken { failure: HandshakeFailure::Plaintext, reason, stream: Some(stream) });
    }
    match in_time(slot, shutdown, port.acceptor().accept(stream).into_fallible()).await {
        None => Err(too_slow(None)),
        Some(Ok(stream)) => {
            let certificates = stream.get_ref().1.peer_certificates();
            let name = certificates.and_then(|chain| client_name(chain.first()?));
            Ok(Stream::tls(stream, name.map(Into::into)))
        }
        Some(Err((error, stream))) => {
            let failure = HandshakeFailure::of(&error);
            Err(Broken { failure, reason: error.to_string(), stream: Some(stream) })
        }
    }
}

const fn too_slow(stream: Option<TcpStream>) -> Broken {
    Broken { failure: HandshakeFailure::TooSlow, reason: String::new(), stream }
}

/// What the future comes to; `None` if the deadline passes first, or the node stops.
async fn in_time<T>(slot: &Slot, shutdown: &Shutdown, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if shutdown.requested() => Poll::Ready(None),
        Poll::Pending => slot.poll_expired(context).map(|()| None),
    })
    .await
}

/// Ends a connection whose handshake came to nothing such that the client can read why.
async fn part<A: Application>(state: &ServerState<A>, mut socket: Socket, failure: HandshakeFailure) {
    let parted = async {
        if failure == HandshakeFailure::Plaintext {
            let request_id = state.next_request_id();
            let response = state.application.fault(&Fault::Refused(SPEAKS_TLS), request_id);
            let mut bytes = Vec::new();
            let date = state.table.clock().date().to_owned();
            let version = Version::Http11;
            let envelope = Envelope { request_id, date: &date, last: true, version, head_only: false, grant: None };
            response.encode(&mut bytes, &envelope);
            socket.write_all(&bytes).await?;
        }
        if failure != HandshakeFailure::TooSlow {
            socket.linger(&mut Vec::new()).await?;
        }
        Ok::<_, crate::socket::SocketError>(())
    };
    if let Err(error) = parted.await {
        tracing::debug!(%error, "a client was not told why its TLS handshake failed");
    }
}
