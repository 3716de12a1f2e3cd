//! One partition's log on a disk that tears, and what must be true of it.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    time::Duration,
};

use bytes::Bytes;
use shard_core::{
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, RecordBatch, UnassignedBatch},
    },
    log::{
        BatchScanner, FlushPolicy, LogConfig, LogEffect, LogEvent, LogRecovery, PartitionLog, Reached, RecoveredLog,
        RecoveryStep, Scanned,
    },
    model::{LeaderEpoch, Monotonic, Offset, PartitionIndex, RequestId, Timestamp, TopicId, TopicPartition},
};

use crate::disk::{BLOCK, Disk, Stop, Tears};

const PARTITION: TopicPartition = TopicPartition::new(TopicId::new(7), PartitionIndex::new(3));

/// The log, its disk, what was asked of it and what it answered.
pub(crate) struct World {
    config: LogConfig,
    epoch: u32,
    now_ms: i64,
    log: PartitionLog,
    disk: Disk,
    /// Every batch that may be in the log, by its base offset: `log_end` follows the last.
    appended: BTreeMap<u64, RecordBatch>,
    /// What was appended and not handed to a write, by its base offset.
    expected: BTreeMap<u64, (RequestId, usize)>,
    /// Every offset below it was acknowledged as durable.
    acked_durable: u64,
    /// Every offset below it was acknowledged.
    acked: u64,
    /// The durable end that was last written down.
    noted: u64,
    high_watermark: u64,
    /// The start consumers saw.
    start: u64,
    next_request: u64,
    creating: Option<u64>,
    writing: Option<(u64, u64, bool)>,
    preparing: Option<(u64, u64)>,
    syncing: Option<u64>,
    sealing: VecDeque<(u64, Vec<u8>)>,
    /// Where the next write to each segment may begin.
    handed: BTreeMap<u64, u64>,
    pub(crate) counts: Counts,
}

/// What has happened, so that a run in which nothing did is noticed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) acked: u64,
    pub(crate) rolls: u64,
    pub(crate) deleted: u64,
    pub(crate) crashes: u64,
    pub(crate) torn: u64,
    pub(crate) indexed: u64,
}

impl World {
    /// An empty log.
    pub(crate) fn new(flush: FlushPolicy) -> Self {
        let config = LogConfig {
            flush,
            retention: Some(Duration::from_secs(1)),
            retention_bytes: Some(60 << 10),
            segment_bytes_max: 32 << 10,
            unflushed_bytes_max: 256 << 10,
        };
        Self {
            config,
            epoch: 1,
            now_ms: 0,
            log: PartitionLog::open(PARTITION, LeaderEpoch::new(1), config, RecoveredLog::default()),
            disk: Disk::default(),
            appended: BTreeMap::new(),
            expected: BTreeMap::new(),
            acked_durable: 0,
            acked: 0,
            noted: 0,
            high_watermark: 0,
            start: 0,
            next_request: 0,
            creating: None,
            writing: None,
            preparing: None,
            syncing: None,
            sealing: VecDeque::new(),
            handed: BTreeMap::new(),
            counts: Counts::default(),
        }
    }

    /// Appends a batch of `records` records of `payload_bytes` each.
    pub(crate) fn append(&mut self, records: u64, payload_bytes: usize) {
        let request = RequestId::new(self.next_request);
        self.next_request += 1;
        self.now_ms += 1;
        let batch = batch(request, records, payload_bytes);
        let length = batch.len();
        if let Ok(base) = self.log.append(Timestamp::from_millis(self.now_ms), request, batch) {
            self.expected.insert(base.get(), (request, length));
            assert_eq!(self.log.log_end(), base.plus(records), "offsets are dense");
        }
    }

    /// Performs what the log wants, as far as it can be started.
    pub(crate) fn poll(&mut self) {
        while let Some(effect) = self.log.poll_effect() {
            self.perform(effect);
        }
    }

