//! How the metadata stand, and by them the cluster.

use prometheus::proto::MetricFamily;
use raft::{MetadataMetrics, metadata::NodeId};

use super::{
    description::Description,
    family::{labelled, single},
};

const TERM: Description = Description::gauge(
    "pubsub_raft_term",
    "Term of the metadata's Raft; it rises with each election.",
    "It rises often: nodes or the network between them are overloaded.",
);
const LEADER: Description = Description::gauge(
    "pubsub_raft_leader",
    "Node that leads the metadata's Raft; 0 while none is known.",
    "0 for longer than a few seconds: no majority is there, or this node is cut off from it.",
);
const LAST_LOG_INDEX: Description = Description::gauge(
    "pubsub_raft_last_log_index",
    "Last entry of this node's Raft log.",
    "Far behind that of other nodes: this one has not caught up.",
);
const APPLIED_INDEX: Description = Description::gauge(
    "pubsub_raft_applied_index",
    "Last entry that is applied on this node.",
    "Behind the last entry of the log for long: the node is too slow to apply what the cluster decides.",
);
const RUNNING: Description = Description::gauge(
    "pubsub_raft_running",
    "1 while the metadata runs, 0 after its disk failed.",
    "0: the node is about to end; the log says what its disk answered.",
);
const UNDER_REPLICATED: Description = Description::gauge(
    "pubsub_cluster_partitions_under_replicated",
    "Partitions of the cluster with fewer replicas in sync than their topics want.",
    "Before a node is stopped: it should be 0. Every node says the same.",
);
const OFFLINE: Description = Description::gauge(
    "pubsub_cluster_partitions_offline",
    "Partitions of the cluster that nobody leads and nobody who holds everything could.",
    "Clients get 503 for some partitions: bring back the nodes that hold them.",
);
const NODES: Description = Description::gauge(
    "pubsub_cluster_nodes",
    "Nodes of the cluster, by whether they are there.",
    "`down`: the cluster goes on without them. `draining`: somebody wants to take them out. Every node says the same.",
)
.by(&["state"]);
const REPLICAS: Description = Description::gauge(
    "pubsub_cluster_replicas",
    "Copies of partitions, by whether they have all that was acknowledged and their node is there.",
    "After a node came back: `out_of_sync` falls to 0 as it catches up.",
)
.by(&["state"]);

pub(super) const ALL: &[Description] =
    &[NODES, REPLICAS, UNDER_REPLICATED, OFFLINE, LEADER, TERM, LAST_LOG_INDEX, APPLIED_INDEX, RUNNING];

/// Everything that is known of the metadata.
pub(super) fn collect(metadata: &MetadataMetrics) -> Vec<MetricFamily> {
    let MetadataMetrics { health, nodes, replicas, .. } = metadata;
    let states = |states: &[(&str, usize)]| -> Vec<_> {
        states.iter().map(|(word, number)| (vec![(*word).to_owned()], count(*number))).collect()
    };
    vec![
        single(TERM, metadata.term),
        single(LEADER, metadata.leader.map_or(0, NodeId::get)),
        single(LAST_LOG_INDEX, metadata.last_log_index),
        single(APPLIED_INDEX, metadata.last_applied_index),
        single(RUNNING, u64::from(metadata.running)),
        single(UNDER_REPLICATED, count(health.under_replicated)),
        single(OFFLINE, count(health.offline)),
        labelled(NODES, states(&[("up", nodes.up), ("draining", nodes.draining), ("down", nodes.down)])),
        labelled(REPLICAS, states(&[("in_sync", replicas.in_sync), ("out_of_sync", replicas.out_of_sync)])),
    ]
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
