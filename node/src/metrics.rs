//! What the node tells Prometheus: the counters of all cores, the metadata and the process, read when they are scraped.

mod cores;
mod family;
mod jwt;
mod link_tls;
mod process;
mod push;
mod server;
mod tls;
mod traces;

use std::sync::Arc;

use gateway::push::PushBoard;
use prometheus::{
    Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use raft::MetadataMetrics;
use shard::peer::PeerTls;

pub(crate) use server::{bind, serve};

use crate::{cores::CoreMetrics, jwt::JwtStatus, push::PushCounters, tls::TlsStatus, traces::TraceCounters};
use family::{Kind, single};

/// A way to ask how the metadata stands; `None` once it has been stopped.
pub(crate) type AskMetadata = Arc<dyn Fn() -> Option<MetadataMetrics> + Send + Sync>;

/// What is told of certificates and tokens, where there are any.
#[derive(Clone, Debug, Default)]
pub(crate) struct SecurityStatus {
    pub(crate) tls: Option<Arc<TlsStatus>>,
    /// The same between nodes.
    pub(crate) link: Option<(Arc<TlsStatus>, PeerTls)>,
    pub(crate) jwt: Option<Arc<JwtStatus>>,
}

/// Reads every counter of the node; it keeps none itself, so a core pays nothing for being watched.
struct NodeCollector {
    cores: Vec<CoreMetrics>,
    metadata: AskMetadata,
    push: (Arc<PushCounters>, PushBoard),
    security: SecurityStatus,
    traces: Arc<TraceCounters>,
    descriptions: Vec<Desc>,
}

/// A registry with everything there is to tell.
///
/// # Errors
/// Two metrics of one name, which a test rules out.
pub(crate) fn registry(
    cores: Vec<CoreMetrics>,
    metadata: AskMetadata,
    push: (Arc<PushCounters>, PushBoard),
    (security, traces): (SecurityStatus, Arc<TraceCounters>),
) -> Result<Registry, prometheus::Error> {
    let mut collector = NodeCollector { cores, metadata, push, security, traces, descriptions: Vec::new() };
    for family in collector.collect() {
        let description = Desc::new(family.name().to_owned(), family.help().to_owned(), Vec::new(), [].into())?;
        collector.descriptions.push(description);
    }
    let registry = Registry::new();
    registry.register(Box::new(collector))?;
    Ok(registry)
}

impl Collector for NodeCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = cores::collect(&self.cores);
        families.extend((self.metadata)().iter().flat_map(collect_metadata));
        families.extend(push::collect(&self.push.0, &self.push.1));
        families.extend(self.security.tls.iter().flat_map(|status| tls::collect(status, &self.cores)));
        families.extend(self.security.link.iter().flat_map(|(status, tls)| link_tls::collect(status, tls)));
        families.extend(self.security.jwt.iter().flat_map(|status| jwt::collect(status)));
        families.extend(traces::collect(&self.traces));
        families.extend(process::collect());
        families
    }
}

fn collect_metadata(metadata: &MetadataMetrics) -> Vec<MetricFamily> {
    let leader = metadata.leader.map_or(0, raft::metadata::NodeId::get);
    let gauge = |name, help, value| single(name, help, Kind::Gauge, value);
    vec![
        gauge("pubsub_raft_term", "Term of the metadata's Raft; it rises with each election.", metadata.term),
        gauge("pubsub_raft_leader", "Node that leads the metadata's Raft; 0 while none is known.", leader),
        gauge("pubsub_raft_last_log_index", "Last entry of this node's Raft log.", metadata.last_log_index),
        gauge("pubsub_raft_applied_index", "Last entry that is applied on this node.", metadata.last_applied_index),
        gauge(
            "pubsub_raft_running",
            "1 while the metadata runs, 0 after its disk failed.",
            u64::from(metadata.running),
        ),
        gauge(
            "pubsub_cluster_partitions_under_replicated",
            "Partitions of the cluster with fewer replicas in sync than their topics want.",
            count(metadata.health.under_replicated),
        ),
        gauge(
            "pubsub_cluster_partitions_offline",
            "Partitions of the cluster that nobody leads and nobody who holds everything could.",
            count(metadata.health.offline),
        ),
    ]
}

fn count(partitions: usize) -> u64 {
    u64::try_from(partitions).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    fn metadata() -> AskMetadata {
        let health = raft::controller::Health { under_replicated: 5, offline: 1 };
        let metrics =
            MetadataMetrics { term: 3, leader: None, last_log_index: 7, last_applied_index: 6, running: true, health };
        Arc::new(move || Some(metrics))
    }

    fn scraped(cores: Vec<CoreMetrics>) -> String {
        let registry = registry(cores, metadata(), Default::default(), Default::default()).unwrap();
        TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
    }

    #[test]
    fn every_name_has_the_prefix_a_help_and_a_unit() {
        let registry =
            registry(vec![CoreMetrics::default()], metadata(), Default::default(), Default::default()).unwrap();
        for family in registry.gather() {
            let name = family.name();
            assert!(name.starts_with("pubsub_") || name.starts_with("process_"), "{name}");
            assert!(family.help().ends_with('.'), "{name}");
            assert!(!family.get_metric().is_empty(), "{name}");
        }
    }

    #[test]
    fn the_page_about_clusters_has_every_metric_of_them() {
        let documented = include_str!("../../docs/cluster.md");
        let page = scraped(vec![CoreMetrics::default()]);
        let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let names: Vec<_> = types.filter_map(|line| line.split(' ').next()).collect();
        let prefixes = ["pubsub_raft_", "pubsub_peer_", "pubsub_cluster_"];
        let of_clusters = |name: &&&str| prefixes.iter().any(|prefix| name.starts_with(prefix));
        assert!(names.iter().filter(of_clusters).count() > 10);
        for name in names.iter().filter(of_clusters) {
            assert!(documented.contains(&format!("`{name}`")), "docs/cluster.md should say what {name} is");
        }
    }

    #[test]
    fn the_names_that_others_rely_on_exist() {
        let page = scraped(vec![CoreMetrics::default()]);
        let promised = [
            "pubsub_messages_published_total",
            "pubsub_messages_consumed_total",
            "pubsub_message_latency_seconds_bucket",
            "pubsub_active_connections_total",
            "pubsub_errors_total",
            "pubsub_shard_messages_appended_total",
            "pubsub_push_requests_total",
            "pubsub_trace_spans_exported_total",
            "pubsub_trace_spans_dropped_total{reason=\"queue_full\"}",
            "process_resident_memory_bytes",
        ];
        for name in promised {
            assert!(page.lines().any(|line| line.starts_with(name)), "{name} is missing in\n{page}");
        }
    }

    #[test]
    fn counters_of_cores_are_summed_and_those_of_shards_told_apart() {
        let cores = vec![CoreMetrics::default(), CoreMetrics::default()];
        for (core, count) in cores.iter().zip([2, 3]) {
            core.gateway.messages_published.add(count);
            core.shard.messages_appended.add(count);
        }
        let page = scraped(cores);
        let has = |line: &str| assert!(page.lines().any(|found| found == line), "{line} is missing in\n{page}");
        has("pubsub_messages_published_total 5");
        has("pubsub_shard_messages_appended_total{shard=\"0\"} 2");
        has("pubsub_shard_messages_appended_total{shard=\"1\"} 3");
        has("pubsub_raft_term 3");
        has("pubsub_cluster_partitions_under_replicated 5");
        has("pubsub_cluster_partitions_offline 1");
    }
}
