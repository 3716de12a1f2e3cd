//! What the metadata changes: partitions and subscriptions that come, change and go.

use std::{
    cell::Cell,
    collections::{HashMap, VecDeque},
    rc::Rc,
};

use shard_core::{
    delivery::{
        Backoff, ClusterKey, DeadLetterPolicy, DeliveryPolicy, Dispatcher, DispatcherIdentity, JournalWriter,
        PartitionAssignment,
    },
    format::cursor_journal::CursorChange,
    limits,
    log::{AppendConfig, Appender, FlushPolicy, Retention},
    model::{LeaderEpoch, Offset, RequestId, SubscriptionId, TopicPartition},
};

use super::{Shard, learning::dedup_config};
use crate::{
    clock::Clock,
    command::{PartitionChange, PartitionSettings, SubscriptionSettings},
    event::{Applying, OpenedLog, ShardEvent},
    marks::Marks,
    partition::{Closing, Fate, Partition, Slot, Subscribed, WaitingAck},
    replication::Followed,
    request::{PartitionSubscription, PartitionUnavailable, SeekTo},
    store::{AnyPartition, Opened, ShardStore as _, StoreError},
    subscriptions::Subscriptions,
    waiters::{DeliverableWaiters, WaitingReads},
};

impl Shard {
    pub(super) fn on_change(&mut self, change: PartitionChange, applying: Rc<Applying>) {
        let Some(change) = self.defer(change) else { return };
        match change {
            // These come as `Opened`, when they were.
            PartitionChange::Open { .. } | PartitionChange::Follow { .. } => {}
            PartitionChange::FollowAnother { partition, epoch, leader, incarnation } => {
                self.on_new_leader(partition, Followed { epoch, leader, incarnation });
            }
            PartitionChange::SetReplicas { partition, replicas } => self.on_replicas(partition, replicas),
            PartitionChange::Configure { partition, settings } => self.configure(partition, &settings),
            PartitionChange::Release { partition } => {
                self.follow_later(partition, None);
                self.release(partition, applying);
            }
            PartitionChange::Delete { partition } => self.delete(partition, applying),
            PartitionChange::OpenSubscription { partition, settings } => {
                self.open_subscription(partition, settings, applying);
            }
            PartitionChange::Assign { partition, subscription, assignment } => {
                self.assign(PartitionSubscription { partition, subscription }, assignment);
            }
            PartitionChange::CloseSubscription { partition, subscription } => {
                self.close_subscription(partition, subscription, applying);
            }
        }
    }

