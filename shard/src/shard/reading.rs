//! Reads without a subscription: from the tail cache, from the store, or after a wait.

use shard_core::{
    model::{Monotonic, Offset, OffsetRange, Timestamp, TopicPartition},
    replication::Leader,
};

use super::{Shard, distrusting::note_damage};
use crate::{
    partition::Slot,
    request::{FollowerLag, PartitionStatus, PartitionUnavailable, ReadError, ReadFrom, ReadReply, ReadRequest, Reply},
    store::MessageStore as _,
    waiters::WaitingRead,
};

impl Shard {
    pub(super) fn read(&mut self, partition: TopicPartition, read: &ReadRequest, reply: Reply<ReadReply, ReadError>) {
        match read.from {
            ReadFrom::Offset(from) => self.read_from(partition, from, read, reply),
            ReadFrom::Timestamp(at) => self.read_from_time(partition, at, *read, reply),
        }
    }

    /// Wakes the reads that waited for the high watermark to move.
    pub(super) fn serve_waiting_reads(&mut self, partition: TopicPartition) {
        let Ok(open) = self.open(partition) else { return };
        let end = open.log.high_watermark();
        for waiting in open.reads.take_all() {
            if waiting.from < end {
                self.read_from(partition, waiting.from, &waiting.read, waiting.reply);
            } else if !waiting.reply.is_canceled() {
                self.wait_for_record(partition, waiting);
            }
        }
    }

    /// Answers the reads that have waited long enough, with nothing.
    pub(super) fn expire_waiting_reads(&mut self, partition: TopicPartition) {
        let now = self.clock.monotonic();
        let Ok(open) = self.open(partition) else { return };
        let high_watermark = open.log.high_watermark();
        while let Some(waiting) = open.reads.take_due(now) {
            let nothing = ReadReply { from: waiting.from, batches: Vec::new(), high_watermark };
            let _ = waiting.reply.send(Ok(nothing));
        }
    }

    pub(super) fn status(&mut self, partition: TopicPartition) -> Result<PartitionStatus, PartitionUnavailable> {
        let shard = self.config.index;
        let (stuck, now) = (self.stuck(), self.clock.monotonic());
        match self.partitions.get(&partition).ok_or(PartitionUnavailable::NotHere(partition))? {
            Slot::Open(open) => {
                let readable = open.log.readable();
                Ok(PartitionStatus {
                    shard,
                    leader_epoch: open.log.epoch(),
                    start_offset: readable.start,
                    high_watermark: readable.end,
                    end_offset: open.log.log_end(),
                    bytes: open.store.bytes(),
                    followers: open.leading.as_ref().map(|leading| lags(&leading.leader, now)).unwrap_or_default(),
                    closed: open.log.failure().map(str::to_owned).or(stuck),
                })
            }
            Slot::Opening(reason) | Slot::Closed(reason) => Ok(closed_status(shard, reason)),
            Slot::Assuming(_) | Slot::Following(_) => Err(PartitionUnavailable::NotHere(partition)),
        }
    }

    fn read_from(
        &mut self,
        partition: TopicPartition,
        from: Offset,
        read: &ReadRequest,
        reply: Reply<ReadReply, ReadError>,
    ) {
        let open = match self.open(partition) {
            Ok(open) => open,
            Err(error) => return drop(reply.send(Err(error.into()))),
        };
        let (readable, end) = (open.log.readable(), open.log.log_end());
        if from < readable.start {
            return drop(reply.send(Err(ReadError::Expired { offset: from, start: readable.start })));
        }
        if from > end {
            return drop(reply.send(Err(ReadError::PastEnd { offset: from, end })));
        }
        if from >= readable.end {
            return self.wait_for_record(partition, WaitingRead { from, read: *read, reply });
        }
        let wanted = OffsetRange::new(from, readable.end);
        let bytes_max = read.bytes_max;
        let Some(Slot::Open(open)) = self.partitions.get(&partition) else { return };
        let high_watermark = readable.end;
        if let Some(batches) = self.cache.read(partition, wanted, bytes_max) {
            self.metrics.cache_reads.add(1);
            let _ = reply.send(Ok(ReadReply { from, batches, high_watermark }));
            return;
        }
        let (store, mailbox) = (open.store.clone(), self.mailbox.clone());
        let place = (partition, open.has_heirs());
        glommio::spawn_local(async move {
            let read = note_damage(&mailbox, place, store.read(wanted, bytes_max).await);
            let _ = reply.send(read.map(|batches| ReadReply { from, batches, high_watermark }));
        })
        .detach();
    }

    /// Keeps a read until there is a record for it, or answers at once if it does not want to wait.
    fn wait_for_record(&mut self, partition: TopicPartition, waiting: WaitingRead) {
        let now = self.clock.monotonic();
        let open = match self.open(partition) {
            Ok(open) => open,
            Err(error) => return drop(waiting.reply.send(Err(error.into()))),
        };
        if waiting.read.wait.is_zero() {
            let high_watermark = open.log.high_watermark();
            let nothing = ReadReply { from: waiting.from, batches: Vec::new(), high_watermark };
            return drop(waiting.reply.send(Ok(nothing)));
        }
        let deadline = now.plus(waiting.read.wait);
        open.reads.push(deadline, waiting);
    }

    fn read_from_time(
        &mut self,
        partition: TopicPartition,
        at: Timestamp,
        read: ReadRequest,
        reply: Reply<ReadReply, ReadError>,
    ) {
        let mailbox = self.mailbox.clone();
        let located = self.locate(partition, at);
        glommio::spawn_local(async move {
            match located.await {
                Ok(from) => {
                    let read = ReadRequest { from: ReadFrom::Offset(from), ..read };
                    let request = crate::request::Request::Read { partition, read, reply };
                    mailbox.push(crate::event::ShardEvent::Request(request));
                }
                Err(error) => drop(reply.send(Err(error))),
            }
        })
        .detach();
    }

    /// Finds the first record taken at `at` or later; the high watermark if there is none yet.
    pub(super) fn locate(
        &mut self,
        partition: TopicPartition,
        at: Timestamp,
    ) -> impl Future<Output = Result<Offset, ReadError>> + use<> {
        let place = self.open(partition).map(|open| (open.store.clone(), open.log.high_watermark()));
        async move {
            let (store, end) = place?;
            Ok(store.find_time(at, end).await?)
        }
    }
}

fn closed_status(shard: usize, reason: &str) -> PartitionStatus {
    PartitionStatus {
        shard,
        leader_epoch: shard_core::model::LeaderEpoch::default(),
        start_offset: Offset::ZERO,
        high_watermark: Offset::ZERO,
        end_offset: Offset::ZERO,
        bytes: 0,
        followers: Vec::new(),
        closed: Some(reason.to_owned()),
    }
}

fn lags(leader: &Leader, now: Monotonic) -> Vec<FollowerLag> {
    leader.lags(now).map(|(node, messages, behind)| FollowerLag { node, messages, behind }).collect()
}
