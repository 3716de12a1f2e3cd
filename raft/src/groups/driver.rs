//! Carries consumers' requests to the coordinator, its proposals to the metadata, and its answers back.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use shard_core::model::{Monotonic, SubscriptionId, Timestamp};
use tokio::{
    sync::{oneshot, watch},
    task::{JoinSet, yield_now},
    time::{Instant, sleep_until},
};

use super::{
    Forwarder, GroupError, Membership,
    coordinator::{Coordinator, Effect, Proposed},
    request::{Answered, Request},
    watches::Watches,
};
use crate::{
    MetadataHandle, ProposeError,
    leader::Leader,
    limits,
    metadata::{ClusterState, Command, GroupChange, Refusal},
};

/// What a gateway wants.
#[derive(Debug)]
pub(crate) enum Call {
    /// An answer of the coordinator, wherever it is.
    Ask { request: Request, reply: oneshot::Sender<Answered> },
    /// An answer of the coordinator, if it is here.
    AskHere { request: Request, reply: oneshot::Sender<Answered> },
    /// To be told of a newer generation.
    Watch(Watch),
}

/// Who waits for a generation above `known`.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) subscription: SubscriptionId,
    pub(crate) consumer_id: Arc<str>,
    pub(crate) known: u64,
    pub(crate) reply: oneshot::Sender<Result<Membership, GroupError>>,
}

/// The task around the coordinator, which is there while this node leads.
#[derive(Debug)]
pub(crate) struct GroupDriver {
    metadata: MetadataHandle,
    leader: Leader,
    started: Instant,
    state: Arc<ClusterState>,
    coordinator: Option<Coordinator<oneshot::Sender<Answered>>>,
    forwarder: Forwarder,
    watches: Watches,
    proposals: JoinSet<(SubscriptionId, Proposed)>,
}

/// What wakes the driver.
enum Wake {
    Stop,
    /// The shards have taken a newer state.
    State,
    Proposed(SubscriptionId, Proposed),
    Call(Call),
    /// A request that was sent to the leader is answered.
    Forwarded,
    Deadline,
}

/// Where the driver is woken from.
pub(crate) struct Wakers {
    pub(crate) calls: flume::Receiver<Call>,
    /// The version that the shards of this node have taken.
    pub(crate) published: watch::Receiver<u64>,
    /// Becomes true, or closed, when the node stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

impl GroupDriver {
    pub(crate) fn new(metadata: MetadataHandle, leader: Leader, forwarder: Forwarder) -> Self {
        let state = metadata.state();
        Self {
            metadata,
            leader,
            started: Instant::now(),
            state,
            coordinator: None,
            forwarder,
            watches: Watches::default(),
            proposals: JoinSet::new(),
        }
    }

    /// Runs until the node stops.
    pub(crate) async fn run(mut self, mut wakers: Wakers) {
        loop {
            let wake = self.next(&mut wakers).await;
            self.coordinate_or_not();
            match wake {
                Wake::Stop => break,
                Wake::State | Wake::Deadline => self.refresh(),
                Wake::Proposed(subscription, proposed) => {
                    // Whoever waits is answered from the state that the proposal led to.
                    self.refresh();
                    let now = self.now();
                    if let Some(coordinator) = &mut self.coordinator {
                        coordinator.on_proposed(now, subscription, proposed);
                    }
                }
                Wake::Call(call) => self.take(call),
                Wake::Forwarded => {}
            }
            // What has arrived is told before time is: a sign of life that lies here came in time.
            for call in wakers.calls.try_iter().take(limits::GROUP_CALLS_WAITING_MAX) {
                self.take(call);
            }
            let now = self.now();
            if let Some(coordinator) = &mut self.coordinator {
                coordinator.on_deadline(now);
            }
            self.perform();
            // However many calls come, the metadata has its turn on this thread, and this loop hears of it.
            yield_now().await;
        }
        self.forwarder.stop();
        for call in wakers.calls.drain() {
            refuse(call);
        }
    }

