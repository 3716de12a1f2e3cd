//! What the HTTP front asks of those who know what requests mean.

use std::{future::Future, sync::Arc};

use crate::{
    address_counts::AddressCounts,
    auth::Caller,
    call::Call,
    config::GatewayConfig,
    http::{refusal::Refusal, request::Request, request_id::RequestId, response::Response, router::RouteError},
    metrics::GatewayMetrics,
    output_budget::OutputBudget,
    quota::usage::Hold,
    shutdown::Shutdown,
    websocket::{Upgraded, handshake::HandshakeError},
};

/// Answers requests. The node's is [`crate::context::Context`]; a test has its own.
pub trait Application: 'static {
    /// The settings of the front.
    fn config(&self) -> &GatewayConfig;

    /// Where the front counts.
    fn metrics(&self) -> &Arc<GatewayMetrics>;

    /// Where the connections of each address are counted; they are not bounded if it says none.
    fn addresses(&self) -> Option<&Arc<AddressCounts>> {
        None
    }

    /// What clients may leave unread.
    fn outputs(&self) -> &OutputBudget;

    /// Says when the front is to stop.
    fn shutdown(&self) -> &Shutdown;

    /// Finds out who wants to open a WebSocket; the answer if they may not.
    ///
    /// # Errors
    /// They may not.
    fn admit(&self, call: &Call<'_>) -> Result<Admitted, Response>;

    /// Whether the body of a request with this head is taken while it arrives: by the stream of its answer.
    #[must_use]
    fn streams_body(_head: &Request) -> bool
    where
        Self: Sized,
    {
        false
    }

    /// Answers one request. Dropped only when the connection is given up.
    fn handle(&self, call: Call<'_>) -> impl Future<Output = Response>;

    /// Speaks WebSocket until the connection is over.
    fn upgraded(&self, connection: Upgraded) -> impl Future<Output = ()>;

    /// The answer to a request that was not given to [`Application::handle`].
    fn fault(&self, fault: &Fault, request: RequestId) -> Response;
}

/// Who may open a connection that stays.
#[derive(Debug, Default)]
pub struct Admitted {
    /// Who it is.
    pub caller: Caller,
    /// Counts the connection as theirs, if they may have only so many.
    pub hold: Option<Hold>,
}

/// What keeps a request from its operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes are no request that is taken; the connection closes.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// No route takes the request.
    #[error("{0}")]
    Unrouted(#[from] RouteError),
    /// A WebSocket that can't be opened.
    #[error("{0}")]
    Handshake(#[from] HandshakeError),
}
