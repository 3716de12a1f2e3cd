//! Fetches of other nodes: what followers have, and what they are sent.

use bytes::Bytes;
use shard_core::{
    delivery::CursorState,
    format::{
        cursor_journal::{self, CursorChange},
        record_batch::RecordBatch,
    },
    limits::BATCH_BYTES_MAX,
    model::{Offset, OffsetRange, TopicPartition},
    replication::{
        CursorNews, CursorUpdate, FetchAnswer, FetchError, FetchPart, FetchPosition, FetchRefusal, FetchReply,
        FetchRequest, FetchVerdict,
    },
};

use super::{Shard, distrusting::note_damage};
use crate::{
    limits,
    partition::{Partition, Slot},
    replication::{Parked, PeerKey},
    request::Reply,
    store::{AnyPartition, MessageStore as _},
};

/// What is to be read for a follower.
struct ToRead {
    /// Which part of the answer it belongs to.
    place: usize,
    store: AnyPartition,
    wanted: OffsetRange,
    bytes_max: usize,
}

impl Shard {
    /// A core of another node says how far it has come, and asks for more.
    pub(super) fn on_fetch(&mut self, fetch: &FetchRequest, reply: Reply<FetchReply, FetchError>) {
        if self.stopping.is_some() {
            return drop(reply.send(Err(FetchError::Stopping)));
        }
        let key = match self.sessions.begin(fetch) {
            Ok(key) => key,
            Err(error) => return drop(reply.send(Err(error))),
        };
        for &partition in &fetch.forgotten {
            self.sessions.forget(key, partition);
            if let Some(leading) = self.leading(partition) {
                leading.leader.on_leave(fetch.run);
            }
        }
        let mut parts = Vec::new();
        for &(partition, position) in &fetch.positions {
            parts.extend(self.on_position((key, fetch.run), partition, position));
        }
        let wait = if fetch.waits { limits::FETCH_WAIT } else { std::time::Duration::ZERO };
        let until = self.clock.monotonic().plus(wait);
        self.sessions.park(key, Parked { reply, until, parts });
        if !fetch.waits {
            self.answer_due_fetches();
        }
    }

    /// Answers fetches for which there is something now. To be called after a turn's events.
    pub(super) fn answer_fetches(&mut self) {
        while let Some((key, parked)) = self.sessions.take_woken() {
            self.answer_fetch(key, parked);
        }
    }

    /// Answers fetches that have waited long enough.
    pub(super) fn answer_due_fetches(&mut self) {
        let now = self.clock.monotonic();
        while let Some((key, parked)) = self.sessions.take_due(now) {
            self.answer_fetch(key, parked);
        }
    }

    /// Has followers sent what is on its way to this node's disk, so that their disks write at the same time. Only if nothing
    /// can keep it from there but a disk that fails: what was sent is not taken back in this epoch. Whether it is so.
    pub(super) fn send_ahead(&mut self, open: &mut Partition, batches: &[RecordBatch]) -> bool {
        let (Some(leading), Some(last)) = (&mut open.leading, batches.last()) else { return false };
        if !open.store.finds_room(batches) {
            return false;
        }
        leading.leader.on_sent_ahead(last.offsets().end);
        open.log.on_sent_ahead();
        self.metrics.batches_sent_ahead.add(super::widen(batches.len()));
        self.sessions.on_data(open.id);
        true
    }

    fn on_position(
        &mut self,
        (key, run): (PeerKey, shard_core::replication::NodeRun),
        partition: TopicPartition,
        position: FetchPosition,
    ) -> Option<FetchPart> {
        let now = self.clock.monotonic();
        let Some(leading) = self.leading(partition) else {
            let answer = FetchAnswer::Refused(FetchRefusal::NotLeader);
            return Some(FetchPart::bare(partition, position.leader_epoch, answer));
        };
        let epoch = leading.leader.epoch();
        let verdict = leading.leader.on_fetch(now, run, position);
        let has_more = leading.leader.tail() > position.end || leading.feed.newest() > position.cursors;
        let answer = match verdict {
            Ok(FetchVerdict::Follows) => None,
            Ok(FetchVerdict::Diverged(there)) => Some(FetchAnswer::Diverged(there)),
            Ok(FetchVerdict::Behind(start)) => Some(FetchAnswer::Behind(start)),
            Err(refusal) => Some(FetchAnswer::Refused(refusal)),
        };
        match verdict {
            Ok(verdict) => self.sessions.follows(key, partition, verdict == FetchVerdict::Follows && has_more),
            Err(_) => self.sessions.forget(key, partition),
        }
        self.take_office(partition);
        let epoch = if verdict.is_ok() { epoch } else { position.leader_epoch };
        answer.map(|answer| FetchPart::bare(partition, epoch, answer))
    }

