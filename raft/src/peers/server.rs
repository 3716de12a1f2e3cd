//! Answers other nodes' questions about the metadata.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use openraft::{
    error::{ClientWriteError, RaftError},
    raft::VoteRequest,
};
use tokio::{sync::watch, time::timeout};

use super::{Heartbeat, Joined, NoLead, Question, Registration, Reply, Sign, message::GroupAnswer};
use crate::{
    controlling::ControllerPort,
    election::Pulse,
    groups::{GroupPort, Request},
    leader::{Leader, quorum_follows},
    limits,
    metadata::{ClusterState, Command, Outcome},
    signs::Contact,
    type_config::{Applied, CommandBatch, Raft},
};

/// Answers for this node from the moment it is given to [`start`](crate::start); until then it says that it is not
/// ready. Clones share it.
#[derive(Clone, Default)]
pub struct PeerServer {
    seat: Arc<OnceLock<Seat>>,
}

/// What answers need of the running metadata.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) raft: Raft,
    pub(crate) applied: watch::Receiver<Arc<ClusterState>>,
    pub(crate) leader: Leader,
    pub(crate) pulse: Pulse,
    pub(crate) controller: ControllerPort,
    pub(crate) groups: GroupPort,
    pub(crate) contact: Contact,
    /// Whether this node belongs to the cluster. Before that it must not take part in Raft: a node whose disk was
    /// wiped has forgotten whom it voted for.
    pub(crate) admitted: Arc<AtomicBool>,
}

impl PeerServer {
    /// Answers one question, as [`Transport::call`](super::Transport::call) brought it. A question that can't be read
    /// is answered with an error like any that can't be answered.
    pub async fn answer(&self, question: &[u8]) -> Vec<u8> {
        let reply = match (self.seat.get(), postcard::from_bytes(question)) {
            (Some(seat), Ok(question)) => Box::pin(seat.answer(question)).await,
            (None, Ok(_)) => unready("it is starting"),
            (_, Err(error)) => unready(&format!("the question can't be read: {error}")),
        };
        postcard::to_stdvec(&reply).unwrap_or_default()
    }

    /// The cluster that this node belongs to, once it does and knows it.
    #[must_use]
    pub fn cluster_id(&self) -> Option<String> {
        let seat = self.seat.get()?;
        let state = seat.applied.borrow();
        (!state.cluster_id().is_empty()).then(|| state.cluster_id().to_owned())
    }

    /// Begins to answer.
    pub(crate) fn open(&self, seat: Seat) {
        // A second start under one server would be a mistake of this crate alone.
        assert!(self.seat.set(seat).is_ok(), "a server answers for one node");
    }
}

impl std::fmt::Debug for PeerServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PeerServer").finish_non_exhaustive()
    }
}

impl Seat {
    async fn answer(&self, question: Question) -> Reply {
        let takes_part = self.admitted.load(Ordering::SeqCst);
        let for_members = matches!(
            question,
            Question::Append(_) | Question::Vote(_) | Question::Snapshot(_) | Question::Canvass(_) | Question::TakeLead
        );
        if for_members && !takes_part {
            return unready("it does not belong to the cluster yet");
        }
        match question {
            Question::Append(request) => {
                let answered = self.raft.append_entries(request).await;
                if answered
                    .as_ref()
                    .is_ok_and(|answer| !matches!(answer, openraft::raft::AppendEntriesResponse::HigherVote(_)))
                {
                    self.pulse.heard();
                }
                Reply::Append(answered)
            }
            Question::Vote(request) => self.vote(request).await,
            Question::Snapshot(request) => {
                let answered = self.raft.install_snapshot(request).await;
                if answered.is_ok() {
                    self.pulse.heard();
                }
                Reply::Snapshot(answered)
            }
            Question::Canvass(canvass) => Reply::Canvass { granted: self.pulse.would_vote(&self.raft, &canvass) },
            Question::TakeLead => {
                self.pulse.invited();
                Reply::TakeLead
            }
            Question::Propose(commands) => self.propose(commands).await,
            Question::Join(registration) => Reply::Join(self.join(registration).await),
            Question::Heartbeat(heartbeat) => Reply::Heartbeat(self.heartbeat(heartbeat)),
            Question::Groups(requests) => Reply::Groups(self.groups(requests).await),
            Question::Leave(leaving) => {
                self.leave(leaving).await;
                Reply::Leave
            }
            Question::Operate(operation) => Reply::Operate(self.operate(operation).await),
        }
    }

