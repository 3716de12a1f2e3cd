//! Fetches keys from their issuer: one request, within bounds, to where it was said and no further.

use futures_rustls::{TlsConnector, pki_types::ServerName};
use gateway::{
    limits::JWKS_BYTES_MAX,
    push::{PushHost, PushTarget},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_util::compat::{FuturesAsyncReadCompatExt as _, TokioAsyncReadCompatExt as _};

use crate::{limits, one_get::Get};

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
    let get = Get {
        authority: &target.authority,
        path: &target.path,
        accept: "application/jwk-set+json, application/json",
        body_bytes_max: JWKS_BYTES_MAX,
    };
    match get.over(stream).await.map_err(|error| FetchError::Connection(error.to_string()))? {
        (200, body) => Ok(body.to_vec()),
        (status, _) => Err(FetchError::Status(status)),
    }
}
