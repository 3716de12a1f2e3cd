//! How a run of a node ends well: others take over what it did.

use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::MetadataNode;
use crate::{
    limits,
    membership::other_voters,
    metadata::NodeId,
    peers::{Heartbeat, Question},
};

impl MetadataNode {
    /// Tells the cluster that this node goes, so that its partitions are given to others at once; then lets another node
    /// lead, if this one does. Returns when that is done, or when it takes too long: the node may stop either way.
    pub async fn leave(&self) {
        let version = self.applied.borrow().version();
        // From now on it gives no signs of life.
        let epoch = self.epoch.swap(0, Ordering::SeqCst);
        let question = Question::Leave(Heartbeat { node: self.node, epoch, version });
        let voters = other_voters(&self.raft.metrics().borrow());
        if voters.is_empty() {
            return;
        }
        // Every voter: whichever leads next must not take an earlier sign of life for a late one.
        let told = voters.iter().map(|(voter, address)| {
            let peer = self.peers.locate(NodeId::new(*voter), address);
            self.peers.ask(peer, &question, limits::LEAVE_WAIT)
        });
        let here = timeout(limits::LEAVE_WAIT, self.seat.leave(Heartbeat { node: self.node, epoch, version }));
        let (told, _) = tokio::join!(join_all(told), here);
        if told.iter().all(Result::is_err) {
            tracing::warn!("no other node was told that this one goes");
        }
        self.hand_over(None).await;
    }

    /// Lets another voter lead, `to` if it is named, if this node leads. Returns whether another one does then.
    pub async fn hand_over(&self, to: Option<NodeId>) -> bool {
        let successors = {
            let metrics = self.raft.metrics();
            let metrics = metrics.borrow();
            let state = self.applied.borrow();
            let mut voters = other_voters(&metrics);
            voters.retain(|(voter, _)| {
                let live = state.node(NodeId::new(*voter)).is_some_and(|node| !node.fenced);
                live && to.is_none_or(|to| to.get() == *voter)
            });
            let matching = |voter: &u64| metrics.replication.as_ref().and_then(|all| all.get(voter).copied().flatten());
            voters.sort_by_key(|(voter, _)| std::cmp::Reverse(matching(voter)));
            voters
        };
        let Some((successor, address)) = successors.into_iter().next().filter(|_| self.leader.raft_leads()) else {
            return false;
        };
        tracing::info!(successor, "leadership is handed over");
        self.leader.begin_handover();
        let peer = self.peers.locate(NodeId::new(successor), &address);
        if let Err(error) = self.peers.ask(peer, &Question::TakeLead, limits::HANDOVER_WAIT).await {
            tracing::warn!(%error, "the successor was not told");
        }
        let deadline = Instant::now() + limits::HANDOVER_WAIT;
        while self.leader.raft_leads() && Instant::now() < deadline {
            sleep(limits::LEADER_LOOK).await;
        }
        self.leader.end_handover();
        !self.leader.raft_leads()
    }
}
