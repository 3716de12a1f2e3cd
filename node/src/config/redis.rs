//! How the node reaches Redis, if that is its store.

use std::path::PathBuf;

use super::Secret;

/// The section `redis`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisSection {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The user of its access control list; empty is Redis' default user.
    pub username: String,
    /// The password; empty if there is none.
    pub password: Secret,
    /// The number of the database.
    pub database: u64,
    /// Whether to speak TLS.
    pub tls: bool,
    /// A PEM file with the certificates of Redis' issuer; empty for those that the machine trusts.
    pub tls_ca_file: PathBuf,
    /// The name on Redis' certificate; empty for the host.
    pub tls_server_name: String,
    /// How many replicas must have a write before it is acknowledged.
    pub wait_replicas: u64,
    /// What is done when Redis has lost messages.
    pub on_loss: OnLoss,
    /// How long a connection may take to stand.
    pub connect_timeout_ms: u64,
    /// How long one answer may take.
    pub request_timeout_ms: u64,
    /// How long a write or a read may take with all its tries.
    pub operation_timeout_ms: u64,
}

/// What is done about messages that were acknowledged and are gone from Redis; they are told in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnLoss {
    /// The log goes on behind them.
    #[default]
    Continue,
    /// The partition stays closed.
    Stop,
}

impl Default for RedisSection {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 6379,
            username: String::new(),
            password: Secret::default(),
            database: 0,
            tls: false,
            tls_ca_file: PathBuf::new(),
            tls_server_name: String::new(),
            wait_replicas: 0,
            on_loss: OnLoss::Continue,
            connect_timeout_ms: 2_000,
            request_timeout_ms: 2_000,
            operation_timeout_ms: 5_000,
        }
    }
}
