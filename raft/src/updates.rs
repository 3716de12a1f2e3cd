//! How applied states get to the shards and, once they have them, to the gateways.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::metadata::ClusterState;

/// The states to bring to the shards of this node; it has one consumer.
#[derive(Debug)]
pub struct MetadataUpdates {
    applied: watch::Receiver<Arc<ClusterState>>,
    offered: Option<Arc<ClusterState>>,
    published: Arc<ArcSwap<ClusterState>>,
    published_version: watch::Sender<u64>,
}

impl MetadataUpdates {
    /// The first `next` gives the state that there is.
    pub(crate) fn new(
        mut applied: watch::Receiver<Arc<ClusterState>>,
        published: Arc<ArcSwap<ClusterState>>,
        published_version: watch::Sender<u64>,
    ) -> Self {
        applied.mark_changed();
        Self { applied, offered: None, published, published_version }
    }

    /// The newest applied state, once it is newer than the one given last; states in between may be skipped. `None`
    /// when the metadata has stopped, by itself or because it was told to: no more will come.
    pub async fn next(&mut self) -> Option<Arc<ClusterState>> {
        self.applied.changed().await.ok()?;
        let state = Arc::clone(&self.applied.borrow_and_update());
        self.offered = Some(Arc::clone(&state));
        Some(state)
    }

    /// The shards have taken the state that `next` gave last: gateways see it from now on, and proposers that waited
    /// for it are answered. Any other version is ignored.
    pub fn published(&mut self, version: u64) {
        let Some(state) = self.offered.take_if(|state| state.version() == version) else { return };
        self.published.store(state);
        self.published_version.send_replace(version);
    }
}
