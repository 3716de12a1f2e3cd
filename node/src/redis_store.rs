//! The Redis store of this node: its settings, and the look at the server before anything is started.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use glommio::{LocalExecutorBuilder, Placement};
use shard::{
    redis::{
        ClusterName, Failure, Password, RedisConfig, RedisTimeouts, RedisTls, SentinelConfig, ServerAddress,
        ServerFacts, Topology, check_server,
    },
    store::{
        EndsConfig, read_durable_ends,
        redis::{OnLoss, RedisStoreConfig},
    },
};
use shard_core::{layout::EndsOwner, model::Offset, redis::Remedy};

use crate::{
    config::{Config, RedisLoss, RedisSection},
    limits,
};

/// Why the node can't use its Redis; somebody has to do something about it.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum RedisStoreError {
    #[error("Redis: {0}")]
    Unfit(Failure),
    #[error("Redis: TLS: {0}")]
    Tls(#[from] shard::redis::TlsError),
    #[error("Redis: the cluster's id can't be part of a key: {0}")]
    ClusterName(#[from] shard_core::model::NameError),
    #[error("the executor for a look at Redis can't be started: {0}")]
    Executor(String),
    #[error("what the last run knew to be in its store can't be read: {0}")]
    Ends(String),
}

/// The settings of the first shard's store, once the server was looked at. One that can't be reached may come yet; one that
/// can't be used is an error.
pub(crate) fn prepare(
    config: &Config,
    cluster_id: &str,
    shard_count: usize,
) -> Result<RedisStoreConfig, RedisStoreError> {
    let redis = redis_config(&config.redis, cluster_id)?;
    match look_at(redis.clone())? {
        Ok(ServerFacts { version, persistence, caveat }) => {
            if let Some(caveat) = caveat {
                tracing::warn!(version, ?persistence, "Redis may lose what it has acknowledged: {caveat}");
            }
        }
        Err(failure) if failure.remedy() == Remedy::GiveUp => return Err(RedisStoreError::Unfit(failure)),
        Err(failure) => tracing::warn!(%failure, "Redis can't be used yet; nothing is published until it can"),
    }
    let data_dir = &config.storage.data_dir;
    let ends = EndsConfig::read(data_dir, EndsOwner::Redis, shard_count).map_err(RedisStoreError::Ends)?;
    let on_loss = match config.redis.on_loss {
        RedisLoss::Continue => OnLoss::Continue,
        RedisLoss::Stop => OnLoss::Stop,
    };
    Ok(RedisStoreConfig { redis, on_loss, ends, first_offsets: Arc::new(first_offsets(data_dir)?) })
}

fn redis_config(section: &RedisSection, cluster_id: &str) -> Result<RedisConfig, RedisStoreError> {
    let name = if section.tls_server_name.is_empty() { &section.host } else { &section.tls_server_name };
    let ca_file = (!section.tls_ca_file.as_os_str().is_empty()).then_some(section.tls_ca_file.as_path());
    Ok(RedisConfig {
        host: section.host.clone(),
        port: section.port,
        topology: topology(section),
        tls: if section.tls { Some(RedisTls::load(ca_file, name)?) } else { None },
        username: (!section.username.is_empty()).then(|| section.username.clone()),
        password: section.password.reveal().map(|password| Password::new(password.to_owned())),
        database: u32::try_from(section.database).unwrap_or(u32::MAX),
        cluster: ClusterName::new(cluster_id)?,
        timeouts: RedisTimeouts {
            connect: Duration::from_millis(section.connect_timeout_ms),
            request: Duration::from_millis(section.request_timeout_ms),
            operation: Duration::from_millis(section.operation_timeout_ms),
        },
        wait_replicas: u32::try_from(section.wait_replicas).unwrap_or(u32::MAX),
    })
}

fn topology(section: &RedisSection) -> Topology {
    if section.cluster {
        return Topology::Cluster;
    }
    if section.sentinels.is_empty() {
        return Topology::Single;
    }
    Topology::Sentinel(SentinelConfig {
        addresses: section.sentinels.iter().filter_map(|address| ServerAddress::parse(address)).collect(),
        master: section.sentinel_master.clone(),
        password: section.sentinel_password.reveal().map(|password| Password::new(password.to_owned())),
    })
}

/// Connects once, on an executor that ends with it; blocks for as long as a connection may take.
fn look_at(redis: RedisConfig) -> Result<Result<ServerFacts, Failure>, RedisStoreError> {
    let executor = |error: &dyn std::fmt::Display| RedisStoreError::Executor(error.to_string());
    // Nothing else runs there. A short timer may put it to sleep at its first turn, see `crate::executor`.
    let builder = LocalExecutorBuilder::new(Placement::Unbound).preempt_timer(limits::REDIS_CHECK_TURN);
    let builder = builder.io_memory(1 << 20).name("redis-check");
    let looking = builder.spawn(async move || check_server(&redis).await).map_err(|error| executor(&error))?;
    looking.join().map_err(|error| executor(&error))
}

/// Where the logs end that the log store has left in the data directory.
fn first_offsets(data_dir: &Path) -> Result<HashMap<shard_core::model::TopicPartition, Offset>, RedisStoreError> {
    let mut first = HashMap::new();
    for end in read_durable_ends(data_dir, EndsOwner::Log).map_err(RedisStoreError::Ends)?.entries {
        let highest = first.entry(end.partition).or_insert(end.durable_end);
        *highest = end.durable_end.max(*highest);
    }
    Ok(first)
}
