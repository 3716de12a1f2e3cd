//! One keep-alive connection to a node: request in, answer out.

use std::error::Error;
use std::iter;
use std::time::Duration;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Body;
use super::endpoint::{ApiKey, Endpoint};
use super::error::{ClientError, WaitedFor};
use crate::error::{PROBLEM_CONTENT_TYPE, Problem};
use crate::limits;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A connection that carries one request after the other. After an error it is closed.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Body>,
    /// Moves the bytes; knows why the connection ended, and says so once.
    driver: Option<JoinHandle<hyper::Result<()>>>,
    host: HeaderValue,
    bearer: Option<HeaderValue>,
}

/// A request to a node.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

/// What a node answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why no answer came, and whether the request was sent.
#[derive(Debug)]
pub(super) enum SendError {
    /// The connection was closed before anything was sent, and why if that was an error.
    NotSent(Option<ClientError>),
    /// Something went wrong after that.
    Failed(ClientError),
}

impl Connection {
    /// Connects to a node.
    ///
    /// # Errors
    /// Nobody listens there, or the connection doesn't come in time.
    pub async fn open(endpoint: &Endpoint, key: Option<&ApiKey>) -> Result<Self, ClientError> {
        let stream = endpoint.connect().await?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
        // The driver ends with the connection; what goes wrong there is reported by the request that meets it.
        let driver = Some(tokio::spawn(driver));
        let host = HeaderValue::from_str(&endpoint.authority())
            .map_err(|error| ClientError::Request { detail: error.to_string() })?;
        Ok(Self { sender, driver, host, bearer: key.map(|key| key.bearer().clone()) })
    }

    /// Sends a request and waits for its answer, whatever status it has.
    ///
    /// # Errors
    /// The connection is lost or the answer doesn't come in time: the request may have taken effect.
    pub async fn send(&mut self, request: Request, answer_timeout: Duration) -> Result<Answer, ClientError> {
        self.try_send(request, answer_timeout).await.map_err(|error| match error {
            SendError::NotSent(why) => {
                why.unwrap_or_else(|| ClientError::Lost { detail: "closed before the request was sent".to_owned() })
            }
            SendError::Failed(error) => error,
        })
    }

    /// The same, telling apart what was never sent.
    pub(super) async fn try_send(&mut self, request: Request, answer_timeout: Duration) -> Result<Answer, SendError> {
        let request = self.prepare(request).map_err(SendError::Failed)?;
        timeout(answer_timeout, self.exchange(request)).await.unwrap_or_else(|_| {
            Err(SendError::Failed(ClientError::Timeout { waited_for: WaitedFor::Answer, waited: answer_timeout }))
        })
    }

    /// Whether the next request can be tried on it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    async fn exchange(&mut self, request: hyper::Request<Body>) -> Result<Answer, SendError> {
        if self.sender.ready().await.is_err() {
            return Err(self.not_sent().await);
        }
        let sent = self.sender.try_send_request(request).await;
        let (head, body) = match sent {
            Ok(answer) => answer.into_parts(),
            Err(mut error) => {
                let (was_sent, has_cause) = (error.take_message().is_none(), error.error().source().is_some());
                return Err(match (was_sent, has_cause) {
                    (true, _) => SendError::Failed(lost(error.error())),
                    // The request waited for the driver, which has told it instead of whoever asks for its end.
                    (false, true) => SendError::NotSent(Some(lost(error.error()))),
                    (false, false) => self.not_sent().await,
                });
            }
        };
        let body = Limited::new(body, limits::ANSWER_BYTES_MAX).collect().await.map_err(|error| {
            SendError::Failed(if error.is::<LengthLimitError>() {
                let detail = format!("it has more than {} bytes", limits::ANSWER_BYTES_MAX);
                ClientError::Unexpected { status: head.status.as_u16(), detail }
            } else {
                ClientError::Lost { detail: format!("in the middle of an answer: {error}") }
            })
        })?;
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes() })
    }

    /// Why the connection ended: a certificate that the node refuses shows only there.
    async fn not_sent(&mut self) -> SendError {
        let Some(driver) = self.driver.take() else { return SendError::NotSent(None) };
        SendError::NotSent(driver.await.ok().and_then(Result::err).map(|error| lost(&error)))
    }

    fn prepare(&self, request: Request) -> Result<hyper::Request<Body>, ClientError> {
        let Request { method, target, headers, body } = request;
        let mut prepared = hyper::Request::builder()
            .method(method)
            .uri(target)
            .body(Body::new(body))
            .map_err(|error| ClientError::Request { detail: error.to_string() })?;
        *prepared.headers_mut() = headers;
        prepared.headers_mut().insert(header::HOST, self.host.clone());
        if let Some(bearer) = &self.bearer {
            prepared.headers_mut().insert(header::AUTHORIZATION, bearer.clone());
        }
        Ok(prepared)
    }
}

impl Request {
    /// A request without a body. The target is path and query, escaped.
    #[must_use]
    pub fn new(method: Method, target: impl Into<String>) -> Self {
        Self { method, target: target.into(), headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// With a body.
    #[must_use]
    pub fn with_body(mut self, content_type: HeaderValue, body: Bytes) -> Self {
        self.headers.insert(header::CONTENT_TYPE, content_type);
        self.body = body;
        self
    }

    /// With a body of JSON.
    ///
    /// # Errors
    /// The body has no form in JSON.
    pub fn with_json<T: Serialize>(self, body: &T) -> Result<Self, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| ClientError::Request { detail: error.to_string() })?;
        Ok(self.with_body(JSON, body.into()))
    }

    /// With one more header.
    ///
    /// # Errors
    /// The name or the value has characters that no header has.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, ClientError> {
        let invalid = |_| ClientError::Request { detail: format!("`{name}: {value}` cannot be sent as a header") };
        let header_name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| ClientError::Request { detail: format!("`{name}` is no name for a header") })?;
        self.headers.append(header_name, HeaderValue::from_str(value).map_err(invalid)?);
        Ok(self)
    }

    /// Whether sending it twice does no more than sending it once.
    pub(super) fn is_repeatable(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD | Method::PUT)
    }
}

impl Answer {
    /// The answer, if it says that the request succeeded.
    ///
    /// # Errors
    /// The problem that the answer holds; else its status and how it begins.
    pub fn success(self) -> Result<Self, ClientError> {
        if StatusCode::from_u16(self.status).is_ok_and(|status| status.is_success()) {
            return Ok(self);
        }
        let content_type = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if content_type.is_some_and(|value| value.starts_with(PROBLEM_CONTENT_TYPE))
            && let Ok(problem) = serde_json::from_slice::<Problem>(&self.body)
        {
            return Err(problem.into());
        }
        Err(ClientError::Unexpected { status: self.status, detail: self.beginning() })
    }

    /// Reads a body of JSON.
    ///
    /// # Errors
    /// The body is not what this call answers.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|error| ClientError::Unexpected {
            status: self.status,
            detail: format!("{error}: {}", self.beginning()),
        })
    }

    /// The value of a header; `None` if it is absent or not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How the body begins, for people.
    fn beginning(&self) -> String {
        let beginning = self.body.get(..limits::QUOTED_ANSWER_BYTES_MAX).unwrap_or(&self.body);
        String::from_utf8_lossy(beginning).into_owned()
    }
}

/// hyper's error with its causes: only the last of them tells what an encrypted stream was refused for.
fn lost(error: &hyper::Error) -> ClientError {
    let causes = iter::successors(Some(error as &(dyn Error + 'static)), |&error| error.source());
    ClientError::Lost { detail: causes.map(ToString::to_string).collect::<Vec<_>>().join(": ") }
}
