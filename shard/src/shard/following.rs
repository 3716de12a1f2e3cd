//! Partitions that this core follows: what comes is stored, what differs is cut off.

use std::rc::Rc;

use shard_core::{
    model::{Offset, OffsetRange, TopicPartition},
    replication::{FetchPart, Fetched, Follower, FollowerEffect, FollowerStart},
};

use super::Shard;
use crate::{
    command::PartitionSettings,
    config::ShardConfig,
    event::{Applying, OpenedLog, ShardEvent},
    limits,
    partition::Slot,
    placement::shard_of,
    replication::{Done, Followed, Following, PeerKey, Work},
    store::{AnyPartition, AppendFault, MessageStore as _, StoreError, StoreErrorKind},
};

impl Shard {
    /// A partition was opened, to be followed here.
    pub(super) fn begin_to_follow(
        &mut self,
        id: TopicPartition,
        (leader, settings): (Followed, PartitionSettings),
        opened: OpenedLog,
    ) {
        let OpenedLog { opened, lineage, .. } = opened;
        let Followed { epoch, leader, incarnation } = leader;
        let extent = opened.found.extent;
        for cut in &opened.found.cut {
            tracing::warn!(partition = %id, cut, "what was not finished before the last stop was cut off");
        }
        let log = OffsetRange::new(extent.start, extent.end);
        let opening = self.new_opening();
        let following = Following {
            id,
            store: opened.store,
            follower: Follower::new(FollowerStart { epoch, log, lineage }),
            settings,
            leader,
            incarnation,
            source: None,
            opening,
            work: Work::None,
            retaining: false,
            cut: None,
            closing: false,
            releasing: None,
        };
        self.partitions.insert(id, Slot::Following(Box::new(following)));
        if self.stopping.is_some() {
            return self.release_followed(id, None);
        }
        self.fetch_from_leader(id);
    }

    /// Another one leads a partition that is followed here, or nobody does.
    pub(super) fn on_new_leader(&mut self, partition: TopicPartition, followed: Followed) {
        let Followed { epoch, leader, incarnation } = followed;
        if let Some(Slot::Following(following)) = self.partitions.get_mut(&partition) {
            let is_given_up = std::mem::replace(&mut following.incarnation, incarnation) != incarnation;
            following.follower.on_leader(epoch, is_given_up);
            following.leader = leader;
        }
        if let Some(Slot::Closed(_)) = self.partitions.get(&partition) {
            self.follow_another_later(partition, followed);
            return self.leave(partition, leader);
        }
        self.fetch_from_leader(partition);
    }

    /// Fetches from other cores what is not where it was, if the routes of this node have changed.
    pub(super) fn look_at_sources(&mut self) {
        let Some(peers) = &self.config.peers else { return };
        let version = peers.routes.load().version;
        if std::mem::replace(&mut self.sources_of, version) == version {
            return;
        }
        let followed = self.partitions.iter().filter(|(_, slot)| matches!(slot, Slot::Following(_)));
        let followed: Vec<_> = followed.map(|(&partition, _)| partition).collect();
        for partition in followed {
            self.fetch_from_leader(partition);
        }
    }

    /// Fetches a partition from the core that leads it, once it is known where that is.
    fn fetch_from_leader(&mut self, partition: TopicPartition) {
        let Some(Slot::Following(following)) = self.partitions.get_mut(&partition) else { return };
        if following.closing {
            return;
        }
        let leader = following.leader.and_then(|leader| source(&self.config, partition, leader));
        if following.source == leader {
            // It may be of another epoch.
            if let Some(fetcher) = leader.and_then(|source| self.fetchers.get_mut(source)) {
                fetcher.note_moved(partition);
            }
            return;
        }
        if let Some(source) = std::mem::replace(&mut following.source, leader) {
            self.fetchers.remove(source, partition);
        }
        if let Some(source) = leader {
            self.fetchers.add(source, partition);
        }
    }

    /// A partition can't be followed: its leader is told, so that nobody waits for this node.
    pub(super) fn leave(&mut self, partition: TopicPartition, leader: Option<u64>) {
        if let Some(source) = leader.and_then(|leader| source(&self.config, partition, leader)) {
            self.fetchers.leave(source, partition);
        }
    }

