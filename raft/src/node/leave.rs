//! How a run of a node ends well: others take over what it did.

use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use tokio::time::timeout;

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
        self.seat.hand_over(None).await;
    }
}
