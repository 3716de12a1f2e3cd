//! Starting and stopping the metadata of this node.

mod enter;
mod leave;
mod open;

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use openraft::{Config, LogIdOptionExt as _, SnapshotPolicy};
use tokio::{
    sync::{mpsc, watch},
    task::{self, JoinHandle},
};

use crate::{
    ClusterHandle, GroupHandle, MetadataHandle, MetadataUpdates, OpenLogError, SnapshotError,
    controller::{Health, NodeCounts, ReplicaCounts, health, node_counts, replica_counts},
    controlling::{ControllerDriver, ControllerPort},
    election::{ElectionDriver, Pulse},
    groups::{Forwarder, GroupDriver, GroupPort, Wakers},
    leader::Leader,
    limits,
    membership::MembershipDriver,
    metadata::{ClusterState, NodeId, Refusal},
    network::Network,
    operator::OperatorDriver,
    peers::{PeerServer, Peers, Registration, Seat, Transport},
    proposer::{Proposer, answer_published},
    signs::{Contact, Signs},
    type_config::Raft,
};
use open::{Opened, open_off_thread};

pub use open::metadata_owner;

/// Where the metadata lies and who this node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataConfig {
    /// The node's data directory; the metadata is in `raft` below it.
    pub directory: PathBuf,
    /// The configured number of the node; a directory belongs to the number it was made with.
    pub node_id: u64,
    /// Where other nodes reach it.
    pub address: String,
    /// Where clients reach it.
    pub client_address: String,
    /// Its rack, if it has one.
    pub rack: Option<String>,
    /// Over how many cores it spreads its partitions.
    pub shards: u32,
    /// Whether messages lie where every node reaches them.
    pub shared_store: bool,
}

impl MetadataConfig {
    /// A node that is a cluster by itself, with what it keeps on its own disk.
    #[must_use]
    pub const fn alone(directory: PathBuf, node_id: u64, address: String) -> Self {
        let client_address = String::new();
        Self { directory, node_id, address, client_address, rack: None, shards: 1, shared_store: false }
    }
}

/// How a node is one of several.
#[derive(Clone)]
pub struct ClusterPlan {
    /// Where nodes are that may know the cluster, as `HOST:PORT`; this node may be among them.
    pub seeds: Vec<String>,
    /// Whether to found the cluster if there is none.
    pub init: bool,
    /// The way to other nodes.
    pub transport: Arc<dyn Transport>,
    /// What answers them.
    pub server: PeerServer,
}

/// The running metadata; `shutdown` stops it in order.
pub struct MetadataNode {
    node: NodeId,
    raft: Raft,
    peers: Peers,
    seat: Seat,
    epoch: Arc<AtomicU64>,
    contact: Contact,
    /// Another node said that the cluster has removed this one.
    removed: watch::Receiver<bool>,
    applied: watch::Receiver<Arc<ClusterState>>,
    groups: GroupHandle,
    operator: ClusterHandle,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// How the metadata stands, for metrics and descriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataMetrics {
    /// The term; it rises with each election.
    pub term: u64,
    /// The node that leads, as far as this one knows.
    pub leader: Option<NodeId>,
    /// The last entry of this node's log.
    pub last_log_index: u64,
    /// The last entry that is applied here.
    pub last_applied_index: u64,
    /// Whether it still runs; after a failure of its disk it does not.
    pub running: bool,
    /// How many partitions are not as they should be.
    pub health: Health,
    /// How many nodes stand how.
    pub nodes: NodeCounts,
    /// How many copies of partitions there are.
    pub replicas: ReplicaCounts,
}