    /// The leader has sent something of a partition.
    pub(super) fn on_fetched_part(&mut self, source: PeerKey, part: FetchPart) {
        let now = self.clock.monotonic();
        let partition = part.partition;
        let Some(Slot::Following(following)) = self.partitions.get_mut(&partition) else { return };
        if following.source != Some(source) || following.closing {
            return;
        }
        let (replaces, entries) = match part.cursors {
            Some(update) => (update.replaces, Some((update.change, update.entries))),
            None => (false, None),
        };
        let fetched = Fetched { batches: part.batches, cursors: entries.as_ref().map(|(change, _)| *change) };
        match following.follower.on_answer(part.epoch, part.answer, &fetched) {
            Ok(FollowerEffect::Store) => {
                let entries = entries.map(|(_, entries)| (replaces, entries.to_vec()));
                self.store_fetched(partition, fetched, entries);
            }
            Ok(cut @ (FollowerEffect::Truncate(_) | FollowerEffect::Restart(_))) => {
                following.cut = Some(cut);
                self.cut_followed(partition);
            }
            Ok(FollowerEffect::Wait(refusal)) => {
                tracing::debug!(%partition, %refusal, "a partition can't be followed now");
                if let Some(fetcher) = self.fetchers.get_mut(source) {
                    fetcher.rest(partition, now.plus(limits::FOLLOW_PAUSE));
                }
            }
            Ok(FollowerEffect::Fetch) => {}
            Err(distrust) => self.stop_following(partition, distrust.to_string()),
        }
    }

    /// The store has done something for a follower.
    pub(super) fn on_followed(
        &mut self,
        (partition, opening): (TopicPartition, u64),
        source: Option<PeerKey>,
        done: Result<Done, StoreError>,
    ) {
        let now = self.clock.monotonic();
        if let Some(fetcher) = source.and_then(|source| self.fetchers.get_mut(source)) {
            fetcher.storing = fetcher.storing.saturating_sub(1);
        }
        let Some(Slot::Following(following)) = self.partitions.get_mut(&partition) else { return };
        if following.opening != opening {
            return;
        }
        following.work = Work::None;
        let fetcher = following.source.and_then(|source| self.fetchers.get_mut(source));
        match done {
            Ok(Done::Stored { wants_snapshot }) => {
                following.follower.on_stored();
                if wants_snapshot {
                    following.follower.want_snapshot();
                }
            }
            Ok(Done::NoRoom { reason, stored }) => {
                tracing::warn!(%partition, reason, "a follower has no room for what it is sent");
                if stored {
                    following.follower.on_stored();
                    following.follower.want_snapshot();
                } else {
                    following.follower.on_not_stored();
                }
                if let Some(fetcher) = fetcher {
                    fetcher.rest(partition, now.plus(limits::NO_ROOM_PAUSE));
                }
                return self.close_followed(partition);
            }
            Ok(Done::Cut(end)) => following.follower.on_cut(end),
            Ok(Done::Restarted(start)) => following.follower.on_restarted(start),
            Err(error) => return self.stop_following(partition, error.reason),
        }
        if let Some(fetcher) = fetcher {
            fetcher.note_moved(partition);
        }
        self.close_followed(partition);
    }

    /// Retention has ended on a partition that is followed.
    pub(super) fn on_followed_start(&mut self, partition: TopicPartition, start: Option<Offset>) {
        let Some(Slot::Following(following)) = self.partitions.get_mut(&partition) else { return };
        following.retaining = false;
        if let Some(start) = start {
            following.follower.on_log_start(start);
        }
        self.cut_followed(partition);
        self.close_followed(partition);
    }

    /// Lets go of a partition that is followed.
    pub(super) fn release_followed(&mut self, partition: TopicPartition, applying: Option<Rc<Applying>>) {
        let Some(Slot::Following(following)) = self.partitions.get_mut(&partition) else { return };
        following.closing = true;
        following.releasing = applying;
        if let Some(source) = following.source.take() {
            self.fetchers.remove(source, partition);
        }
        self.close_followed(partition);
    }

    /// Closes a partition that is to be closed, once nothing is under way on it.
    fn close_followed(&mut self, partition: TopicPartition) {
        let Some(Slot::Following(following)) = self.partitions.get_mut(&partition) else { return };
        if !following.closing || !following.is_still() {
            return;
        }
        following.work = Work::Closing;
        let (store, mailbox) = (following.store.clone(), self.mailbox.clone());
        glommio::spawn_local(async move {
            if let Err(error) = store.close().await {
                tracing::debug!(%partition, %error, "a partition that was followed was not closed cleanly");
            }
            mailbox.push(ShardEvent::Closed { partition });
        })
        .detach();
    }

