//! How a shard reaches its Redis.

use std::{fmt, time::Duration};

use shard_core::redis::ClusterName;

use super::RedisTls;

/// The settings of the Redis store, the same on every shard.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// A name or an address; a name is looked up anew for each connection.
    pub host: String,
    /// The port.
    pub port: u16,
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