    /// Completes one of the operations in flight; returns whether there was one.
    pub(crate) fn complete(&mut self, pick: usize) -> bool {
        let in_flight = [
            self.creating.map(|_| 0),
            self.writing.map(|_| 1),
            self.preparing.map(|_| 2),
            self.syncing.map(|_| 3),
            self.sealing.front().map(|_| 4),
        ];
        let in_flight: Vec<_> = in_flight.into_iter().flatten().collect();
        let Some(operation) = in_flight.get(pick % in_flight.len().max(1)) else { return false };
        let event = match operation {
            0 => {
                self.disk.complete(self.creating.take().unwrap(), 0, true);
                LogEvent::SegmentCreated
            }
            1 => {
                let (segment, position, durable) = self.writing.take().unwrap();
                self.disk.complete(segment, position, durable);
                LogEvent::Written
            }
            2 => {
                let (segment, position) = self.preparing.take().unwrap();
                self.disk.complete(segment, position, true);
                LogEvent::Prepared
            }
            3 => {
                self.disk.complete_sync(self.syncing.take().unwrap());
                LogEvent::Synced
            }
            _ => {
                let (segment, index) = self.sealing.pop_front().unwrap();
                self.disk.write_index(segment, index);
                LogEvent::Sealed
            }
        };
        self.event(event);
        true
    }

    /// Changes the topic's configuration.
    pub(crate) fn configure(&mut self, flush: FlushPolicy) {
        self.config.flush = flush;
        self.log.configure(self.config);
        assert!(self.log.high_watermark().get() >= self.high_watermark, "the high watermark never falls");
        self.poll();
    }

    /// Lets a deadline of the log pass.
    pub(crate) fn pass(&mut self) {
        if let Some(due) = self.log.next_deadline() {
            self.log.on_deadline(due);
            self.poll();
        }
    }

    /// Writes down what is durable, as a shard does every second.
    pub(crate) fn note(&mut self) {
        self.noted = self.log.durable_end().get();
    }

    /// Lets go of what retention does not ask to be kept so much later.
    pub(crate) fn retain(&mut self, later_ms: i64) {
        self.log.enforce_retention(Timestamp::from_millis(self.now_ms + later_ms));
        self.poll();
        let start = self.log.readable().start.get();
        assert!(start >= self.start, "the start of a log never falls");
        self.start = start;
    }

    /// Performs deletions that were asked for.
    pub(crate) fn delete(&mut self, count: usize) {
        self.disk.delete(count);
    }

    /// An operation in flight fails.
    pub(crate) fn fail(&mut self) {
        if self.creating.is_some() || self.writing.is_some() || self.syncing.is_some() {
            self.event(LogEvent::Failed { reason: "EIO".into() });
            assert!(self.expected.is_empty(), "a failure refuses all that waits");
            let refused = self.log.append(Timestamp::default(), RequestId::new(0), batch(RequestId::new(0), 1, 1));
            assert!(refused.is_err(), "a failed log takes nothing");
        }
    }

    /// Reads at an offset that consumers see, by the log's own plan.
    pub(crate) fn read(&self, percent: u64) {
        let readable = self.log.readable();
        if readable.is_empty() {
            return;
        }
        let wanted = readable.start.plus(readable.len() * percent / 101);
        let plan = self.log.read_plan(wanted).expect("a readable offset has a place");
        let file = self.disk.read(plan.segment.get()).expect("a readable segment is there");
        let end = usize::try_from(plan.end).unwrap().min(file.len());
        let start = usize::try_from(plan.position).unwrap();
        let found = scan(plan.position, &file[start..end]);
        let batch = found.iter().find(|batch| batch.offsets().contains(wanted)).expect("the plan leads to the offset");
        assert_eq!(batch, &self.appended[&batch.offsets().start.get()]);
    }

    /// Stops the node cleanly and starts it again: nothing accepted is lost, and nothing is torn.
    pub(crate) fn restart(&mut self) {
        self.log.begin_shutdown();
        self.poll();
        while self.complete(0) {}
        assert!(self.log.is_idle(), "a log that is stopping comes to rest");
        let end = self.log.log_end();
        let failed = self.log.failure().is_some();
        self.note();
        let torn = self.counts.torn;
        self.crash(Stop::PowerCut, 0);
        assert!(failed || (self.log.log_end() == end && self.counts.torn == torn), "a clean stop keeps everything");
    }

