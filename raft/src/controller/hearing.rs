//! Who was heard of when, and so who goes out and who comes in.

use std::collections::BTreeMap;

use shard_core::model::Monotonic;

use crate::{
    limits,
    metadata::{ClusterState, Command, Node, NodeId},
};

/// What each node said last.
#[derive(Debug, Default)]
pub(super) struct Hearing(BTreeMap<NodeId, Heard>);

#[derive(Clone, Copy, Debug)]
struct Heard {
    epoch: u64,
    at: Monotonic,
    applied: u64,
    /// It said that it goes: whatever of it is still under way does not count.
    gone: bool,
}

impl Hearing {
    /// A node says that it is there. What an earlier run of it said, which comes late, does not count.
    pub(super) fn note(&mut self, now: Monotonic, node: NodeId, epoch: u64, applied: u64) {
        let known = self.0.get(&node);
        let is_over = |known: &Heard| known.epoch > epoch || (known.epoch == epoch && known.gone);
        if known.is_some_and(is_over) || (known.is_none() && self.0.len() >= limits::NODES_MAX) {
            return;
        }
        self.0.insert(node, Heard { epoch, at: now, applied, gone: false });
    }

    /// A run of a node says that it goes.
    pub(super) fn note_gone(&mut self, now: Monotonic, node: NodeId, epoch: u64) {
        self.note(now, node, epoch, 0);
        if let Some(heard) = self.0.get_mut(&node).filter(|heard| heard.epoch == epoch) {
            heard.gone = true;
        }
    }

    /// Forgets who is not there.
    pub(super) fn keep(&mut self, state: &ClusterState) {
        self.0.retain(|node, _| state.node(*node).is_some());
    }

    /// Who is to be fenced and who is not to be any more. Of whom nothing was heard yet has a whole session from `since`.
    pub(super) fn changes(&self, now: Monotonic, since: Monotonic, state: &ClusterState) -> Vec<Command> {
        state.nodes().filter_map(|node| self.change(now, since, node, state.version())).collect()
    }

    fn change(&self, now: Monotonic, since: Monotonic, node: &Node, version: u64) -> Option<Command> {
        let Node { id, epoch, fenced, .. } = *node;
        // Nodes that came before there were epochs don't say that they are there.
        if epoch == 0 {
            return None;
        }
        let heard = self.0.get(&id).filter(|heard| heard.epoch == epoch);
        let is_gone = heard.is_some_and(|heard| heard.gone);
        let is_silent = is_gone || now.since(heard.map_or(since, |heard| heard.at)) >= limits::NODE_SESSION;
        if !fenced {
            return is_silent.then_some(Command::FenceNode { node: id, epoch });
        }
        // It must have seen that it is a new run, so that it serves nothing by what it knew before.
        let is_ready = heard.is_some_and(|heard| heard.applied >= epoch.min(version));
        (is_ready && !is_silent).then_some(Command::UnfenceNode { node: id, epoch })
    }
}
