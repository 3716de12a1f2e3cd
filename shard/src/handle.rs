//! A gateway's way to the partitions of the node, whichever core they are on.

use std::{rc::Rc, sync::Arc};

use futures_channel::oneshot;
use futures_util::{StreamExt, stream::FuturesUnordered};
use shard_core::{
    format::record_batch::UnassignedBatch,
    model::{Offset, SubscriptionId, TopicPartition},
};

use crate::{
    event::ShardEvent,
    mailbox::{Mailbox, OfferError},
    mesh::Mesh,
    metrics::ShardMetrics,
    placement::shard_of,
    request::{
        AckAction, AckOutcome, Claim, ConsumerId, CursorStatus, LeaseId, PartitionStatus, PartitionSubscription,
        PartitionUnavailable, PublishError, Published, PullRequest, Pulled, ReadError, ReadReply, ReadRequest, Reply,
        Request, SeekTo, SubscriptionError,
    },
    search::{CancelQuery, Cancelled, LetterQuery, Letters, RedriveQuery, Redriven, Scheduled, ScheduledQuery, Search},
};

/// Sends requests to the owners of partitions; one per core, cloned into each connection.
#[derive(Clone, Debug)]
pub struct ShardHandle {
    route: Rc<Route>,
}

#[derive(Debug)]
struct Route {
    index: usize,
    count: usize,
    local: Mailbox<ShardEvent>,
    mesh: Mesh,
    metrics: Arc<ShardMetrics>,
}

impl ShardHandle {
    pub(crate) fn new(
        (index, count): (usize, usize),
        local: Mailbox<ShardEvent>,
        mesh: Mesh,
        metrics: Arc<ShardMetrics>,
    ) -> Self {
        Self { route: Rc::new(Route { index, count, local, mesh, metrics }) }
    }

    /// How many shards the node has.
    #[must_use]
    pub fn shard_count(&self) -> usize {
        self.route.count
    }

    /// Publishes one batch; answered when it is as durable as the partition's configuration says.
    ///
    /// # Errors
    /// Says whether the batch may be there all the same.
    pub async fn publish(&self, partition: TopicPartition, batch: UnassignedBatch) -> Result<Published, PublishError> {
        let (reply, answer) = oneshot::channel();
        self.send(partition, Request::Publish { partition, batch, reply })?;
        answer.await.unwrap_or_else(|_| Err(PublishError::StoreFailed { reason: "the node stopped first".into() }))
    }

    /// Reads batches without a subscription.
    ///
    /// # Errors
    /// A position outside the log, damage, or a partition that can't serve.
    pub async fn read(&self, partition: TopicPartition, read: ReadRequest) -> Result<ReadReply, ReadError> {
        self.ask(partition, |reply| Request::Read { partition, read, reply }).await
    }

    /// Describes a partition, closed ones too.
    ///
    /// # Errors
    /// A partition that is not here.
    pub async fn status(&self, partition: TopicPartition) -> Result<PartitionStatus, PartitionUnavailable> {
        self.ask(partition, |reply| Request::Status { partition, reply }).await
    }

    /// Leases messages to a consumer; does not wait for any.
    ///
    /// # Errors
    /// Nothing was leased.
    pub async fn pull(&self, cursor: PartitionSubscription, pull: PullRequest) -> Result<Pulled, SubscriptionError> {
        self.ask(cursor.partition, |reply| Request::Pull { cursor, pull, reply }).await
    }

    /// Acks, nacks or extends leases; outcomes are in the order of `leases` and durable.
    ///
    /// # Errors
    /// None of them is known to hold.
    pub async fn acknowledge(
        &self,
        cursor: PartitionSubscription,
        action: AckAction,
        leases: Vec<(Offset, LeaseId)>,
    ) -> Result<Vec<AckOutcome>, SubscriptionError> {
        self.ask(cursor.partition, |reply| Request::Acknowledge { cursor, action, leases, reply }).await
    }

    /// Acks every offset up to and with `up_to`; durable when answered. Where partitions are assigned, `claim` says why
    /// the consumer may.
    ///
    /// # Errors
    /// It is not known to hold, or the claim is not borne out and nothing was changed.
    pub async fn ack_up_to(
        &self,
        cursor: PartitionSubscription,
        up_to: Offset,
        claim: Option<Claim>,
    ) -> Result<(), SubscriptionError> {
        self.ask(cursor.partition, |reply| Request::AckUpTo { cursor, up_to, claim, reply }).await
    }

