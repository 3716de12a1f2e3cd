//! Messages in Redis: one stream a partition, one entry a batch, every write fenced by the leader epoch.
//!
//! `shard_store` and `stored_partition` are the store as the contract has it. Below them, `connection` is one connection on the shard's own executor, `link` keeps one up and sends requests over it, `scripts`
//! has what runs inside Redis, `owner` is who asks, and `partition`, `log_writer`, `append`, `log_reader`,
//! `cursor_journal` are one partition's store.
//! Everything that can be decided without a server is in `shard_core::redis`.

mod answer;
mod append;
mod cluster;
mod config;
mod connection;
mod cursor_journal;
mod error;
mod guarded_stream;
mod late_batches;
mod link;
mod link_counts;
mod log_reader;
mod log_writer;
mod owner;
mod partition;
mod scripts;
mod sentinel;
mod server_link;
mod shard_store;
mod state;
mod stored_partition;
mod tls;

pub use config::{OnLoss, Password, RedisConfig, RedisTimeouts, SentinelConfig, Topology};
pub use connection::check_server;
pub use cursor_journal::CursorJournal;
pub use error::{ReadError, RequestError, WriteError};
pub use link::RedisLink;
pub use log_reader::LogReader;
pub use log_writer::{Acknowledged, LogWriter};
pub use partition::{Known, OpenError, RedisPartition, accept_loss, delete, open, truncate};
pub use shard_core::redis::{
    ClusterName, Failure, FailureKind, Outcome, PageError, Persistence, Refusal, ServerAddress, ServerFacts, Written,
};
pub use shard_store::{RedisStore, RedisStoreConfig};
pub use stored_partition::StoredPartition;
pub use tls::{RedisTls, TlsError};