/// Why the metadata did not start. What was there is as it was.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum StartError {
    #[error("the metadata's log: {0}")]
    Log(#[from] OpenLogError),
    #[error("the metadata's snapshots: {0}")]
    Snapshots(#[from] SnapshotError),
    #[error("the metadata's directory: {0}")]
    Directory(#[from] io::Error),
    #[error("the metadata's log can't be read: {reason}")]
    Unreadable { reason: String },
    #[error("the metadata's log begins after entry {purged}, but the newest readable snapshot is of entry {snapshot}")]
    MissingEntries { purged: u64, snapshot: u64 },
    #[error("Raft did not start: {reason}")]
    Raft { reason: String },
    #[error("the cluster does not take this node: {0}")]
    Refused(#[from] Refusal),
}

/// Runs the metadata on the current tokio runtime: opens what is in the directory, founds a cluster or comes into one.
/// Without a plan the node is a cluster by itself. Returns once this node has applied its own registration, which needs a
/// majority of the cluster's voters, however long that takes. The handle shows that state from the beginning; the updates
/// give it first.
///
/// # Errors
/// Says what is damaged or in the way.
pub async fn start(
    config: MetadataConfig,
    plan: Option<ClusterPlan>,
) -> Result<(MetadataHandle, MetadataUpdates, MetadataNode), StartError> {
    let opened = open_off_thread(&config).await?;
    run(config, plan, opened).await
}

impl MetadataNode {
    /// Answers who waits, stops Raft, and closes the log. What was not written is answered `Stopping`, what the shards
    /// have not taken `NotPublished`.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the metadata failed");
            }
        }
        if let Err(error) = self.raft.shutdown().await {
            tracing::error!(%error, "Raft failed while it stopped");
        }
    }

    /// Which run of the node this is.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Returns when the cluster counts on this node: it is not fenced, and it votes, unless enough others do.
    pub async fn counts(&self) {
        let (mut applied, mut metrics) = (self.applied.clone(), self.raft.metrics());
        let is_live = |state: &Arc<ClusterState>| state.is_live(self.node);
        // Both live as long as the node; if Raft has failed, the node ends by itself.
        drop(applied.wait_for(is_live).await);
        let votes = metrics.wait_for(|metrics| {
            let voters: Vec<u64> = metrics.membership_config.voter_ids().collect();
            voters.contains(&self.node.get()) || voters.len() >= limits::VOTERS_MAX
        });
        drop(votes.await);
    }

    /// Returns when the cluster has removed this node: by its own account of the metadata, or by another node's, since
    /// whoever is removed may not be told of that entry of the log any more.
    pub async fn removed(&self) {
        let (mut applied, mut told) = (self.applied.clone(), self.removed.clone());
        // A sender that is gone says nothing: the node ends by itself then.
        let known = async { applied.wait_for(|state| state.is_removed(self.node)).await.is_ok() };
        let heard = async { told.wait_for(|removed| *removed).await.is_ok() };
        let was_removed = tokio::select! { known = known => known, heard = heard => heard };
        if !was_removed {
            std::future::pending::<()>().await;
        }
    }

    /// When this node last knew itself to be part of the cluster that decides.
    #[must_use]
    pub fn contact(&self) -> Contact {
        self.contact.clone()
    }

    /// The way for those who look after the cluster.
    #[must_use]
    pub fn operator(&self) -> ClusterHandle {
        self.operator.clone()
    }

    /// The way to the consumer groups.
    #[must_use]
    pub fn groups(&self) -> GroupHandle {
        self.groups.clone()
    }

    /// How it stands now.
    #[must_use]
    pub fn metrics(&self) -> MetadataMetrics {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let state = Arc::clone(&self.applied.borrow());
        MetadataMetrics {
            term: metrics.current_term,
            leader: metrics.current_leader.map(NodeId::new),
            last_log_index: metrics.last_log_index.unwrap_or(0),
            last_applied_index: metrics.last_applied.index().unwrap_or(0),
            running: metrics.running_state.is_ok(),
            health: health(&state),
            nodes: node_counts(&state),
            replicas: replica_counts(&state),
        }
    }
}

