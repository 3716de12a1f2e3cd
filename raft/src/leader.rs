//! Who leads the cluster, as far as this node knows.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use openraft::{BasicNode, RaftMetrics, ServerState};
use tokio::time::{Instant, sleep};

use crate::{
    limits,
    metadata::NodeId,
    peers::{NoLead, Peer, Peers},
    type_config::Raft,
};

/// Looks at Raft for the leader. Clones share what this node has decided about leading itself.
#[derive(Clone)]
pub(crate) struct Leader {
    raft: Raft,
    peers: Peers,
    /// Set while this node hands over: it writes nothing more.
    handing_over: Arc<AtomicBool>,
}

/// Where commands go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lead {
    Here,
    At(Peer),
}

impl Leader {
    pub(crate) fn new(raft: Raft, peers: Peers) -> Self {
        Self { raft, peers, handing_over: Arc::default() }
    }

    /// The way to other nodes.
    pub(crate) const fn peers(&self) -> &Peers {
        &self.peers
    }

    /// Whether this node leads, and a majority has just followed.
    pub(crate) fn is_here(&self) -> bool {
        !self.handing_over.load(Ordering::SeqCst) && quorum_follows(&self.raft.metrics().borrow())
    }

    /// The leader, if one is known that may be there.
    pub(crate) fn known(&self) -> Option<Lead> {
        if self.is_here() {
            return Some(Lead::Here);
        }
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let leader = metrics.current_leader.filter(|&leader| leader != metrics.id)?;
        let membership = metrics.membership_config.membership();
        let address = membership.get_node(&leader).map(|node| node.addr.clone()).unwrap_or_default();
        Some(Lead::At(self.peers.locate(NodeId::new(leader), &address)))
    }

    /// What a node says that does not lead.
    pub(crate) fn elsewhere(&self) -> NoLead {
        let leader = match self.known() {
            Some(Lead::At(peer)) => peer.node.map(|node| (node, peer.address)),
            Some(Lead::Here) | None => None,
        };
        NoLead { leader }
    }

    /// Waits for a leader to be known, so long at most.
    pub(crate) async fn wait(&self, at_most: Duration) -> Option<Lead> {
        let deadline = Instant::now() + at_most;
        loop {
            if let Some(lead) = self.known() {
                return Some(lead);
            }
            if Instant::now() >= deadline {
                return None;
            }
            sleep(limits::LEADER_LOOK).await;
        }
    }

    /// From now on this node writes nothing, and stays silent as a leader, so that another can be elected.
    pub(crate) fn begin_handover(&self) {
        self.handing_over.store(true, Ordering::SeqCst);
        self.raft.runtime_config().heartbeat(false);
    }

    /// This node may lead again.
    pub(crate) fn end_handover(&self) {
        self.raft.runtime_config().heartbeat(true);
        self.handing_over.store(false, Ordering::SeqCst);
    }

    /// Whether this node is the leader by Raft's own account, whoever follows.
    pub(crate) fn raft_leads(&self) -> bool {
        self.raft.metrics().borrow().state == ServerState::Leader
    }
}

impl fmt::Debug for Leader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leader").field("handing_over", &self.handing_over).finish_non_exhaustive()
    }
}

/// Whether these are the metrics of a leader that a majority has followed just now, and that knows all that is committed.
pub(crate) fn quorum_follows(metrics: &RaftMetrics<u64, BasicNode>) -> bool {
    let sole = metrics.membership_config.voter_ids().all(|voter| voter == metrics.id);
    let recent = metrics.millis_since_quorum_ack.is_some_and(|millis| millis < limits::QUORUM_SILENCE_MS_MAX);
    // Before it has applied an entry of its own term, its state may lack what the last leader had committed.
    let knows_all = metrics.last_applied.is_some_and(|last| last.leader_id.term == metrics.current_term);
    metrics.state == ServerState::Leader && knows_all && (sole || recent)
}
