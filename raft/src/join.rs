//! How a run of this node comes into the cluster.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    leader::Lead,
    limits,
    metadata::{ClusterState, NodeId, Refusal},
    peers::{Joined, NoLead, Peer, Peers, Question, Registration, Reply, Seat},
};

/// Registers a run of this node until a leader has taken it, however long that takes; returns the epoch of the run.
/// Dropping the future is safe.
///
/// # Errors
/// The cluster refuses it for good.
pub(crate) async fn join(
    registration: &Registration,
    seeds: &[String],
    seat: &Seat,
    peers: &Peers,
) -> Result<u64, Refusal> {
    let mut attempts: u64 = 0;
    loop {
        if let Some(joined) = try_once(registration, seeds, seat, peers).await {
            return match joined {
                Joined::In { epoch } => Ok(epoch),
                Joined::Refused(refusal) => Err(refusal),
            };
        }
        if attempts.is_multiple_of(10) {
            tracing::info!(?seeds, "waiting for a leader that lets this node into the cluster");
        }
        attempts += 1;
        sleep(limits::JOIN_INTERVAL).await;
    }
}

/// Asks whoever may know a leader, once; `None` if none was found.
pub(crate) async fn try_once(
    registration: &Registration,
    seeds: &[String],
    seat: &Seat,
    peers: &Peers,
) -> Option<Joined> {
    let mut to_ask: VecDeque<Peer> = VecDeque::new();
    match seat.leader.known() {
        // Without an answer in time it may hold; registering once more does no harm.
        Some(Lead::Here) => return timeout(limits::JOIN_WAIT, seat.join(registration.clone())).await.ok()?.ok(),
        Some(Lead::At(peer)) => to_ask.push_back(peer),
        None => {}
    }
    let others = seeds.iter().filter(|&seed| *seed != registration.address);
    to_ask.extend(others.map(|seed| Peer { node: None, address: seed.clone() }));
    // Each that is asked may name a leader, but a circle of them must come to an end.
    for _ in 0..=2 * seeds.len() + 1 {
        let peer = to_ask.pop_front()?;
        let question = Question::Join(registration.clone());
        match peers.ask(peer.clone(), &question, limits::JOIN_WAIT).await {
            Ok(Reply::Join(Ok(joined))) => return Some(joined),
            Ok(Reply::Join(Err(NoLead { leader: Some((node, address)) }))) => {
                to_ask.push_front(Peer { node: Some(node), address });
            }
            Ok(_) => tracing::debug!(address = peer.address, "the node knows no leader"),
            Err(error) => tracing::debug!(address = peer.address, %error, "a seed was not reached"),
        }
    }
    None
}

/// Whether one of the seeds belongs to a cluster already.
pub(crate) async fn cluster_is_there(registration: &Registration, seeds: &[String], peers: &Peers) -> bool {
    for seed in seeds.iter().filter(|&seed| *seed != registration.address) {
        let peer = Peer { node: None, address: seed.clone() };
        let question = Question::Canvass(crate::peers::Canvass { last_log_id: None });
        // Only a member answers that.
        if let Ok(Reply::Canvass { .. }) = peers.ask(peer, &question, limits::JOIN_WAIT).await {
            return true;
        }
    }
    false
}

/// Waits until this node has applied its own registration.
pub(crate) async fn await_registration(applied: &mut watch::Receiver<Arc<ClusterState>>, node: NodeId, epoch: u64) {
    let registered = |state: &Arc<ClusterState>| state.node(node).is_some_and(|node| node.epoch >= epoch);
    // The sender lives as long as Raft does; if that has failed, the node ends by itself.
    drop(applied.wait_for(registered).await);
}

/// Lets a node take part in Raft.
pub(crate) fn admit(seat: &Seat) {
    seat.admitted.store(true, Ordering::SeqCst);
}
