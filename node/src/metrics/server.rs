//! The metrics port: answers `GET /metrics`, and nothing else.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::CONTENT_TYPE,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::TEXT_FORMAT;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time,
};

use super::Exposition;
use crate::limits;

/// Listens; connections wait until `serve` is called.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Answers scrapers, one request per connection, until dropped.
pub(crate) async fn serve(listener: TcpListener, exposition: Exposition) {
    let places = Arc::new(Semaphore::new(limits::METRICS_CONNECTIONS_MAX));
    loop {
        // Acquired first: what is beyond the bound waits in the kernel's queue.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accepting a scraper failed");
                time::sleep(limits::METRICS_ACCEPT_PAUSE).await;
                continue;
            }
        };
        let exposition = exposition.clone();
        tokio::spawn(async move {
            // Whether it took too long or broke off is the scraper's concern.
            drop(time::timeout(limits::METRICS_TIMEOUT, converse(stream, exposition)).await);
            drop(place);
        });
    }
}

async fn converse(stream: TcpStream, exposition: Exposition) -> hyper::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| {
        let exposition = exposition.clone();
        async move { Ok::<_, Infallible>(answer(&request, &exposition).await) }
    });
    http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(limits::METRICS_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn answer(request: &Request<Incoming>, exposition: &Exposition) -> Response<Full<Bytes>> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => match exposition.page().await {
            Ok(page) => (StatusCode::OK, page),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "metrics are at /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(TEXT_FORMAT));
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::{super::tests::sources, *};

    async fn ask(address: SocketAddr, head: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("{head} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn only_metrics_are_served() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let exposition = Exposition::new(sources(Vec::new())).unwrap();
        let server = tokio::spawn(serve(listener, exposition));
        let page = ask(address, "GET /metrics").await;
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("\npubsub_raft_term 3\n"), "{page}");
        assert!(ask(address, "POST /metrics").await.starts_with("HTTP/1.1 405"));
        assert!(ask(address, "GET /").await.starts_with("HTTP/1.1 404"));
        server.abort();
    }
}
