//! The leader's task that changes the membership of the Raft group, one change at a time.

use std::{collections::BTreeSet, sync::Arc};

use openraft::{BasicNode, ChangeMembers, LogIdOptionExt as _};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{Members, Step, next_step};
use crate::{leader::Leader, limits, metadata::ClusterState, type_config::Raft};

/// Makes the Raft group follow the nodes of the cluster, while this node leads.
pub(crate) struct MembershipDriver {
    pub(crate) raft: Raft,
    pub(crate) leader: Leader,
    pub(crate) applied: watch::Receiver<Arc<ClusterState>>,
}

impl MembershipDriver {
    /// Runs until the node stops.
    pub(crate) async fn run(self, mut stopping: watch::Receiver<bool>) {
        let mut ticks = interval(limits::MEMBERSHIP_TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return,
                _ = ticks.tick() => {}
            }
            if !self.leader.is_here() {
                continue;
            }
            let state = Arc::clone(&self.applied.borrow());
            let Some(step) = next_step(&state, &self.members()) else { continue };
            tracing::info!(?step, "the membership of the Raft group changes");
            // What is given up here goes on in Raft; the next look sees what came of it.
            match timeout(limits::MEMBERSHIP_WAIT, self.make(step)).await {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => tracing::warn!(reason, "the membership could not be changed; it is tried again"),
                Err(_) => tracing::warn!("a change of the membership takes long"),
            }
        }
    }

    async fn make(&self, step: Step) -> Result<(), String> {
        let (change, retain) = match step {
            Step::AddLearner { node, address } => {
                let added = self.raft.add_learner(node, BasicNode::new(address), false).await;
                return added.map(drop).map_err(|error| error.to_string());
            }
            Step::Promote { node } => (ChangeMembers::AddVoterIds(BTreeSet::from([node])), true),
            Step::RemoveVoter { node } => (ChangeMembers::RemoveVoters(BTreeSet::from([node])), false),
            Step::RemoveLearner { node } => (ChangeMembers::RemoveNodes(BTreeSet::from([node])), false),
        };
        self.raft.change_membership(change, retain).await.map(drop).map_err(|error| error.to_string())
    }

    fn members(&self) -> Members {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let membership = &metrics.membership_config;
        let voters: BTreeSet<u64> = membership.voter_ids().collect();
        let learners = membership.nodes().map(|(&node, _)| node).filter(|node| !voters.contains(node)).collect();
        let matching = metrics.replication.iter().flatten();
        let matching = matching.map(|(&node, matching)| (node, matching.index().unwrap_or(0))).collect();
        Members { voters, learners, matching, last_log_index: metrics.last_log_index.unwrap_or(0) }
    }
}
