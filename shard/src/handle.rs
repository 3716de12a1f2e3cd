//! A gateway's way to partitions, whichever core of whichever node they are on.

use std::{rc::Rc, sync::Arc, time::Instant};

use futures_channel::oneshot;
use futures_util::{StreamExt, stream::FuturesUnordered};
use shard_core::{
    format::record_batch::UnassignedBatch,
    model::{LeaderEpoch, Offset, SubscriptionId, TopicPartition},
    peer_wire::{PeerRequest, Repeat},
    replication::{FetchError, FetchReply, FetchRequest},
    trace::TraceContext,
};

use crate::{
    event::ShardEvent,
    limits,
    mailbox::{Mailbox, OfferError},
    mesh::Mesh,
    metrics::ShardMetrics,
    peer::{Error, Forward, Outcome, Question},
    placement::shard_of,
    request::{
        AckAction, AckOutcome, Claim, ConsumerId, CursorStatus, DigestQuery, LeaseId, LogDigest, PartitionStatus,
        PartitionSubscription, PartitionUnavailable, PublishError, PublishTerms, Published, PullRequest, Pulled,
        ReadError, ReadReply, ReadRequest, Reply, Request, SeekTo, SubscriptionError, UndecidedAppend,
    },
    routes::Owner,
    search::{CancelQuery, Cancelled, LetterQuery, Letters, RedriveQuery, Redriven, Scheduled, ScheduledQuery, Search},
    tracer::{SpanKind, Tracer},
};

/// Sends requests to the owners of partitions; one per core, cloned into each connection.
#[derive(Clone, Debug)]
pub struct ShardHandle {
    route: Rc<Route>,
    /// The way to other nodes, if there are any and this handle leads there.
    forward: Option<Forward>,
}

#[derive(Debug)]
struct Route {
    index: usize,
    count: usize,
    local: Mailbox<ShardEvent>,
    mesh: Mesh,
    metrics: Arc<ShardMetrics>,
    tracer: Tracer,
}

impl ShardHandle {
    pub(crate) fn new(
        (index, count): (usize, usize),
        local: Mailbox<ShardEvent>,
        mesh: Mesh,
        (metrics, tracer): (Arc<ShardMetrics>, Tracer),
    ) -> Self {
        Self { route: Rc::new(Route { index, count, local, mesh, metrics, tracer }), forward: None }
    }

    /// The same, for partitions of other nodes as well.
    pub(crate) fn with_peers(self, forward: Forward) -> Self {
        Self { forward: Some(forward), ..self }
    }

    /// The way to other nodes, if there are any.
    pub(crate) const fn forward(&self) -> Option<&Forward> {
        self.forward.as_ref()
    }

    /// A core of another node follows partitions that are led on this core.
    pub(crate) async fn fetch(&self, fetch: FetchRequest) -> Result<FetchReply, FetchError> {
        let (reply, answer) = oneshot::channel();
        let offered = self.route.local.offer(ShardEvent::Request(Request::Fetch { fetch, reply }));
        offered.map_err(|_| FetchError::Stopping)?;
        answer.await.unwrap_or(Err(FetchError::Session))
    }

    /// What begins spans on this core.
    #[must_use]
    pub fn tracer(&self) -> &Tracer {
        &self.route.tracer
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
        self.publish_for(partition, batch, PublishTerms::default()).await
    }

    /// The same on terms of the publisher's.
    ///
    /// # Errors
    /// Those of [`Self::publish`].
    pub async fn publish_for(
        &self,
        partition: TopicPartition,
        batch: UnassignedBatch,
        terms: PublishTerms,
    ) -> Result<Published, PublishError> {
        let Some(forward) = &self.forward else { return self.publish_here(partition, (batch, terms), false).await };
        if forward.owner(partition) != Owner::Us {
            return self.publish_elsewhere(partition, (batch, terms)).await;
        }
        match self.publish_here(partition, (batch.clone(), terms), true).await {
            // It may be a moment until this node knows that others have not taken the partition.
            Err(PublishError::Unavailable(PartitionUnavailable::NoOwner(_))) => {
                self.publish_elsewhere(partition, (batch, terms)).await
            }
            Err(PublishError::Undecided(undecided)) => match self.decide(partition, undecided).await? {
                Some(published) => Ok(published),
                None => self.publish_elsewhere(partition, (batch, terms)).await,
            },
            decided => decided,
        }
    }

