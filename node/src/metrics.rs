//! What the node tells Prometheus: the counters of all cores, the metadata and the process, read when they are scraped.

mod cores;
mod description;
mod disk;
mod family;
mod gateway_numbers;
mod jwt;
mod link_tls;
mod metadata;
mod page;
mod process;
mod push;
mod series_bound;
mod server;
mod shard_numbers;
mod tallies;
mod tls;
mod topics;
mod traces;

use std::{path::PathBuf, sync::Arc};

use gateway::push::PushBoard;
use prometheus::{
    Registry, TextEncoder,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use raft::{MetadataMetrics, metadata::ClusterState};
use shard::{command::ShardCommand, peer::PeerTls};

pub use page::documentation;
pub(crate) use server::{bind, serve};
pub(crate) use topics::SeriesMax;

use crate::{cores::CoreMetrics, jwt::JwtStatus, push::PushCounters, tls::TlsStatus, traces::TraceCounters};
use disk::Disk;
use tallies::Tallies;

/// A way to ask how the metadata stands; `None` once it has been stopped.
pub(crate) type AskMetadata = Arc<dyn Fn() -> Option<MetadataMetrics> + Send + Sync>;
/// A way to ask which topics and subscriptions there are.
pub(crate) type AskCluster = Arc<dyn Fn() -> Arc<ClusterState> + Send + Sync>;

/// What is told of certificates and tokens, where there are any.
#[derive(Clone, Debug, Default)]
pub(crate) struct SecurityStatus {
    pub(crate) tls: Option<Arc<TlsStatus>>,
    /// The same between nodes.
    pub(crate) link: Option<(Arc<TlsStatus>, PeerTls)>,
    pub(crate) jwt: Option<Arc<JwtStatus>>,
}

/// Where everything comes from.
pub(crate) struct Sources {
    pub(crate) cores: Vec<CoreMetrics>,
    pub(crate) shards: Vec<flume::Sender<ShardCommand>>,
    pub(crate) metadata: AskMetadata,
    pub(crate) cluster: AskCluster,
    pub(crate) push: (Arc<PushCounters>, PushBoard),
    pub(crate) security: SecurityStatus,
    pub(crate) traces: Arc<TraceCounters>,
    pub(crate) data_dir: PathBuf,
    pub(crate) has_redis: bool,
    pub(crate) series_max: SeriesMax,
}

/// What whoever scrapes is shown; clones share it.
#[derive(Clone)]
pub(crate) struct Exposition {
    registry: Registry,
    asked: Arc<Asked>,
}

/// What has to be asked for before it can be told.
#[derive(Debug)]
struct Asked {
    tallies: Tallies,
    disk: Disk,
}

/// Reads every counter of the node; it keeps none itself, so a core pays nothing for being watched.
struct NodeCollector {
    sources: Sources,
    asked: Arc<Asked>,
    descriptions: Vec<Desc>,
}

impl Exposition {
    /// Of everything there is to tell.
    ///
    /// # Errors
    /// Two metrics of one name, which a test rules out.
    pub(crate) fn new(sources: Sources) -> Result<Self, prometheus::Error> {
        let shards = sources.shards.clone();
        let tallies = Tallies::new(shards, sources.series_max);
        let asked = Arc::new(Asked { tallies, disk: Disk::new(sources.data_dir.clone()) });
        let described = page::catalog().into_iter();
        let described = described.map(|metric| Desc::new(metric.name.into(), metric.help.into(), vec![], [].into()));
        let descriptions = described.collect::<Result<_, _>>()?;
        let registry = Registry::new();
        registry.register(Box::new(NodeCollector { sources, asked: Arc::clone(&asked), descriptions }))?;
        Ok(Self { registry, asked })
    }

    /// The page as it is now, in the text format.
    ///
    /// # Errors
    /// A metric that the format has no words for.
    async fn page(&self) -> Result<String, prometheus::Error> {
        tokio::join!(self.asked.tallies.refresh(), self.asked.disk.refresh());
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

impl Collector for NodeCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Sources { cores, push: (counters, board), security, .. } = &self.sources;
        let mut families = cores::collect(cores, self.sources.has_redis);
        families.extend(self.asked.tallies.collect(&(self.sources.cluster)()));
        families.extend(self.asked.disk.collect());
        families.extend((self.sources.metadata)().iter().flat_map(metadata::collect));
        families.extend(push::collect(counters, board));
        families.extend(security.tls.iter().flat_map(|status| tls::collect(status, cores)));
        let of_link = |(status, tls): &(Arc<TlsStatus>, PeerTls)| link_tls::collect(status, tls.handshakes());
        families.extend(security.link.iter().flat_map(of_link));
        families.extend(security.jwt.iter().flat_map(|status| jwt::collect(status)));
        families.extend(traces::collect(&self.sources.traces));
        families.extend(process::collect());
        families
    }
}

#[cfg(test)]
mod tests;
