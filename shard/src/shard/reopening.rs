//! Partitions whose store was away: opened again as soon as it is back, while everything else of them stays as it is.
//!
//! Consumers keep their leases, and who waits goes on waiting; publishers and acks are refused meanwhile.

use std::{cell::Cell, rc::Rc};

use glommio::timer::sleep;
use shard_core::{
    log::AppendEvent,
    model::{LeaderEpoch, TopicPartition},
    replication::Lineage,
};

use super::{Shard, learning::Learner};
use crate::{
    event::{OpenedLog, ShardEvent},
    limits,
    partition::{Fate, Slot},
    request::PartitionUnavailable,
    store::{AnyPartition, AnyStore, MessageStore as _, Opened, ShardStore as _, StoreError, StoreErrorKind},
};

impl Shard {
    /// The store of a partition has failed: it takes nothing more. If that may pass, it is opened again.
    pub(super) fn on_store_failed(&mut self, partition: TopicPartition, error: StoreError) {
        let (now, stopping) = (self.clock.monotonic(), self.stopping.is_some());
        let opening = self.new_opening();
        // A partition that was deleted has no more events.
        let Ok(open) = self.open(partition) else { return };
        let (transient, failed) = (error.is_transient(), error.clone());
        let reason = error.reason;
        if transient {
            tracing::warn!(%partition, reason, "a partition takes no messages until its store is back");
        } else if open.leading.is_some() {
            tracing::error!(%partition, reason, "a partition takes no more messages here");
        } else {
            tracing::error!(%partition, reason, "a partition takes no more messages until the node is restarted");
        }
        open.log.on_event(now, AppendEvent::Failed { reason: reason.clone() });
        if transient && !stopping && open.releasing.is_none() {
            if open.journal.closed().is_none() {
                open.journal.on_failed(&reason);
            }
            // What is under way ends with nobody listening, and then with the handle.
            open.opening = opening;
            open.reopening = true;
            let learner = Learner::beyond(partition, open.log.high_watermark(), open.log.take_dedup());
            let place = (learner, open.log.epoch());
            let (handle, fate) = (open.store.clone(), Rc::clone(&open.fate));
            let (store, mailbox) = (self.store.clone(), self.mailbox.clone());
            glommio::spawn_local(async move {
                if let Some(opened) = open_again(&store, handle, place, &fate).await {
                    mailbox.push(ShardEvent::Reopened { partition, opened: Box::new(opened) });
                }
            })
            .detach();
        }
        // It may hold batches that are not in the log.
        self.cache.remove(partition);
        self.distrust_store(partition, &failed);
    }

    /// A partition's store was opened again, or can't be.
    pub(super) fn on_reopened(&mut self, partition: TopicPartition, opened: Result<OpenedLog, StoreError>) {
        if self.stopping.is_some() {
            return;
        }
        let Ok(open) = self.open(partition) else { return };
        match opened {
            Ok(OpenedLog { opened: Opened { store, found }, dedup, .. }) => {
                let fell_out = open.reopen(store, found.extent, dedup);
                self.metrics.messages_fell_out.add(fell_out);
                tracing::info!(%partition, end = %found.extent.end, "a partition's store is back");
            }
            Err(StoreError { reason, kind: StoreErrorKind::Superseded }) => self.on_superseded(partition, &reason),
            Err(StoreError { reason, .. }) => {
                open.refuse_all(&PartitionUnavailable::Closed { partition, reason: reason.clone() });
                let alarm_at = open.alarm_at;
                self.alarm.reset(partition, alarm_at, None);
                self.close(partition, reason);
            }
        }
    }

    /// A partition serves no more until the node is restarted.
    pub(super) fn close(&mut self, partition: TopicPartition, reason: String) {
        tracing::error!(%partition, reason, "a partition stays closed");
        self.metrics.partitions_closed.add(1);
        self.partitions.insert(partition, Slot::Closed(reason));
    }

    /// A partition could not be opened yet.
    pub(super) fn on_opening_delayed(&mut self, partition: TopicPartition, reason: String) {
        match self.partitions.get(&partition) {
            Some(Slot::Opening(known)) if *known == reason => return,
            Some(Slot::Open(_) | Slot::Closed(_) | Slot::Assuming(_) | Slot::Following(_)) => return,
            Some(Slot::Opening(_)) | None => {}
        }
        tracing::warn!(%partition, reason, "a partition can't be opened yet");
        self.partitions.insert(partition, Slot::Opening(reason));
    }
}

/// Opens a partition and learns what its log holds; while that fails for what may pass, `delayed` is told why, and it is
/// tried again after a pause.
pub(super) async fn open_when_there(
    store: &AnyStore,
    (mut learner, epoch): (Learner, LeaderEpoch),
    mut delayed: impl FnMut(String) -> bool,
) -> Option<Result<OpenedLog, StoreError>> {
    let mut pause = limits::REOPEN_PAUSE_MIN;
    loop {
        match open_and_learn(store, &mut learner, epoch).await {
            Err(StoreError { reason, kind: StoreErrorKind::Transient }) => {
                if !delayed(reason) {
                    return None;
                }
            }
            opened => return Some(opened),
        }
        sleep(pause).await;
        pause = (pause * 2).min(limits::REOPEN_PAUSE_MAX);
    }
}

async fn open_and_learn(store: &AnyStore, learner: &mut Learner, epoch: LeaderEpoch) -> Result<OpenedLog, StoreError> {
    let opened = store.open(learner.partition(), epoch).await?;
    match learner.learn(&opened).await {
        Ok(dedup) => Ok(OpenedLog { opened, dedup, lineage: Lineage::new() }),
        Err(error) => {
            // It is opened anew; whatever this could not let go of does not matter to that.
            let _ = opened.store.close().await;
            Err(error)
        }
    }
}

/// Opens a partition again whose store has failed, as long as it is this node's.
async fn open_again(
    store: &AnyStore,
    handle: AnyPartition,
    place: (Learner, LeaderEpoch),
    fate: &Cell<Fate>,
) -> Option<Result<OpenedLog, StoreError>> {
    // Whatever it could not let go of does not matter to the next opening.
    let _ = handle.close().await;
    drop(handle);
    let partition = place.0.partition();
    let opened = open_when_there(store, place, |_| fate.get() == Fate::Here).await?;
    match fate.get() {
        Fate::Here => Some(opened),
        Fate::Released => {
            if let Ok(OpenedLog { opened, .. }) = opened {
                let _ = opened.store.close().await;
            }
            None
        }
        Fate::Deleted => {
            // This may have made the partition anew.
            let _ = store.delete(partition).await;
            None
        }
    }
}
