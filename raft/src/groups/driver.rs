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
    GroupError, Membership,
    coordinator::{Coordinator, Effect, Proposed},
    request::{Answered, Request},
    watches::Watches,
};
use crate::{
    MetadataHandle, ProposeError, limits,
    metadata::{ClusterState, Command, GroupChange, Refusal},
};

/// What a gateway wants.
#[derive(Debug)]
pub(crate) enum Call {
    /// An answer of the coordinator.
    Ask { request: Request, reply: oneshot::Sender<Answered> },
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

/// The task around the coordinator.
#[derive(Debug)]
pub(crate) struct GroupDriver {
    metadata: MetadataHandle,
    started: Instant,
    state: Arc<ClusterState>,
    coordinator: Coordinator<oneshot::Sender<Answered>>,
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
    pub(crate) fn new(metadata: MetadataHandle) -> Self {
        let state = metadata.state();
        let coordinator = Coordinator::new(Monotonic::default(), &state);
        let (watches, proposals) = (Watches::default(), JoinSet::new());
        Self { metadata, started: Instant::now(), state, coordinator, watches, proposals }
    }

    /// Runs until the node stops.
    pub(crate) async fn run(mut self, mut wakers: Wakers) {
        loop {
            match self.next(&mut wakers).await {
                Wake::Stop => break,
                Wake::State | Wake::Deadline => self.refresh(),
                Wake::Proposed(subscription, proposed) => {
                    // Whoever waits is answered from the state that the proposal led to.
                    self.refresh();
                    self.coordinator.on_proposed(self.now(), subscription, proposed);
                }
                Wake::Call(call) => self.take(call),
            }
            // What has arrived is told before time is: a sign of life that lies here came in time.
            for call in wakers.calls.try_iter().take(limits::GROUP_CALLS_WAITING_MAX) {
                self.take(call);
            }
            self.coordinator.on_deadline(self.now());
            self.perform();
            // However many calls come, the metadata has its turn on this thread, and this loop hears of it.
            yield_now().await;
        }
        for call in wakers.calls.drain() {
            refuse(call);
        }
    }

    async fn next(&mut self, wakers: &mut Wakers) -> Wake {
        let deadline =
            self.coordinator.next_deadline().map(|due| self.started + Duration::from_micros(due.as_micros()));
        let deadline = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = wakers.stopping.wait_for(|stopping| *stopping) => Wake::Stop,
            Some(done) = self.proposals.join_next() => match done {
                Ok((subscription, proposed)) => Wake::Proposed(subscription, proposed),
                // Such a task neither panics nor is it aborted while this one runs.
                Err(_) => Wake::Stop,
            },
            published = wakers.published.changed() => if published.is_ok() { Wake::State } else { Wake::Stop },
            call = wakers.calls.recv_async() => call.map_or(Wake::Stop, Wake::Call),
            () = deadline => Wake::Deadline,
        }
    }

    /// Takes the newest state, so that nobody is answered from an older one than it has seen.
    fn refresh(&mut self) {
        let newest = self.metadata.state();
        if Arc::ptr_eq(&newest, &self.state) {
            return;
        }
        self.state = newest;
        self.coordinator.on_state(self.now(), &self.state);
        self.watches.on_state(&self.state);
    }

    fn take(&mut self, call: Call) {
        self.refresh();
        match call {
            Call::Ask { request, reply } => self.coordinator.on_request(self.now(), request, reply),
            Call::Watch(watch) => self.watches.add(&self.state, watch),
        }
    }

    fn perform(&mut self) {
        while let Some(effect) = self.coordinator.poll_effect() {
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
        Call::Ask { reply, .. } => drop(reply.send(Err(GroupError::Stopping))),
        Call::Watch(watch) => drop(watch.reply.send(Err(GroupError::Stopping))),
    }
}

fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
