//! The task that brings what operators want to whoever leads.

use std::time::Duration;

use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{ClusterHandle, OperateError, Operated, Operation};
use crate::{
    leader::Lead,
    limits,
    metadata::NodeId,
    peers::{CallError, Question, Reply, Seat},
    signs::Contact,
};

/// Something that an operator wants, and who waits for it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    pub(crate) reply: oneshot::Sender<Result<Operated, OperateError>>,
}

/// Asks the leader, for each call in a task of its own.
pub(crate) struct OperatorDriver {
    way: Way,
    calls: flume::Receiver<Call>,
}

/// What a call needs.
#[derive(Clone)]
struct Way {
    seat: Seat,
    contact: Contact,
    /// The version that the shards of this node have taken.
    published: watch::Receiver<u64>,
}

impl OperatorDriver {
    pub(crate) fn new(seat: Seat, contact: Contact, published: watch::Receiver<u64>) -> (ClusterHandle, Self) {
        let (sender, calls) = flume::bounded(limits::OPERATIONS_WAITING_MAX);
        (ClusterHandle { calls: sender }, Self { way: Way { seat, contact, published }, calls })
    }

    /// Runs until the node stops or nobody can ask any more.
    pub(crate) async fn run(self, mut stopping: watch::Receiver<bool>) {
        let mut running = JoinSet::new();
        loop {
            let has_room = running.len() < limits::OPERATIONS_WAITING_MAX;
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return,
                Some(_) = running.join_next() => {}
                call = self.calls.recv_async(), if has_room => match call {
                    Ok(Call { operation, reply }) => {
                        let way = self.way.clone();
                        running.spawn(async move {
                            // Who went away wants no answer.
                            drop(reply.send(way.perform(operation).await));
                        });
                    }
                    Err(flume::RecvError::Disconnected) => return,
                },
            }
        }
    }
}

impl Way {
    async fn perform(mut self, operation: Operation) -> Result<Operated, OperateError> {
        if operation == Operation::Describe {
            return Ok(self.describe().await);
        }
        let operated = self.ask(operation, limits::LEADER_WAIT).await?;
        match (operation, &operated) {
            (Operation::Lead { to }, Operated::Done { .. }) => self.await_leader(to).await,
            (_, Operated::Done { version }) => self.await_published(*version).await,
            (_, Operated::Described(_) | Operated::Refused(_)) => {}
        }
        Ok(operated)
    }

    /// What the leader says, or what this node knows; how this node stands is its own to say.
    async fn describe(&self) -> Operated {
        let here = self.seat.standing();
        let asked = timeout(limits::DESCRIBE_WAIT, self.ask(Operation::Describe, limits::DESCRIBE_WAIT)).await;
        let mut standing = match asked {
            Ok(Ok(Operated::Described(standing))) => standing,
            Ok(Ok(_) | Err(_)) | Err(_) => here.clone(),
        };
        standing.applied_index = here.applied_index;
        standing.silence = self.contact.silence();
        Operated::Described(standing)
    }

    /// Asks whoever leads, and another one as long as it is certain that nobody has taken the question.
    async fn ask(&self, operation: Operation, patience: Duration) -> Result<Operated, OperateError> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let replied = match self.seat.leader.wait(left).await {
                None => return Err(OperateError::NoLeader),
                Some(Lead::Here) => match timeout(limits::OPERATION_WAIT, self.seat.operate(operation)).await {
                    Ok(answered) => Ok(Reply::Operate(answered)),
                    Err(elapsed) => Err(CallError::Lost { reason: elapsed.to_string() }),
                },
                Some(Lead::At(peer)) => {
                    let peers = self.seat.leader.peers();
                    peers.ask(peer, &Question::Operate(operation), limits::OPERATION_WAIT).await
                }
            };
            match replied {
                Ok(Reply::Operate(Ok(operated))) => return Ok(operated),
                Ok(Reply::Operate(Err(_)) | Reply::Unready { .. }) | Err(CallError::Unreachable { .. }) => {}
                Ok(_) => return Err(super::other_answer()),
                Err(error @ CallError::Lost { .. }) => return Err(OperateError::Unknown { reason: error.to_string() }),
            }
            if Instant::now() >= deadline {
                return Err(OperateError::NoLeader);
            }
            sleep(limits::LEADER_LOOK).await;
        }
    }

    /// Waits until this node knows what was changed, but not for ever: it may be behind.
    async fn await_published(&mut self, version: u64) {
        let known = self.published.wait_for(|published| *published >= version);
        drop(timeout(limits::OPERATION_PUBLICATION_WAIT, known).await);
    }

    /// Waits until this node knows who leads now, but not for ever.
    async fn await_leader(&self, wanted: Option<NodeId>) {
        let mut metrics = self.seat.raft.metrics();
        let known = metrics.wait_for(|metrics| match wanted {
            Some(node) => metrics.current_leader == Some(node.get()),
            None => metrics.current_leader.is_some(),
        });
        drop(timeout(limits::OPERATION_PUBLICATION_WAIT, known).await);
    }
}
