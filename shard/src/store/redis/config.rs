//! How a shard reaches its Redis.

use std::{fmt, time::Duration};

use shard_core::redis::{ClusterName, ServerAddress};

use super::RedisTls;

/// The settings of the Redis store, the same on every shard.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// A name or an address, of the master or of any server of a cluster; a name is looked up anew for each connection.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the servers stand to each other.
    pub topology: Topology,
    /// Speak TLS.
    pub tls: Option<RedisTls>,
    /// The user of its access control list; `None` is Redis' default user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Password>,
    /// The number of the database.
    pub database: u32,
    /// Tells this cluster's keys from those of others in the same database.
    pub cluster: ClusterName,
    /// How long things may take.
    pub timeouts: RedisTimeouts,
    /// How many of its replicas must have a write before it is acknowledged.
    pub wait_replicas: u32,
}

/// How the servers stand to each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Topology {
    /// One master, at the address of the settings.
    #[default]
    Single,
    /// One master; Sentinels know which.
    Sentinel(SentinelConfig),
    /// Several masters, each with a part of the partitions.
    Cluster,
}

/// The Sentinels and the master they watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentinelConfig {
    /// Asked one after the other.
    pub addresses: Vec<ServerAddress>,
    /// What they call the master.
    pub master: String,
    /// The password of the Sentinels themselves.
    pub password: Option<Password>,
}

impl RedisConfig {
    /// The server that the settings name.
    pub(super) fn server(&self) -> ServerAddress {
        ServerAddress { host: self.host.clone(), port: self.port }
    }
}

/// What is done about messages that were acknowledged and are gone from Redis; they are told in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLoss {
    /// The log goes on behind them, so that no offset is used twice; consumers pass over them.
    #[default]
    Continue,
    /// The partition stays closed until a person has decided.
    Stop,
}

/// The bounds of what is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedisTimeouts {
    /// For a connection to stand: name, TCP, TLS, password, look at the server.
    pub connect: Duration,
    /// For one answer; after it the connection is given up.
    pub request: Duration,
    /// For a write or a read with all its tries; also how long an outage may last before requests fail at once.
    pub operation: Duration,
}

impl Default for RedisTimeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(2), request: Duration::from_secs(2), operation: Duration::from_secs(5) }
    }
}

/// A password; it is in no log and no error.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Wraps a password.
    #[must_use]
    pub const fn new(password: String) -> Self {
        Self(password)
    }

    /// What is sent to the server.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}
