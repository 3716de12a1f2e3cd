//! The node's configuration: what each section holds. How it is read is in the modules below.

mod audit;
mod cluster;
mod documentation;
mod jwt;
mod limits;
mod link_tls;
pub mod load;
mod print;
mod push;
mod redis;
mod schema;
mod secret;
mod tls;
mod traces;
mod validate;
mod value;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{self, PathBuf},
};

pub use audit::AuditSection;
pub use cluster::ClusterSection;
pub use documentation::documentation_table;
pub use jwt::JwtSection;
pub use limits::LimitsSection;
pub use link_tls::LinkTlsSection;
pub use load::{ConfigError, Sources, load};
pub use print::to_yaml;
pub use push::PushSection;
pub use redis::{OnLoss as RedisLoss, RedisSection};
pub use secret::Secret;
pub use tls::TlsSection;
pub use traces::{OtlpProtocol, TracingSection};

/// Everything a node can be told, after all layers: defaults, file, environment, flags.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Config {
    /// Who may reach the node without a key.
    pub auth: Auth,
    /// Where messages are kept.
    pub store: Store,
    /// The data port and its limits.
    pub server: ServerConfig,
    /// Whether and how clients are spoken to by TLS.
    pub tls: TlsSection,
    /// Whose tokens are taken.
    pub jwt: JwtSection,
    /// The data directory and the memory given to it.
    pub storage: StorageConfig,
    /// How Redis is reached, if it is the store.
    pub redis: RedisSection,
    /// Where push subscriptions may send to.
    pub push: PushSection,
    /// The metrics port.
    pub metrics: MetricsConfig,
    /// How much a principal may use of which nothing is said.
    pub limits: LimitsSection,
    /// What is written down of who did what.
    pub audit: AuditSection,
    /// What is logged.
    pub log: LogConfig,
    /// Which traces are recorded, and who gets them.
    pub tracing: TracingSection,
    /// This node's place in its cluster.
    pub cluster: ClusterSection,
}

/// Who may reach the node without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Auth {
    /// Whoever is on this machine; on any other address, whoever has a key.
    #[default]
    Loopback,
    /// Whoever can reach the address: chosen by the operator in so many words.
    None,
    /// Whoever has a key, on this machine too.
    Required,
}

/// Where messages are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Store {
    /// In segment files below the data directory.
    #[default]
    Log,
    /// In memory: nothing survives.
    Memory,
    /// In a Redis.
    Redis,
}

/// The data port and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// The address to listen on.
    pub host: IpAddr,
    /// The port to listen on; 0 lets the system choose one.
    pub port: u16,
    /// How many shards, each on its own core; 0 is all cores.
    pub shards: usize,
    /// The most connections at a time, over all shards.
    pub connections_max: usize,
    /// The most connections of one address; 0 is no bound.
    pub connections_per_address_max: u32,
    /// The largest request head, in bytes.
    pub head_bytes_max: usize,
    /// The largest request body, in bytes.
    pub body_bytes_max: usize,
    /// The memory for request bodies, over all shards.
    pub bodies_bytes_max: usize,
    /// The memory for what clients leave unread, over all shards.
    pub outputs_bytes_max: usize,
    /// How long a connection may be idle.
    pub idle_timeout_ms: u64,
    /// How long a TLS handshake may take.
    pub handshake_timeout_ms: u64,
    /// How long a request head may take to arrive.
    pub head_timeout_ms: u64,
    /// How long a request body may pause.
    pub body_timeout_ms: u64,
    /// How long a client may take to read a part of an answer.
    pub write_timeout_ms: u64,
    /// How often a WebSocket is pinged.
    pub ping_interval_ms: u64,
    /// Origins besides the node's own whose pages may read answers and open a WebSocket.
    pub allowed_origins: Vec<String>,
    /// Whether keys may come in without TLS from other machines: something in front of the node ends it.
    pub insecure: bool,
}