/// Puts Raft, its tasks and the handles around what was opened.
async fn run(
    config: MetadataConfig,
    plan: Option<ClusterPlan>,
    opened: Opened,
) -> Result<(MetadataHandle, MetadataUpdates, MetadataNode), StartError> {
    let Opened { log, state_machine } = opened;
    let node = NodeId::new(config.node_id);
    let applied = state_machine.watch();
    let registration = registration(&config, log.incarnation());
    let peers = Peers::new(plan.as_ref().map(|plan| Arc::clone(&plan.transport)), applied.clone());
    let network = Network::new(peers.clone());
    let raft = Box::pin(Raft::new(config.node_id, Arc::new(raft_config()?), network, log, state_machine));
    let raft = raft.await.map_err(raft_failed)?;

    let (calls, called) = flume::bounded(limits::GROUP_CALLS_WAITING_MAX);
    let seat = Seat {
        raft: raft.clone(),
        applied: applied.clone(),
        leader: Leader::new(raft.clone(), peers.clone()),
        pulse: Pulse::new(),
        controller: ControllerPort::new(),
        groups: GroupPort::new(calls.clone()),
        contact: Contact::new(),
        admitted: Arc::new(AtomicBool::new(false)),
    };
    let (stop, stopping) = watch::channel(false);
    let epoch: Arc<AtomicU64> = Arc::default();
    let contact = seat.contact.clone();
    let (removed, told_removed) = watch::channel(false);
    let mut tasks = start_peer_tasks(&seat, &peers, (node, &epoch, removed), &stopping);
    let ours = enter::enter(&registration, plan.as_ref(), &seat, &peers).await?;
    epoch.store(ours, Ordering::SeqCst);

    let state = Arc::clone(&applied.borrow());
    let published_version = watch::Sender::new(state.version());
    let published = Arc::new(ArcSwap::new(state));
    let (proposals, waiting) = flume::bounded(limits::PROPOSALS_WAITING_MAX);
    let (publications, unpublished) = mpsc::channel(limits::PUBLICATIONS_WAITING_MAX);
    let answers = answer_published(unpublished, published_version.subscribe(), stopping.clone());
    let proposer = Proposer {
        raft: raft.clone(),
        leader: seat.leader.clone(),
        peers: peers.clone(),
        proposals: waiting,
        publications,
        stopping: stopping.clone(),
    };
    tasks.extend([task::spawn(proposer.run()), task::spawn(answers)]);

    let handle = MetadataHandle::new(Arc::clone(&published), proposals);
    let wakers = Wakers { calls: called, published: published_version.subscribe(), stopping: stopping.clone() };
    let here = GroupPort::new(calls.clone());
    let forwarder = Forwarder::new(seat.leader.clone(), peers.clone(), here, published_version.subscribe());
    tasks.push(task::spawn(GroupDriver::new(handle.clone(), seat.leader.clone(), forwarder).run(wakers)));
    let (operator, driver) = OperatorDriver::new(seat.clone(), contact.clone(), published_version.subscribe());
    tasks.push(task::spawn(driver.run(stopping.clone())));
    let updates = MetadataUpdates::new(applied.clone(), published, published_version);
    let groups = GroupHandle::new(calls);
    let removed = told_removed;
    let running =
        MetadataNode { node, raft, peers, seat, epoch, contact, removed, applied, groups, operator, stop, tasks };
    Ok((handle, updates, running))
}

/// Starts what a node does beside the others before it belongs to them.
fn start_peer_tasks(
    seat: &Seat,
    peers: &Peers,
    (node, epoch, removed): (NodeId, &Arc<AtomicU64>, watch::Sender<bool>),
    stopping: &watch::Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    let election = ElectionDriver { raft: seat.raft.clone(), peers: peers.clone(), pulse: seat.pulse.clone() };
    let membership =
        MembershipDriver { raft: seat.raft.clone(), leader: seat.leader.clone(), applied: seat.applied.clone() };
    let signs = Signs {
        raft: seat.raft.clone(),
        peers: peers.clone(),
        node,
        epoch: Arc::clone(epoch),
        applied: seat.applied.clone(),
        controller: seat.controller.clone(),
        contact: seat.contact.clone(),
        was_let_in: AtomicBool::new(false),
        removed,
    };
    let controller = ControllerDriver {
        raft: seat.raft.clone(),
        leader: seat.leader.clone(),
        applied: seat.applied.clone(),
        port: seat.controller.clone(),
    };
    vec![
        task::spawn(controller.run(stopping.clone())),
        task::spawn(election.run(stopping.clone())),
        task::spawn(membership.run(stopping.clone())),
        task::spawn(signs.run(stopping.clone())),
    ]
}

/// What the cluster is told of this run of the node.
fn registration(config: &MetadataConfig, incarnation: crate::metadata::Incarnation) -> Registration {
    Registration {
        node: NodeId::new(config.node_id),
        incarnation,
        address: config.address.clone(),
        client_address: config.client_address.clone(),
        rack: config.rack.clone(),
        shards: config.shards,
        software: limits::COMMAND_LEVEL,
        shared_store: config.shared_store,
    }
}

fn raft_config() -> Result<Config, StartError> {
    let config = Config {
        cluster_name: "pubsub".to_owned(),
        heartbeat_interval: limits::HEARTBEAT_MS,
        election_timeout_min: limits::LEASE_MS - 1,
        election_timeout_max: limits::LEASE_MS,
        // The node's own task decides when to stand.
        enable_elect: false,
        max_payload_entries: limits::APPEND_ENTRIES_MAX,
        snapshot_max_chunk_size: limits::SNAPSHOT_PART_BYTES,
        install_snapshot_timeout: limits::SNAPSHOT_PART_WAIT_MS,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(limits::SNAPSHOT_AFTER_ENTRIES),
        max_in_snapshot_log_to_keep: limits::COVERED_ENTRIES_KEPT,
        ..Config::default()
    };
    config.validate().map_err(raft_failed)
}

fn raft_failed(error: impl std::error::Error) -> StartError {
    StartError::Raft { reason: error.to_string() }
}

#[cfg(test)]
mod several;
#[cfg(test)]
mod tests;
