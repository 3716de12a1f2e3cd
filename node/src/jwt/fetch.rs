//! Fetches keys from their issuer: one request, within bounds, to where it was said and no further.

use bytes::Bytes;
use futures_rustls::{TlsConnector, pki_types::ServerName};
use gateway::{
    limits::JWKS_BYTES_MAX,
    push::{PushHost, PushTarget},
};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{
    Request,
    client::conn::http1,
    header::{ACCEPT, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_util::compat::{FuturesAsyncReadCompatExt as _, TokioAsyncReadCompatExt as _};

use crate::limits;

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum FetchError {
    #[error("no answer within {:?}", limits::JWKS_TIMEOUT)]
    TooLate,
    #[error("it can't be connected to: {0}")]
    Connect(std::io::Error),
    #[error("TLS with it is not possible: {0}")]
    Tls(String),
    #[error("the connection failed: {0}")]
    Connection(String),
    #[error("it answers with status {0}; redirects are not followed")]
    Status(u16),
}

/// The body of a successful answer.
pub(super) async fn fetch(target: &PushTarget, tls: &TlsConnector) -> Result<Vec<u8>, FetchError> {
    timeout(limits::JWKS_TIMEOUT, Box::pin(try_fetch(target, tls))).await.map_err(|_| FetchError::TooLate)?
}

async fn try_fetch(target: &PushTarget, tls: &TlsConnector) -> Result<Vec<u8>, FetchError> {
    let stream = match &target.host {
        PushHost::Address(address) => TcpStream::connect((*address, target.port)).await,
        PushHost::Name(name) => TcpStream::connect((name.as_str(), target.port)).await,
    };
    let stream = stream.map_err(FetchError::Connect)?;
    if !target.tls {
        return ask(target, stream).await;
    }
    let name = match &target.host {
        PushHost::Address(address) => ServerName::from(*address),
        PushHost::Name(name) => {
            ServerName::try_from(name.clone()).map_err(|error| FetchError::Tls(error.to_string()))?
        }
    };
    let stream = tls.connect(name, stream.compat()).await.map_err(|error| FetchError::Tls(error.to_string()))?;
    ask(target, stream.compat()).await
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(target: &PushTarget, stream: S) -> Result<Vec<u8>, FetchError> {
    let failed = |error: &dyn std::fmt::Display| FetchError::Connection(error.to_string());
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    let request = Request::get(&target.path)
        .header(HOST, &target.authority)
        .header(ACCEPT, "application/jwk-set+json, application/json")
        .body(Empty::<Bytes>::new())
        .map_err(|error| failed(&error))?;
    let answered = async {
        let answer = requests.send_request(request).await.map_err(|error| failed(&error))?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(FetchError::Status(status));
        }
        let body = Limited::new(answer.into_body(), JWKS_BYTES_MAX).collect().await.map_err(|error| failed(&error))?;
        Ok(body.to_bytes().to_vec())
    };
    let mut connection = std::pin::pin!(connection);
    let mut answered = std::pin::pin!(answered);
    tokio::select! {
        biased;
        answer = &mut answered => return answer,
        // What has been read of the answer by then is still to be taken.
        _ = &mut connection => {}
    }
    answered.await
}
