//! Two tasks: one puts waiting commands into the Raft log, the other answers once the shards have what came of them.

use std::time::Duration;

use openraft::error::{ClientWriteError, RaftError};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    coalesce::Batch,
    handle::ProposeError,
    limits,
    metadata::NodeId,
    proposal::{Answer, Proposal},
    type_config::{Applied, CommandBatch, Raft},
};

/// Writes one log entry at a time: openraft waits for its flush anyway, and what arrives meanwhile shares the next.
pub(crate) struct Proposer {
    pub(crate) raft: Raft,
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
        let write = self.raft.client_write(CommandBatch(commands));
        let failure = match timeout(limits::WRITE_WAIT, write).await {
            Ok(Ok(written)) => return self.publish(written.data, replies).await,
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(to)))) => {
                ProposeError::NotLeader { leader: to.leader_id.map(NodeId::new) }
            }
            Ok(Err(error)) => ProposeError::Unknown { reason: error.to_string() },
            Err(elapsed) => ProposeError::Unknown { reason: elapsed.to_string() },
        };
        for reply in replies {
            answer(reply, Err(failure.clone()));
        }
    }

    /// Answers who was refused at once, and hands the others on.
    async fn publish(&self, applied: Applied, replies: Vec<oneshot::Sender<Answer>>) {
        assert_eq!(applied.outcomes.len(), replies.len(), "each command has an outcome");
        let mut answers = Vec::new();
        for (outcome, reply) in applied.outcomes.into_iter().zip(replies) {
            match outcome {
                Ok(outcome) => answers.push((reply, Ok(outcome))),
                Err(refusal) => answer(reply, Err(refusal.into())),
            }
        }
        let publication = Publication::new(applied.version, limits::PUBLICATION_WAIT, answers);
        // The receiver outlives this task; if it is gone all the same, the proposers see that they are not answered.
        drop(self.publications.send(publication).await);
    }
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
            answer(reply, if in_effect { outcome } else { Err(ProposeError::NotPublished { version }) });
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
