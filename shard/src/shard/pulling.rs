//! Pulls: what the dispatcher may lease, read from the cache or from the store.

use std::{cell::RefCell, rc::Rc, time::Duration};

use shard_core::{
    delivery::LeaseRequest,
    format::record_batch::RecordBatch,
    model::{Monotonic, Offset, OffsetRange, SubscriptionId, TopicPartition},
};

use super::{
    Shard,
    distrusting::note_damage,
    looking_ahead::{LookedAt, look_ahead},
};
use crate::{
    event::ShardEvent,
    partition::{Partition, Slot, Subscribed, WaitingAck},
    request::{
        ConsumerId, PartitionSubscription, PartitionUnavailable, PullRequest, Pulled, ReadError, Reply,
        SubscriptionError,
    },
    store::MessageStore as _,
    tail_cache::TailCache,
    waiters::DeliverableWaiter,
};

/// Who pulls from where, and when.
#[derive(Clone, Copy)]
struct Puller<'a> {
    subscription: SubscriptionId,
    pull: &'a PullRequest,
    now: Monotonic,
}

/// What a pull came to.
enum Pull {
    /// An answer.
    Done(Pulled),
    /// These offsets have to be read from the store first.
    Stored(OffsetRange),
    /// So much was looked at that others have their turn first.
    Later,
}

impl Shard {
    pub(super) fn pull(
        &mut self,
        cursor: PartitionSubscription,
        pull: PullRequest,
        reply: Reply<Pulled, SubscriptionError>,
    ) {
        // A consumer that has gone would hold its leases until their deadline.
        if reply.is_canceled() {
            return;
        }
        let now = self.clock.monotonic();
        if let Err(error) = self.open(cursor.partition) {
            return drop(reply.send(Err(error.into())));
        }
        let Some(Slot::Open(open)) = self.partitions.get_mut(&cursor.partition) else { return };
        let who = Puller { subscription: cursor.subscription, pull: &pull, now };
        let pulled = pull_cached(open, &self.cache, who);
        if matches!(pulled, Ok(Pull::Done(_) | Pull::Stored(_))) {
            self.look_further(cursor);
        }
        let Some(Slot::Open(open)) = self.partitions.get_mut(&cursor.partition) else { return };
        match pulled {
            Err(error) => drop(reply.send(Err(error))),
            Ok(Pull::Done(pulled)) => {
                self.metrics.messages_leased.add(super::widen(pulled.leased.len()));
                self.answer(cursor, pulled, reply);
            }
            Ok(Pull::Later) => {
                let read = Ok(Vec::new());
                self.mailbox.push(ShardEvent::PullRead { cursor, pull, read, reply });
            }
            Ok(Pull::Stored(wanted)) => {
                let (store, mailbox) = (open.store.clone(), self.mailbox.clone());
                let place = (cursor.partition, open.has_heirs());
                glommio::spawn_local(async move {
                    let read = note_damage(&mailbox, place, store.read(wanted, pull.bytes_max).await);
                    mailbox.push(ShardEvent::PullRead { cursor, pull, read, reply });
                })
                .detach();
            }
        }
    }

