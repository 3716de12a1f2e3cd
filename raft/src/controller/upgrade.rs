//! When the cluster may use newer commands: once the software of every node understands them.

use shard_core::model::Monotonic;

use super::Leading;
use crate::metadata::{ClusterState, Command};

impl Leading {
    /// What raises the cluster's level to that of its oldest node. Every node has to have been there for a while: there is no
    /// way back, and whoever puts older software back on a node that did not do well stops it first.
    pub(super) fn upgrade(&self, now: Monotonic, state: &ClusterState) -> Option<Command> {
        let level = state.nodes().map(|node| node.software).min()?;
        let is_due = level > state.level() && state.nodes().all(|node| self.is_settled(now, node.id));
        is_due.then_some(Command::Upgrade { level })
    }
}
