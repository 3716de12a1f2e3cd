//! What a user may set about the gateway.

use std::time::Duration;

use raft::metadata::PrincipalLimits;

use crate::{auth::AuthMode, limits, push::PushPolicy};

/// The settings of the gateway on every core; [`GatewayConfig::default`] is what a node runs with when told nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayConfig {
    /// The number of the node in its cluster.
    pub node_id: u64,
    /// Whether keys are asked for.
    pub auth: AuthMode,
    /// How much a principal may use of which nothing is said.
    pub limits: PrincipalLimits,
    /// The largest request head, in bytes.
    pub request_head_bytes_max: usize,
    /// The largest request body and WebSocket message, in bytes.
    pub body_bytes_max: usize,
    /// The request bodies one core holds together, in bytes.
    pub bodies_bytes_max: usize,
    /// What the connections of one core may leave unread together, in bytes.
    pub outputs_bytes_max: usize,
    /// The connections one core holds.
    pub connections_max: usize,
    /// How long a connection may be silent between requests.
    pub idle_timeout: Duration,
    /// How long a TLS handshake may take from the accepting of the connection.
    pub handshake_timeout: Duration,
    /// How long a request head may take from its first byte.
    pub head_timeout: Duration,
    /// How long a request body may be silent.
    pub body_timeout: Duration,
    /// How long a client may take to read a part of an answer.
    pub write_timeout: Duration,
    /// How often a WebSocket is pinged.
    pub ping_interval: Duration,
    /// How long requests in progress may take to end when the node stops.
    pub shutdown_grace: Duration,
    /// The origins, beside the node's own, whose pages may read answers and open a WebSocket: `https://app.example.com`.
    pub allowed_origins: Vec<String>,
    /// Where push subscriptions may send to.
    pub push: PushPolicy,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            node_id: 1,
            auth: AuthMode::Open,
            limits: PrincipalLimits::default(),
            request_head_bytes_max: limits::REQUEST_HEAD_BYTES_MAX,
            body_bytes_max: limits::BODY_BYTES_MAX,
            bodies_bytes_max: limits::BODIES_BYTES_MAX,
            outputs_bytes_max: limits::OUTPUTS_BYTES_MAX,
            connections_max: limits::CONNECTIONS_MAX,
            idle_timeout: limits::IDLE_TIMEOUT,
            handshake_timeout: limits::HANDSHAKE_TIMEOUT,
            head_timeout: limits::HEAD_TIMEOUT,
            body_timeout: limits::BODY_TIMEOUT,
            write_timeout: limits::WRITE_TIMEOUT,
            ping_interval: limits::WEBSOCKET_PING_INTERVAL,
            shutdown_grace: limits::SHUTDOWN_GRACE,
            allowed_origins: Vec::new(),
            push: PushPolicy::default(),
        }
    }
}
