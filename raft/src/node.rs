//! Starting and stopping the metadata of this node.

use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use openraft::{BasicNode, Config, LogIdOptionExt as _, SnapshotPolicy};
use tokio::{
    sync::{mpsc, watch},
    task::{self, JoinHandle},
};

use crate::{
    GroupHandle, MetadataHandle, MetadataUpdates, OpenLogError, SnapshotError,
    groups::{GroupDriver, Wakers},
    limits,
    metadata::{AckKey, ClusterState, Command, NodeId, Refusal},
    network::NoNetwork,
    proposer::{Proposer, answer_published},
    snapshots::SnapshotDirectory,
    state_machine::StateMachine,
    store::LogStore,
    type_config::{CommandBatch, Raft},
};

/// Where the metadata lies and who this node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataConfig {
    /// The node's data directory; the metadata is in `raft` below it.
    pub directory: PathBuf,
    /// The configured number of the node; a directory belongs to the number it was made with.
    pub node_id: u64,
    /// Where other nodes reach it.
    pub address: String,
}

/// The running metadata; `shutdown` stops it in order.
pub struct MetadataNode {
    raft: Raft,
    groups: GroupHandle,
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
    #[error("the cluster has no id or this node is not in it: {0}")]
    Refused(#[from] Refusal),
}

/// What lies on disk, opened.
struct Opened {
    log: LogStore,
    state_machine: StateMachine,
}

/// Runs the metadata on the current tokio runtime: opens what is in the directory, or makes a cluster of one voter.
/// Returns once this node leads it and all its commands are applied. The handle shows that state from the beginning;
/// the updates give it first.
///
/// # Errors
/// Says what is damaged or in the way.
pub async fn start(config: MetadataConfig) -> Result<(MetadataHandle, MetadataUpdates, MetadataNode), StartError> {
    let opened = open_off_thread(&config).await?;
    run(config, opened).await
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
        MetadataMetrics {
            term: metrics.current_term,
            leader: metrics.current_leader.map(NodeId::new),
            last_log_index: metrics.last_log_index.unwrap_or(0),
            last_applied_index: metrics.last_applied.index().unwrap_or(0),
            running: metrics.running_state.is_ok(),
        }
    }
}

/// Puts Raft, the proposers' tasks and the handles around what was opened.
async fn run(
    config: MetadataConfig,
    opened: Opened,
) -> Result<(MetadataHandle, MetadataUpdates, MetadataNode), StartError> {
    let Opened { log, state_machine } = opened;
    let applied = state_machine.watch();
    let node_id = config.node_id;
    let raft = Box::pin(Raft::new(node_id, Arc::new(raft_config()?), NoNetwork, log, state_machine));
    let raft = raft.await.map_err(raft_failed)?;

    form_cluster(&raft, &config).await?;
    await_leadership(&raft, node_id).await?;
    enter_cluster(&raft, &config, &applied).await?;

    let state = Arc::clone(&applied.borrow());
    let published_version = watch::Sender::new(state.version());
    let published = Arc::new(ArcSwap::new(state));
    let (proposals, waiting) = flume::bounded(limits::PROPOSALS_WAITING_MAX);
    let (publications, unpublished) = mpsc::channel(limits::PUBLICATIONS_WAITING_MAX);
    let (stop, stopping) = watch::channel(false);
    let answers = answer_published(unpublished, published_version.subscribe(), stopping.clone());
    let wakers_published = published_version.subscribe();
    let proposer = Proposer { raft: raft.clone(), proposals: waiting, publications, stopping: stopping.clone() };
    let mut tasks = vec![task::spawn(proposer.run()), task::spawn(answers)];

    let handle = MetadataHandle::new(Arc::clone(&published), proposals);
    let (calls, called) = flume::bounded(limits::GROUP_CALLS_WAITING_MAX);
    let wakers = Wakers { calls: called, published: wakers_published, stopping };
    tasks.push(task::spawn(GroupDriver::new(handle.clone()).run(wakers)));
    let groups = GroupHandle::new(calls);
    let updates = MetadataUpdates::new(applied, published, published_version);
    Ok((handle, updates, MetadataNode { raft, groups, stop, tasks }))
}

