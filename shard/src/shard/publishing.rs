//! Requests as they come, and publishes from append to answer.

use std::rc::Rc;

use shard_core::{
    format::record_batch::UnassignedBatch,
    log::{AppendError, Fate, Placed, ProducerRefusal, Reached},
    model::{LeaderEpoch, Offset, RequestId, Timestamp, TopicPartition},
};

use super::Shard;
use crate::{
    append_spans::AppendSpans,
    clock::Clock,
    limits,
    partition::{Partition, Slot, WaitingPublish},
    request::{
        Durability, PartitionUnavailable, PublishError, PublishTerms, Published, Reply, Request, UndecidedAppend,
    },
    store::{AnyPartition, MessageStore as _},
};

impl Shard {
    pub(super) fn on_request(&mut self, request: Request) {
        let partition = request.partition();
        let is_leaving =
            partition.is_some_and(|partition| self.is_releasing(partition) || self.is_superseded(partition));
        match (request, partition) {
            (Request::Publish { partition, batch, terms, may_pass_on: true, reply }, _)
                if is_leaving || !self.is_served(partition) =>
            {
                self.pass_on(partition, (batch, terms), reply);
            }
            (request, Some(partition)) if is_leaving => request.refuse(PartitionUnavailable::NotHere(partition)),
            (request, Some(partition)) if self.is_cut_off() && self.partitions.contains_key(&partition) => {
                request.refuse(PartitionUnavailable::NoOwner(partition));
            }
            (request, _) => self.serve(request),
        }
    }

    fn serve(&mut self, request: Request) {
        match request {
            Request::Publish { partition, batch, terms, may_pass_on: _, reply } => {
                self.publish(partition, (batch, terms), reply);
            }
            Request::Read { partition, read, reply } => self.read(partition, &read, reply),
            Request::Status { partition, reply } => {
                let _ = reply.send(self.status(partition));
            }
            Request::Pull { cursor, pull, reply } => self.pull(cursor, pull, reply),
            Request::Acknowledge { cursor, action, leases, reply } => self.acknowledge(cursor, action, &leases, reply),
            Request::AckUpTo { cursor, up_to, claim, reply } => self.ack_up_to(cursor, (up_to, claim), reply),
            Request::Seek { cursor, to, reply } => self.seek(cursor, to, reply),
            Request::CursorStatus { cursor, reply } => self.cursor_status(cursor, reply),
            Request::AwaitDeliverable { subscription, partitions, reply } => {
                self.await_deliverable(subscription, &partitions, reply);
            }
            Request::ReleaseConsumer { cursor, consumer } => self.release_consumer(cursor, consumer),
            Request::Search { partition, search } => self.search(partition, search),
            Request::Holds { partition, epoch, end, reply } => drop(reply.send(self.holds(partition, epoch, end))),
            Request::Digest { query, reply } => self.digest(query, reply),
            Request::Fetch { fetch, reply } => self.on_fetch(&fetch, reply),
        }
    }

    /// Whether a partition is this node's to serve.
    fn is_served(&self, partition: TopicPartition) -> bool {
        match self.partitions.get(&partition) {
            Some(Slot::Open(_) | Slot::Opening(_) | Slot::Closed(_)) => true,
            Some(Slot::Assuming(_) | Slot::Following(_)) | None => false,
        }
    }

    /// Whether another node may own what this one has, and may have gone on with it: what this one knows, of messages, of
    /// leases, of what is a repeat, is nothing to go by then.
    fn is_cut_off(&self) -> bool {
        self.config.peers.as_ref().is_some_and(|peers| peers.routes.is_cut_off())
    }

