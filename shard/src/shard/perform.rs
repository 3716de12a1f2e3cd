//! From effect to the store, and from its end back to an event.

use std::rc::Rc;

use bytes::Bytes;
use shard_core::{
    delivery::JournalEffect,
    format::record_batch::RecordBatch,
    log::{AppendEffect, AppendEvent},
    model::{Monotonic, Offset, TopicPartition},
};

use super::{Shard, pulling::wake_waiter};
use crate::{
    event::{ShardEvent, StoreEvent},
    partition::{Partition, Slot, WaitingAck},
    request::{PartitionSubscription, PartitionUnavailable, SubscriptionError},
    store::{AnyPartition, AppendFault, CursorsStored, MessageStore as _, StoreError, StoreErrorKind},
};

impl Shard {
    /// Performs what the partitions that had events want done.
    pub(super) fn perform_effects(&mut self) {
        while let Some(partition) = self.touched.pop() {
            // Taken out while it is worked on, so that the shard's other parts can be used beside it.
            match self.partitions.remove(&partition) {
                Some(Slot::Open(mut open)) => {
                    open.touched = false;
                    self.perform(&mut open);
                    self.partitions.insert(partition, Slot::Open(open));
                    self.serve_after(partition);
                }
                Some(slot @ (Slot::Opening(_) | Slot::Closed(_) | Slot::Assuming(_) | Slot::Following(_))) => {
                    self.partitions.insert(partition, slot);
                }
                None => {}
            }
        }
    }

    /// Something that the store did has ended; the end of what an earlier opening did means nothing any more.
    pub(super) fn on_stored(&mut self, partition: TopicPartition, opening: u64, event: StoreEvent) {
        let (now, config) = (self.clock.monotonic(), Rc::clone(&self.config));
        // A partition that was deleted has no more events.
        let Ok(open) = self.open(partition) else { return };
        if open.opening != opening {
            return;
        }
        match event {
            StoreEvent::Log(event) => {
                let (stored, is_ahead) = (matches!(event, AppendEvent::Appended { .. }), open.log.is_ahead());
                if stored {
                    let is_replicated = open.leading.is_some();
                    open.traced().for_each(|spans| spans.on_stored(&config.tracer, is_replicated));
                }
                let rejected = matches!(event, AppendEvent::Rejected { .. });
                if let AppendEvent::Rejected { reason } = &event {
                    // The store tells when that begins and ends; clients hear of each.
                    tracing::debug!(%partition, reason, "the store takes no messages now");
                }
                open.log.on_event(now, event);
                if stored && let Some(leading) = &mut open.leading {
                    leading.leader.on_synced(now, open.log.synced_end());
                    if !is_ahead || std::mem::take(&mut leading.is_owed) {
                        self.sessions.on_data(partition);
                    }
                }
                if rejected {
                    // It may hold batches that are not in the log.
                    self.cache.remove(partition);
                }
            }
            StoreEvent::Cursors(Ok(CursorsStored { replace })) => match &mut open.leading {
                Some(leading) => {
                    leading.cursors_waiting = Some((leading.cursors_in_flight, replace));
                    leading.leader.on_cursors_synced(now, leading.cursors_in_flight);
                }
                None => open.journal.on_stored(replace),
            },
            StoreEvent::Cursors(Err(error)) | StoreEvent::Failed(error) if error.kind == StoreErrorKind::Superseded => {
                self.on_superseded(partition, &error.reason);
            }
            StoreEvent::Cursors(Err(error)) if error.kind == StoreErrorKind::NoRoom => {
                tracing::warn!(%partition, %error, "cursors are not stored until the disk has room");
                open.journal.on_no_room(&error.reason);
            }
            StoreEvent::Cursors(Err(error)) => {
                tracing::error!(%partition, %error, "the partition's cursors can't be stored any more");
                open.journal.on_failed(&error.reason);
                if error.is_transient() {
                    self.on_store_failed(partition, error);
                } else {
                    self.distrust_store(partition, &error);
                }
            }
            StoreEvent::Start(start) => {
                let fell_out = open.on_log_start(start);
                self.metrics.messages_fell_out.add(fell_out);
            }
            StoreEvent::Superseded(reason) => {
                self.on_superseded(partition, &reason);
                if let Ok(open) = self.open(partition) {
                    open.log.on_event(now, AppendEvent::Rejected { reason });
                }
                self.cache.remove(partition);
            }
            StoreEvent::Failed(error) => self.on_store_failed(partition, error),
        }
    }

    fn perform(&mut self, open: &mut Partition) {
        let now = self.clock.monotonic();
        self.perform_leading(open);
        while let Some(effect) = open.log.poll_effect() {
            self.perform_log(open, effect);
        }
        self.settle_subscriptions(open, now);
        while let Some(effect) = open.journal.poll_effect() {
            self.perform_journal(open, effect);
        }
        let deadline = open.next_deadline();
        if deadline != open.alarm_at {
            self.alarm.reset(open.id, open.alarm_at, deadline);
            open.alarm_at = deadline;
        }
    }

    /// Wakes consumers, and sends dead letters off, of the subscriptions that something happened to.
    fn settle_subscriptions(&self, open: &mut Partition, now: Monotonic) {
        let high_watermark = open.log.high_watermark();
        if open.served_to < high_watermark {
            open.subscriptions.touch_waited_at();
        }
        while let Some(subscription) = open.subscriptions.take_touched() {
            let Some(subscribed) = open.subscriptions.settling(subscription) else { continue };
            wake_waiter(subscribed, now, high_watermark);
            let cursor = PartitionSubscription { partition: open.id, subscription };
            self.send_dead_letters(cursor, subscribed, &open.store);
            // Waking looks at deadlines, which may have brought messages back.
            let changes = subscribed.dispatcher.take_changes();
            if !changes.is_empty() {
                open.journal.record(subscription, &changes);
            }
            open.subscriptions.settle(subscription, now);
        }
    }