    pub(super) fn on_opened(
        &mut self,
        change: &PartitionChange,
        opened: Result<OpenedLog, StoreError>,
        applying: &Rc<Applying>,
    ) {
        let partition = change.partition();
        let mut opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                match followed(change) {
                    None if !change.is_shared() => self.close(partition, error.reason),
                    follow => self.on_not_opened(partition, error, follow),
                }
                self.metrics.partitions.set(super::widen(self.partitions.len()));
                return;
            }
        };
        if let Some(Slot::Opening(_)) = self.partitions.get(&partition) {
            tracing::info!(%partition, "a partition that had to wait for its store is there now");
        }
        match change {
            PartitionChange::Open { epoch, settings, replicas, .. } => {
                opened.dedup.shrink(self.config.dedup_bytes_max.saturating_sub(self.dedup_bytes));
                self.dedup_bytes += opened.dedup.bytes();
                let (epoch, settings) = (*epoch, *settings);
                self.trust_again(partition);
                if let Some(set) = replicas {
                    self.begin_to_lead(partition, (epoch, settings, set.clone()), opened);
                } else {
                    self.begin_to_own(partition, (epoch, settings), opened);
                }
            }
            PartitionChange::Follow { .. } => {
                if let Some(follow) = followed(change)
                    && !self.has_to_mend(partition, follow, &opened)
                {
                    self.begin_to_follow(partition, follow, opened);
                }
            }
            PartitionChange::FollowAnother { .. }
            | PartitionChange::SetReplicas { .. }
            | PartitionChange::Configure { .. }
            | PartitionChange::Release { .. }
            | PartitionChange::Delete { .. }
            | PartitionChange::OpenSubscription { .. }
            | PartitionChange::Assign { .. }
            | PartitionChange::CloseSubscription { .. } => {}
        }
        self.forget_superseded(partition);
        self.metrics.partitions.set(super::widen(self.partitions.len()));
        let _ = self.open(partition);
        let _ = applying;
    }

    /// A partition was opened that this node alone keeps.
    fn begin_to_own(
        &mut self,
        partition: TopicPartition,
        (epoch, settings): (LeaderEpoch, PartitionSettings),
        opened: OpenedLog,
    ) {
        let OpenedLog { opened, dedup, .. } = opened;
        let log = Appender::open(epoch, self.append_config(&settings), opened.found.extent);
        let log = log.remembering(dedup, opened.store.found_reached()).answering(settings.acks);
        let opening = self.new_opening();
        let open = self.opened_partition((partition, opening, log, retention(&settings)), opened);
        self.partitions.insert(partition, Slot::Open(Box::new(open)));
    }

    fn configure(&mut self, partition: TopicPartition, settings: &PartitionSettings) {
        if let Some(Slot::Following(following)) = self.partitions.get_mut(&partition) {
            following.settings = *settings;
            return;
        }
        let config = self.append_config(settings);
        if let Ok(open) = self.open(partition) {
            let flush = if open.leading.is_some() { FlushPolicy::Always } else { config.flush };
            open.log.configure(AppendConfig { flush, ..config });
            open.set_acks(settings.acks);
            open.retention = retention(settings);
        }
    }

    pub(super) fn opened_partition(
        &mut self,
        (partition, opening, log, retention): (TopicPartition, u64, Appender, Retention),
        opened: Opened<AnyPartition>,
    ) -> Partition {
        let Opened { store, mut found } = opened;
        let mut marks = Marks::take(&mut found.cursors);
        marks.on_log_start(found.extent.start);
        let mut subscriptions = Subscriptions::default();
        for (id, state) in found.cursors {
            // The policy comes with the subscription's own change.
            let policy = policy(&SubscriptionSettings::until_known(id));
            let mut dispatcher = Dispatcher::resume(self.identity((partition, log.epoch()), id), policy, state);
            dispatcher.on_log_start(found.extent.start);
            marks.cancelled().into_iter().for_each(|range| dispatcher.on_cancelled(range));
            let waiters = DeliverableWaiters::default();
            subscriptions.insert(
                id,
                Subscribed {
                    dispatcher,
                    configured: false,
                    dead_letters: None,
                    letters_under_way: 0,
                    waiters,
                    looking: false,
                },
            );
        }
        for cut in found.cut {
            tracing::warn!(%partition, cut, "what was not finished before the last stop was cut off");
        }
        Partition {
            id: partition,
            store,
            served_to: log.high_watermark(),
            log,
            retention,
            journal: JournalWriter::open(found.replace_cursors),
            subscriptions,
            marks,
            publishes: VecDeque::new(),
            publishes_traced: 0,
            journaled: HashMap::new(),
            reads: WaitingReads::default(),
            alarm_at: None,
            touched: false,
            closing: Closing::No,
            appended_to_topic: self.topics.of(partition.topic),
            opening,
            reopening: false,
            fate: Rc::new(Cell::new(Fate::Here)),
            releasing: None,
            leading: None,
        }
    }

    pub(super) fn open_subscription_at(
        &mut self,
        partition: TopicPartition,
        settings: SubscriptionSettings,
        start: Offset,
        applying: Rc<Applying>,
    ) {
        let (request, now) = (self.new_request(), self.clock.monotonic());
        let Ok(epoch) = self.open(partition).map(|open| open.log.epoch()) else { return };
        let identity = self.identity((partition, epoch), settings.id);
        let Ok(open) = self.open(partition) else { return };
        let mut dispatcher = Dispatcher::open(identity, policy(&settings), start);
        dispatcher.set_filter(settings.filter);
        dispatcher.assign(now, settings.assignment);
        let (dead_letters, waiters) = (settings.dead_letters, DeliverableWaiters::default());
        let subscribed =
            Subscribed { dispatcher, configured: true, dead_letters, letters_under_way: 0, waiters, looking: false };
        open.subscriptions.insert(settings.id, subscribed);
        open.pass_over_cancelled(settings.id);
        open.record_changes(settings.id);
        open.hold_until_stored(request, applying);
    }

    fn open_subscription(&mut self, partition: TopicPartition, settings: SubscriptionSettings, applying: Rc<Applying>) {
        let now = self.clock.monotonic();
        let Ok(open) = self.open(partition) else { return };
        if let Some(subscribed) = open.subscriptions.get_mut(settings.id) {
            subscribed.dispatcher.set_policy(policy(&settings));
            subscribed.dispatcher.set_filter(settings.filter);
            subscribed.dispatcher.assign(now, settings.assignment);
            subscribed.dead_letters = settings.dead_letters;
            subscribed.configured = true;
            return;
        }
        let readable = open.log.readable();
        let start = match settings.start {
            SeekTo::Earliest => readable.start,
            SeekTo::Latest => readable.end,
            SeekTo::Offset(offset) => offset.clamp(readable.start, readable.end),
            SeekTo::Timestamp(at) => {
                let (located, mailbox) = (self.locate(partition, at), self.mailbox.clone());
                glommio::spawn_local(async move {
                    let start = located.await.unwrap_or(readable.start);
                    mailbox.push(ShardEvent::Located { partition, settings, start, applying });
                })
                .detach();
                return;
            }
        };
        self.open_subscription_at(partition, settings, start, applying);
    }

    /// Who consumes a partition has changed: whoever waits at it looks whether that is still itself.
    fn assign(&mut self, cursor: PartitionSubscription, assignment: PartitionAssignment) {
        let now = self.clock.monotonic();
        let Ok(open) = self.open(cursor.partition) else { return };
        if let Ok(subscribed) = open.subscribed(cursor.subscription) {
            subscribed.dispatcher.assign(now, Some(assignment));
            subscribed.waiters.wake_all();
        }
        open.record_changes(cursor.subscription);
    }

    fn close_subscription(&mut self, partition: TopicPartition, subscription: SubscriptionId, applying: Rc<Applying>) {
        let request = self.new_request();
        let Ok(open) = self.open(partition) else { return };
        let is_marked = open.marks.forget(subscription);
        if is_marked {
            open.journal.record(subscription.redriven(), &[CursorChange::Removed]);
        }
        let removed = open.subscriptions.remove(subscription);
        let is_known = is_marked || removed.is_some();
        if let Some(mut subscribed) = removed {
            subscribed.waiters.refuse(&PartitionUnavailable::NotHere(partition));
            open.journal.record(subscription, &[CursorChange::Removed]);
        }
        if is_known {
            open.hold_until_stored(request, applying);
        }
    }

    /// Removes all that is stored of a partition. Nobody hears of the operations in flight.
    fn delete(&mut self, partition: TopicPartition, applying: Rc<Applying>) {
        self.forget_superseded(partition);
        self.trust_again(partition);
        match self.partitions.remove(&partition) {
            Some(Slot::Open(mut open)) => {
                open.fate.set(Fate::Deleted);
                open.refuse_all(&PartitionUnavailable::NotHere(partition));
                self.alarm.reset(partition, open.alarm_at, None);
            }
            Some(Slot::Following(following)) => {
                if let Some(source) = following.source {
                    self.fetchers.remove(source, partition);
                }
            }
            Some(Slot::Opening(_) | Slot::Closed(_) | Slot::Assuming(_)) | None => {}
        }
        self.sessions.forget_partition(partition);
        self.cache.remove(partition);
        self.metrics.partitions.set(super::widen(self.partitions.len()));
        let store = self.store.clone();
        glommio::spawn_local(async move {
            if let Err(error) = store.delete(partition).await {
                tracing::warn!(%partition, %error, "a deleted partition could not be removed from the store");
            }
            drop(applying);
        })
        .detach();
    }

    pub(super) fn append_config(&self, settings: &PartitionSettings) -> AppendConfig {
        AppendConfig {
            flush: settings.flush,
            unflushed_bytes_max: self.config.unflushed_bytes_max,
            dedup: dedup_config(settings),
        }
    }

    fn identity(
        &self,
        (partition, epoch): (TopicPartition, LeaderEpoch),
        subscription: SubscriptionId,
    ) -> DispatcherIdentity {
        let millis = u64::try_from(Clock::wall().as_millis()).unwrap_or_default();
        DispatcherIdentity {
            subscription,
            partition,
            key: ClusterKey::new(self.config.ack_key),
            first_sequence: (millis << 20) | (u64::from(epoch.get()) % limits::LEASES_APART),
            jitter_seed: millis ^ subscription.get(),
        }
    }
}

