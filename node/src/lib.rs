//! The PubSubRing node: the only crate that knows every other.
//!
//! [`Node::start`] puts the parts together: the metadata on this thread's tokio runtime, a shard and a gateway on each
//! core, and between them `assignments`, which brings what the metadata says to the shards. [`control`] is a node's
//! whole life, from the checks to the exit code.

mod addresses;
pub mod args;
mod assignments;
mod audit;
pub mod bootstrap;
mod build_info;
pub mod config;
pub mod control;
mod cores;
mod cpus;
mod early;
mod entry;
mod executor;
pub mod exit_code;
mod faults;
pub mod health_check;
mod insync;
mod jwt;
mod limits;
mod link;
mod listener;
mod listeners;
pub mod manual;
pub mod metrics;
mod one_get;
pub mod preflight;
mod push;
pub mod ready_file;
mod redis_store;
mod rejoin;
mod routes;
mod security;
mod settings;
mod shutdown;
pub mod telemetry;
mod tls;
mod traces;
pub mod version;

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use gateway::{address_counts::AddressCounts, auth::jwt::JwtVerifier, config::GatewayConfig, push::PushBoard};
use raft::{
    MetadataHandle, MetadataMetrics, MetadataNode, OpenLogError,
    metadata::{ClusterState, NodeId, Refusal},
};
use shard::{
    ShardConfig, StoreConfig,
    store::{
        EndsConfig,
        log::LogStoreConfig,
        memory::{MemoryStoreConfig, next_incarnation},
    },
    tracer::Tracer,
};
use shard_core::layout::EndsOwner;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

pub use addresses::Addresses;
pub use cores::CoreError;

use assignments::Placement;
use audit::AuditWriter;
use config::{Config, MetricsConfig, Store};
use cores::{Cores, CoresPlan};
use entry::{Among, Entry};
use exit_code::ExitCode;
pub use jwt::{FetchError, JwtError, KeySourceError};
use listeners::Listeners;
use metrics::{Exposition, SecurityStatus, SeriesMax, Sources};
use preflight::DataDirectoryLock;
pub use push::TrustError;
use push::{PushCounters, PushPlan, PushService};
pub use redis_store::RedisStoreError;
use security::Security;
use settings::SettingsTranslation;
pub use tls::TlsFilesError;
pub use traces::ExporterError;
use traces::{TraceCounters, TraceService};

/// A running node. It lives on the tokio runtime it was started on, which serves as its control thread.
pub struct Node {
    cores: Cores,
    metadata: Arc<MetadataNode>,
    assignments: JoinHandle<()>,
    push: PushService,
    /// Keeps certificate and keys fresh for as long as it is there.
    security: Security,
    traces: TraceService,
    metrics: Option<JoinHandle<()>>,
    audit: Option<AuditWriter>,
    addresses: Addresses,
    /// What it does for other nodes; none on a node that is a cluster by itself.
    link: Vec<JoinHandle<()>>,
    _lock: DataDirectoryLock,
}

