//! Sends requests to whoever should have them: bounded in number, bytes and time, tried again where that helps.

use std::{
    cell::Cell,
    fmt,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use glommio::timer::Timer;
use shard_core::redis::{Failure, FailureKind, Outcome, PartitionKeys, Persistence, Remedy, Slot};

use super::{
    RedisConfig, RequestError, Topology, answer,
    cluster::ClusterLinks,
    connection::within,
    link_counts::LinkCounts,
    scripts::{ScriptCall, Scripts},
    server_link::{ServerLink, Target},
    state::{Current, Found},
};
use crate::{limits, metrics::ShardMetrics};

/// The way to Redis, shared by all partitions of a shard. The connections end with the last clone.
#[derive(Clone)]
pub struct RedisLink {
    shared: Rc<Shared>,
    /// Where in a cluster what is asked for lies.
    slot: Slot,
}

struct Shared {
    config: Rc<RedisConfig>,
    scripts: Scripts,
    servers: Servers,
    counts: Rc<LinkCounts>,
    requests: Cell<usize>,
    bytes: Cell<usize>,
}

/// Whom requests go to.
enum Servers {
    /// The master.
    One(Rc<ServerLink>),
    /// Whoever has the partition's slot.
    Cluster(ClusterLinks),
}

/// A request that was answered.
#[derive(Debug)]
pub(super) struct Done<T> {
    pub(super) value: T,
    /// Whether a try before the one that was answered may have been applied.
    pub(super) earlier: Outcome,
}

/// What a script answered, and what it is worth.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) strings: Vec<Bytes>,
    pub(super) persistence: Persistence,
    /// How many replicas have it, if the settings ask for that.
    pub(super) replicas: Option<u32>,
}

/// Room for one request, until it is dropped.
struct Admitted<'a> {
    shared: &'a Shared,
    bytes: usize,
}

impl RedisLink {
    /// Starts to connect, on the executor of the caller; returns before there is a connection.
    #[must_use]
    pub fn start(config: RedisConfig) -> Self {
        Self::start_counted(config, Arc::default())
    }

    /// The same, and tells how the connections stand.
    pub(super) fn start_counted(config: RedisConfig, metrics: Arc<ShardMetrics>) -> Self {
        let (config, counts) = (Rc::new(config), Rc::new(LinkCounts::new(metrics)));
        let servers = match config.topology {
            Topology::Single | Topology::Sentinel(_) => {
                Servers::One(Rc::new(ServerLink::start(&config, Target::Master, &counts)))
            }
            Topology::Cluster => Servers::Cluster(ClusterLinks::new(Rc::clone(&config), Rc::clone(&counts))),
        };
        let (scripts, requests, bytes) = (Scripts::new(), Cell::new(0), Cell::new(0));
        let shared = Rc::new(Shared { config, scripts, servers, counts, requests, bytes });
        Self { shared, slot: Slot::of_key("") }
    }

    /// The same for requests about the keys of one partition.
    pub(super) fn for_keys(&self, keys: &PartitionKeys) -> Self {
        Self { shared: Rc::clone(&self.shared), slot: Slot::of_key(&keys.metadata) }
    }

    /// How many connections have been made.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.counts.made()
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &RedisConfig {
        &self.shared.config
    }

    /// Makes a request of about so many bytes, trying again as long as that helps and the deadline allows.
    ///
    /// A try may follow one that was applied: the request has to notice.
    pub(super) async fn run<T>(
        &self,
        bytes: usize,
        request: impl AsyncFn(&mut Current) -> Result<T, Failure>,
    ) -> Result<Done<T>, RequestError> {
        let shared = &*self.shared;
        let _admitted = shared.admit(bytes)?;
        let deadline = Instant::now() + shared.config.timeouts.operation;
        let mut earlier = Outcome::NotApplied;
        let mut pause = limits::REDIS_RETRY_PAUSE_MIN;
        loop {
            let failure = match shared.try_once(self.slot, &request, deadline).await {
                Ok(value) => return Ok(Done { value, earlier }),
                Err(failure) => failure,
            };
            if failure.outcome() == Outcome::Unknown {
                earlier = Outcome::Unknown;
            }
            if failure.remedy() == Remedy::GiveUp || Instant::now() + pause >= deadline {
                return Err(RequestError { failure, outcome: earlier });
            }
            tracing::debug!(%failure, "a request to Redis is tried again");
            Timer::new(pause).await;
            pause = (pause * 2).min(limits::REDIS_RETRY_PAUSE_MAX);
        }
    }

    /// Runs a script.
    pub(super) async fn run_script(&self, call: &ScriptCall<'_>) -> Result<Done<Answer>, RequestError> {
        self.run(call.len(), async |current| {
            let strings = self.script(call, current).await?;
            let replicas = if call.script.acknowledges() { self.replicas(current).await? } else { None };
            Ok(Answer { strings, persistence: current.persistence, replicas })
        })
        .await
    }

