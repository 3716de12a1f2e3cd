//! Sends the requests of OTLP over HTTP, one after the other over a connection that is used again.

use std::fmt;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header::{HOST, HeaderValue},
};
use opentelemetry_http::{HttpClient, HttpError};
use tokio::sync::Mutex;
use tonic::codegen::async_trait;

use super::connect::CollectorConnector;
use crate::limits;

/// A collector that is spoken to by HTTP/1.1.
pub(super) struct CollectorClient {
    connector: CollectorConnector,
    /// The connection of the request before.
    kept: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

impl CollectorClient {
    pub(super) fn new(connector: CollectorConnector) -> Self {
        Self { connector, kept: Mutex::new(None) }
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, SendRequest<Full<Bytes>>), HttpError> {
        let kept = self.kept.lock().await.take().filter(SendRequest::is_ready);
        if let Some(mut requests) = kept {
            // A collector may close what is idle at the very moment at which it is used.
            if let Ok(response) = requests.send_request(request.clone()).await {
                return Ok((response, requests));
            }
        }
        let (mut requests, connection) = http1::handshake(self.connector.connect().await?).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::trace!(%error, "a connection to the collector has ended");
            }
        });
        let response = requests.send_request(request).await?;
        Ok((response, requests))
    }
}

#[async_trait]
impl HttpClient for CollectorClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (mut head, body) = request.into_parts();
        head.headers.insert(HOST, HeaderValue::from_str(self.connector.authority())?);
        if let Some(path) = head.uri.path_and_query() {
            head.uri = path.as_str().parse()?;
        }
        let (response, requests) = self.exchange(Request::from_parts(head, Full::new(body))).await?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, limits::TRACE_ANSWER_BYTES_MAX).collect().await?.to_bytes();
        *self.kept.lock().await = Some(requests);
        Ok(Response::from_parts(head, body))
    }
}

impl fmt::Debug for CollectorClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CollectorClient").finish_non_exhaustive()
    }
}
