//! Replicas of this node whose disk has failed or has lost something: others are to know before anything else is done.
//!
//! The control thread has the metadata say that nobody counts on the replica, and that another node owns the partition if
//! this one did. What was damaged is then put aside and fetched again. What was on a disk that failed stays closed until the
//! node is started again and reads it anew.

use futures_channel::oneshot;
use shard_core::model::{Offset, TopicPartition};

use super::{Shard, tasks::open_to_follow};
use crate::{
    command::PartitionSettings,
    event::{OpenedLog, ShardEvent},
    mailbox::Mailbox,
    partition::Slot,
    replication::{Cause, Distrusted, Followed, ReplicaFault, Stage},
    request::{PartitionUnavailable, ReadError},
    store::{AnyPartition, AnyStore, MessageStore as _, ReadFault, ShardStore as _, StoreError, StoreErrorKind},
};

impl Shard {
    /// A partition that other nodes keep too can't be counted on here.
    pub(super) fn distrust(&mut self, partition: TopicPartition, cause: Cause, reason: String) {
        if self.config.replication.is_none() || self.stopping.is_some() {
            return;
        }
        if let Some(known) = self.distrusted.get_mut(&partition) {
            if cause == Cause::Damaged {
                known.cause = cause;
            }
            return self.mend(partition);
        }
        tracing::error!(%partition, reason, "a replica can't be counted on: another node is to have its place");
        let distrusted = Distrusted { cause, reason, stage: Stage::Unsaid, is_closing: false, follow: None };
        self.distrusted.insert(partition, distrusted);
        self.note_distrusted();
        self.say_distrusted();
    }

    /// The store has failed for a partition that is led here.
    pub(super) fn distrust_store(&mut self, partition: TopicPartition, error: &StoreError) {
        let is_led = matches!(self.partitions.get(&partition), Some(Slot::Open(open)) if open.leading.is_some());
        if is_led && let Some(cause) = cause(error) {
            self.distrust(partition, cause, error.reason.clone());
        }
    }

    /// A read has found damage in a partition: if it is led here, those who follow have what is damaged.
    pub(super) fn on_damage_found(&mut self, partition: TopicPartition, offset: Offset, reason: String) {
        if self.leading(partition).is_some() {
            self.distrust(partition, Cause::Damaged, reason);
        } else {
            self.on_followed_damage(partition, offset, reason);
        }
    }

    /// A replica that follows is damaged. Its files are let go of first.
    pub(super) fn distrust_followed(
        &mut self,
        partition: TopicPartition,
        reason: String,
        (follow, store): ((Followed, PartitionSettings), AnyPartition),
    ) {
        self.distrust(partition, Cause::Damaged, reason);
        if let Some(distrusted) = self.distrusted.get_mut(&partition) {
            distrusted.is_closing = true;
            distrusted.follow = Some(follow);
        }
        self.let_go(partition, store);
    }

    fn let_go(&self, partition: TopicPartition, store: AnyPartition) {
        let mailbox = self.mailbox.clone();
        glommio::spawn_local(async move {
            let _ = store.close().await;
            mailbox.push(ShardEvent::LetGo { partition });
        })
        .detach();
    }

    /// A partition could not be opened.
    pub(super) fn on_not_opened(
        &mut self,
        partition: TopicPartition,
        error: StoreError,
        follow: Option<(Followed, PartitionSettings)>,
    ) {
        let cause = cause(&error);
        self.close(partition, error.reason.clone());
        let Some((followed, _)) = follow else {
            if let Some(cause) = cause {
                self.distrust(partition, cause, error.reason);
            }
            return;
        };
        self.leave(partition, followed.leader);
        // What a follower had promised may be there still, where it only can't be read or written now.
        if cause == Some(Cause::Damaged) {
            self.distrust(partition, Cause::Damaged, error.reason);
        }
        self.follow_later(partition, follow);
    }

    /// Whether a partition must not be followed with what is there, although that could be opened.
    pub(super) fn has_to_mend(
        &mut self,
        partition: TopicPartition,
        follow: (Followed, PartitionSettings),
        opened: &OpenedLog,
    ) -> bool {
        let Some(distrusted) = self.distrusted.get_mut(&partition) else { return false };
        distrusted.is_closing = true;
        let (reason, leader) = (distrusted.reason.clone(), follow.0.leader);
        self.let_go(partition, opened.opened.store.clone());
        self.close(partition, reason);
        self.leave(partition, leader);
        self.distrusted_follows(partition, Some(follow));
        true
    }

    /// A partition was closed that had only been opened to see whether it is whole.
    pub(super) fn on_let_go(&mut self, partition: TopicPartition) {
        if let Some(distrusted) = self.distrusted.get_mut(&partition) {
            distrusted.is_closing = false;
        }
        self.mend(partition);
    }

    /// Whom a partition is to follow once it can be counted on again; none if it is nothing to this node now.
    pub(super) fn follow_later(&mut self, partition: TopicPartition, follow: Option<(Followed, PartitionSettings)>) {
        self.distrusted_follows(partition, follow);
        self.mend(partition);
    }

    /// Another one leads a partition that is not followed yet for what is wrong with it.
    pub(super) fn follow_another_later(&mut self, partition: TopicPartition, followed: Followed) {
        let known = self.distrusted.get_mut(&partition);
        if let Some((known, _)) = known.and_then(|distrusted| distrusted.follow.as_mut()) {
            *known = followed;
        }
    }

    /// It is opened to be led, or its topic is gone: whatever was wrong does not matter any more.
    pub(super) fn trust_again(&mut self, partition: TopicPartition) {
        if self.distrusted.remove(&partition).is_some() {
            self.note_distrusted();
        }
    }

