//! What a shard does from time to time, and how it stops.

use futures_channel::oneshot;
use shard_core::{
    limits::DEDUP_FORGET_PER_ROUND_MAX,
    log::{IoHealth, Retention},
    model::TopicPartition,
};

use super::{Shard, changes::retention, tasks};
use crate::{
    clock::Clock,
    event::ShardEvent,
    partition::{Closing, Partition, Slot},
    request::PartitionUnavailable,
    store::{MessageStore as _, ShardStore as _},
};

impl Shard {
    pub(super) fn on_tick(&mut self) {
        self.alarm.ticked();
        let now = self.clock.monotonic();
        while let Some(partition) = self.alarm.take_due(now) {
            let Ok(open) = self.open(partition) else { continue };
            open.alarm_at = None;
            open.log.on_deadline(now);
            while let Some(subscription) = open.subscriptions.take_due(now) {
                if let Ok(subscribed) = open.subscribed(subscription) {
                    subscribed.dispatcher.on_deadline(now);
                    subscribed.tell_the_time();
                }
                open.record_changes(subscription);
            }
            self.expire_waiting_reads(partition);
        }
    }

    /// Lets go of what need not be remembered of earlier publishes, and sees what the rest takes.
    pub(super) fn forget_expired(&mut self) {
        let now = Clock::wall();
        let (mut bytes, mut left) = (0, DEDUP_FORGET_PER_ROUND_MAX);
        for slot in self.partitions.values_mut() {
            let Slot::Open(open) = slot else { continue };
            left -= open.log.forget_expired(now, left);
            bytes += open.log.dedup().bytes();
        }
        self.dedup_bytes = bytes;
        self.metrics.dedup_bytes.set(super::widen(bytes));
    }

    /// Begins a round of retention over all partitions, unless the last one is still under way.
    pub(super) fn enforce_retention(&mut self) {
        if self.retaining || self.stopping.is_some() {
            return;
        }
        let whole = self.open_partitions().filter(|open| open.log.failure().is_none());
        let round = |open: &Partition| {
            // What is not committed is not given up either.
            let below = open.leading.as_ref().map(|leading| leading.leader.high_watermark());
            let keep = Retention { below, ..open.retention };
            (open.place(), open.store.clone(), keep, open.log.readable().start)
        };
        let partitions = whole.map(round).collect();
        self.retain_followed();
        self.retaining = true;
        tasks::retain(partitions, Clock::wall(), self.mailbox.clone());
    }

    /// Begins a round of retention on each partition that is followed and has nothing else to do with its log.
    fn retain_followed(&mut self) {
        let now = Clock::wall();
        for slot in self.partitions.values_mut() {
            let Slot::Following(following) = slot else { continue };
            if !following.can_retain() {
                continue;
            }
            following.retaining = true;
            let keep = Retention { below: Some(following.follower.high_watermark()), ..retention(&following.settings) };
            let (partition, store, mailbox) = (following.id, following.store.clone(), self.mailbox.clone());
            glommio::spawn_local(async move {
                let start = store.retain(now, keep).await.ok();
                mailbox.push(ShardEvent::FollowedStart { partition, start });
            })
            .detach();
        }
    }

    /// Notes how long the disk has not answered, and says so when that changes.
    pub(super) fn look_at_io(&mut self) {
        let oldest = self.store.oldest_io();
        self.metrics.oldest_io_micros.set(u64::try_from(oldest.as_micros()).unwrap_or(u64::MAX));
        let (shard, seconds) = (self.config.index, oldest.as_secs_f64());
        match self.watch.look(oldest) {
            Some(IoHealth::Slow) => tracing::warn!(shard, seconds, "an operation on the disk takes long"),
            Some(IoHealth::Stuck) => tracing::error!(shard, seconds, "the disk does not answer: publishes are refused"),
            Some(IoHealth::Answers) => tracing::info!(shard, "the disk answers again"),
            None => {}
        }
    }

    /// Why nothing new is taken, if the disk has not answered for so long.
    pub(super) fn stuck(&self) -> Option<String> {
        let oldest = self.store.oldest_io();
        let reason = || format!("the disk has not answered for {} s", oldest.as_secs_f64());
        self.watch.refuses(oldest).then(reason)
    }

    /// Has the store write down what a start after a crash should know, if that has changed.
    pub(super) fn checkpoint(&mut self) {
        if self.checkpointing {
            return;
        }
        self.checkpointing = true;
        let (store, mailbox) = (self.store.clone(), self.mailbox.clone());
        glommio::spawn_local(async move {
            if let Err(error) = store.checkpoint().await {
                tracing::warn!(%error, "what is durable could not be written down");
            }
            mailbox.push(ShardEvent::CheckpointDone);
        })
        .detach();
    }

    pub(super) fn begin_stop(&mut self, done: oneshot::Sender<()>) {
        self.mailbox.close();
        self.stopping = Some(done);
        self.sessions.clear();
        let partitions: Vec<_> = self.partitions.keys().copied().collect();
        for partition in partitions {
            self.release_followed(partition, None);
            let Ok(open) = self.open(partition) else { continue };
            open.log.begin_shutdown();
            // Another one leads soon, or nobody does: it is not known whether the others have it.
            open.log.give_up_uncommitted();
            for waiting in open.reads.take_all() {
                let _ = waiting.reply.send(Err(PartitionUnavailable::Stopping.into()));
            }
            open.subscriptions.for_each(|subscribed| subscribed.waiters.refuse(&PartitionUnavailable::Stopping));
        }
    }

    pub(super) fn on_closed(&mut self, partition: TopicPartition) {
        if self.is_releasing(partition) {
            return self.finish_release(partition);
        }
        match self.partitions.get_mut(&partition) {
            Some(Slot::Open(open)) => open.closing = Closing::Done,
            // Whoever waits for it to be let go of hears of it.
            Some(Slot::Following(following)) if following.closing => drop(self.partitions.remove(&partition)),
            _ => {}
        }
    }

    /// Ends the loop once everything accepted is in the store, every partition is closed and that is written down.
    pub(super) fn finish_stop(&mut self) {
        if self.stopping.is_none() {
            return;
        }
        self.close_idle();
        let closed = |open: &Partition| open.closing == Closing::Done;
        let follows = self.partitions.values().any(|slot| matches!(slot, Slot::Following(_)));
        if self.checkpointing || self.retaining || follows || !self.open_partitions().all(closed) {
            return;
        }
        if !self.stop_noted {
            self.stop_noted = true;
            self.checkpoint();
            return;
        }
        self.stopped.set(true);
        if let Some(done) = self.stopping.take() {
            let _ = done.send(());
        }
    }

    fn close_idle(&mut self) {
        for slot in self.partitions.values_mut() {
            let Slot::Open(open) = slot else { continue };
            if open.closing != Closing::No || !open.is_idle() {
                continue;
            }
            open.closing = Closing::Asked;
            let (partition, store, mailbox) = (open.id, open.store.clone(), self.mailbox.clone());
            glommio::spawn_local(async move {
                if let Err(error) = store.close().await {
                    tracing::warn!(%partition, %error, "a partition was not closed cleanly");
                }
                mailbox.push(ShardEvent::Closed { partition });
            })
            .detach();
        }
    }

    fn open_partitions(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.values().filter_map(|slot| match slot {
            Slot::Open(open) => Some(&**open),
            Slot::Opening(_) | Slot::Closed(_) | Slot::Assuming(_) | Slot::Following(_) => None,
        })
    }
}
