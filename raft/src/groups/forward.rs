//! Consumers' requests on a node that does not coordinate: gathered, sent to the leader, answered.
//!
//! Signs of life share a message, so that what a node's thousands of consumers say is a few messages a second. What
//! changes a group waits for the metadata at the leader, and goes by itself.

use std::time::Duration;

use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};

use super::{
    GroupError, GroupPort,
    request::{Answered, Request, Wish},
};
use crate::{
    leader::{Lead, Leader},
    limits,
    peers::{CallError, GroupAnswer, Peers, Question, Reply},
};

/// What a node has to tell the leader.
#[derive(Debug)]
pub(crate) struct Forwarder {
    way: Way,
    waiting: Vec<Pending>,
    /// Whether signs of life are on their way: the next share the message after it.
    signs_sent: bool,
    sent: JoinSet<bool>,
}

/// How requests get to the leader.
#[derive(Clone, Debug)]
struct Way {
    leader: Leader,
    peers: Peers,
    here: GroupPort,
    /// The version that the shards of this node have taken.
    published: watch::Receiver<u64>,
}

/// A request and who waits for its answer.
#[derive(Debug)]
struct Pending {
    request: Request,
    reply: oneshot::Sender<Answered>,
}

impl Forwarder {
    pub(crate) fn new(leader: Leader, peers: Peers, here: GroupPort, published: watch::Receiver<u64>) -> Self {
        let way = Way { leader, peers, here, published };
        Self { way, waiting: Vec::new(), signs_sent: false, sent: JoinSet::new() }
    }

    /// Takes a request that a leader has to answer.
    pub(crate) fn add(&mut self, request: Request, reply: oneshot::Sender<Answered>) {
        if self.waiting.len() + self.sent.len() >= limits::GROUP_CALLS_WAITING_MAX {
            // A consumer that went away wants no answer.
            drop(reply.send(Err(GroupError::Overloaded)));
            return;
        }
        let pending = Pending { request, reply };
        if pending.is_sign() {
            self.waiting.push(pending);
        } else {
            self.sent.spawn(send(self.way.clone(), vec![pending], false));
        }
    }

    /// Sends what may be sent.
    pub(crate) fn perform(&mut self) {
        if self.signs_sent || self.waiting.is_empty() {
            return;
        }
        self.signs_sent = true;
        let signs = std::mem::take(&mut self.waiting);
        self.sent.spawn(send(self.way.clone(), signs, true));
    }

    /// Returns when something that was sent is answered; waits for ever if nothing is on its way.
    pub(crate) async fn answered(&mut self) {
        match self.sent.join_next().await {
            Some(signs) => self.signs_sent &= !matches!(signs, Ok(true) | Err(_)),
            None => std::future::pending().await,
        }
    }

    /// Refuses what waits.
    pub(crate) fn stop(&mut self) {
        for pending in self.waiting.drain(..) {
            drop(pending.reply.send(Err(GroupError::Stopping)));
        }
    }
}

impl Pending {
    const fn is_sign(&self) -> bool {
        match self.request.what {
            Wish::Heartbeat { .. } | Wish::Live { .. } | Wish::Describe => true,
            Wish::Join { .. } | Wish::Leave { .. } => false,
        }
    }
}

/// Sends requests and hands the answers out; gives back whether they were signs of life.
async fn send(mut way: Way, pending: Vec<Pending>, signs: bool) -> bool {
    let (requests, replies): (Vec<_>, Vec<_>) = pending.into_iter().map(|one| (one.request, one.reply)).unzip();
    let answers = way.ask(&requests).await;
    let version = answers.iter().map(|answer| answer.version).max().unwrap_or(0);
    way.await_published(version).await;
    for (answer, reply) in answers.into_iter().zip(replies) {
        // A consumer that went away wants no answer.
        drop(reply.send(answer.answered));
    }
    signs
}

impl Way {
    /// Asks whoever leads, and another one as long as it is certain that nobody has taken the question.
    async fn ask(&self, requests: &[Request]) -> Vec<GroupAnswer> {
        let deadline = Instant::now() + limits::LEADER_WAIT;
        let all = |error: GroupError| {
            let answer = GroupAnswer { answered: Err(error), version: 0 };
            vec![answer; requests.len()]
        };
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let replied = match self.leader.wait(left).await {
                None => return all(GroupError::Overloaded),
                Some(Lead::Here) => {
                    let answers = self.here.ask_all(requests.to_vec()).await;
                    return answers.into_iter().map(|answered| GroupAnswer { answered, version: 0 }).collect();
                }
                Some(Lead::At(peer)) => {
                    self.peers.ask(peer, &Question::Groups(requests.to_vec()), limits::GROUP_ANSWER_WAIT).await
                }
            };
            match replied {
                Ok(Reply::Groups(Ok(answers))) if answers.len() == requests.len() => return answers,
                Ok(Reply::Groups(Err(_)) | Reply::Unready { .. }) | Err(CallError::Unreachable { .. }) => {}
                Ok(_) => return all(GroupError::Unknown { reason: "the leader answered another question".to_owned() }),
                Err(error @ CallError::Lost { .. }) => return all(GroupError::Unknown { reason: error.to_string() }),
            }
            if Instant::now() >= deadline {
                return all(GroupError::Overloaded);
            }
            sleep(limits::LEADER_LOOK).await;
        }
    }

    /// Waits until this node knows what the answers are about, but not for ever: it may be behind.
    async fn await_published(&mut self, version: u64) {
        let deadline = Instant::now() + PUBLICATION_PATIENCE;
        drop(timeout_at(deadline, self.published.wait_for(|published| *published >= version)).await);
    }
}

/// How long an answer waits for this node to know what it is about.
const PUBLICATION_PATIENCE: Duration = Duration::from_secs(2);
