//! How the lead goes from one node to another without an election that somebody has to wait for.

use std::cmp::Reverse;

use tokio::time::{Instant, sleep};

use crate::{
    limits,
    membership::other_voters,
    metadata::NodeId,
    peers::{Question, Seat},
};

/// What became of an attempt to hand over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandedOver {
    /// This node does not lead any more.
    Done,
    /// This node did not lead, or no other one that is there may vote.
    NobodyToTakeOver,
    /// The other one did not take over in time; this node still leads.
    Late,
}

impl Seat {
    /// Lets another voter lead, `to` if it is named, if this node leads.
    pub(crate) async fn hand_over(&self, to: Option<NodeId>) -> HandedOver {
        let successor = self.successors(to).into_iter().next();
        let Some((successor, address)) = successor.filter(|_| self.leader.raft_leads()) else {
            return HandedOver::NobodyToTakeOver;
        };
        tracing::info!(successor, "leadership is handed over");
        self.leader.begin_handover();
        let peers = self.leader.peers();
        let peer = peers.locate(NodeId::new(successor), &address);
        if let Err(error) = peers.ask(peer, &Question::TakeLead, limits::HANDOVER_WAIT).await {
            tracing::warn!(%error, "the successor was not told");
        }
        let deadline = Instant::now() + limits::HANDOVER_WAIT;
        while self.leader.raft_leads() && Instant::now() < deadline {
            sleep(limits::LEADER_LOOK).await;
        }
        self.leader.end_handover();
        if self.leader.raft_leads() { HandedOver::Late } else { HandedOver::Done }
    }

    /// Who may lead next, those first that have most of the log.
    fn successors(&self, to: Option<NodeId>) -> Vec<(u64, String)> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let state = self.applied.borrow();
        let mut voters = other_voters(&metrics);
        voters.retain(|(voter, _)| {
            let live = state.node(NodeId::new(*voter)).is_some_and(|node| !node.fenced);
            live && to.is_none_or(|to| to.get() == *voter)
        });
        let matching = |voter: &u64| metrics.replication.as_ref().and_then(|all| all.get(voter).copied().flatten());
        voters.sort_by_key(|(voter, _)| Reverse(matching(voter)));
        voters
    }
}