    fn answer_fetch(&mut self, key: PeerKey, parked: Parked) {
        let Parked { reply, until, mut parts } = parked;
        let (mut bytes_left, mut reads, mut is_held) = (limits::FETCH_BYTES, Vec::new(), false);
        let now = self.clock.monotonic();
        while parts.len() < limits::FETCH_PARTS_MAX && bytes_left > 0 {
            let Some(partition) = self.sessions.get_mut(key).and_then(|peer| peer.session.take_ready()) else { break };
            let catches_up = self.catches_up(key.node, partition);
            if catches_up && self.hold(now, (key, partition)) {
                is_held = true;
                continue;
            }
            let part_max = if catches_up { limits::CATCH_UP_PART_BYTES } else { limits::FETCH_PART_BYTES };
            let bytes_max = bytes_left.min(part_max);
            let Some((part, to_read)) = self.part(key.node, partition, bytes_max) else { continue };
            let known: usize = part.batches.iter().map(|batch| batch.bytes().len()).sum();
            let taken = if to_read.is_some() { bytes_max } else { known };
            bytes_left = bytes_left.saturating_sub(taken);
            if catches_up {
                self.catch_up.budget.charge(now, taken);
            }
            if to_read.is_none() && part.batches.is_empty() && part.cursors.is_none() {
                // It is not answered for, so that it does not keep back what there is next.
                self.sessions.follows(key, partition, false);
            }
            reads.extend(to_read.map(|(store, wanted)| ToRead { place: parts.len(), store, wanted, bytes_max }));
            parts.push(part);
        }
        if is_held && parts.is_empty() && now < until {
            return self.sessions.park_again(key, Parked { reply, until, parts });
        }
        while parts.len() < limits::FETCH_PARTS_MAX {
            let Some(partition) = self.sessions.get_mut(key).and_then(|peer| peer.session.take_news()) else { break };
            if let Some(leading) = self.leading(partition) {
                let (epoch, answer) = (leading.leader.epoch(), follows(leading));
                parts.push(FetchPart::bare(partition, epoch, answer));
            }
        }
        if reads.is_empty() {
            // Whoever asked may have gone: it asks again, and says where it is.
            return drop(reply.send(Ok(FetchReply { parts }.within(BATCH_BYTES_MAX))));
        }
        let mailbox = self.mailbox.clone();
        glommio::spawn_local(async move {
            for ToRead { place, store, wanted, bytes_max } in reads {
                let read = store.read(wanted, bytes_max).await;
                let Some(part) = parts.get_mut(place) else { continue };
                match read {
                    Ok(batches) => {
                        part.take_batches(batches, wanted);
                        if part.batches.is_empty() && part.cursors.is_none() {
                            // Whoever is sent nothing has nothing to come back for; it may just have expired.
                            part.answer = FetchAnswer::Refused(FetchRefusal::Unreadable);
                        }
                    }
                    Err(error) => {
                        tracing::error!(partition = %part.partition, %error, "a follower can't be sent what it needs");
                        let _ = note_damage(&mailbox, (part.partition, true), Err::<(), _>(error));
                        part.answer = FetchAnswer::Refused(FetchRefusal::Unreadable);
                        part.cursors = None;
                    }
                }
            }
            let _ = reply.send(Ok(FetchReply { parts }.within(BATCH_BYTES_MAX)));
        })
        .detach();
    }