    /// Sets the cursor; durable when answered, all leases are void.
    ///
    /// # Errors
    /// It is not known to hold.
    pub async fn seek(&self, cursor: PartitionSubscription, to: SeekTo) -> Result<(), SubscriptionError> {
        self.ask(cursor.partition, |reply| Request::Seek { cursor, to, reply }).await
    }

    /// Describes a subscription's cursor on a partition.
    ///
    /// # Errors
    /// A partition or subscription that is not here.
    pub async fn cursor_status(&self, cursor: PartitionSubscription) -> Result<CursorStatus, SubscriptionError> {
        self.ask(cursor.partition, |reply| Request::CursorStatus { cursor, reply }).await
    }

    /// Returns when a pull on one of `partitions` of the subscription may give something; dropping it is safe.
    /// Several may be woken for one message: the first pull gets it.
    ///
    /// # Errors
    /// A core that can't serve, or a subscription that is not on a partition.
    pub async fn await_deliverable(
        &self,
        subscription: SubscriptionId,
        partitions: &[TopicPartition],
    ) -> Result<(), PartitionUnavailable> {
        let mut waits = FuturesUnordered::new();
        for shard in 0..self.route.count {
            let here = |partition: &&TopicPartition| shard_of(**partition, self.route.count) == shard;
            let partitions: Vec<_> = partitions.iter().filter(here).copied().collect();
            if let Some(&first) = partitions.first() {
                waits.push(self.ask(first, |reply| Request::AwaitDeliverable { subscription, partitions, reply }));
            }
        }
        waits.next().await.unwrap_or(Ok(()))
    }

    /// Makes what a consumer holds on a partition deliverable again at once. Best effort: a full queue leaves it to
    /// the ack deadline.
    pub fn release_consumer(&self, cursor: PartitionSubscription, consumer: ConsumerId) {
        if self.send(cursor.partition, Request::ReleaseConsumer { cursor, consumer }).is_err() {
            tracing::debug!(partition = %cursor.partition, "leases of a gone consumer wait for their deadline");
        }
    }

    /// Looks for dead letters of a subscription in a bounded part of a partition.
    ///
    /// # Errors
    /// What stands there can't be read.
    pub async fn letters(&self, query: LetterQuery) -> Result<Letters, SubscriptionError> {
        let partition = query.place.partition;
        self.ask(partition, |reply| Request::Search { partition, search: Search::Letters { query, reply } }).await
    }

    /// Sends dead letters back to where they came from, those in a bounded part of a partition; durable when answered.
    ///
    /// # Errors
    /// What stands there can't be read; or it is not known which of them count as sent back, and those that do not are
    /// letters still, wherever else they are.
    pub async fn redrive(&self, query: RedriveQuery) -> Result<Redriven, SubscriptionError> {
        let partition = query.letters.place.partition;
        self.ask(partition, |reply| Request::Search { partition, search: Search::Redrive { query, reply } }).await
    }

    /// Looks for messages that wait for their time in a bounded part of a partition.
    ///
    /// # Errors
    /// What stands there can't be read.
    pub async fn scheduled(&self, query: ScheduledQuery) -> Result<Scheduled, SubscriptionError> {
        let partition = query.partition;
        self.ask(partition, |reply| Request::Search { partition, search: Search::Scheduled { query, reply } }).await
    }

    /// Cancels messages that wait for their time, those in a bounded part of a partition; durable when answered.
    ///
    /// # Errors
    /// What stands there can't be read, or it is not known whether they are cancelled.
    pub async fn cancel_scheduled(&self, query: CancelQuery) -> Result<Cancelled, SubscriptionError> {
        let partition = query.partition;
        self.ask(partition, |reply| Request::Search { partition, search: Search::Cancel { query, reply } }).await
    }

    async fn ask<T, E: From<PartitionUnavailable>>(
        &self,
        partition: TopicPartition,
        request: impl FnOnce(Reply<T, E>) -> Request,
    ) -> Result<T, E> {
        let (reply, answer) = oneshot::channel();
        self.send(partition, request(reply))?;
        answer.await.unwrap_or_else(|_| Err(PartitionUnavailable::Stopping.into()))
    }

    fn send(&self, partition: TopicPartition, request: Request) -> Result<(), PartitionUnavailable> {
        let owner = shard_of(partition, self.route.count);
        if owner != self.route.index {
            self.route.metrics.requests_forwarded.add(1);
            return self.route.mesh.send(owner, request).map_err(|()| PartitionUnavailable::Overloaded);
        }
        self.route.local.offer(ShardEvent::Request(request)).map_err(|error| match error {
            OfferError::Full(_) => PartitionUnavailable::Overloaded,
            OfferError::Closed(_) => PartitionUnavailable::Stopping,
        })
    }
}