    /// Reads batches without a subscription.
    ///
    /// # Errors
    /// A position outside the log, damage, or a partition that can't serve.
    pub async fn read(&self, partition: TopicPartition, read: ReadRequest) -> Result<ReadReply, ReadError> {
        let request = || PeerRequest::Read { partition, read };
        self.ask(partition, request, |reply| Request::Read { partition, read, reply }).await
    }

    /// Describes a partition, closed ones too.
    ///
    /// # Errors
    /// A partition that is not here.
    pub async fn status(&self, partition: TopicPartition) -> Result<PartitionStatus, PartitionUnavailable> {
        let request = || PeerRequest::Status { partition };
        self.ask(partition, request, |reply| Request::Status { partition, reply }).await
    }

    /// Leases messages to a consumer; does not wait for any.
    ///
    /// # Errors
    /// Nothing was leased.
    pub async fn pull(&self, cursor: PartitionSubscription, pull: PullRequest) -> Result<Pulled, SubscriptionError> {
        let request = || PeerRequest::Pull { cursor, pull };
        let pulled = self.ask(cursor.partition, request, |reply| Request::Pull { cursor, pull, reply }).await;
        match &self.forward {
            Some(forward) => forward.settle_pull(cursor.partition, pulled),
            None => pulled,
        }
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
        if self.forward.is_none() {
            return self
                .ask_here(cursor.partition, |reply| Request::Acknowledge { cursor, action, leases, reply })
                .await;
        }
        let request = || PeerRequest::Acknowledge { cursor, action, leases: leases.clone() };
        let here = |reply| Request::Acknowledge { cursor, action, leases: leases.clone(), reply };
        self.ask(cursor.partition, request, here).await
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
        let request = || PeerRequest::AckUpTo { cursor, up_to, claim };
        self.ask(cursor.partition, request, |reply| Request::AckUpTo { cursor, up_to, claim, reply }).await
    }

    /// Sets the cursor; durable when answered, all leases are void.
    ///
    /// # Errors
    /// It is not known to hold.
    pub async fn seek(&self, cursor: PartitionSubscription, to: SeekTo) -> Result<(), SubscriptionError> {
        let request = || PeerRequest::Seek { cursor, to };
        self.ask(cursor.partition, request, |reply| Request::Seek { cursor, to, reply }).await
    }

    /// Describes a subscription's cursor on a partition.
    ///
    /// # Errors
    /// A partition or subscription that is not here.
    pub async fn cursor_status(&self, cursor: PartitionSubscription) -> Result<CursorStatus, SubscriptionError> {
        let request = || PeerRequest::CursorStatus { cursor };
        self.ask(cursor.partition, request, |reply| Request::CursorStatus { cursor, reply }).await
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
        let Some(forward) = &self.forward else { return self.await_deliverable_here(subscription, partitions).await };
        let mut waits = FuturesUnordered::new();
        for group in forward.groups(partitions) {
            waits.push(async move {
                if group.owner != Owner::Us {
                    return forward.await_deliverable(subscription, group).await;
                }
                let version = forward.routes().load().version;
                match self.await_deliverable_here(subscription, &group.partitions).await {
                    // It has moved: whoever waits looks where it is now.
                    Err(PartitionUnavailable::NotHere(_)) => {
                        forward.pause(version, limits::PEER_AWAY_LOOK).await;
                        Ok(())
                    }
                    ended => ended,
                }
            });
        }
        waits.next().await.unwrap_or(Ok(()))
    }

    /// Makes what a consumer holds on a partition deliverable again at once. Best effort: a full queue leaves it to
    /// the ack deadline.
    pub fn release_consumer(&self, cursor: PartitionSubscription, consumer: ConsumerId) {
        if let Some(forward) = &self.forward
            && let Owner::Node(node) = forward.owner(cursor.partition)
        {
            return forward.release_consumer(node, cursor, consumer);
        }
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
        let request = || PeerRequest::Letters(query.clone());
        let search = |reply| Search::Letters { query: query.clone(), reply };
        self.ask(partition, request, |reply| Request::Search { partition, search: search(reply) }).await
    }