    /// Runs a script once, over this connection.
    pub(super) async fn script(&self, call: &ScriptCall<'_>, current: &mut Current) -> Result<Vec<Bytes>, Failure> {
        let by_hash = current.connection.send(&self.shared.scripts.by_hash(call)).await;
        let value = match by_hash {
            Err(failure) if failure.kind() == FailureKind::UnknownScript => {
                current.connection.send(&Scripts::by_text(call)).await?
            }
            other => other?,
        };
        answer::strings(value)
    }

    /// Waits until replicas have what was written over this connection, if the settings ask for that.
    pub(super) async fn replicas(&self, current: &mut Current) -> Result<Option<u32>, Failure> {
        let RedisConfig { wait_replicas, timeouts, .. } = self.config();
        if *wait_replicas == 0 {
            return Ok(None);
        }
        // Answered before the deadline, so that missing replicas are not taken for a silent server.
        let at_most = u64::try_from(timeouts.request.as_millis() / 2).unwrap_or(u64::MAX).max(1);
        let mut command = redis::cmd("WAIT");
        command.arg(*wait_replicas).arg(at_most);
        let replicas = current.connection.send(&command).await.and_then(|value| answer::count(&value));
        // It is written by now; whatever goes wrong with this leaves that open.
        replicas.map(Some).map_err(|failure| match failure.outcome() {
            Outcome::Unknown => failure,
            Outcome::NotApplied => Failure::new(FailureKind::Other, format!("WAIT: {failure}")),
        })
    }
}

impl fmt::Debug for RedisLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLink").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

impl Shared {
    fn admit(&self, bytes: usize) -> Result<Admitted<'_>, RequestError> {
        let (requests, bytes_before) = (self.requests.get(), self.bytes.get());
        // One that is too large by itself goes alone.
        let too_large = bytes_before > 0 && bytes_before + bytes > limits::REDIS_BYTES_IN_FLIGHT_MAX;
        if requests == limits::REDIS_REQUESTS_IN_FLIGHT_MAX || too_large {
            let detail = format!("{requests} requests, {bytes_before} bytes");
            let failure = Failure::new(FailureKind::Overloaded, detail);
            return Err(RequestError { failure, outcome: Outcome::NotApplied });
        }
        self.requests.set(requests + 1);
        self.bytes.set(bytes_before + bytes);
        Ok(Admitted { shared: self, bytes })
    }

    async fn try_once<T>(
        &self,
        slot: Slot,
        request: impl AsyncFn(&mut Current) -> Result<T, Failure>,
        deadline: Instant,
    ) -> Result<T, Failure> {
        let (server, mut current) = self.connection(slot, deadline).await?;
        let patience = self.config.timeouts.request.min(deadline.saturating_duration_since(Instant::now()));
        let sent = within(patience, request(&mut current)).await;
        let result = sent.unwrap_or_else(|| {
            Err(Failure::new(FailureKind::TimedOut, format!("none in {} ms", patience.as_millis())))
        });
        if let Err(failure) = &result {
            if failure.remedy() == Remedy::Reconnect {
                // The whole connection goes: an answer that comes late has nobody left whom it could be mistaken for.
                server.state().give_up(current.number, failure);
            }
            if failure.remedy() != Remedy::GiveUp {
                self.servers.doubt(slot);
            }
        }
        result
    }

    /// The connection, waited for until the deadline but not through a long outage.
    async fn connection(&self, slot: Slot, deadline: Instant) -> Result<(Rc<ServerLink>, Box<Current>), Failure> {
        loop {
            let server = self.servers.link(slot).await?;
            let (changed, at_most) = match server.state().find(self.config.timeouts.operation) {
                Found::Connection(current) => return Ok((server, current)),
                Found::Away(failure) => {
                    self.servers.doubt(slot);
                    return Err(unreachable(&failure));
                }
                Found::Wait(changed, at_most) => (changed, at_most),
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Failure::new(FailureKind::Unreachable, "no connection in time"));
            }
            // Whatever woke it, the state is looked at again.
            if within(left.min(at_most).min(self.servers.patience()), changed).await.is_none() {
                self.servers.doubt(slot);
            }
        }
    }
}

impl Servers {
    async fn link(&self, slot: Slot) -> Result<Rc<ServerLink>, Failure> {
        match self {
            Self::One(link) => Ok(Rc::clone(link)),
            Self::Cluster(links) => links.link(slot).await,
        }
    }

    /// Whoever was asked may be the wrong one by now.
    fn doubt(&self, slot: Slot) {
        match self {
            Self::One(_) => {}
            Self::Cluster(links) => links.forget(slot),
        }
    }

    /// How long to wait for a server before it is asked who should be waited for.
    const fn patience(&self) -> Duration {
        match self {
            Self::One(_) => Duration::MAX,
            Self::Cluster(_) => limits::REDIS_CLUSTER_PATIENCE,
        }
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.shared.requests.set(self.shared.requests.get() - 1);
        self.shared.bytes.set(self.shared.bytes.get() - self.bytes);
    }
}

/// A request that found no connection was not sent, whatever became of the connection before it.
fn unreachable(failure: &Failure) -> Failure {
    match failure.outcome() {
        Outcome::NotApplied => failure.clone(),
        Outcome::Unknown => Failure::new(FailureKind::Unreachable, failure.to_string()),
    }
}