    /// Stops the node at once and starts it again from what the disk holds.
    pub(crate) fn crash(&mut self, stop: Stop, seed: u64) {
        let mut tears = Tears::new(seed);
        self.disk.stop(stop, &mut tears);
        self.counts.crashes += 1;
        self.sealing.clear();
        (self.creating, self.writing, self.preparing, self.syncing) = (None, None, None, None);
        self.expected.clear();
        if tears.below(3) == 0 {
            // A crash during the recovery itself: what it mends is torn, and it begins anew.
            self.recover(Some(&mut tears));
        }
        let recovered = self.recover(None);
        let again = self.recover(None);
        let ends = |recovered: &RecoveredLog| (recovered.log_end, recovered.segments.clone());
        assert_eq!(ends(&again), ends(&recovered), "recovery is idempotent");
        assert!(again.cut.is_none_or(|cut| cut.torn.is_none()), "what was mended is whole");
        self.check(&recovered, stop);
        self.handed = recovered.segments.iter().map(|segment| (segment.base.get(), segment.end)).collect();
        self.epoch += 1;
        self.log = PartitionLog::open(PARTITION, LeaderEpoch::new(self.epoch), self.config, recovered);
        // The log that was recovered is the log from now on; retention that was not finished is done again.
        let end = self.log.log_end().get();
        self.appended.retain(|base, _| *base < end);
        self.high_watermark = self.log.high_watermark().get();
        self.start = self.log.readable().start.get();
        (self.acked, self.acked_durable, self.noted) = (end, end, self.noted.min(end));
    }

    fn perform(&mut self, effect: LogEffect) {
        match effect {
            LogEffect::CreateSegment { segment, header } => {
                self.counts.rolls += 1;
                assert!(self.writing.is_none() && self.preparing.is_none(), "the old segment is at rest");
                self.handed.insert(segment.get(), u64::try_from(header.len()).unwrap());
                self.disk.start(segment.get(), 0, header);
                assert!(self.creating.replace(segment.get()).is_none());
            }
            LogEffect::Prepare { segment, position, length } => {
                assert!(position >= self.handed[&segment.get()], "zeros land on batches");
                self.disk.start(segment.get(), position, vec![0; usize::try_from(length).unwrap()]);
                assert!(self.preparing.replace((segment.get(), position)).is_none());
            }
            LogEffect::Write { segment, position, batches, padded_bytes, durable } => {
                assert!(self.creating.is_none(), "nothing is written to a segment that is not there");
                assert_eq!(position, self.handed[&segment.get()], "a write begins where the last one ended");
                let mut bytes = Vec::new();
                for batch in batches {
                    bytes.extend_from_slice(batch.bytes());
                    self.appended.insert(batch.offsets().start.get(), batch);
                }
                bytes.resize(padded_bytes, 0);
                self.handed.insert(segment.get(), position + u64::try_from(padded_bytes).unwrap());
                self.disk.start(segment.get(), position, bytes);
                assert!(self.writing.replace((segment.get(), position, durable)).is_none(), "one write at a time");
            }
            LogEffect::Sync { segment } => {
                self.disk.start_sync(segment.get());
                assert!(self.syncing.replace(segment.get()).is_none());
            }
            LogEffect::Seal { segment, length, index } => {
                self.disk.seal(segment.get(), length);
                self.sealing.push_back((segment.get(), index));
            }
            LogEffect::DeleteSegment { segment } => {
                self.counts.deleted += 1;
                self.disk.delete_later(segment.get());
            }
            LogEffect::Acknowledge { request, base_offset, reached, .. } => {
                self.acknowledged(request, base_offset.get(), reached);
            }
            LogEffect::Refuse { request } => self.expected.retain(|_, waiting| waiting.0 != request),
            LogEffect::HighWatermark(offset) => {
                assert!(offset.get() >= self.high_watermark, "the high watermark never falls");
                assert!(offset.get() <= self.acked, "consumers see what was acknowledged");
                self.high_watermark = offset.get();
            }
        }
    }

    fn acknowledged(&mut self, request: RequestId, base: u64, reached: Reached) {
        let (waiting, length) = self.expected.remove(&base).expect("an append is answered once");
        let batch = &self.appended[&base];
        assert_eq!((request, batch.bytes().len()), (waiting, length), "each append gets its own answer");
        assert_eq!(self.acked, base, "appends are answered in order");
        self.acked = batch.offsets().end.get();
        self.counts.acked += 1;
        if reached == Reached::Disk {
            self.acked_durable = self.acked;
        }
    }

    fn event(&mut self, event: LogEvent) {
        self.log.on_event(Monotonic::default().plus(Duration::from_millis(1)), event);
        self.acked_durable = self.acked_durable.max(self.log.durable_end().get());
        self.poll();
    }