    /// Sends dead letters back to where they came from, those in a bounded part of a partition; durable when answered.
    ///
    /// # Errors
    /// What stands there can't be read; or it is not known which of them count as sent back, and those that do not are
    /// letters still, wherever else they are.
    pub async fn redrive(&self, query: RedriveQuery) -> Result<Redriven, SubscriptionError> {
        let partition = query.letters.place.partition;
        let request = || PeerRequest::Redrive(query.clone());
        let search = |reply| Search::Redrive { query: query.clone(), reply };
        self.ask(partition, request, |reply| Request::Search { partition, search: search(reply) }).await
    }

    /// Looks for messages that wait for their time in a bounded part of a partition.
    ///
    /// # Errors
    /// What stands there can't be read.
    pub async fn scheduled(&self, query: ScheduledQuery) -> Result<Scheduled, SubscriptionError> {
        let partition = query.partition;
        let request = || PeerRequest::Scheduled(query);
        let search = |reply| Search::Scheduled { query, reply };
        self.ask(partition, request, |reply| Request::Search { partition, search: search(reply) }).await
    }

    /// Cancels messages that wait for their time, those in a bounded part of a partition; durable when answered.
    ///
    /// # Errors
    /// What stands there can't be read, or it is not known whether they are cancelled.
    pub async fn cancel_scheduled(&self, query: CancelQuery) -> Result<Cancelled, SubscriptionError> {
        let partition = query.partition;
        let request = || PeerRequest::Cancel(query.clone());
        let search = |reply| Search::Cancel { query: query.clone(), reply };
        self.ask(partition, request, |reply| Request::Search { partition, search: search(reply) }).await
    }

    /// Publishes a batch that has come to this core and whose partition is elsewhere, or has gone there meanwhile.
    pub(crate) async fn publish_elsewhere(
        &self,
        partition: TopicPartition,
        (batch, terms): (UnassignedBatch, PublishTerms),
    ) -> Result<Published, PublishError> {
        let Some(forward) = &self.forward else { return Err(PartitionUnavailable::NotHere(partition).into()) };
        let mut span = self.tracer().child(SpanKind::Client, terms.trace, || "forward".into());
        if span.is_recorded() {
            span.set("messaging.destination.partition.id", partition.partition.get().to_string());
        }
        let terms = PublishTerms { trace: span.context().or(terms.trace), ..terms };
        let acks = terms.acks;
        let request = PeerRequest::Publish { partition, acks };
        let repeat = Repeat::of(&request, batch.producer().is_some());
        let bytes = batch.into_bytes();
        let here = async || {
            // It was whole when it came.
            let batch = UnassignedBatch::from_peer(bytes.clone());
            let batch = batch.map_err(|error| PublishError::Rejected { reason: error.to_string() })?;
            self.publish_here(partition, (batch, terms), false).await
        };
        let began = Instant::now();
        loop {
            let (request, tail) = (PeerRequest::Publish { partition, acks }, Some(bytes.clone()));
            let traced = |trace: TraceContext| PeerRequest::PublishTraced { partition, acks, trace: trace.to_bytes() };
            let question = Question { request, tail, repeat, may_be_done: false, traced: terms.trace.map(traced) };
            match Box::pin(forward.ask(partition, question, &here)).await {
                Err(PublishError::Undecided(undecided)) => {
                    if let Some(published) = self.decide(partition, undecided).await? {
                        return Ok(published);
                    }
                    if began.elapsed() > shard_core::limits::PEER_PATIENCE {
                        return Err(PartitionUnavailable::NoOwner(partition).into());
                    }
                }
                decided => {
                    if decided.is_err() {
                        span.fail("not published");
                    }
                    return decided;
                }
            }
        }
    }

    /// Asks whoever leads the partition now what became of a batch; nothing if it is not there and never will be. The log of a
    /// leader in office is the one that counts, and two logs that hold a batch of one epoch at one offset hold the same up to
    /// there.
    async fn decide(
        &self,
        partition: TopicPartition,
        undecided: UndecidedAppend,
    ) -> Result<Option<Published>, PublishError> {
        match self.holds(partition, undecided.epoch, undecided.end).await {
            Ok(is_held) => Ok(is_held.then(|| undecided.committed())),
            Err(error) => {
                tracing::debug!(%partition, %error, "it can't be learned what became of a batch");
                Err(PublishError::Undecided(undecided))
            }
        }
    }

