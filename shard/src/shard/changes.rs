//! What the metadata changes: partitions and subscriptions that come, change and go.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    rc::Rc,
};

use shard_core::{
    delivery::{Backoff, ClusterKey, DeliveryPolicy, Dispatcher, DispatcherIdentity},
    format::cursor_journal::CursorChange,
    limits,
    log::{LogConfig, PartitionLog},
    model::{Offset, SubscriptionId, TopicPartition},
};

use super::Shard;
use crate::{
    clock::Clock,
    command::{PartitionChange, PartitionSettings, SubscriptionSettings},
    event::{Applying, ShardEvent},
    partition::{Partition, Slot, Subscribed, WaitingAck},
    request::{PartitionUnavailable, SeekTo},
    store::{
        data_dir,
        dma_file::{off_the_shard, sync_directory},
        open::Recovered,
    },
    waiters::{DeliverableWaiters, WaitingReads},
};

impl Shard {
    pub(super) fn on_change(&mut self, change: PartitionChange, applying: Rc<Applying>) {
        match change {
            PartitionChange::Open { partition, .. } => {
                self.partitions.entry(partition).or_insert(Slot::Opening);
            }
            PartitionChange::Configure { partition, settings } => {
                let config = self.log_config(&settings);
                if let Ok(open) = self.open(partition) {
                    open.log.configure(config);
                }
            }
            PartitionChange::Delete { partition } => self.delete(partition, applying),
            PartitionChange::OpenSubscription { partition, settings } => {
                self.open_subscription(partition, settings, applying);
            }
            PartitionChange::CloseSubscription { partition, subscription } => {
                self.close_subscription(partition, subscription, applying);
            }
        }
    }

    pub(super) fn on_opened(
        &mut self,
        change: &PartitionChange,
        recovered: Result<Recovered, String>,
        applying: &Rc<Applying>,
    ) {
        let PartitionChange::Open { partition, epoch, settings } = *change else { return };
        let slot = match recovered {
            Ok(recovered) => {
                let log = PartitionLog::open(partition, epoch, self.log_config(&settings), recovered.log);
                let start = log.readable().start;
                let mut subscriptions = BTreeMap::new();
                for (id, state) in recovered.journal.cursors {
                    // The policy comes with the subscription's own change.
                    let policy = policy(SubscriptionSettings::until_known(id));
                    let mut dispatcher = Dispatcher::resume(self.identity(partition, id), policy, state);
                    dispatcher.on_log_start(start);
                    subscriptions.insert(id, Subscribed { dispatcher, waiters: DeliverableWaiters::default() });
                }
                self.last_durable_ends.retain(|end| end.partition != partition);
                Slot::Open(Box::new(Partition {
                    id: partition,
                    directory: data_dir::partition_dir(&self.config.data_dir, partition).into(),
                    served_to: log.high_watermark(),
                    durable_end_noted: Offset::ZERO,
                    log,
                    segment: None,
                    journal: recovered.journal.writer,
                    journal_file: None,
                    subscriptions,
                    publishes: VecDeque::new(),
                    journaled: HashMap::new(),
                    reads: WaitingReads::default(),
                    alarm_at: None,
                    touched: false,
                }))
            }
            Err(reason) => {
                tracing::error!(%partition, reason, "a partition stays closed");
                self.metrics.partitions_closed.add(1);
                Slot::Closed(reason)
            }
        };
        self.partitions.insert(partition, slot);
        self.metrics.partitions.set(super::widen(self.partitions.len()));
        let _ = self.open(partition);
        let _ = applying;
    }

    pub(super) fn open_subscription_at(
        &mut self,
        partition: TopicPartition,
        settings: SubscriptionSettings,
        start: Offset,
        applying: Rc<Applying>,
    ) {
        let (request, identity) = (self.new_request(), self.identity(partition, settings.id));
        let Ok(open) = self.open(partition) else { return };
        let dispatcher = Dispatcher::open(identity, policy(settings), start);
        let subscribed = Subscribed { dispatcher, waiters: DeliverableWaiters::default() };
        open.subscriptions.insert(settings.id, subscribed);
        open.record_changes(settings.id);
        open.journaled.insert(request, WaitingAck::Applying(applying));
        open.journal.release_when_durable(request);
    }

    fn open_subscription(&mut self, partition: TopicPartition, settings: SubscriptionSettings, applying: Rc<Applying>) {
        let Ok(open) = self.open(partition) else { return };
        if let Some(subscribed) = open.subscriptions.get_mut(&settings.id) {
            subscribed.dispatcher.set_policy(policy(settings));
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

    fn close_subscription(&mut self, partition: TopicPartition, subscription: SubscriptionId, applying: Rc<Applying>) {
        let request = self.new_request();
        let Ok(open) = self.open(partition) else { return };
        if let Some(mut subscribed) = open.subscriptions.remove(&subscription) {
            subscribed.waiters.refuse(&PartitionUnavailable::NotHere(partition));
            open.journal.record(subscription, &[CursorChange::Removed]);
            open.journaled.insert(request, WaitingAck::Applying(applying));
            open.journal.release_when_durable(request);
        }
    }

    /// Removes a partition's files. Operations in flight end on files without a name, and nobody hears of them.
    fn delete(&mut self, partition: TopicPartition, applying: Rc<Applying>) {
        if let Some(Slot::Open(mut open)) = self.partitions.remove(&partition) {
            open.refuse_all(&PartitionUnavailable::NotHere(partition));
            self.alarm.reset(partition, open.alarm_at, None);
        }
        self.cache.remove(partition);
        self.last_durable_ends.retain(|end| end.partition != partition);
        self.metrics.partitions.set(super::widen(self.partitions.len()));
        let directory = data_dir::partition_dir(&self.config.data_dir, partition);
        let topic = data_dir::topic_dir(&self.config.data_dir, partition);
        glommio::spawn_local(async move {
            let removed = off_the_shard(move || std::fs::remove_dir_all(directory)).await;
            if let Err(error) = removed {
                tracing::warn!(%partition, %error, "the files of a deleted partition could not be removed");
            }
            if let Err(error) = sync_directory(&topic).await {
                tracing::debug!(%partition, %error, "the directory of a deleted topic could not be synced");
            }
            drop(applying);
        })
        .detach();
    }

    fn log_config(&self, settings: &PartitionSettings) -> LogConfig {
        LogConfig {
            flush: settings.flush,
            retention: settings.retention,
            retention_bytes: settings.retention_bytes,
            segment_bytes_max: self.config.segment_bytes_max,
            unflushed_bytes_max: self.config.unflushed_bytes_max,
        }
    }

    fn identity(&self, partition: TopicPartition, subscription: SubscriptionId) -> DispatcherIdentity {
        let millis = u64::try_from(Clock::wall().as_millis()).unwrap_or_default();
        DispatcherIdentity {
            subscription,
            partition,
            key: ClusterKey::new(self.config.ack_key),
            first_sequence: millis << 20,
            jitter_seed: millis ^ subscription.get(),
        }
    }
}

fn policy(settings: SubscriptionSettings) -> DeliveryPolicy {
    DeliveryPolicy {
        ack_deadline: settings.ack_deadline,
        backoff: Backoff { min: settings.backoff_min, max: settings.backoff_max },
        outstanding_max: limits::OUTSTANDING_MAX_DEFAULT,
    }
}
