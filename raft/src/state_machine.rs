//! The state behind the Raft log: held in memory, made again at each start from the newest snapshot and the log.
//!
//! Nothing else of it is stored, so there is no second record of what was applied that could disagree with the state.
//! That is safe because an entry leaves the log only when a durable snapshot covers it.

use std::{io::Cursor, sync::Arc};

use openraft::{AnyError, EntryPayload, OptionalSend, RaftLogId as _, RaftSnapshotBuilder, storage::RaftStateMachine};
use tokio::{sync::watch, task};

use crate::{
    metadata::ClusterState,
    snapshots::{SnapshotDirectory, SnapshotError, StateSnapshot},
    type_config::{
        Applied, Entry, LogId, Membership, Snapshot, SnapshotMeta, StorageError, StorageIoError, TypeConfig,
    },
};

/// Applies committed entries and tells who watches.
#[derive(Debug)]
pub(crate) struct StateMachine {
    last_log_id: Option<LogId>,
    membership: Membership,
    state: Arc<ClusterState>,
    snapshots: SnapshotDirectory,
    applied: watch::Sender<Arc<ClusterState>>,
}

/// Writes the state of one moment, while the state goes on.
#[derive(Debug)]
pub(crate) struct SnapshotWriter {
    snapshot: StateSnapshot,
    snapshots: SnapshotDirectory,
}

impl StateMachine {
    /// Starts from the newest snapshot, or from nothing. It blocks.
    ///
    /// # Errors
    /// There are snapshots, but none that can be read.
    pub(crate) fn open(snapshots: SnapshotDirectory) -> Result<Self, SnapshotError> {
        let newest = snapshots.newest()?.map(|(snapshot, _)| snapshot);
        let (last_log_id, membership, state) = match newest {
            Some(snapshot) => (snapshot.last_log_id, snapshot.membership, snapshot.state),
            None => (None, Membership::default(), ClusterState::default()),
        };
        let state = Arc::new(state);
        let applied = watch::Sender::new(Arc::clone(&state));
        Ok(Self { last_log_id, membership, state, snapshots, applied })
    }

    /// Sees every newly applied state; closed when the state machine is gone.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<ClusterState>> {
        self.applied.subscribe()
    }

    /// The last applied entry.
    pub(crate) const fn last_log_id(&self) -> Option<LogId> {
        self.last_log_id
    }

    fn apply_entry(&mut self, entry: Entry) -> Applied {
        let log_id = *entry.get_log_id();
        let state = Arc::make_mut(&mut self.state);
        state.advance_to(log_id.index);
        let outcomes = match entry.payload {
            EntryPayload::Blank => Vec::new(),
            EntryPayload::Normal(batch) => batch.0.into_iter().map(|command| state.apply(command)).collect(),
            EntryPayload::Membership(membership) => {
                self.membership = Membership::new(Some(log_id), membership);
                Vec::new()
            }
        };
        self.last_log_id = Some(log_id);
        Applied { version: log_id.index, outcomes }
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotBuilder = SnapshotWriter;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Membership), StorageError> {
        Ok((self.last_log_id, self.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Applied>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let applied = entries.into_iter().map(|entry| self.apply_entry(entry)).collect();
        self.applied.send_replace(Arc::clone(&self.state));
        Ok(applied)
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotWriter {
        let snapshot = StateSnapshot {
            last_log_id: self.last_log_id,
            membership: self.membership.clone(),
            state: ClusterState::clone(&self.state),
        };
        SnapshotWriter { snapshot, snapshots: self.snapshots.clone() }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        received: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError> {
        let signature = Some(meta.signature());
        let snapshot = StateSnapshot::decode(&received.into_inner())
            .map_err(|error| StorageIoError::read_snapshot(signature.clone(), AnyError::new(&error)))?;
        if snapshot.last_log_id != meta.last_log_id {
            let mismatch = AnyError::error("the snapshot is of another log entry than announced");
            return Err(StorageIoError::read_snapshot(signature, mismatch).into());
        }
        let snapshots = self.snapshots.clone();
        let (snapshot, _) = write(snapshots, snapshot).await?;
        self.last_log_id = snapshot.last_log_id;
        self.membership = snapshot.membership;
        self.state = Arc::new(snapshot.state);
        self.applied.send_replace(Arc::clone(&self.state));
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, StorageError> {
        let snapshots = self.snapshots.clone();
        let newest = task::spawn_blocking(move || snapshots.newest()).await;
        let newest = newest.map_err(|error| StorageIoError::read_snapshot(None, AnyError::new(&error)))?;
        let newest = newest.map_err(|error| StorageIoError::read_snapshot(None, AnyError::new(&error)))?;
        Ok(newest.map(|(snapshot, bytes)| shown(&snapshot, bytes)))
    }
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotWriter {
    async fn build_snapshot(&mut self) -> Result<Snapshot, StorageError> {
        let (snapshot, bytes) = write(self.snapshots.clone(), self.snapshot.clone()).await?;
        Ok(shown(&snapshot, bytes))
    }
}

async fn write(
    snapshots: SnapshotDirectory,
    snapshot: StateSnapshot,
) -> Result<(StateSnapshot, Vec<u8>), StorageError> {
    let signature = Some(snapshot.meta().signature());
    let written = task::spawn_blocking(move || snapshots.write(&snapshot).map(|bytes| (snapshot, bytes))).await;
    let written = written.map_err(|error| StorageIoError::write_snapshot(signature.clone(), AnyError::new(&error)))?;
    Ok(written.map_err(|error| StorageIoError::write_snapshot(signature, AnyError::new(&error)))?)
}

fn shown(snapshot: &StateSnapshot, bytes: Vec<u8>) -> Snapshot {
    Snapshot { meta: snapshot.meta(), snapshot: Box::new(Cursor::new(bytes)) }
}