    async fn next(&mut self, wakers: &mut Wakers) -> Wake {
        let due = self.coordinator.as_ref().and_then(Coordinator::next_deadline);
        let deadline = due.map(|due| self.started + Duration::from_micros(due.as_micros()));
        // Whether this node leads is looked at now and then: nobody tells when a majority stays away.
        let look = Instant::now() + limits::COORDINATOR_LOOK;
        let deadline = sleep_until(deadline.map_or(look, |deadline| deadline.min(look)));
        tokio::select! {
            biased;
            _ = wakers.stopping.wait_for(|stopping| *stopping) => Wake::Stop,
            Some(done) = self.proposals.join_next() => match done {
                Ok((subscription, proposed)) => Wake::Proposed(subscription, proposed),
                // Such a task does not panic, and is aborted only with all others.
                Err(_) => Wake::Deadline,
            },
            published = wakers.published.changed() => if published.is_ok() { Wake::State } else { Wake::Stop },
            call = wakers.calls.recv_async() => call.map_or(Wake::Stop, Wake::Call),
            () = self.forwarder.answered() => Wake::Forwarded,
            () = deadline => Wake::Deadline,
        }
    }

    /// Begins to coordinate when this node leads, and ends it when it does not: a new coordinator gives every member a
    /// whole session, so that a change of the leader moves no partition.
    fn coordinate_or_not(&mut self) {
        match (self.leader.is_here(), &self.coordinator) {
            (true, None) => {
                self.state = self.metadata.state();
                self.watches.on_state(&self.state);
                self.coordinator = Some(Coordinator::new(self.now(), &self.state));
            }
            (false, Some(_)) => {
                // Who waits for an answer is told that it is not known.
                self.coordinator = None;
                self.proposals = JoinSet::new();
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// Takes the newest state, so that nobody is answered from an older one than it has seen.
    fn refresh(&mut self) {
        let newest = self.metadata.state();
        if Arc::ptr_eq(&newest, &self.state) {
            return;
        }
        self.state = newest;
        let now = self.now();
        if let Some(coordinator) = &mut self.coordinator {
            coordinator.on_state(now, &self.state);
        }
        self.watches.on_state(&self.state);
    }

    fn take(&mut self, call: Call) {
        self.refresh();
        match call {
            Call::Ask { request, reply } => {
                let now = self.now();
                match &mut self.coordinator {
                    Some(coordinator) => coordinator.on_request(now, request, reply),
                    None => self.forwarder.add(request, reply),
                }
            }
            Call::AskHere { request, reply } => {
                let now = self.now();
                match &mut self.coordinator {
                    Some(coordinator) => coordinator.on_request(now, request, reply),
                    // Trying again finds who coordinates.
                    None => drop(reply.send(Err(GroupError::Overloaded))),
                }
            }
            Call::Watch(watch) => self.watches.add(&self.state, watch),
        }
    }

    fn perform(&mut self) {
        self.forwarder.perform();
        while let Some(effect) = self.coordinator.as_mut().and_then(Coordinator::poll_effect) {
            match effect {
                Effect::Propose { subscription, changes } => {
                    tracing::debug!(subscription = subscription.get(), ?changes, "a consumer group changes");
                    self.proposals.spawn(propose(self.metadata.clone(), subscription, changes));
                }
                // A consumer that went away wants no answer.
                Effect::Answer { reply, answer } => drop(reply.send(answer)),
            }
        }
    }

    fn now(&self) -> Monotonic {
        Monotonic::default().plus(self.started.elapsed())
    }
}

async fn propose(
    metadata: MetadataHandle,
    subscription: SubscriptionId,
    changes: Vec<GroupChange>,
) -> (SubscriptionId, Proposed) {
    let outcome = metadata.propose(Command::ChangeGroup { subscription, changes, at: wall_clock() }).await;
    let proposed = match outcome {
        Ok(_) => Proposed::Held,
        Err(error) => Proposed::Failed(failure(&error)),
    };
    (subscription, proposed)
}

fn failure(error: &ProposeError) -> GroupError {
    match error {
        ProposeError::Refused(Refusal::GroupNotFound) => GroupError::SubscriptionNotFound,
        // Another node coordinates, or will: trying again finds it.
        ProposeError::Overloaded | ProposeError::NotLeader { .. } => GroupError::Overloaded,
        ProposeError::Stopping => GroupError::Stopping,
        ProposeError::Refused(_)
        | ProposeError::TooLarge { .. }
        | ProposeError::Unknown { .. }
        | ProposeError::NotPublished { .. } => GroupError::Unknown { reason: error.to_string() },
    }
}

fn refuse(call: Call) {
    match call {
        Call::Ask { reply, .. } | Call::AskHere { reply, .. } => drop(reply.send(Err(GroupError::Stopping))),
        Call::Watch(watch) => drop(watch.reply.send(Err(GroupError::Stopping))),
    }
}

fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
