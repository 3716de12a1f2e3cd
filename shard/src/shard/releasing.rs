//! Partitions that another node owns from now on: what is under way is finished, then they are let go of.
//!
//! What comes in meanwhile is refused as by any node that does not have the partition, so that it is asked of the new
//! owner. What is stored stays: only a deleted topic takes that with it.

use std::rc::Rc;

use glommio::timer::sleep;
use shard_core::{model::TopicPartition, replication::FetchError};

use super::Shard;
use crate::{
    event::{Applying, ShardEvent},
    limits,
    partition::{Closing, Fate, Releasing, Slot},
    request::{PartitionUnavailable, Request},
    store::MessageStore as _,
};

impl Shard {
    /// Begins to let go of a partition.
    pub(super) fn release(&mut self, partition: TopicPartition, applying: Rc<Applying>) {
        let give_up_at = self.clock.monotonic().plus(limits::RELEASE_WAIT);
        match self.partitions.get_mut(&partition) {
            Some(Slot::Open(open)) => {
                tracing::debug!(%partition, "another node owns the partition: letting go of it");
                open.fate.set(Fate::Released);
                open.log.begin_shutdown();
                if open.leading.is_some() {
                    // Those who follow have another leader: nothing more is committed here.
                    open.log.give_up_uncommitted();
                    if open.journal.closed().is_none() {
                        open.journal.on_failed("another node leads the partition");
                    }
                    self.sessions.forget_partition(partition);
                }
                open.refuse_waiting(&PartitionUnavailable::NotHere(partition));
                open.releasing = Some(Releasing { give_up_at, applying });
                self.releasing.push(partition);
                if !open.touched {
                    open.touched = true;
                    self.touched.push(partition);
                }
                let mailbox = self.mailbox.clone();
                glommio::spawn_local(async move {
                    sleep(limits::RELEASE_WAIT).await;
                    mailbox.push(ShardEvent::Tick);
                })
                .detach();
            }
            Some(Slot::Following(_)) => self.release_followed(partition, Some(applying)),
            Some(Slot::Assuming(_)) => self.release_assuming(partition, applying),
            Some(Slot::Opening(_) | Slot::Closed(_)) => {
                self.partitions.remove(&partition);
            }
            None => {}
        }
        self.metrics.partitions.set(super::widen(self.partitions.len()));
    }

    /// Lets go of a partition that was not served yet: nothing is under way on it but reads.
    fn release_assuming(&mut self, partition: TopicPartition, applying: Rc<Applying>) {
        let Some(Slot::Assuming(assuming)) = self.partitions.remove(&partition) else { return };
        self.sessions.forget_partition(partition);
        let store = assuming.opened.opened.store;
        glommio::spawn_local(async move {
            if let Err(error) = store.close().await {
                tracing::debug!(%partition, %error, "a partition that went to another node was not closed cleanly");
            }
            drop(applying);
        })
        .detach();
    }

    /// Whether a partition is being let go of.
    pub(super) fn is_releasing(&self, partition: TopicPartition) -> bool {
        // Empty almost always, and never long.
        !self.releasing.is_empty() && self.releasing.contains(&partition)
    }

    /// Another node has opened a partition in a newer epoch, before this one has heard that it is to let go of it. From now
    /// on nothing of it is served here; the rest follows with the metadata.
    pub(super) fn on_superseded(&mut self, partition: TopicPartition, reason: &str) {
        let Ok(open) = self.open(partition) else { return };
        tracing::info!(%partition, reason, "another node has taken the partition over");
        if open.journal.closed().is_none() {
            open.journal.on_failed(reason);
        }
        open.refuse_waiting(&PartitionUnavailable::NotHere(partition));
        if !self.is_superseded(partition) {
            self.superseded.push(partition);
        }
    }

    /// Whether another node is known to have opened a partition in a newer epoch.
    pub(super) fn is_superseded(&self, partition: TopicPartition) -> bool {
        // As short as the other list.
        !self.superseded.is_empty() && self.superseded.contains(&partition)
    }

