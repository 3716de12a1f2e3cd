//! The control thread's way to the shards, whose handles never leave their cores: requests go over a queue to each core.

use std::time::Duration;

use futures_channel::oneshot;
use futures_util::future::{Either, select};
use shard::{
    AckAction, AckOutcome, ConsumerId, LeaseId, PartitionSubscription, PartitionUnavailable, PullRequest, ShardHandle,
    SubscriptionError,
};
use shard_core::model::{Offset, SubscriptionId, TopicPartition};

use super::message::{PushMessage, leased_messages};
use crate::limits;

/// Asks one core. Clones share its queue.
#[derive(Clone, Debug)]
pub(crate) struct PushPort {
    requests: flume::Sender<PortRequest>,
}

/// The other end of a port, on its core.
#[derive(Debug)]
pub(crate) struct PortEnd {
    requests: flume::Receiver<PortRequest>,
}

/// What to lease.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    /// Where, in this order.
    pub(super) cursors: Vec<PartitionSubscription>,
    /// How many messages at most.
    pub(super) messages_max: u32,
    /// For how long.
    pub(super) duration: Duration,
}

/// A message that is in our hands, and what becomes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settlement {
    /// Where it was leased.
    pub(super) cursor: PartitionSubscription,
    /// Its place.
    pub(super) offset: Offset,
    /// The lease.
    pub(super) lease: LeaseId,
    /// What becomes of it.
    pub(super) action: AckAction,
}

/// Why a core gave no answer, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct PortError(String);

#[derive(Debug)]
enum PortRequest {
    Lease {
        lease: Lease,
        reply: oneshot::Sender<Result<Vec<PushMessage>, PortError>>,
    },
    Await {
        subscription: SubscriptionId,
        partitions: Vec<TopicPartition>,
        reply: oneshot::Sender<Result<(), PortError>>,
    },
    Settle {
        settlement: Settlement,
        reply: oneshot::Sender<Result<AckOutcome, PortError>>,
    },
}

/// A port and its end.
pub(crate) fn port() -> (PushPort, PortEnd) {
    let (sender, requests) = flume::bounded(limits::PUSH_REQUESTS_MAX);
    (PushPort { requests: sender }, PortEnd { requests })
}

impl PushPort {
    /// Leases messages; does not wait for any. If it is dropped, what was leased is given back.
    pub(super) async fn lease(&self, lease: Lease) -> Result<Vec<PushMessage>, PortError> {
        self.ask(|reply| PortRequest::Lease { lease, reply }).await?
    }

    /// Returns when a lease may give something.
    pub(super) async fn await_deliverable(
        &self,
        subscription: SubscriptionId,
        partitions: Vec<TopicPartition>,
    ) -> Result<(), PortError> {
        self.ask(|reply| PortRequest::Await { subscription, partitions, reply }).await?
    }

    /// Says what becomes of a message; durable when answered.
    pub(super) async fn settle(&self, settlement: Settlement) -> Result<AckOutcome, PortError> {
        self.ask(|reply| PortRequest::Settle { settlement, reply }).await?
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> PortRequest) -> Result<T, PortError> {
        let gone = || PortError("the core has ended".to_owned());
        let (reply, answer) = oneshot::channel();
        self.requests.send_async(request(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}

/// Serves what comes through a port, each request as a task of its own, until the control thread has gone.
pub(crate) async fn serve(end: PortEnd, shards: ShardHandle) {
    while let Ok(request) = end.requests.recv_async().await {
        let shards = shards.clone();
        glommio::spawn_local(async move { perform(request, &shards).await }).detach();
    }
}

async fn perform(request: PortRequest, shards: &ShardHandle) {
    match request {
        PortRequest::Lease { lease, reply } => {
            if let Err(Ok(unwanted)) = reply.send(lease_all(&lease, shards).await) {
                give_back(unwanted, shards).await;
            }
        }
        PortRequest::Await { subscription, partitions, mut reply } => {
            let waiting = std::pin::pin!(await_deliverable(shards, subscription, partitions));
            if let Either::Left((ended, _)) = select(waiting, reply.cancellation()).await {
                drop(reply.send(ended.map_err(|error| PortError(error.to_string()))));
            }
        }
        PortRequest::Settle { settlement, reply } => {
            drop(reply.send(settle(settlement, shards).await));
        }
    }
}

/// Leases from one partition after the other. A failure is one only if no partition gave a message, and a closed one
/// only if all are: it holds up none of the others.
async fn lease_all(lease: &Lease, shards: &ShardHandle) -> Result<Vec<PushMessage>, PortError> {
    let mut messages = Vec::new();
    let (mut answered, mut closed, mut failed) = (false, None, None);
    for &cursor in &lease.cursors {
        let left = lease.messages_max.saturating_sub(u32::try_from(messages.len()).unwrap_or(u32::MAX));
        if left == 0 {
            break;
        }
        let request = PullRequest {
            messages_max: left,
            bytes_max: limits::PUSH_LEASE_BYTES,
            ack_deadline: Some(lease.duration),
            // The leases are given back one by one; those of a node that dies end with it.
            consumer: ConsumerId::default(),
            claim: None,
        };
        match shards.pull(cursor, request).await {
            Ok(pulled) => match leased_messages(cursor, &pulled) {
                Ok(leased) => {
                    answered = true;
                    messages.extend(leased);
                }
                Err(error) => failed = Some(error.to_string()),
            },
            Err(error @ SubscriptionError::Unavailable(PartitionUnavailable::Closed { .. })) => {
                closed = Some(error.to_string());
            }
            Err(error) => failed = Some(error.to_string()),
        }
    }
    match failed.or(closed.filter(|_| !answered)) {
        Some(reason) if messages.is_empty() => Err(PortError(reason)),
        Some(_) | None => Ok(messages),
    }
}

/// Nobody waits for these messages any more: they are for the next who asks.
async fn give_back(messages: Vec<PushMessage>, shards: &ShardHandle) {
    for message in messages {
        let action = AckAction::Nack { delay: Some(Duration::ZERO) };
        if let Err(error) = settle(message.settlement(action), shards).await {
            tracing::debug!(%error, "a message that was leased in vain waits for its deadline");
        }
    }
}

async fn settle(settlement: Settlement, shards: &ShardHandle) -> Result<AckOutcome, PortError> {
    let Settlement { cursor, offset, lease, action } = settlement;
    let outcomes = shards.acknowledge(cursor, action, vec![(offset, lease)]).await;
    let outcomes = outcomes.map_err(|error| PortError(error.to_string()))?;
    outcomes.first().copied().ok_or_else(|| PortError("the shard gave no outcome".to_owned()))
}

async fn await_deliverable(
    shards: &ShardHandle,
    subscription: SubscriptionId,
    mut open: Vec<TopicPartition>,
) -> Result<(), PartitionUnavailable> {
    loop {
        match shards.await_deliverable(subscription, &open).await {
            Err(PartitionUnavailable::Closed { partition, .. }) if open.len() > 1 && open.contains(&partition) => {
                open.retain(|candidate| *candidate != partition);
            }
            ended => return ended,
        }
    }
}