    pub(super) fn on_pull_read(
        &mut self,
        cursor: PartitionSubscription,
        pull: &PullRequest,
        read: Result<Vec<RecordBatch>, ReadError>,
        reply: Reply<Pulled, SubscriptionError>,
    ) {
        if reply.is_canceled() {
            return;
        }
        if let Err(ReadError::Lost { lost }) = read {
            self.pass_over(cursor, lost);
            return self.pull(cursor, *pull, reply);
        }
        let now = self.clock.monotonic();
        let who = Puller { subscription: cursor.subscription, pull, now };
        let leased = self.open(cursor.partition).map_err(SubscriptionError::from).and_then(|open| {
            let batches = read?;
            let mut pulled = Pulled::default();
            for batch in &batches {
                open.subscribed(cursor.subscription)?.scan(batch)?;
            }
            lease(open, who, &mut pulled, batches)?;
            Ok(pulled)
        });
        match leased {
            // What was read holds nothing for now: there may be more behind it.
            Ok(pulled) if pulled.leased.is_empty() => self.pull(cursor, *pull, reply),
            Ok(pulled) => {
                self.metrics.messages_leased.add(super::widen(pulled.leased.len()));
                self.answer(cursor, pulled, reply);
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Hands over what was leased, once the journal has it if it is acked by that.
    fn answer(&mut self, cursor: PartitionSubscription, mut pulled: Pulled, reply: Reply<Pulled, SubscriptionError>) {
        pulled.batches.sort_unstable_by_key(|batch| batch.offsets().start);
        pulled.batches.dedup_by_key(|batch| batch.offsets().start);
        let request = self.new_request();
        let Ok(open) = self.open(cursor.partition) else { return };
        let acked = open.subscribed(cursor.subscription).is_ok_and(|subscribed| subscribed.acks_before_delivery());
        if acked && !pulled.leased.is_empty() {
            open.journaled.insert(request, WaitingAck::Pulled(Box::new(pulled), reply));
            open.journal.release_when_durable(request);
        } else if let Err(Ok(lost)) = reply.send(Ok(pulled)) {
            self.take_back(cursor, &lost);
        }
    }

    /// The consumer has gone meanwhile: what it would have had is deliverable again at once.
    fn take_back(&mut self, cursor: PartitionSubscription, lost: &Pulled) {
        let now = self.clock.monotonic();
        tracing::debug!(?cursor, messages = lost.leased.len(), "a consumer went while it was served");
        let Ok(open) = self.open(cursor.partition) else { return };
        if let Ok(subscribed) = open.subscribed(cursor.subscription) {
            for message in &lost.leased {
                subscribed.dispatcher.nack(now, message.offset, message.lease, Some(Duration::ZERO));
            }
        }
        open.record_changes(cursor.subscription);
    }

    /// A consumer has come to messages that the store has lost.
    fn pass_over(&mut self, cursor: PartitionSubscription, lost: OffsetRange) {
        let Ok(open) = self.open(cursor.partition) else { return };
        if let Ok(subscribed) = open.subscribed(cursor.subscription) {
            let messages = subscribed.dispatcher.on_lost(lost);
            let PartitionSubscription { partition, subscription } = cursor;
            tracing::error!(%partition, %subscription, %lost, messages, "messages are lost, and were never acked");
        }
        open.record_changes(cursor.subscription);
    }

    pub(super) fn await_deliverable(
        &mut self,
        subscription: SubscriptionId,
        partitions: &[TopicPartition],
        reply: Reply<(), PartitionUnavailable>,
    ) {
        let waiter: DeliverableWaiter = Rc::new(RefCell::new(Some(reply)));
        for &partition in partitions {
            let added = self.open(partition).and_then(|open| match open.subscriptions.get_mut(subscription) {
                Some(subscribed) => subscribed.waiters.push(Rc::clone(&waiter)),
                None => Err(PartitionUnavailable::NotHere(partition)),
            });
            if let Err(error) = added {
                if let Some(reply) = waiter.borrow_mut().take() {
                    let _ = reply.send(Err(error));
                }
                return;
            }
        }
    }

    pub(super) fn release_consumer(&mut self, cursor: PartitionSubscription, consumer: ConsumerId) {
        let now = self.clock.monotonic();
        if let Ok(open) = self.open(cursor.partition) {
            if let Ok(subscribed) = open.subscribed(cursor.subscription) {
                subscribed.dispatcher.release_consumer(now, consumer);
            }
            open.record_changes(cursor.subscription);
        }
    }
}

/// Wakes a gateway if there may be messages for it; one that leaves some wakes the next when it has pulled.
pub(super) fn wake_waiter(subscribed: &mut Subscribed, now: Monotonic, high_watermark: Offset) {
    if subscribed.dispatcher.next_due().is_some() {
        subscribed.tell_the_time();
    }
    let dispatcher = &mut subscribed.dispatcher;
    // What was not looked at yet may be for them.
    if dispatcher.next_deliverable(now, high_watermark).is_some() || dispatcher.scan_from(high_watermark).is_some() {
        subscribed.waiters.wake_one();
    }
}

fn pull_cached(open: &mut Partition, cache: &TailCache, who: Puller<'_>) -> Result<Pull, SubscriptionError> {
    let Puller { subscription, pull, now } = who;
    let high_watermark = open.log.high_watermark();
    let mut pulled = Pulled::default();
    let subscribed = open.subscribed(subscription)?;
    if !subscribed.configured {
        return Ok(Pull::Done(pulled));
    }
    subscribed.dispatcher.admit(now, pull.claim, pull.consumer)?;
    let mut bytes = 0;
    let mut looked_at = look_ahead(open, cache, subscription)?;
    while pulled.leased.len() < count(pull) && bytes < pull.bytes_max {
        let subscribed = open.subscribed(subscription)?;
        let Some(first) = subscribed.dispatcher.next_deliverable(now, high_watermark) else {
            match looked_at {
                LookedAt::All => break,
                _ if !pulled.leased.is_empty() => break,
                LookedAt::CacheEndsAt(from) => return Ok(Pull::Stored(OffsetRange::new(from, high_watermark))),
                LookedAt::Enough => return Ok(Pull::Later),
            }
        };
        let wanted = OffsetRange::new(first, high_watermark);
        match cache.read(open.id, wanted, pull.bytes_max - bytes) {
            Some(batches) => {
                bytes += batches.iter().map(|batch| batch.bytes().len()).sum::<usize>();
                lease(open, who, &mut pulled, batches)?;
            }
            None if pulled.leased.is_empty() => return Ok(Pull::Stored(wanted)),
            None => break,
        }
        if looked_at == LookedAt::Enough {
            looked_at = look_ahead(open, cache, subscription)?;
        }
    }
    open.record_changes(subscription);
    Ok(Pull::Done(pulled))
}

/// Leases what is deliverable of `batches`, and keeps those that hold something leased.
fn lease(
    open: &mut Partition,
    who: Puller<'_>,
    pulled: &mut Pulled,
    batches: Vec<RecordBatch>,
) -> Result<(), SubscriptionError> {
    let Puller { subscription, pull, now } = who;
    let (Some(first), Some(last)) = (batches.first(), batches.last()) else { return Ok(()) };
    let readable = OffsetRange::new(first.offsets().start, last.offsets().end);
    let left = count(pull).saturating_sub(pulled.leased.len());
    let request = LeaseRequest {
        readable,
        count: u32::try_from(left).unwrap_or(u32::MAX),
        consumer: pull.consumer,
        deadline: pull.ack_deadline,
        claim: pull.claim,
    };
    let leased = open.subscribed(subscription)?.dispatcher.lease(now, request);
    open.record_changes(subscription);
    let mut offsets: Vec<_> = leased.iter().map(|message| message.offset).collect();
    offsets.sort_unstable();
    let holds = |batch: &RecordBatch| {
        let first_within = offsets.partition_point(|offset| *offset < batch.offsets().start);
        offsets.get(first_within).is_some_and(|offset| *offset < batch.offsets().end)
    };
    pulled.batches.extend(batches.into_iter().filter(holds));
    pulled.leased.extend(leased);
    Ok(())
}

fn count(pull: &PullRequest) -> usize {
    usize::try_from(pull.messages_max).unwrap_or(usize::MAX)
}