    /// Answers reads for which there is something now.
    fn serve_after(&mut self, partition: TopicPartition) {
        let Some(Slot::Open(open)) = self.partitions.get(&partition) else { return };
        if open.served_to < open.log.high_watermark() {
            let high_watermark = open.log.high_watermark();
            self.serve_waiting_reads(partition);
            if let Some(Slot::Open(open)) = self.partitions.get_mut(&partition) {
                open.served_to = high_watermark;
            }
        }
    }

    fn perform_log(&mut self, open: &mut Partition, effect: AppendEffect) {
        match effect {
            AppendEffect::Append { batches, durable } => self.append(open, batches, durable),
            AppendEffect::Sync => self.sync(open),
            AppendEffect::Acknowledge { request, placed, timestamp, reached } => {
                self.acknowledge_publish(open, request, (placed, timestamp, reached));
            }
            AppendEffect::Refuse { request, fate } => self.refuse_publish(open, request, fate),
            AppendEffect::Undecided { request, placed, timestamp, end } => {
                self.leave_undecided(open, request, (placed, timestamp, end));
            }
            AppendEffect::Dropped { messages } => self.note_dropped(open, messages),
            AppendEffect::HighWatermark(_) => {}
        }
    }

    fn append(&mut self, open: &mut Partition, batches: Vec<RecordBatch>, durable: bool) {
        self.note_lacking(open, &batches);
        for batch in &batches {
            self.cache.insert(open.id, batch.clone());
        }
        if open.publishes_traced > 0 {
            let end = batches.last().map_or(Offset::ZERO, |batch| batch.offsets().end);
            let bytes = batches.iter().map(|batch| batch.bytes().len()).sum();
            let store = open.store.clone();
            open.traced().for_each(|spans| spans.on_storing(&self.config.tracer, &store, (end, bytes)));
        }
        let is_ahead = self.send_ahead(open, &batches);
        self.have_stored(open, async move |store| match store.append(batches, durable).await {
            Ok(reached) => StoreEvent::Log(AppendEvent::Appended { reached }),
            // Others may have them by now.
            Err(AppendFault::Rejected { reason }) if is_ahead => StoreEvent::Failed(StoreError::new(reason)),
            Err(AppendFault::Rejected { reason }) => StoreEvent::Log(AppendEvent::Rejected { reason }),
            Err(AppendFault::Superseded { reason }) => StoreEvent::Superseded(reason),
            Err(AppendFault::Failed(error)) => StoreEvent::Failed(error),
        });
    }

    fn sync(&self, open: &Partition) {
        self.have_stored(open, async move |store| match store.sync().await {
            Ok(()) => StoreEvent::Log(AppendEvent::Synced),
            Err(error) => StoreEvent::Failed(error),
        });
    }

    /// Has a partition's store do something; how it ends comes back as an event.
    fn have_stored(&self, open: &Partition, work: impl AsyncFnOnce(AnyPartition) -> StoreEvent + 'static) {
        let ((partition, opening), store, mailbox) = (open.place(), open.store.clone(), self.mailbox.clone());
        glommio::spawn_local(async move {
            let event = work(store).await;
            mailbox.push(ShardEvent::Stored { partition, opening, event });
        })
        .detach();
    }

    fn perform_journal(&mut self, open: &mut Partition, effect: JournalEffect) {
        match effect {
            JournalEffect::TakeSnapshot => {
                let states = open.subscriptions.iter().map(|(id, subscribed)| (id, subscribed.dispatcher.state()));
                open.journal.replace(states.chain(open.marks.states()));
            }
            JournalEffect::AppendCursors { entries } => {
                if let Some(leading) = &mut open.leading {
                    leading.cursors_in_flight = leading.feed.push(Bytes::copy_from_slice(&entries));
                    self.sessions.on_data(open.id);
                }
                self.have_stored(open, async move |store| StoreEvent::Cursors(store.append_cursors(entries).await));
            }
            JournalEffect::ReplaceCursors { entries } => {
                if let Some(leading) = &mut open.leading {
                    leading.cursors_in_flight = leading.feed.replace();
                    self.sessions.on_data(open.id);
                }
                self.have_stored(open, async move |store| StoreEvent::Cursors(store.replace_cursors(entries).await));
            }
            JournalEffect::Release { request } => match open.journaled.remove(&request) {
                Some(WaitingAck::Outcomes(outcomes, reply)) => drop(reply.send(Ok(outcomes))),
                Some(WaitingAck::Done(reply)) => drop(reply.send(Ok(()))),
                // If the consumer has gone, they are lost: that is what it asked for.
                Some(WaitingAck::Pulled(pulled, reply)) => drop(reply.send(Ok(*pulled))),
                Some(WaitingAck::Searched(answer)) => answer.give(),
                Some(WaitingAck::Applying(applying)) => drop(applying),
                None => {}
            },
            JournalEffect::Refuse { request, reason } => {
                if let Some(ack) = open.journaled.remove(&request) {
                    ack.refuse(if self.is_superseded(open.id) {
                        PartitionUnavailable::NotHere(open.id).into()
                    } else if open.releasing.is_some() && open.leading.is_some() {
                        // Others may have it: that is for whoever leads next to say.
                        SubscriptionError::Undecided(open.id)
                    } else {
                        SubscriptionError::StoreFailed { reason }
                    });
                }
            }
        }
    }
}
