//! Two tasks: one puts waiting commands into the Raft log, here or by way of the leader, the other answers once the
//! shards of this node have what came of them.

use std::time::Duration;

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{
    coalesce::Batch,
    handle::ProposeError,
    leader::{Lead, Leader},
    limits,
    metadata::Command,
    peers::{CallError, Peer, Peers, Question, Reply},
    proposal::{Answer, Proposal},
    type_config::{Applied, CommandBatch, Raft},
};

/// Writes one log entry at a time: openraft waits for its flush anyway, and what arrives meanwhile shares the next.
pub(crate) struct Proposer {
    pub(crate) raft: Raft,
    pub(crate) leader: Leader,
    pub(crate) peers: Peers,
    pub(crate) proposals: flume::Receiver<Proposal>,
    pub(crate) publications: mpsc::Sender<Publication>,
    /// Becomes true, or closed, when the node stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// An applied log entry whose proposers wait for the shards to take it.
#[derive(Debug)]
pub(crate) struct Publication {
    version: u64,
    deadline: Instant,
    answers: Vec<(oneshot::Sender<Answer>, Answer)>,
}

impl Proposer {
    /// Runs until the node stops or nobody can propose any more.
    pub(crate) async fn run(mut self) {
        let mut carried = None;
        while !*self.stopping.borrow() {
            let first = match carried.take() {
                Some(proposal) => proposal,
                None => match self.next().await {
                    Some(proposal) => proposal,
                    None => break,
                },
            };
            let (batch, rest) = Batch::fill(first, self.proposals.try_iter());
            carried = rest;
            self.write(batch).await;
        }
        for proposal in carried.into_iter().chain(self.proposals.drain()) {
            answer(proposal.reply, Err(ProposeError::Stopping));
        }
    }

    async fn next(&mut self) -> Option<Proposal> {
        tokio::select! {
            biased;
            () = stopped(&mut self.stopping) => None,
            proposal = self.proposals.recv_async() => proposal.ok(),
        }
    }

    async fn write(&self, batch: Batch) {
        let (commands, replies): (Vec<_>, Vec<_>) =
            batch.into_proposals().into_iter().map(|proposal| (proposal.command, proposal.reply)).unzip();
        let mut stopping = self.stopping.clone();
        let failure = tokio::select! {
            biased;
            written = self.write_somewhere(commands) => match written {
                Ok(applied) => return self.publish(applied, replies).await,
                Err(failure) => failure,
            },
            // What was on its way may hold all the same.
            () = stopped(&mut stopping) => ProposeError::Unknown { reason: "the node is stopping".to_owned() },
        };
        for reply in replies {
            answer(reply, Err(failure.clone()));
        }
    }

    /// Writes one entry through whoever leads. As long as it is certain that nobody has taken it, it is tried again.
    async fn write_somewhere(&self, commands: Vec<Command>) -> Result<Applied, ProposeError> {
        let deadline = Instant::now() + limits::LEADER_WAIT;
        let mut told = None;
        loop {
            let lead = match told.take() {
                Some(peer) => Some(Lead::At(peer)),
                None => self.leader.wait(deadline.saturating_duration_since(Instant::now())).await,
            };
            let refused = match lead {
                None => return Err(ProposeError::NotLeader { leader: None }),
                Some(Lead::Here) => self.write_here(commands.clone()).await,
                Some(Lead::At(peer)) => self.write_at(peer, commands.clone()).await,
            };
            match refused {
                Written::Done(applied) => return Ok(applied),
                Written::Unknown { reason } => return Err(ProposeError::Unknown { reason }),
                Written::NotThere { .. } if Instant::now() >= deadline => {
                    return Err(ProposeError::NotLeader { leader: None });
                }
                Written::NotThere { leader } => {
                    told = leader;
                    sleep(limits::LEADER_LOOK).await;
                }
            }
        }
    }

    async fn write_here(&self, commands: Vec<Command>) -> Written {
        match timeout(limits::WRITE_WAIT, self.raft.client_write(CommandBatch(commands))).await {
            Ok(Ok(written)) => Written::Done(written.data),
            // Also where Raft says that another node leads: it says so of an entry that it had taken and cut off again,
            // and where five nodes vote another one may have that entry, lead one day, and have it agreed on.
            Ok(Err(error)) => Written::Unknown { reason: error.to_string() },
            Err(elapsed) => Written::Unknown { reason: elapsed.to_string() },
        }
    }

    async fn write_at(&self, peer: Peer, commands: Vec<Command>) -> Written {
        match self.peers.ask(peer, &Question::Propose(commands), limits::WRITE_WAIT).await {
            Ok(Reply::Propose(Ok(applied))) => Written::Done(applied),
            Ok(Reply::Propose(Err(no_lead))) => {
                let leader = no_lead.leader.map(|(node, address)| Peer { node: Some(node), address });
                Written::NotThere { leader }
            }
            Ok(Reply::Unready { .. }) | Err(CallError::Unreachable { .. }) => Written::NotThere { leader: None },
            Ok(Reply::MayHold) => Written::Unknown { reason: "the leader lost its majority".to_owned() },
            Ok(_) => Written::Unknown { reason: "the leader answered another question".to_owned() },
            Err(error @ CallError::Lost { .. }) => Written::Unknown { reason: error.to_string() },
        }
    }

    /// Hands on what to answer once this node knows the state by which it was decided: who is refused a name because it
    /// is taken finds it here.
    async fn publish(&self, applied: Applied, replies: Vec<oneshot::Sender<Answer>>) {
        assert_eq!(applied.outcomes.len(), replies.len(), "each command has an outcome");
        let outcomes = applied.outcomes.into_iter().map(|outcome| outcome.map_err(ProposeError::from));
        let answers = replies.into_iter().zip(outcomes).collect();
        let publication = Publication::new(applied.version, limits::PUBLICATION_WAIT, answers);
        // The receiver outlives this task; if it is gone all the same, the proposers see that they are not answered.
        drop(self.publications.send(publication).await);
    }
}

/// What became of an attempt to write an entry.
enum Written {
    Done(Applied),
    /// Nobody took it; perhaps that one leads.
    NotThere {
        leader: Option<Peer>,
    },
    /// It may hold.
    Unknown {
        reason: String,
    },
}

impl Publication {
    pub(crate) fn new(version: u64, wait: Duration, answers: Vec<(oneshot::Sender<Answer>, Answer)>) -> Self {
        Self { version, deadline: Instant::now() + wait, answers }
    }
}

/// Answers the proposers of each publication once its version is published, in order; ends with the [`Proposer`].
pub(crate) async fn answer_published(
    mut publications: mpsc::Receiver<Publication>,
    mut published: watch::Receiver<u64>,
    mut stopping: watch::Receiver<bool>,
) {
    while let Some(Publication { version, deadline, answers }) = publications.recv().await {
        let in_effect = tokio::select! {
            biased;
            reached = timeout_at(deadline, published.wait_for(|published| *published >= version)) => {
                matches!(reached, Ok(Ok(_)))
            }
            () = stopped(&mut stopping) => false,
        };
        for (reply, outcome) in answers {
            let holds_unseen = outcome.is_ok() && !in_effect;
            answer(reply, if holds_unseen { Err(ProposeError::NotPublished { version }) } else { outcome });
        }
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Closed means that whoever could stop us is gone, which is as good.
    drop(stopping.wait_for(|stopping| *stopping).await);
}

fn answer(reply: oneshot::Sender<Answer>, answer: Answer) {
    // A proposer that went away wants no answer.
    drop(reply.send(answer));
}

#[cfg(test)]
mod tests;