/// The data directory and the memory given to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageConfig {
    /// Where everything durable is kept.
    pub data_dir: PathBuf,
    /// How long a segment file grows before the next one is begun.
    pub segment_bytes: u64,
    /// How much room is kept on the disk; beyond it no messages are taken.
    pub reserve_bytes: u64,
    /// How much the memory store holds, over all shards.
    pub memory_bytes_max: u64,
    /// How much one partition may hold that waits for the disk.
    pub unflushed_bytes_max: u64,
    /// Memory for the newest batches, over all shards.
    pub tail_cache_bytes: usize,
    /// Memory for recognising what is published again, over all shards.
    pub dedup_bytes_max: usize,
    /// How long a message of a topic with `flush: interval` may wait for its sync.
    pub flush_interval_ms: u64,
    /// How many files may be open for partitions, over all shards; 0 is what the process's limit leaves.
    pub open_files_max: usize,
    /// How long an operation on the disk may take before that is told.
    pub io_slow_ms: u64,
    /// How long an operation on the disk may take before publishes are refused.
    pub io_stuck_ms: u64,
}

/// The metrics port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsConfig {
    /// Whether `/metrics` is served.
    pub enabled: bool,
    /// The address to serve it on.
    pub host: IpAddr,
    /// The port to serve it on; 0 lets the system choose one.
    pub port: u16,
    /// How many topics have series of their own.
    pub topics_max: usize,
    /// How many subscriptions have.
    pub subscriptions_max: usize,
}

/// What is logged, to standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A level, or a filter such as `info,gateway=debug`.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
    /// How many lines of one place in the code pass in a window; 0 is any number.
    pub repeats_max: u32,
    /// How long a window is.
    pub repeats_window_ms: u64,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// Whether clients have to prove who they are.
    #[must_use]
    pub const fn asks_for_keys(&self) -> bool {
        match self.auth {
            Auth::None => false,
            Auth::Required => true,
            Auth::Loopback => !self.server.host.is_loopback(),
        }
    }

    /// Where clients connect to.
    #[must_use]
    pub const fn data_address(&self) -> SocketAddr {
        SocketAddr::new(self.server.host, self.server.port)
    }

    /// Where metrics are scraped.
    #[must_use]
    pub const fn metrics_address(&self) -> SocketAddr {
        SocketAddr::new(self.metrics.host, self.metrics.port)
    }

    /// The same with a data directory that does not depend on the working directory. glommio can't open a directory by
    /// a relative path.
    ///
    /// # Errors
    /// The working directory is not known, or the path is empty.
    pub fn with_absolute_data_dir(&self) -> io::Result<Self> {
        let mut config = self.clone();
        config.storage.data_dir = path::absolute(&config.storage.data_dir)?;
        Ok(config)
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8081,
            shards: 0,
            connections_max: 16_384,
            connections_per_address_max: 8_192,
            head_bytes_max: 32 << 10,
            body_bytes_max: 16 << 20,
            bodies_bytes_max: 512 << 20,
            outputs_bytes_max: 256 << 20,
            idle_timeout_ms: 75_000,
            handshake_timeout_ms: 10_000,
            head_timeout_ms: 10_000,
            body_timeout_ms: 30_000,
            write_timeout_ms: 30_000,
            ping_interval_ms: 20_000,
            allowed_origins: Vec::new(),
            insecure: false,
        }
    }
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./data"),
            segment_bytes: 128 << 20,
            reserve_bytes: 64 << 20,
            memory_bytes_max: 1 << 30,
            unflushed_bytes_max: 64 << 20,
            tail_cache_bytes: 256 << 20,
            dedup_bytes_max: 256 << 20,
            flush_interval_ms: 100,
            open_files_max: 0,
            io_slow_ms: 2_000,
            io_stuck_ms: 10_000,
        }
    }
}

impl Default for MetricsConfig {
    fn default() -> Self {
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self { enabled: true, host, port: 9092, topics_max: 1_000, subscriptions_max: 1_000 }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text, repeats_max: 50, repeats_window_ms: 10_000 }
    }
}