    async fn vote(&self, request: VoteRequest<u64>) -> Reply {
        let answered = self.raft.vote(request).await;
        if answered.as_ref().is_ok_and(|answer| answer.vote_granted) {
            self.pulse.heard();
        }
        Reply::Vote(answered)
    }

    /// Writes what clients of another node want, if this node leads. Done twice it may do harm: a topic that was deleted
    /// in between would be there again.
    async fn propose(&self, commands: Vec<Command>) -> Reply {
        if !self.leader.is_here() {
            return Reply::Propose(Err(self.leader.elsewhere()));
        }
        match timeout(limits::WRITE_WAIT, self.raft.client_write(CommandBatch(commands))).await {
            Ok(Ok(written)) => Reply::Propose(Ok(written.data)),
            // Also where Raft says that another node leads: it says so of an entry that it had taken and cut off again,
            // and where five nodes vote another one may have that entry, lead one day, and have it agreed on.
            Ok(Err(_)) | Err(_) => Reply::MayHold,
        }
    }

    /// Writes commands that do no harm twice as one log entry, if this node leads.
    pub(crate) async fn write(&self, commands: Vec<Command>) -> Result<Applied, NoLead> {
        if !self.leader.is_here() {
            return Err(self.leader.elsewhere());
        }
        match timeout(limits::WRITE_WAIT, self.raft.client_write(CommandBatch(commands))).await {
            Ok(Ok(written)) => Ok(written.data),
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_)))) => Err(self.leader.elsewhere()),
            // The asker hears nothing in time, which says as much: it may hold.
            Ok(Err(_)) | Err(_) => std::future::pending().await,
        }
    }

    /// Fences a run of a node that says that it ends.
    pub(crate) async fn leave(&self, leaving: Heartbeat) {
        self.controller.gone(leaving);
        let fence = Command::FenceNode { node: leaving.node, epoch: leaving.epoch };
        if let Err(no_lead) = self.write(vec![fence]).await {
            tracing::debug!(?no_lead, "the leader has changed while a node left");
        }
    }

    pub(crate) async fn join(&self, registration: Registration) -> Result<Joined, NoLead> {
        let node = registration.node;
        let Applied { version, outcomes } = self.write(vec![registration.into()]).await?;
        match outcomes.into_iter().next() {
            Some(Ok(Outcome::NodeJoined { epoch })) => {
                // A node that is alone knows it anyway.
                if self.applied.borrow().nodes().len() > 1 {
                    tracing::info!(node = node.get(), epoch, "a node has joined");
                }
                Ok(Joined::In { epoch })
            }
            Some(Err(refusal)) => {
                tracing::warn!(node = node.get(), %refusal, "a node may not join");
                Ok(Joined::Refused(refusal))
            }
            Some(Ok(_)) | None => Ok(Joined::In { epoch: version }),
        }
    }

    fn heartbeat(&self, heartbeat: Heartbeat) -> Sign {
        self.controller.heard(heartbeat);
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let applied = self.applied.borrow();
        Sign {
            leads: quorum_follows(&metrics),
            follows: metrics.current_leader == Some(heartbeat.node.get()),
            silence_ms: u64::try_from(self.contact.silence().as_millis()).unwrap_or(u64::MAX),
            version: applied.version(),
            removed: applied.is_removed(heartbeat.node),
        }
    }

    async fn groups(&self, requests: Vec<Request>) -> Result<Vec<GroupAnswer>, NoLead> {
        if !self.leader.is_here() {
            return Err(self.leader.elsewhere());
        }
        let answers = self.groups.ask_all(requests).await;
        let version = self.applied.borrow().version();
        Ok(answers.into_iter().map(|answered| GroupAnswer { answered, version }).collect())
    }
}

fn unready(reason: &str) -> Reply {
    Reply::Unready { reason: reason.to_owned() }
}
