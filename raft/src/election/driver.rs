//! The task that carries canvasses to the other voters and lets openraft stand.

use std::sync::{Arc, Mutex, PoisonError};

use openraft::ServerState;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{Election, Standing, Step};
use crate::{
    leader::quorum_follows,
    limits,
    membership::other_voters,
    metadata::NodeId,
    peers::{Canvass, Peers, Question, Reply},
    type_config::Raft,
};

/// Stands for election when the leader is silent.
pub(crate) struct ElectionDriver {
    pub(crate) raft: Raft,
    pub(crate) peers: Peers,
    pub(crate) pulse: Pulse,
}

/// What is heard of the leader: told by who answers its messages, looked at by the driver.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    election: Arc<Mutex<Election>>,
    started: Instant,
}

/// A voter's answer to a canvass.
struct Answer {
    round: u64,
    voter: u64,
    granted: bool,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        let started = Instant::now();
        let election = Arc::new(Mutex::new(Election::new(started.elapsed(), draw())));
        Self { election, started }
    }

    /// The leader was heard of, or a candidate was voted for.
    pub(crate) fn heard(&self) {
        self.with(|election, now| election.heard(now, draw()));
    }

    /// The leader hands over to this node.
    pub(crate) fn invited(&self) {
        self.with(|election, _| election.invited());
    }

    /// Answers another node's canvass.
    pub(crate) fn would_vote(&self, raft: &Raft, canvass: &Canvass) -> bool {
        let metrics = raft.metrics();
        let metrics = metrics.borrow();
        let leads = metrics.state == ServerState::Leader && quorum_follows(&metrics);
        let ours = raft.data_metrics().borrow().last_log;
        self.with(|election, now| election.would_vote(now, leads, canvass.last_log_id, ours))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Election, std::time::Duration) -> T) -> T {
        // Nothing in there is left half done by a panic.
        let mut election = self.election.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut election, self.started.elapsed())
    }
}

impl ElectionDriver {
    /// Runs until the node stops.
    pub(crate) async fn run(self, mut stopping: watch::Receiver<bool>) {
        let mut ticks = interval(limits::ELECTION_TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut answers: JoinSet<Answer> = JoinSet::new();
        loop {
            let step = tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return,
                Some(answer) = answers.join_next() => match answer {
                    Ok(Answer { round, voter, granted }) => {
                        let standing = self.standing();
                        self.pulse.with(|election, _| election.on_answer(round, voter, granted, &standing))
                    }
                    Err(_) => Step::Wait,
                },
                _ = ticks.tick() => {
                    let standing = self.standing();
                    self.pulse.with(|election, now| election.tick(now, &standing, draw()))
                }
            };
            match step {
                Step::Wait => {}
                Step::Canvass { round } => self.canvass(round, &mut answers),
                Step::Stand => {
                    tracing::info!("the leader is silent: this node stands for election");
                    if let Err(error) = self.raft.trigger().elect().await {
                        tracing::error!(%error, "Raft has stopped");
                        return;
                    }
                }
            }
        }
    }

    fn canvass(&self, round: u64, answers: &mut JoinSet<Answer>) {
        let last_log_id = self.raft.data_metrics().borrow().last_log;
        tracing::debug!(round, "the leader is silent: asking who would vote for this node");
        answers.abort_all();
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        for (voter, address) in other_voters(&metrics) {
            let peers = self.peers.clone();
            let peer = peers.locate(NodeId::new(voter), &address);
            answers.spawn(async move {
                let question = Question::Canvass(Canvass { last_log_id });
                let answer = peers.ask(peer, &question, limits::CANVASS_WAIT).await;
                Answer { round, voter, granted: matches!(answer, Ok(Reply::Canvass { granted: true })) }
            });
        }
    }

    fn standing(&self) -> Standing {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        Standing {
            node: metrics.id,
            leads: metrics.state == ServerState::Leader,
            voters: metrics.membership_config.voter_ids().collect(),
        }
    }
}

/// A random number, for patience.
fn draw() -> u64 {
    u64::try_from(uuid::Uuid::new_v4().as_u128() >> 64 >> 16 & 0xffff).unwrap_or_default()
}