/// Why a node did not start. The process should end: what was started is not taken down.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum StartError {
    #[error(
        "can't listen on {address}: {error}; end what listens there, or choose another port with --set {setting}=PORT"
    )]
    Address { address: SocketAddr, setting: &'static str, error: io::Error },
    #[error("{0}")]
    Metadata(#[from] raft::StartError),
    #[error("what the last run knew to be on disk can't be read: {reason}")]
    DurableEnds { reason: String },
    #[error("the starts with the memory store can't be counted: {reason}")]
    Incarnation { reason: String },
    #[error("{0}")]
    Redis(#[from] RedisStoreError),
    #[error("{0}")]
    Core(#[from] CoreError),
    #[error("the metadata ended while partitions were opened")]
    MetadataEnded,
    #[error("metrics can't be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error("{0}")]
    Push(#[from] TrustError),
    #[error("{0}")]
    Traces(#[from] ExporterError),
    #[error(
        "clients have to prove who they are, and there is no key: make one with `pubsub-node --bootstrap-key` and this \
         configuration, or let everyone in who can reach the node with `auth: none` (PUBSUB_AUTH=none)"
    )]
    NoKeys,
    #[error("the audit log can't be begun: {0}")]
    Audit(io::Error),
    #[error("{0}")]
    Tls(#[from] TlsFilesError),
    #[error("{0}")]
    Jwt(#[from] JwtError),
    #[error("the cores this process may run on can't be asked for: {0}")]
    Cpus(io::Error),
    #[error("the port for other nodes: {0}")]
    NodePort(io::Error),
}

/// Why a running node can't go on.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum NodeFailure {
    #[error("{0}")]
    Core(#[from] CoreError),
    #[error("the metadata has stopped; the reason is in the log above")]
    Metadata,
    #[error("this node was removed from its cluster, and its number is never used again")]
    Removed,
}

impl StartError {
    /// What the process exits with.
    #[must_use]
    pub const fn exit_code(&self) -> ExitCode {
        match self {
            Self::Address { .. } | Self::NodePort(_) => ExitCode::Address,
            Self::Metadata(raft::StartError::Log(OpenLogError::Lost { .. } | OpenLogError::Shortened { .. })) => {
                ExitCode::MetadataLost
            }
            Self::Metadata(raft::StartError::Refused(Refusal::NodeRemoved { .. })) => ExitCode::Removed,
            Self::Metadata(_) | Self::MetadataEnded => ExitCode::Metadata,
            Self::DurableEnds { .. } | Self::Incarnation { .. } | Self::Redis(RedisStoreError::Ends(_)) => {
                ExitCode::Store
            }
            Self::Redis(_) => ExitCode::Redis,
            Self::Push(_) | Self::Traces(_) | Self::Tls(_) | Self::Jwt(_) | Self::NoKeys => ExitCode::Configuration,
            Self::Audit(_) => ExitCode::DataDirectory,
            Self::Core(_) => ExitCode::ThreadDied,
            Self::Metrics(_) | Self::Cpus(_) => ExitCode::Failed,
        }
    }

    /// What is to be done about it, where the message does not say so.
    #[must_use]
    pub const fn advice(&self) -> Option<&'static str> {
        if let Self::Metadata(error) = self { rejoin::advice(error) } else { None }
    }
}

impl Node {
    /// Starts a node on a machine that was found fit; returns once every partition has been recovered. Clients are
    /// answered earlier: by `/healthz` at once, and by each partition as soon as it is open.
    ///
    /// # Errors
    /// Says which part could not start.
    pub async fn start(config: &Config, lock: DataDirectoryLock) -> Result<Self, StartError> {
        let cpus = cpus::for_shards(config.server.shards).map_err(StartError::Cpus)?;
        let shard_count = cpus.len();
        let security = Security::start(config).await?;
        let traces = TraceService::start(&config.tracing, config.cluster.node_id, shard_count)?;
        let Listeners { http, sockets, metrics: metrics_listener, nodes, early } =
            Listeners::take(config, shard_count, security.port()).await?;
        let Entry { handle: metadata_handle, updates, metadata, among } =
            Entry::take(config, &http, nodes.zip(Some(security.link())), shard_count).await?;
        check_keys(config, &metadata_handle.state())?;
        let audit = AuditWriter::start(&config.storage.data_dir, &config.audit).map_err(StartError::Audit)?;
        let (audit, audit_queue) = audit.unzip();
        let metadata = Arc::new(metadata);
        let mut shard = shard_config(config, shard_count, &metadata_handle.state())?;
        shard.peers = among.as_ref().map(Among::peers);
        let (replication, insync) =
            among.as_ref().and_then(|_| insync::begin((config, shard_count), &metadata, &metadata_handle)).unzip();
        shard.replication = replication;
        // Here rather than on a core, where it would hold up others.
        gateway::describe::prepare();
        let gateway =
            GatewayConfig { node_id: config.cluster.node_id, ..settings::gateway_config(config, shard_count) };
        let board = PushBoard::default();
        let bound = config.server.connections_per_address_max;
        let plan = CoresPlan {
            sockets,
            shard,
            gateway,
            tls: security.port(),
            metadata: metadata_handle.clone(),
            groups: metadata.groups(),
            cluster: metadata.operator(),
            addresses: (bound > 0).then(|| AddressCounts::new(bound)),
            push: board.clone(),
            audit: audit_queue,
            usages: Arc::default(),
            tokens: security.verifier().cloned(),
            tracers: (0..shard_count).map(|core| traces.tracer(core)).collect(),
        };
        drop(early);
        let cores = Cores::start(plan, &cpus).await?;
        let (routes, link) = among.map(|among| among.open(cores.peer_ports())).unzip();
        let link = link.into_iter().flatten().chain(insync.into_iter().flatten()).collect();

        let counters = Arc::new(PushCounters::default());
        let metrics_address = metrics_listener.as_ref().and_then(|listener| listener.local_addr().ok());
        let pushed = (Arc::clone(&counters), board.clone());
        let told = (security.status(), traces.counters());
        let sources = metrics_sources(config, &cores, (&metadata, &metadata_handle), pushed, told);
        let metrics = serve_metrics(metrics_listener, sources)?;

        let placement = placement(config, shard_count);
        let (in_effect, states) = watch::channel(None);
        let assignments = tokio::spawn(assignments::run(updates, (cores.commands(), routes), placement, in_effect));
        let addresses = Addresses { http, metrics: metrics_address };
        let plan = PushPlan {
            node: placement.node,
            ports: cores.push_ports(),
            metadata: metadata_handle,
            states: states.clone(),
            own: [Some(addresses.http), addresses.metrics].into_iter().flatten().collect(),
            board,
            counters,
            tracer: traces.own_tracer(),
        };
        let push = PushService::start(&config.push, plan)?;
        let node =
            Self { cores, metadata, assignments, push, security, traces, metrics, audit, addresses, link, _lock: lock };
        node.await_partitions(states).await?;
        Ok(node)
    }

    /// Where it is reached.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// What verifies the tokens of clients, if any are taken.
    #[must_use]
    pub fn jwt(&self) -> Option<&JwtVerifier> {
        self.security.verifier()
    }

    /// Returns when a part of the node has ended by itself, or the cluster has removed the node: then the rest must end too.
    pub async fn failed(&mut self) -> NodeFailure {
        tokio::select! {
            error = self.cores.died() => NodeFailure::Core(error),
            _ = &mut self.assignments => NodeFailure::Metadata,
            () = self.metadata.removed() => NodeFailure::Removed,
        }
    }

    /// Ends everything in order: connections, shards, metadata. Everything is on disk then.
    ///
    /// # Errors
    /// A core died meanwhile; what was acknowledged is on disk all the same.
    pub async fn stop(self) -> Result<(), NodeFailure> {
        if !self.link.is_empty() {
            self.metadata.leave().await;
        }
        let ((), drained) = tokio::join!(self.push.stop(), self.cores.drain());
        drained?;
        tracing::debug!("all connections and push requests have ended");
        self.assignments.abort();
        self.cores.stop().await?;
        tracing::debug!("all shards have ended");
        self.traces.stop().await;
        if let Some(audit) = self.audit {
            audit.finish();
        }
        if let Some(metrics) = self.metrics {
            metrics.abort();
        }
        // The metrics hold it only while they read it, on this very thread.
        if let Some(metadata) = Arc::into_inner(self.metadata) {
            metadata.shutdown().await;
        }
        for task in self.link {
            task.abort();
        }
        Ok(())
    }

    async fn await_partitions(&self, mut states: watch::Receiver<Option<Arc<ClusterState>>>) -> Result<(), StartError> {
        let began = Instant::now();
        tokio::select! {
            first = states.wait_for(Option::is_some) => first.map(drop).map_err(|_| StartError::MetadataEnded)?,
            error = self.cores.died() => return Err(error.into()),
        }
        let recovery_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(recovery_ms, "all partitions have been recovered");
        Ok(())
    }
}

/// Which partitions are this node's, and on which of its cores.
fn placement(config: &Config, shard_count: usize) -> Placement {
    let settings = SettingsTranslation { flush_interval: Duration::from_millis(config.storage.flush_interval_ms) };
    Placement { node: NodeId::new(config.cluster.node_id), shard_count, settings }
}

/// Serves metrics, if there is somewhere to serve them.
fn serve_metrics(listener: Option<TcpListener>, sources: Sources) -> Result<Option<JoinHandle<()>>, prometheus::Error> {
    let Some(listener) = listener else { return Ok(None) };
    Ok(Some(tokio::spawn(metrics::serve(listener, Exposition::new(sources)?))))
}

/// Where what is told to Prometheus comes from.
fn metrics_sources(
    config: &Config,
    cores: &Cores,
    (metadata, handle): (&Arc<MetadataNode>, &MetadataHandle),
    push: (Arc<PushCounters>, PushBoard),
    (security, traces): (SecurityStatus, Arc<TraceCounters>),
) -> Sources {
    let MetricsConfig { topics_max, subscriptions_max, .. } = config.metrics;
    Sources {
        cores: cores.metrics(),
        shards: cores.commands(),
        metadata: ask(metadata),
        cluster: ask_names(handle),
        push,
        security,
        traces,
        data_dir: config.storage.data_dir.clone(),
        has_redis: config.store == Store::Redis,
        series_max: SeriesMax { topics: topics_max, subscriptions: subscriptions_max },
    }
}

/// Asks how the metadata stand, for as long as they are there.
fn ask(metadata: &Arc<MetadataNode>) -> Arc<impl Fn() -> Option<MetadataMetrics> + Send + Sync + use<>> {
    let running = Arc::downgrade(metadata);
    Arc::new(move || running.upgrade().map(|metadata| metadata.metrics()))
}

/// Asks which topics and subscriptions there are.
fn ask_names(metadata: &MetadataHandle) -> Arc<impl Fn() -> Arc<ClusterState> + Send + Sync + use<>> {
    let metadata = metadata.clone();
    Arc::new(move || metadata.state())
}

/// Where clients have to prove who they are, there must be something to prove it by.
fn check_keys(config: &Config, cluster: &ClusterState) -> Result<(), StartError> {
    let others_prove = config.jwt.is_on() || !config.tls.client_ca_file.as_os_str().is_empty();
    let lets_somebody_in = !config.asks_for_keys() || others_prove || cluster.access().has_keys();
    if lets_somebody_in { Ok(()) } else { Err(StartError::NoKeys) }
}

fn shard_config(config: &Config, shard_count: usize, cluster: &ClusterState) -> Result<ShardConfig, StartError> {
    let data_dir = config.storage.data_dir.clone();
    let store = store_config(config, shard_count, cluster.cluster_id())?;
    Ok(ShardConfig {
        index: 0,
        count: shard_count,
        data_dir,
        store,
        unflushed_bytes_max: config.storage.unflushed_bytes_max,
        tail_cache_bytes_max: config.storage.tail_cache_bytes / shard_count,
        dedup_bytes_max: config.storage.dedup_bytes_max / shard_count,
        ack_key: *cluster.ack_key().bytes(),
        io_limits: settings::io_limits(&config.storage),
        peers: None,
        replication: None,
        tracer: Tracer::default(),
    })
}

/// The store of the first shard.
fn store_config(config: &Config, shard_count: usize, cluster_id: &str) -> Result<StoreConfig, StartError> {
    let data_dir = &config.storage.data_dir;
    match config.store {
        Store::Log => {
            let ends = EndsConfig::read(data_dir, EndsOwner::Log, shard_count);
            Ok(StoreConfig::Log(LogStoreConfig {
                ends: ends.map_err(|reason| StartError::DurableEnds { reason })?,
                segment_bytes_max: config.storage.segment_bytes,
                reserve_bytes: config.storage.reserve_bytes,
                open_files_max: settings::open_files_max(config, preflight::open_files_limit(), shard_count),
            }))
        }
        Store::Redis => Ok(StoreConfig::Redis(Box::new(redis_store::prepare(config, cluster_id, shard_count)?))),
        Store::Memory => {
            tracing::warn!("messages are kept in memory alone: none of them survives a restart");
            let incarnation = next_incarnation(data_dir).map_err(|reason| StartError::Incarnation { reason })?;
            let bytes_max = config.storage.memory_bytes_max / u64::try_from(shard_count).unwrap_or(u64::MAX);
            Ok(StoreConfig::Memory(MemoryStoreConfig { bytes_max, incarnation }))
        }
    }
}
