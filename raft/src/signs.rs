//! Signs of life: this node's to every voter, and what it learns from their answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    controlling::ControllerPort,
    leader::quorum_follows,
    limits,
    membership::other_voters,
    metadata::{ClusterState, NodeId},
    peers::{Heartbeat, Peers, Question, Reply, Sign},
    type_config::Raft,
};

/// When this node last knew itself to be part of the cluster that decides. Clones share it.
#[derive(Clone, Debug)]
pub struct Contact {
    started: Instant,
    /// Milliseconds after the start; 0 is never.
    last: Arc<AtomicU64>,
}

/// The task that gives the signs.
pub(crate) struct Signs {
    pub(crate) raft: Raft,
    pub(crate) peers: Peers,
    pub(crate) node: NodeId,
    /// Which run of the node this is, once the cluster has said.
    pub(crate) epoch: Arc<AtomicU64>,
    pub(crate) applied: watch::Receiver<Arc<ClusterState>>,
    pub(crate) controller: ControllerPort,
    pub(crate) contact: Contact,
}

impl Contact {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), last: Arc::default() }
    }

    /// How long ago a leader with a majority answered this node, or this node was one.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }

    fn renew(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Ordering::Relaxed);
    }
}

impl Signs {
    /// Runs until the node stops.
    pub(crate) async fn run(self, mut stopping: watch::Receiver<bool>) {
        let mut ticks = interval(limits::SIGN_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut answers: JoinSet<bool> = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return,
                Some(answer) = answers.join_next() => {
                    if matches!(answer, Ok(true)) {
                        self.contact.renew();
                    }
                }
                _ = ticks.tick() => self.give(&mut answers),
            }
        }
    }

    /// The epoch of this run; `None` before it is let in, and when it leaves. A request to be let in that was given up may be
    /// granted after the one that was answered: nobody listens to the epoch of that one any more, and both are of this run.
    fn current_epoch(&self, state: &ClusterState) -> Option<u64> {
        let known = self.epoch.load(Ordering::SeqCst);
        let granted = state.node(self.node).map_or(0, |node| node.epoch);
        if known == 0 || granted <= known {
            return Some(known).filter(|known| *known > 0);
        }
        // Unless it leaves at this moment.
        let adopted = self.epoch.compare_exchange(known, granted, Ordering::SeqCst, Ordering::SeqCst);
        adopted.ok().map(|_| granted)
    }

    /// Tells every voter; a sign that was not answered until the next one is given up.
    fn give(&self, answers: &mut JoinSet<bool>) {
        let state = Arc::clone(&self.applied.borrow());
        let Some(epoch) = self.current_epoch(&state) else { return };
        let version = state.version();
        let heartbeat = Heartbeat { node: self.node, epoch, version };
        self.controller.heard(heartbeat);
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        if quorum_follows(&metrics) {
            self.contact.renew();
        }
        for (voter, address) in other_voters(&metrics) {
            let peers = self.peers.clone();
            let peer = peers.locate(NodeId::new(voter), &address);
            answers.spawn(async move {
                let answer = peers.ask(peer, &Question::Heartbeat(heartbeat), 2 * limits::SIGN_INTERVAL).await;
                matches!(answer, Ok(Reply::Heartbeat(Sign { leads: true })))
            });
        }
    }
}
