//! The typed client: every operation of a node over HTTP, and the WebSocket protocol. Runs on tokio.

mod access;
mod cluster;
mod connection;
mod consuming;
mod endpoint;
mod error;
mod groups;
mod publishing;
mod stream;
mod subscriptions;
mod target;
mod tls;
mod topics;
mod transport;
mod websocket;

use std::time::Duration;

use http_body_util::Full;
use hyper::Method;
use hyper::body::Bytes;

pub use self::connection::{Answer, Connection, Request};
pub use self::consuming::ReadFrom;
pub use self::endpoint::{ApiKey, Endpoint, EndpointError};
pub use self::error::{ClientError, WaitedFor};
pub use self::publishing::RawMessage;
pub use self::stream::ClientStream;
use self::target::Target;
pub use self::tls::{ClientTls, TlsError, TlsOptions};
use self::transport::Transport;
pub use self::websocket::{WebSocketClient, WebSocketReceiver, WebSocketSender};
use crate::health::Health;
use crate::limits;

/// Talks to one node. Methods can be called at the same time; each takes a connection of its own for as long as it runs.
///
/// A request that only reads, and one that creates something under a name, is repeated a few times when its connection
/// is lost. Nothing else is: an error then says that it is not known whether the request took effect.
#[derive(Debug)]
pub struct Client {
    transport: Transport,
    answer_timeout: Duration,
}

/// A value as it was read, and the tag by which a change can demand that nobody has changed it since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged<T> {
    /// The value.
    pub value: T,
    /// Its `ETag`; `None` if the node gave none.
    pub etag: Option<String>,
}

/// What a request to create something under a name has led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created<T> {
    /// The thing as it stands.
    pub value: T,
    /// Whether it is new; else it was there, with the same configuration.
    pub is_new: bool,
}

/// What HTTP bodies are here: bytes that are all there.
type Body = Full<Bytes>;

impl Client {
    /// A client of this node. Connects when it is first used.
    #[must_use]
    pub fn new(endpoint: Endpoint, key: Option<ApiKey>) -> Self {
        Self { transport: Transport::new(endpoint, key), answer_timeout: limits::ANSWER_TIMEOUT }
    }

    /// Waits so long for each answer, on top of the wait that the request itself asks for.
    #[must_use]
    pub fn with_answer_timeout(mut self, answer_timeout: Duration) -> Self {
        self.answer_timeout = answer_timeout;
        self
    }

    /// Whether the node is alive.
    ///
    /// # Errors
    /// It could not be asked, or says that it is not.
    pub async fn healthz(&self) -> Result<Health, ClientError> {
        self.get(Target::new("/healthz")).await?.json()
    }

    /// Whether the node is ready to serve, and which partitions stay closed.
    ///
    /// # Errors
    /// It could not be asked, or is not ready.
    pub async fn readyz(&self) -> Result<Health, ClientError> {
        self.get(Target::new("/readyz")).await?.json()
    }

    async fn get(&self, target: Target) -> Result<Answer, ClientError> {
        self.call(Request::new(Method::GET, target.into_string()), Duration::ZERO).await
    }

    async fn post<T: serde::Serialize>(
        &self,
        target: Target,
        body: &T,
        asked_wait: Duration,
    ) -> Result<Answer, ClientError> {
        let request = Request::new(Method::POST, target.into_string()).with_json(body)?;
        self.call(request, asked_wait).await
    }

    /// Sends a request and takes its answer if that is a success.
    async fn call(&self, request: Request, asked_wait: Duration) -> Result<Answer, ClientError> {
        self.transport.send(request, self.answer_timeout.saturating_add(asked_wait)).await?.success()
    }
}