    fn publish(
        &mut self,
        partition: TopicPartition,
        (batch, terms): (UnassignedBatch, PublishTerms),
        reply: Reply<Published, PublishError>,
    ) {
        // What is let in waits as long as the disk does.
        if let Some(reason) = self.stuck() {
            self.metrics.publishes_refused.add(1);
            return drop(reply.send(Err(PublishError::Rejected { reason })));
        }
        let (request, started) = (self.new_request(), self.clock.monotonic());
        let messages = u64::from(batch.record_count());
        let mut spans = AppendSpans::begin(&self.config.tracer, terms.trace, (partition, &batch));
        let bytes = super::widen(batch.len());
        let spare = self.config.dedup_bytes_max.saturating_sub(self.dedup_bytes);
        let place = self.open(partition).and_then(|open| {
            // Whoever does not wait for the others need not care how many there are.
            if !open.log.acks_at_once(terms.acks) {
                open.check_replicas()?;
            }
            Ok(open)
        });
        let refused = match place {
            Ok(open) => match open.append(Clock::wall(), (request, batch, terms.acks), spare) {
                Ok(grown) => {
                    if let Some(spans) = &mut spans {
                        spans.accepted(open.log.log_end());
                        open.publishes_traced += 1;
                    }
                    open.publishes.push_back(WaitingPublish { request, started, messages, reply, spans });
                    self.metrics.bytes_appended.add(bytes);
                    self.dedup_bytes = (self.dedup_bytes + grown.bytes_after).saturating_sub(grown.bytes_before);
                    self.metrics.dedup_forgotten_early.add(grown.forgotten_early);
                    return;
                }
                Err(AppendError::Producer(gap @ ProducerRefusal::Gap { .. })) => {
                    let store = open.store.clone();
                    self.metrics.publishes_refused.add(1);
                    return self.refuse_gap((partition, store), gap, reply);
                }
                Err(error) => refusal(open, error),
            },
            Err(error) => error.into(),
        };
        self.metrics.publishes_refused.add(1);
        if let Some(spans) = spans {
            spans.failed("refused");
        }
        let _ = reply.send(Err(refused));
    }

    /// Tells a producer that it is ahead: that is so for the owner alone. Another node may own the partition and have taken what
    /// is missing here, and this one not know it yet.
    fn refuse_gap(
        &mut self,
        (partition, store): (TopicPartition, AnyPartition),
        gap: ProducerRefusal,
        reply: Reply<Published, PublishError>,
    ) {
        if self.config.peers.is_none() {
            return drop(reply.send(Err(PublishError::Producer(gap))));
        }
        if self.confirming.get() >= limits::CONFIRMATIONS_MAX {
            return drop(reply.send(Err(PartitionUnavailable::Overloaded.into())));
        }
        let confirming = Rc::clone(&self.confirming);
        confirming.set(confirming.get() + 1);
        glommio::spawn_local(async move {
            let refused = match store.confirm().await {
                Ok(()) => PublishError::Producer(gap),
                Err(error) => {
                    tracing::debug!(%partition, %error, "a producer seems to be ahead, and this node may be behind");
                    PartitionUnavailable::NoOwner(partition).into()
                }
            };
            confirming.set(confirming.get() - 1);
            let _ = reply.send(Err(refused));
        })
        .detach();
    }

    /// The partition was here when its publisher looked: the batch follows it.
    fn pass_on(
        &self,
        partition: TopicPartition,
        (batch, terms): (UnassignedBatch, PublishTerms),
        reply: Reply<Published, PublishError>,
    ) {
        let handle = self.handle.clone();
        glommio::spawn_local(async move {
            // A publisher that has gone does not hear of it.
            let _ = reply.send(handle.publish_elsewhere(partition, (batch, terms)).await);
        })
        .detach();
    }

    /// Answers a publisher whose batch is done.
    pub(super) fn acknowledge_publish(
        &self,
        open: &mut Partition,
        request: RequestId,
        (placed, timestamp, reached): (Placed, Timestamp, Reached),
    ) {
        let waiting = take_publisher(open, request);
        let Placed { base_offset, repeats } = placed;
        let repeated = repeats.count(waiting.messages);
        let appended = waiting.messages - repeated;
        self.metrics.messages_appended.add(appended);
        open.appended_to_topic.set(open.appended_to_topic.get() + appended);
        self.metrics.messages_repeated.add(repeated);
        self.metrics.publish_latency.observe(self.clock.monotonic().since(waiting.started));
        if let Some(spans) = waiting.spans {
            spans.done(base_offset, repeated);
        }
        let durability = match reached {
            Reached::Disk => Durability::Leader,
            Reached::Written => Durability::Buffered,
            Reached::Memory => Durability::Memory,
            // What no disk holds is no safer by being in several places.
            Reached::Replicas if open.store.found_reached() == Reached::Memory => Durability::Memory,
            Reached::Replicas => Durability::Quorum,
            Reached::RedisFsync => Durability::RedisFsync,
            Reached::RedisBuffered => Durability::RedisBuffered,
        };
        // A publisher that has gone does not hear of it.
        let _ = waiting.reply.send(Ok(Published { base_offset, repeats, timestamp, durability }));
    }