    /// What there is of a partition for a follower, and what has to be read for it.
    fn part(
        &mut self,
        node: u64,
        partition: TopicPartition,
        bytes_max: usize,
    ) -> Option<(FetchPart, Option<(AnyPartition, OffsetRange)>)> {
        let leading = self.leading(partition)?;
        let (from, known_cursors) = leading.leader.follower(node)?;
        let (epoch, answer) = (leading.leader.epoch(), follows(leading));
        let (end, tail) = (leading.leader.end(), leading.leader.tail());
        let news = leading.feed.since(known_cursors);
        let mut part = FetchPart::bare(partition, epoch, answer);
        part.cursors = self.cursors(partition, news);
        if from >= tail {
            return Some((part, None));
        }
        let wanted = OffsetRange::new(from, tail);
        if let Some(batches) = self.cache.read(partition, wanted, bytes_max) {
            part.take_batches(batches, wanted);
            return Some((part, None));
        }
        // What is on its way to the disk is nowhere else.
        if from >= end {
            if let Some(leading) = self.leading(partition) {
                leading.is_owed = true;
            }
            return Some((part, None));
        }
        let wanted = OffsetRange::new(from, end);
        let store = match self.partitions.get(&partition)? {
            Slot::Open(open) => open.store.clone(),
            Slot::Assuming(assuming) => assuming.opened.opened.store.clone(),
            Slot::Opening(_) | Slot::Closed(_) | Slot::Following(_) => return None,
        };
        Some((part, Some((store, wanted))))
    }

    /// How the cursors of a partition have changed for a follower.
    fn cursors(&mut self, partition: TopicPartition, news: CursorNews) -> Option<CursorUpdate> {
        let change = self.leading(partition)?.feed.newest();
        let (replaces, entries) = match news {
            CursorNews::None => return None,
            CursorNews::Changes(changes) => (false, changes.concat()),
            CursorNews::Snapshot => (true, self.all_cursors(partition)),
        };
        if entries.len() > BATCH_BYTES_MAX {
            tracing::error!(%partition, bytes = entries.len(), "a follower can't be sent the cursors: too much is acked out of order");
        }
        let bytes = u32::try_from(entries.len()).ok()?;
        Some(CursorUpdate { change, replaces, bytes, entries: Bytes::from(entries) })
    }

    /// Every cursor of a partition as it is now, what is not stored yet included.
    fn all_cursors(&self, partition: TopicPartition) -> Vec<u8> {
        let mut entries = Vec::new();
        let mut add = |id, state: &CursorState| {
            cursor_journal::encode_entry(id, &CursorChange::Snapshot(state.snapshot()), &mut entries);
        };
        match self.partitions.get(&partition) {
            Some(Slot::Open(open)) => {
                open.subscriptions.iter().for_each(|(id, subscribed)| add(id, subscribed.dispatcher.state()));
                open.marks.states().for_each(|(id, state)| add(id, state));
            }
            Some(Slot::Assuming(assuming)) => {
                assuming.opened.opened.found.cursors.iter().for_each(|(id, state)| add(*id, state));
            }
            Some(Slot::Opening(_) | Slot::Closed(_) | Slot::Following(_)) | None => {}
        }
        entries
    }
}

fn follows(leading: &crate::replication::Leading) -> FetchAnswer {
    let leader = &leading.leader;
    FetchAnswer::Follows { high_watermark: leader.high_watermark(), log_start: leader.log_start() }
}

/// Takes what was read for a part.
trait TakeBatches {
    fn take_batches(&mut self, batches: Vec<RecordBatch>, wanted: OffsetRange);
}

impl TakeBatches for FetchPart {
    /// Whole batches from where the follower's log ends up to where this node's log ends on its disk.
    fn take_batches(&mut self, mut batches: Vec<RecordBatch>, wanted: OffsetRange) {
        batches.retain(|batch| within(batch.offsets(), wanted));
        self.batch_count = u32::try_from(batches.len()).unwrap_or_default();
        self.batches = batches;
    }
}

fn within(offsets: OffsetRange, wanted: OffsetRange) -> bool {
    let start: Offset = wanted.start;
    offsets.start >= start && offsets.end <= wanted.end
}