    /// Whether the log of a partition holds what a leader of `epoch` stored below `end`.
    ///
    /// # Errors
    /// Nobody who knows can be asked.
    pub(crate) async fn holds(
        &self,
        partition: TopicPartition,
        epoch: LeaderEpoch,
        end: Offset,
    ) -> Result<bool, PartitionUnavailable> {
        let request = || PeerRequest::Holds { partition, epoch, end };
        self.ask(partition, request, |reply| Request::Holds { partition, epoch, end, reply }).await
    }

    /// What the owner of a partition holds of a stretch of its log.
    ///
    /// # Errors
    /// It can't be asked now.
    pub async fn digest(&self, query: DigestQuery) -> Result<LogDigest, PartitionUnavailable> {
        let request = || PeerRequest::Digest(query);
        self.ask(query.partition, request, |reply| Request::Digest { query, reply }).await
    }

    /// What this node holds of it, whoever leads.
    ///
    /// # Errors
    /// It does not keep the partition, or can't read it now.
    pub async fn digest_here(&self, query: DigestQuery) -> Result<LogDigest, PartitionUnavailable> {
        self.ask_here(query.partition, |reply| Request::Digest { query, reply }).await
    }

    /// What another node holds of it, whoever leads.
    ///
    /// # Errors
    /// It can't be asked, or does not keep the partition, or can't read it now.
    pub async fn digest_at(&self, node: u64, query: DigestQuery) -> Result<LogDigest, PartitionUnavailable> {
        match &self.forward {
            Some(forward) => forward.digest(node, query).await,
            None => Err(PartitionUnavailable::NotHere(query.partition)),
        }
    }

    async fn publish_here(
        &self,
        partition: TopicPartition,
        (batch, terms): (UnassignedBatch, PublishTerms),
        may_pass_on: bool,
    ) -> Result<Published, PublishError> {
        let (reply, answer) = oneshot::channel();
        self.send(partition, Request::Publish { partition, batch, terms, may_pass_on, reply })?;
        answer.await.unwrap_or_else(|_| Err(PublishError::StoreFailed { reason: "the node stopped first".into() }))
    }

    async fn await_deliverable_here(
        &self,
        subscription: SubscriptionId,
        partitions: &[TopicPartition],
    ) -> Result<(), PartitionUnavailable> {
        let mut waits = FuturesUnordered::new();
        for shard in 0..self.route.count {
            let here = |partition: &&TopicPartition| shard_of(**partition, self.route.count) == shard;
            let partitions: Vec<_> = partitions.iter().filter(here).copied().collect();
            if let Some(&first) = partitions.first() {
                waits.push(self.ask_here(first, |reply| Request::AwaitDeliverable { subscription, partitions, reply }));
            }
        }
        waits.next().await.unwrap_or(Ok(()))
    }

    /// Asks the owner of `partition`: here with one kind of request, on another node with the other.
    async fn ask<T, E>(
        &self,
        partition: TopicPartition,
        elsewhere: impl Fn() -> PeerRequest,
        here: impl Fn(Reply<T, E>) -> Request,
    ) -> Result<T, E>
    where
        E: Error,
        Result<T, E>: Outcome,
    {
        let Some(forward) = &self.forward else { return self.ask_here(partition, here).await };
        let mut may_be_done = false;
        if forward.owner(partition) == Owner::Us {
            let answer = self.ask_here(partition, &here).await;
            // A partition that has just gone is asked for where it went.
            match &answer {
                Err(error) if error.is_undecided() => may_be_done = true,
                Err(error) if error.may_pass(true) => {}
                Ok(_) | Err(_) => return answer,
            }
        }
        let request = elsewhere();
        let repeat = Repeat::of(&request, false);
        let question = Question { request, tail: None, repeat, may_be_done, traced: None };
        Box::pin(forward.ask(partition, question, async || self.ask_here(partition, &here).await)).await
    }

    async fn ask_here<T, E: From<PartitionUnavailable>>(
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