/// Opens what is on disk on a blocking thread. sled panics on some damage; there that is an error like any other.
async fn open_off_thread(config: &MetadataConfig) -> Result<Opened, StartError> {
    let (directory, node_id) = (config.directory.join("raft"), config.node_id);
    let opened = task::spawn_blocking(move || {
        let log = LogStore::open(&directory.join("log"), node_id)?;
        let state_machine = StateMachine::open(SnapshotDirectory::open(&directory.join("snapshots"))?)?;
        Ok::<_, StartError>(Opened { log, state_machine })
    });
    let opened = match opened.await {
        Ok(opened) => opened?,
        Err(panic) => return Err(StartError::Unreadable { reason: panic.to_string() }),
    };
    let purged = opened.log.purged().map_err(|error| StartError::Unreadable { reason: error.to_string() })?;
    let snapshot = opened.state_machine.last_log_id();
    if purged > snapshot {
        let (purged, snapshot) = (purged.index().unwrap_or(0), snapshot.index().unwrap_or(0));
        return Err(StartError::MissingEntries { purged, snapshot });
    }
    Ok(opened)
}

fn raft_config() -> Result<Config, StartError> {
    let config = Config {
        cluster_name: "pubsub".to_owned(),
        heartbeat_interval: limits::HEARTBEAT_MS,
        election_timeout_min: limits::ELECTION_MS_MIN,
        election_timeout_max: limits::ELECTION_MS_MAX,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(limits::SNAPSHOT_AFTER_ENTRIES),
        max_in_snapshot_log_to_keep: limits::COVERED_ENTRIES_KEPT,
        ..Config::default()
    };
    config.validate().map_err(raft_failed)
}

async fn form_cluster(raft: &Raft, config: &MetadataConfig) -> Result<(), StartError> {
    if raft.is_initialized().await.map_err(raft_failed)? {
        return Ok(());
    }
    let members = BTreeMap::from([(config.node_id, BasicNode::new(&config.address))]);
    raft.initialize(members).await.map_err(raft_failed)
}

/// Waits until this node leads and has applied its whole log. A cluster of one has committed all that it has logged.
async fn await_leadership(raft: &Raft, node_id: u64) -> Result<(), StartError> {
    raft.wait(Some(limits::LEADERSHIP_WAIT))
        .metrics(
            |metrics| {
                let leads = metrics.current_leader == Some(node_id);
                leads && metrics.last_log_index.is_some() && metrics.last_applied.index() == metrics.last_log_index
            },
            "this node leads and has applied its log",
        )
        .await
        .map(drop)
        .map_err(raft_failed)
}

/// Gives a new cluster its id and its key, and this node its place in it.
async fn enter_cluster(
    raft: &Raft,
    config: &MetadataConfig,
    applied: &watch::Receiver<Arc<ClusterState>>,
) -> Result<(), StartError> {
    let state = Arc::clone(&applied.borrow());
    let node = NodeId::new(config.node_id);
    let mut commands = Vec::new();
    if state.cluster_id().is_empty() {
        let cluster_id = uuid::Uuid::new_v4().to_string();
        commands.push(Command::Bootstrap { cluster_id, ack_key: random_ack_key() });
    }
    if state.node(node).is_none_or(|known| known.address != config.address) {
        commands.push(Command::RegisterNode { node, address: config.address.clone() });
    }
    if commands.is_empty() {
        return Ok(());
    }
    let written = raft.client_write(CommandBatch(commands)).await.map_err(raft_failed)?;
    for outcome in written.data.outcomes {
        outcome?;
    }
    Ok(())
}

/// 16 random bytes. A UUID has six fixed bits, so two of them are folded such that random bits cover every place.
fn random_ack_key() -> AckKey {
    let (first, second) = (uuid::Uuid::new_v4().as_u128(), uuid::Uuid::new_v4().as_u128());
    AckKey::new((first ^ second.rotate_left(64)).to_be_bytes())
}

fn raft_failed(error: impl std::error::Error) -> StartError {
    StartError::Raft { reason: error.to_string() }
}

#[cfg(test)]
mod tests;
