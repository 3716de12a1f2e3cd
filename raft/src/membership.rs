//! Which nodes are members of the Raft group, and which of them vote. Pure; what it says follows the metadata.

mod driver;

use std::collections::{BTreeMap, BTreeSet};

use openraft::{BasicNode, RaftMetrics};

use crate::{
    limits,
    metadata::{ClusterState, NodeId},
};

pub(crate) use driver::MembershipDriver;

/// The Raft group as its leader sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Members {
    pub(crate) voters: BTreeSet<u64>,
    pub(crate) learners: BTreeSet<u64>,
    /// How far each member's log is known to reach.
    pub(crate) matching: BTreeMap<u64, u64>,
    pub(crate) last_log_index: u64,
}

/// One change of the group. They are made one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A node gets the log, but no vote yet.
    AddLearner { node: u64, address: String },
    /// A learner that has caught up gets a vote.
    Promote { node: u64 },
    /// A voter that was removed from the cluster loses its vote and its membership.
    RemoveVoter { node: u64 },
    /// So does a learner.
    RemoveLearner { node: u64 },
}

/// The next change that brings the group to the nodes of the cluster; `None` if it is there.
pub(crate) fn next_step(state: &ClusterState, members: &Members) -> Option<Step> {
    let removed = |node: &&u64| state.is_removed(NodeId::new(**node));
    if let Some(&node) = members.voters.iter().find(removed) {
        // The last voter can't go; it stays until there is another.
        if members.voters.len() > 1 {
            return Some(Step::RemoveVoter { node });
        }
    }
    if let Some(&node) = members.learners.iter().find(removed) {
        return Some(Step::RemoveLearner { node });
    }
    let is_member = |node: u64| members.voters.contains(&node) || members.learners.contains(&node);
    if let Some(node) = state.nodes().find(|node| !is_member(node.id.get())) {
        return Some(Step::AddLearner { node: node.id.get(), address: node.address.clone() });
    }
    if members.voters.len() >= limits::VOTERS_MAX {
        return None;
    }
    let caught_up = |node: &&u64| {
        let reaches = members.matching.get(node).copied().unwrap_or(0);
        let known = state.node(NodeId::new(**node)).is_some_and(|node| !node.fenced);
        known && reaches + limits::PROMOTE_LAG_MAX >= members.last_log_index
    };
    members.learners.iter().find(caught_up).map(|&node| Step::Promote { node })
}

/// The voters beside this node, with the addresses that the membership has of them.
pub(crate) fn other_voters(metrics: &RaftMetrics<u64, BasicNode>) -> Vec<(u64, String)> {
    let membership = metrics.membership_config.membership();
    let voters = metrics.membership_config.voter_ids().filter(|&voter| voter != metrics.id);
    let located = voters.map(|voter| {
        let address = membership.get_node(&voter).map(|node| node.addr.clone()).unwrap_or_default();
        (voter, address)
    });
    located.collect()
}

#[cfg(test)]
mod tests;