    /// A read has found damage in a replica that follows: it is put aside, and fetched again. What was read of a log that has
    /// begun anew meanwhile says nothing of the one that is here.
    pub(super) fn on_followed_damage(&mut self, partition: TopicPartition, offset: Offset, reason: String) {
        let Some(Slot::Following(following)) = self.partitions.get(&partition) else { return };
        if following.closing || !following.follower.log().contains(offset) {
            return;
        }
        let (epoch, leader, incarnation) = (following.follower.epoch(), following.leader, following.incarnation);
        let follow = (Followed { epoch, leader, incarnation }, following.settings);
        let store = following.store.clone();
        if let Some(source) = following.source {
            self.fetchers.leave(source, partition);
        }
        self.close(partition, reason.clone());
        self.distrust_followed(partition, reason, (follow, store));
    }

    /// A partition can't be followed any more, until somebody has looked.
    fn stop_following(&mut self, partition: TopicPartition, reason: String) {
        let Some(Slot::Following(following)) = self.partitions.remove(&partition) else { return };
        if let Some(source) = following.source {
            self.fetchers.leave(source, partition);
        }
        let store = following.store.clone();
        glommio::spawn_local(async move {
            // It may have failed; nothing is lost by that.
            let _ = store.close().await;
        })
        .detach();
        self.close(partition, reason);
    }

    fn store_fetched(&mut self, partition: TopicPartition, fetched: Fetched, cursors: Option<(bool, Vec<u8>)>) {
        self.have_followed((partition, Work::Storing), async move |store| {
            if !fetched.batches.is_empty() {
                match store.append(fetched.batches, true).await {
                    Ok(_) => {}
                    Err(AppendFault::Rejected { reason }) => {
                        return Ok(Done::NoRoom { reason, stored: false });
                    }
                    Err(AppendFault::Superseded { reason }) => return Err(StoreError::superseded(reason)),
                    Err(AppendFault::Failed(error)) => return Err(error),
                }
            }
            let stored = match cursors {
                Some((true, entries)) => store.replace_cursors(entries).await,
                Some((false, entries)) => store.append_cursors(entries).await,
                None => return Ok(Done::Stored { wants_snapshot: false }),
            };
            match stored {
                Ok(stored) => Ok(Done::Stored { wants_snapshot: stored.replace }),
                Err(error) if error.kind == StoreErrorKind::NoRoom => {
                    Ok(Done::NoRoom { reason: error.reason, stored: true })
                }
                Err(error) => Err(error),
            }
        });
    }

    fn cut_followed(&mut self, partition: TopicPartition) {
        let Some(Slot::Following(following)) = self.partitions.get_mut(&partition) else { return };
        if following.retaining {
            return;
        }
        match following.cut.take() {
            Some(FollowerEffect::Truncate(to)) => {
                tracing::info!(%partition, %to, "what differs from the leader's log is cut off");
                let truncate = async move |store: AnyPartition| store.truncate(to).await.map(Done::Cut);
                self.have_followed((partition, Work::Cutting), truncate);
            }
            Some(FollowerEffect::Restart(start)) => {
                tracing::info!(%partition, %start, "the log begins anew, as the leader's does not go back to its end");
                let restart =
                    async move |store: AnyPartition| store.restart(start).await.map(|()| Done::Restarted(start));
                self.have_followed((partition, Work::Cutting), restart);
            }
            Some(FollowerEffect::Store | FollowerEffect::Wait(_) | FollowerEffect::Fetch) | None => {}
        }
    }

    /// Has a follower's store do something; how it ends comes back as an event.
    fn have_followed(
        &mut self,
        (partition, work): (TopicPartition, Work),
        perform: impl AsyncFnOnce(AnyPartition) -> Result<Done, StoreError> + 'static,
    ) {
        let Some(Slot::Following(following)) = self.partitions.get_mut(&partition) else { return };
        following.work = work;
        let (place, source) = ((partition, following.opening), following.source);
        if let Some(fetcher) = source.and_then(|source| self.fetchers.get_mut(source)) {
            fetcher.storing += 1;
        }
        let (store, mailbox) = (following.store.clone(), self.mailbox.clone());
        glommio::spawn_local(async move {
            let done = perform(store).await;
            mailbox.push(ShardEvent::Followed { place, source, done });
        })
        .detach();
    }
}

/// The core of a node that has a partition, if it is known how many it has.
fn source(config: &ShardConfig, partition: TopicPartition, node: u64) -> Option<PeerKey> {
    let table = config.peers.as_ref()?.routes.load();
    let route = table.nodes.get(&node).filter(|route| route.shard_count > 0)?;
    let core = u16::try_from(shard_of(partition, route.shard_count)).ok()?;
    Some(PeerKey { node, core })
}