    /// Whether what an earlier leader stored up to `end` is in the log, and so committed.
    fn holds(
        &mut self,
        partition: TopicPartition,
        epoch: LeaderEpoch,
        end: Offset,
    ) -> Result<bool, PartitionUnavailable> {
        let held = self.open(partition)?.leading.as_ref().and_then(|leading| leading.leader.holds(epoch, end));
        held.ok_or(PartitionUnavailable::NotHere(partition))
    }

    /// Tells a publisher whom to ask what became of its batch.
    pub(super) fn leave_undecided(
        &self,
        open: &mut Partition,
        request: RequestId,
        (placed, timestamp, end): (Placed, Timestamp, Offset),
    ) {
        let waiting = take_publisher(open, request);
        self.metrics.publishes_refused.add(1);
        let (epoch, Placed { base_offset, repeats }) = (open.log.epoch(), placed);
        if let Some(spans) = waiting.spans {
            spans.failed("undecided");
        }
        let undecided = UndecidedAppend { epoch, base_offset, end, repeats, timestamp };
        let _ = waiting.reply.send(Err(PublishError::Undecided(undecided)));
    }

    /// What publishers were told too early is not there, or may not be.
    pub(super) fn note_dropped(&self, open: &Partition, messages: u64) {
        self.metrics.messages_dropped.add(messages);
        let reason = open.log.failure().or(open.log.rejection()).unwrap_or_default();
        tracing::warn!(partition = %open.id, messages, reason, "messages acknowledged from memory were not stored");
    }

    /// Tells a publisher that its batch is not there, or may not be.
    pub(super) fn refuse_publish(&self, open: &mut Partition, request: RequestId, fate: Fate) {
        let waiting = take_publisher(open, request);
        self.metrics.publishes_refused.add(1);
        if let Some(spans) = waiting.spans {
            spans.failed(if fate == Fate::Unknown { "store_failed" } else { "not_stored" });
        }
        let error = match (fate, open.log.failure()) {
            (Fate::NotStored, _) if self.is_superseded(open.id) => PartitionUnavailable::NotHere(open.id).into(),
            (Fate::Unknown, failure) => {
                PublishError::StoreFailed { reason: failure.unwrap_or("the append failed").to_owned() }
            }
            (Fate::NotStored, Some(reason)) => open.refusal(reason).into(),
            (Fate::NotStored, None) => {
                PublishError::Rejected { reason: open.log.rejection().unwrap_or_default().to_owned() }
            }
        };
        let _ = waiting.reply.send(Err(error));
    }
}

/// The publisher of an append. They are answered in their order, but for those of a replicated log that are refused: others
/// before them may wait for the other replicas.
fn take_publisher(open: &mut Partition, request: RequestId) -> WaitingPublish {
    let place = open.publishes.iter().position(|waiting| waiting.request == request);
    let waiting = place.and_then(|place| open.publishes.remove(place)).expect("a publisher waits for each append");
    open.publishes_traced -= usize::from(waiting.spans.is_some());
    waiting
}

fn refusal(open: &Partition, error: AppendError) -> PublishError {
    match error {
        AppendError::Backpressure { unflushed_bytes, unflushed_bytes_max } => {
            PublishError::Backpressure { unflushed_bytes, unflushed_bytes_max }
        }
        AppendError::Failed { reason } => open.refusal(&reason).into(),
        AppendError::Stopping => PartitionUnavailable::Stopping.into(),
        AppendError::Producer(refusal) => PublishError::Producer(refusal),
    }
}
