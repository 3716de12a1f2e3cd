//! Interim.
use std::{collections::BTreeMap, time::Duration};

use crate::metadata::{ClusterState, Command, NodeId};

#[derive(Debug, Default)]
pub(crate) struct Controller {
    heard: BTreeMap<NodeId, u64>,
}

impl Controller {
    pub(crate) fn heard(&mut self, node: NodeId, epoch: u64, _now: Duration, _version: u64) {
        self.heard.insert(node, epoch);
    }
    pub(crate) fn gone(&mut self, node: NodeId, _epoch: u64) {
        self.heard.remove(&node);
    }
    pub(crate) fn leads(&mut self, _now: Duration, _term: u64) {}
    pub(crate) fn follows(&mut self) {}
    pub(crate) fn decide(&mut self, state: &ClusterState, _now: Duration) -> Vec<Command> {
        let heard = |node: &&crate::metadata::Node| node.fenced && self.heard.get(&node.id) == Some(&node.epoch);
        let unfence = state.nodes().filter(heard);
        unfence.map(|node| Command::UnfenceNode { node: node.id, epoch: node.epoch }).collect()
    }
}