    /// Tells the control thread what it does not know yet.
    pub(super) fn say_distrusted(&mut self) {
        let Some(replication) = &self.config.replication else { return };
        for (&partition, distrusted) in &mut self.distrusted {
            if distrusted.stage != Stage::Unsaid {
                continue;
            }
            let (given_up, answer) = oneshot::channel();
            let fault = ReplicaFault { partition, reason: distrusted.reason.clone(), given_up };
            if replication.faults.try_send(fault).is_err() {
                // Too many are waiting: it is said again a little later.
                return;
            }
            distrusted.stage = Stage::Said;
            let mailbox = self.mailbox.clone();
            glommio::spawn_local(async move {
                let is_given_up = answer.await.is_ok();
                mailbox.push(ShardEvent::GivenUp { partition, is_given_up });
            })
            .detach();
        }
    }

    /// Nobody counts on a replica any more, or that is to be said again.
    pub(super) fn on_given_up(&mut self, partition: TopicPartition, is_given_up: bool) {
        let Some(distrusted) = self.distrusted.get_mut(&partition) else { return };
        if distrusted.stage == Stage::Said {
            distrusted.stage = if is_given_up { Stage::GivenUp } else { Stage::Unsaid };
            self.mend(partition);
        }
    }

    /// What was damaged was put aside, and begun anew.
    pub(super) fn on_mended(&mut self, partition: TopicPartition, mended: Result<OpenedLog, StoreError>) {
        let follow = match self.distrusted.get_mut(&partition) {
            Some(distrusted) if distrusted.stage == Stage::Mending => distrusted.follow,
            Some(_) | None => None,
        };
        match (mended, follow) {
            (Ok(opened), Some(follow)) => {
                self.trust_again(partition);
                self.metrics.partitions_closed.set(self.metrics.partitions_closed.get().saturating_sub(1));
                tracing::info!(%partition, "a replica begins anew, and fetches what others have");
                self.begin_to_follow(partition, follow, opened);
            }
            (Ok(opened), None) => {
                // It has become something else meanwhile.
                if let Some(distrusted) = self.distrusted.get_mut(&partition) {
                    distrusted.stage = Stage::GivenUp;
                }
                let (store, is_gone) = (self.store.clone(), !self.partitions.contains_key(&partition));
                glommio::spawn_local(async move {
                    let _ = opened.opened.store.close().await;
                    if is_gone {
                        let _ = store.delete(partition).await;
                    }
                })
                .detach();
            }
            (Err(error), _) => {
                tracing::error!(%partition, %error, "a damaged replica can't be begun anew until the node is started again");
                if let Some(distrusted) = self.distrusted.get_mut(&partition) {
                    (distrusted.stage, distrusted.cause) = (Stage::GivenUp, Cause::Failed);
                }
            }
        }
    }

    /// Puts aside what is damaged and begins anew, once nobody counts on it and it is known whom to follow.
    fn mend(&mut self, partition: TopicPartition) {
        let is_closed = matches!(self.partitions.get(&partition), Some(Slot::Closed(_)));
        let Some(distrusted) = self.distrusted.get_mut(&partition) else { return };
        let is_due = distrusted.cause == Cause::Damaged && distrusted.stage == Stage::GivenUp && !distrusted.is_closing;
        let Some((followed, _)) = distrusted.follow.filter(|_| is_due && is_closed) else { return };
        distrusted.stage = Stage::Mending;
        let (store, mailbox) = (self.store.clone(), self.mailbox.clone());
        glommio::spawn_local(async move {
            let mended = begin_anew(&store, partition, followed).await;
            mailbox.push(ShardEvent::Mended { partition, mended: Box::new(mended) });
        })
        .detach();
    }

    fn distrusted_follows(&mut self, partition: TopicPartition, follow: Option<(Followed, PartitionSettings)>) {
        if let Some(distrusted) = self.distrusted.get_mut(&partition) {
            distrusted.follow = follow;
        }
    }

    fn note_distrusted(&self) {
        self.metrics.replicas_distrusted.set(super::widen(self.distrusted.len()));
    }
}

/// Has the shard hear of a read that found damage. Who reads is to ask again if another node that has it takes over.
pub(super) fn note_damage<T>(
    mailbox: &Mailbox<ShardEvent>,
    (partition, has_heirs): (TopicPartition, bool),
    read: Result<T, ReadFault>,
) -> Result<T, ReadError> {
    match read {
        Err(ReadFault::Damaged { offset, reason }) => {
            mailbox.push(ShardEvent::DamageFound { partition, offset, reason: reason.clone() });
            if has_heirs {
                let reason = format!("another replica takes over, as this one is damaged at offset {offset}: {reason}");
                return Err(PartitionUnavailable::StoreAway { partition, reason }.into());
            }
            Err(ReadError::Corrupt { offset, reason })
        }
        read => read.map_err(ReadError::from),
    }
}

async fn begin_anew(store: &AnyStore, partition: TopicPartition, followed: Followed) -> Result<OpenedLog, StoreError> {
    let aside = store.set_aside(partition).await?;
    tracing::warn!(%partition, aside, "what was damaged of a partition was put aside, and is kept there");
    open_to_follow(store, partition, followed.epoch).await
}

/// What an error says of a replica, if it says anything.
const fn cause(error: &StoreError) -> Option<Cause> {
    match error.kind {
        StoreErrorKind::Lasting => Some(Cause::Failed),
        StoreErrorKind::Damaged => Some(Cause::Damaged),
        StoreErrorKind::Transient | StoreErrorKind::NoRoom | StoreErrorKind::Superseded => None,
    }
}