    /// The partition has gone from here, or is this node's anew.
    pub(super) fn forget_superseded(&mut self, partition: TopicPartition) {
        self.superseded.retain(|&superseded| superseded != partition);
    }

    /// Closes the partitions that have nothing under way any more, or have had it for too long.
    pub(super) fn advance_releases(&mut self) {
        let now = self.clock.monotonic();
        for &partition in &self.releasing {
            let Some(Slot::Open(open)) = self.partitions.get_mut(&partition) else { continue };
            let give_up = open.releasing.as_ref().is_some_and(|releasing| now >= releasing.give_up_at);
            if open.closing != Closing::No || !(open.is_idle() || give_up) {
                continue;
            }
            open.closing = Closing::Asked;
            let (store, mailbox) = (open.store.clone(), self.mailbox.clone());
            glommio::spawn_local(async move {
                if let Err(error) = store.close().await {
                    tracing::debug!(%partition, %error, "a partition that went to another node was not closed cleanly");
                }
                mailbox.push(ShardEvent::Closed { partition });
            })
            .detach();
        }
    }

    /// A partition that was to be let go of is closed in the store: nothing of it is left here.
    pub(super) fn finish_release(&mut self, partition: TopicPartition) {
        self.releasing.retain(|&releasing| releasing != partition);
        self.forget_superseded(partition);
        if let Some(Slot::Open(mut open)) = self.partitions.remove(&partition) {
            open.refuse_all(&PartitionUnavailable::NotHere(partition));
            self.dedup_bytes = self.dedup_bytes.saturating_sub(open.log.dedup().bytes());
            self.alarm.reset(partition, open.alarm_at, None);
            if let Some(Releasing { applying, .. }) = open.releasing.take() {
                // Whoever waits for all changes to be made hears of it once this was the last.
                drop(applying);
            }
        }
        self.cache.remove(partition);
        self.metrics.partitions.set(super::widen(self.partitions.len()));
    }
}

impl Request {
    /// The partition that is asked for; the first of several.
    pub(crate) fn partition(&self) -> Option<TopicPartition> {
        match self {
            Self::Publish { partition, .. }
            | Self::Read { partition, .. }
            | Self::Status { partition, .. }
            | Self::Holds { partition, .. }
            | Self::Search { partition, .. } => Some(*partition),
            Self::Pull { cursor, .. }
            | Self::Acknowledge { cursor, .. }
            | Self::AckUpTo { cursor, .. }
            | Self::Seek { cursor, .. }
            | Self::CursorStatus { cursor, .. }
            | Self::ReleaseConsumer { cursor, .. } => Some(cursor.partition),
            Self::AwaitDeliverable { partitions, .. } => partitions.first().copied(),
            Self::Digest { query, .. } => Some(query.partition),
            Self::Fetch { .. } => None,
        }
    }

    /// Answers that nothing was done.
    pub(crate) fn refuse(self, error: PartitionUnavailable) {
        // Whoever asked may have gone.
        match self {
            Self::Publish { reply, .. } => drop(reply.send(Err(error.into()))),
            Self::Read { reply, .. } => drop(reply.send(Err(error.into()))),
            Self::Status { reply, .. } => drop(reply.send(Err(error))),
            Self::Pull { reply, .. } => drop(reply.send(Err(error.into()))),
            Self::Acknowledge { reply, .. } => drop(reply.send(Err(error.into()))),
            Self::AckUpTo { reply, .. } | Self::Seek { reply, .. } => drop(reply.send(Err(error.into()))),
            Self::CursorStatus { reply, .. } => drop(reply.send(Err(error.into()))),
            Self::AwaitDeliverable { reply, .. } => drop(reply.send(Err(error))),
            Self::Holds { reply, .. } => drop(reply.send(Err(error))),
            Self::Digest { reply, .. } => drop(reply.send(Err(error))),
            Self::Search { search, .. } => search.refuse(error.into()),
            Self::Fetch { reply, .. } => drop(reply.send(Err(FetchError::Stopping))),
            Self::ReleaseConsumer { .. } => {}
        }
    }
}
