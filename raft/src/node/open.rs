//! Opening what lies on disk.

use std::path::Path;

use openraft::LogIdOptionExt as _;
use tokio::task;

use super::{MetadataConfig, StartError};
use crate::{
    metadata::NodeId,
    snapshots::SnapshotDirectory,
    state_machine::StateMachine,
    store::{LogStore, owner_of},
};

/// Below the data directory.
const METADATA_DIRECTORY: &str = "raft";

/// The number of the node whose metadata lie in a data directory; `None` if there are none, or if it can't be read whose they
/// are.
#[must_use]
pub fn metadata_owner(data_directory: &Path) -> Option<NodeId> {
    owner_of(&data_directory.join(METADATA_DIRECTORY)).map(NodeId::new)
}

/// What lies on disk, opened.
pub(super) struct Opened {
    pub(super) log: LogStore,
    pub(super) state_machine: StateMachine,
}

/// Opens what is on disk on a blocking thread. sled panics on some damage; there that is an error like any other.
pub(super) async fn open_off_thread(config: &MetadataConfig) -> Result<Opened, StartError> {
    let (directory, node_id) = (config.directory.join(METADATA_DIRECTORY), config.node_id);
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
