//! The data port before the node belongs to its cluster, which may take long: probes are answered, and whatever else is asked
//! is told to come again.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc};

use gateway::{early, tls::TlsPort};
use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
    time,
};
use tokio_util::compat::{FuturesAsyncReadCompatExt as _, TokioAsyncReadCompatExt as _};

use crate::{addresses, limits};

/// Answers until it is dropped.
pub(crate) struct EarlyServer(JoinHandle<()>);

impl EarlyServer {
    /// Listens on the address beside the cores' sockets, which are taken and do not listen yet.
    pub(crate) fn start(address: SocketAddr, tls: Option<TlsPort>) -> io::Result<Self> {
        let listener = addresses::listen_beside(address)?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        Ok(Self(tokio::spawn(serve(listener, tls))))
    }
}

impl Drop for EarlyServer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One request per connection, so that the next one comes to a core once there is one.
async fn serve(listener: TcpListener, tls: Option<TlsPort>) {
    let places = Arc::new(Semaphore::new(limits::EARLY_CONNECTIONS_MAX));
    // They end with this task.
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accepting a client failed");
                time::sleep(limits::METRICS_ACCEPT_PAUSE).await;
                continue;
            }
        };
        let tls = tls.clone();
        connections.spawn(async move {
            // Whether it took too long or broke off is the client's concern.
            drop(time::timeout(limits::EARLY_TIMEOUT, converse(stream, tls)).await);
            drop(place);
        });
    }
}

async fn converse(stream: TcpStream, tls: Option<TlsPort>) -> io::Result<()> {
    match tls {
        None => answer_on(stream).await,
        Some(port) => answer_on(port.acceptor().accept(stream.compat()).await?.compat()).await,
    }
}

async fn answer_on(stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(request.uri().path());
        async { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(limits::EARLY_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    connection.await.map_err(io::Error::other)
}

fn answer(path: &str) -> Response<Full<Bytes>> {
    let early = early::answer(path);
    let mut response = Response::new(Full::from(early.body));
    *response.status_mut() = StatusCode::from_u16(early.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(early.content_type));
    if early.status == 503 {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
