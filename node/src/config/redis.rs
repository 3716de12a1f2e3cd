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
    /// Sentinels that know which server is the master, as `HOST:PORT`; none for the one that the settings name.
    pub sentinels: Vec<String>,
    /// What the Sentinels call the master.
    pub sentinel_master: String,
    /// The password of the Sentinels themselves; empty if there is none.
    pub sentinel_password: Secret,
    /// Whether the host is a server of a Redis Cluster.
    pub cluster: bool,
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
            sentinels: Vec::new(),
            sentinel_master: "mymaster".to_owned(),
            sentinel_password: Secret::default(),
            cluster: false,
            wait_replicas: 0,
            on_loss: OnLoss::Continue,
            connect_timeout_ms: 2_000,
            request_timeout_ms: 2_000,
            operation_timeout_ms: 5_000,
        }
    }
}