impl Partition {
    /// Whoever waits for a change of the metadata to be made waits until it is stored here; not for others to store it, though:
    /// a later change may be what lets them, and it comes only behind this one.
    fn hold_until_stored(&mut self, request: RequestId, applying: Rc<Applying>) {
        if self.leading.is_none() {
            self.journaled.insert(request, WaitingAck::Applying(applying));
            self.journal.release_when_durable(request);
        }
    }
}

/// Whom a change has this node follow, and how the log is kept.
const fn followed(change: &PartitionChange) -> Option<(Followed, PartitionSettings)> {
    if let PartitionChange::Follow { epoch, leader, incarnation, settings, .. } = change {
        return Some((Followed { epoch: *epoch, leader: *leader, incarnation: *incarnation }, *settings));
    }
    None
}

pub(super) const fn retention(settings: &PartitionSettings) -> Retention {
    Retention { age: settings.retention, bytes: settings.retention_bytes, below: None }
}

fn policy(settings: &SubscriptionSettings) -> DeliveryPolicy {
    DeliveryPolicy {
        ack_deadline: settings.ack_deadline,
        backoff: Backoff { min: settings.backoff_min, max: settings.backoff_max },
        outstanding_max: limits::OUTSTANDING_MAX_DEFAULT,
        ordering: settings.ordering,
        mode: settings.mode,
        dead_letters: settings
            .dead_letters
            .as_ref()
            .map(|target| DeadLetterPolicy { max_attempts: target.max_attempts }),
    }
}