    /// Recovers as a driver does; with `tears`, it dies while it mends.
    fn recover(&mut self, tears: Option<&mut Tears>) -> RecoveredLog {
        let mut recovery = LogRecovery::new(PARTITION, Offset::new(self.noted));
        let segments = self.disk.segments();
        for (at, &base) in segments.iter().enumerate() {
            let file = Bytes::from(self.disk.read(base).unwrap());
            let first_block = &file[..file.len().min(BLOCK)];
            let is_last = segments.last() == Some(&base);
            let mut step = recovery.begin(Offset::new(base), is_last, first_block).expect("a crash is not damage");
            let following: Vec<_> = segments[at + 1..].iter().map(|&base| Offset::new(base)).collect();
            let length = u64::try_from(file.len()).unwrap();
            if let Some(sooner) = recovery.use_index(self.disk.index(base), length, &following) {
                self.counts.indexed += 1;
                step = sooner;
            }
            while let RecoveryStep::Read { position, bytes_min } = step {
                let start = usize::try_from(position).unwrap().min(file.len());
                let end = (start + bytes_min.max(5_000)).min(file.len());
                let piece = file.slice(start..end);
                step = recovery.feed(position, piece, end == file.len()).expect("a crash is not damage");
            }
            if step == RecoveryStep::Discard {
                self.disk.remove(base);
            }
        }
        let recovered = recovery.finish().expect("a crash is not damage");
        if let Some(cut) = &recovered.cut {
            self.counts.torn += u64::from(cut.torn.is_some());
            self.mend(cut.segment.get(), cut.position, tears);
        }
        recovered
    }

    /// Zeroes what follows `position` in its block and cuts the file behind it.
    fn mend(&mut self, segment: u64, position: u64, tears: Option<&mut Tears>) {
        let cut = usize::try_from(position).unwrap();
        let block_start = cut / BLOCK * BLOCK;
        let mut block = self.disk.read(segment).unwrap();
        block.resize(block.len().max(block_start + BLOCK), 0);
        let mut block = block[block_start..block_start + BLOCK].to_vec();
        block[cut - block_start..].fill(0);
        let block_position = u64::try_from(block_start).unwrap();
        if let Some(tears) = tears {
            if cut > block_start {
                self.disk.start(segment, block_position, block);
            }
            self.disk.stop(Stop::PowerCut, tears);
            return;
        }
        if cut > block_start {
            self.disk.overwrite(segment, block_position, &block);
        }
        self.disk.truncate(segment, position.next_multiple_of(u64::try_from(BLOCK).unwrap()));
    }

    /// What was acknowledged is there, what is there was appended, and nothing is missing in between.
    fn check(&self, recovered: &RecoveredLog, stop: Stop) {
        let kept = match stop {
            Stop::Kill => self.acked,
            Stop::PowerCut => self.acked_durable,
        };
        let end = recovered.log_end.get();
        assert!(end >= kept, "acknowledged up to {kept}, recovered up to {end}");
        let mut next = recovered.segments.first().map_or(end, |first| first.base.get());
        assert!(next <= self.start, "nothing that retention keeps is gone");
        for segment in &recovered.segments {
            assert_eq!(segment.base.get(), next, "no gap between segments");
            let file = self.disk.read(next).unwrap();
            for batch in scan(u64::try_from(BLOCK).unwrap(), &file[BLOCK..]) {
                assert_eq!(Some(&batch), self.appended.get(&next), "what is there was appended there");
                next = batch.offsets().end.get();
            }
        }
        assert_eq!(next, end, "the log is dense to its end");
    }
}

/// A batch whose payloads name their request.
fn batch(request: RequestId, records: u64, payload_bytes: usize) -> UnassignedBatch {
    let head = RecordHead {
        id: MessageId::Text("id"),
        key: None,
        content_type: "text/plain",
        priority: 4,
        ttl_ms: None,
        deliver_at: None,
    };
    let mut builder = BatchBuilder::new(payload_bytes);
    for _ in 0..records {
        let Ok(()) = builder.push(&head, &[], |out| {
            out.extend_from_slice(&request.get().to_le_bytes());
            out.resize(out.len() + payload_bytes, b'x');
            Ok::<(), Infallible>(())
        });
    }
    builder.finish(Codec::None, None).unwrap()
}

/// The batches of a piece of a segment, which holds nothing else.
fn scan(position: u64, bytes: &[u8]) -> Vec<RecordBatch> {
    let mut scanner = BatchScanner::new(position, Bytes::copy_from_slice(bytes));
    let mut found = Vec::new();
    loop {
        match scanner.advance() {
            Scanned::Batch { batch, .. } => found.push(batch),
            Scanned::Blank { .. } => return found,
            other @ (Scanned::More { .. } | Scanned::Damage { .. }) => panic!("{other:?}"),
        }
    }
}
