//! One partition's log on a disk that tears, and what must be true of it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    convert::Infallible,
    ops::Range,
    time::Duration,
};

use bytes::Bytes;
use shard_core::{
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, RecordBatch, UnassignedBatch},
    },
    log::{
        AppendConfig, AppendEffect, AppendEvent, Appender, BatchScanner, DedupConfig, Fate, FlushPolicy, KnownLog,
        Lane, LogExtent, Placed, Reached, RecoveredLog, Retention, Scanned, SegmentEffect, SegmentEvent, SegmentLog,
        SegmentLogConfig, Step,
    },
    model::{LeaderEpoch, Monotonic, Offset, PartitionIndex, RequestId, Timestamp, TopicId, TopicPartition},
};

use crate::disk::{BLOCK, Disk, Random, Stop};

mod driver;
mod recovery;

const PARTITION: TopicPartition = TopicPartition::new(TopicId::new(7), PartitionIndex::new(3));
const KEEP: Retention = Retention { age: Some(Duration::from_secs(1)), bytes: Some(60 << 10), below: None };

/// A promise that the driver of this world breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// It tells a durable write's end when the write is done and nothing was synced.
    AcknowledgesBeforeSync,
    /// It cuts a block more off a torn tail than it was told.
    CutsTooFar,
    /// It takes the last segment to be what its index says.
    TrustsIndex,
    /// It tells that the start is noted when it is not.
    DeletesBeforeNoting,
    /// It does not tell a recovery where the log started.
    ForgetsStart,
    /// It tells that a write that found no room was undone when it was not.
    LeavesWhatHadNoRoom,
}

/// The log, its disk, what was asked of it and what it answered.
pub(crate) struct World {
    mutant: Option<Mutant>,
    config: AppendConfig,
    epoch: u32,
    now_ms: i64,
    appender: Appender,
    log: SegmentLog,
    disk: Disk,
    /// Every batch that may be in the log, by its base offset: `log_end` follows the last.
    appended: BTreeMap<u64, RecordBatch>,
    /// What was appended and not answered, by its base offset.
    expected: BTreeMap<u64, (RequestId, usize)>,
    /// Every offset below it was acknowledged as durable.
    acked_durable: u64,
    /// Every offset below it was acknowledged.
    acked: u64,
    /// What was last written down.
    noted: KnownLog,
    high_watermark: u64,
    /// The start consumers saw.
    start: u64,
    /// Where retention may have the log start.
    given_up: u64,
    next_request: u64,
    /// The base offsets of batches that the store was given and whose publishers wait.
    handed_over: BTreeSet<u64>,
    /// What is being appended to the store.
    appending: Option<Vec<RecordBatch>>,
    /// A sync was asked of the store.
    syncing: bool,
    /// A round of retention is under way.
    retaining: bool,
    /// What a lane's operation waits for.
    in_flight: BTreeMap<Lane, SegmentEffect>,
    preparing: Option<(u64, u64)>,
    sealing: VecDeque<(u64, u64, Vec<u8>)>,
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
    pub(crate) undone: u64,
}

impl World {
    /// An empty log.
    pub(crate) fn new(flush: FlushPolicy, mutant: Option<Mutant>) -> Self {
        let config = AppendConfig { flush, unflushed_bytes_max: 256 << 10, dedup: DedupConfig::default() };
        Self {
            mutant,
            config,
            epoch: 1,
            now_ms: 0,
            appender: Appender::open(LeaderEpoch::new(1), config, LogExtent::default()),
            log: SegmentLog::open(log_config(1), RecoveredLog::default()),
            disk: Disk::default(),
            appended: BTreeMap::new(),
            expected: BTreeMap::new(),
            acked_durable: 0,
            acked: 0,
            noted: KnownLog::default(),
            high_watermark: 0,
            start: 0,
            given_up: 0,
            next_request: 0,
            handed_over: BTreeSet::new(),
            appending: None,
            syncing: false,
            retaining: false,
            in_flight: BTreeMap::new(),
            preparing: None,
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
        if let Ok(base) = self.appender.append(Timestamp::from_millis(self.now_ms), request, batch) {
            self.expected.insert(base.get(), (request, length));
            assert_eq!(self.appender.log_end(), base.plus(records), "offsets are dense");
        }
    }

    /// Changes the topic's configuration.
    pub(crate) fn configure(&mut self, flush: FlushPolicy) {
        self.config.flush = flush;
        self.appender.configure(self.config);
        assert!(self.appender.high_watermark().get() >= self.high_watermark, "the high watermark never falls");
        self.poll();
    }

    /// Lets a deadline of the log pass.
    pub(crate) fn pass(&mut self) {
        if let Some(due) = self.appender.next_deadline() {
            self.appender.on_deadline(due);
            self.poll();
        }
    }

    /// Writes down what is durable, as a shard does every second.
    pub(crate) fn note(&mut self) {
        let point = self.log.durable_point();
        self.noted = KnownLog { durable_end: point.durable_end, log_start: Some(point.log_start) };
    }

    /// Begins to let go of what retention does not ask to be kept so much later.
    pub(crate) fn retain(&mut self, later_ms: i64) {
        if !self.retaining {
            self.retaining = true;
            self.log.begin_retention(Timestamp::from_millis(self.now_ms + later_ms), KEEP);
            self.poll();
        }
    }

    /// An operation in flight finds no room on the disk.
    pub(crate) fn run_out_of_room(&mut self, touched: bool, seed: u64) {
        let creates = |lane: &&Lane| matches!(self.in_flight.get(*lane), Some(SegmentEffect::Create { .. }));
        if let Some(&lane) = [Lane::Append, Lane::Retention].iter().find(creates) {
            // It is as if the segment had never been wanted.
            let Some(SegmentEffect::Create { segment, .. }) = self.in_flight.remove(&lane) else { return };
            self.disk.remove(segment.get());
            self.disk.sync_directory();
            return self.store_event(SegmentEvent::NotCreated { reason: "ENOSPC".into() });
        }
        if let Some(&SegmentEffect::Write { segment, position, .. }) = self.in_flight.get(&Lane::Append) {
            self.in_flight.remove(&Lane::Append);
            self.disk.cut_short(segment.get(), position, touched.then(|| Random::new(seed)));
            self.handed.insert(segment.get(), position);
            self.counts.undone += u64::from(touched);
            self.store_event(SegmentEvent::NotWritten { reason: "ENOSPC".into(), touched });
        }
    }

    /// An operation in flight fails.
    pub(crate) fn fail(&mut self) {
        let lanes = [Lane::Append, Lane::Sync];
        if let Some(lane) = lanes.iter().find(|lane| self.in_flight.contains_key(lane)) {
            self.in_flight.remove(lane);
            self.store_event(SegmentEvent::Failed { reason: "EIO".into() });
            let refused = self.appender.append(Timestamp::default(), RequestId::new(0), batch(RequestId::new(0), 1, 1));
            assert!(refused.is_err(), "a failed log takes nothing");
            assert!(self.expected.is_empty(), "a failure refuses all that waits");
        }
    }

    /// The store takes nothing of what is handed to it next.
    pub(crate) fn reject(&mut self) {
        if self.appending.is_some() {
            return;
        }
        let Some(effect) = self.appender.poll_effect() else { return };
        if matches!(effect, AppendEffect::Append { .. }) {
            self.append_event(AppendEvent::Rejected { reason: "full".into() });
            self.poll();
            assert!(self.expected.is_empty(), "a rejection refuses all that waits");
        } else {
            self.perform_append(effect);
            self.poll();
        }
    }

    /// Reads at an offset that consumers see, by the log's own plan.
    pub(crate) fn read(&self, percent: u64) {
        let readable = self.appender.readable();
        if readable.is_empty() {
            return;
        }
        let wanted = readable.start.plus(readable.len() * percent / 101);
        let Some(plan) = self.log.read_plan(wanted) else {
            assert!(wanted < self.log.log_start(), "a readable offset has a place");
            return;
        };
        let file = self.disk.read(plan.segment.get()).expect("a readable segment is there");
        let end = usize::try_from(plan.end).unwrap().min(file.len());
        let start = usize::try_from(plan.position).unwrap();
        let found = scan(plan.position, &file[start..end]);
        let batch = found.iter().find(|batch| batch.offsets().contains(wanted)).expect("the plan leads to the offset");
        assert_eq!(batch, &self.appended[&batch.offsets().start.get()]);
    }

    /// Stops the node cleanly and starts it again: nothing accepted is lost, and nothing is torn.
    pub(crate) fn restart(&mut self) {
        self.appender.begin_shutdown();
        self.poll();
        while self.complete(0) {}
        assert!(self.appender.is_idle(), "an appender that is stopping comes to rest");
        self.log.close();
        self.poll();
        while self.complete(0) {}
        assert!(self.log.is_at_rest(), "a log that is closed comes to rest");
        let end = self.appender.log_end();
        let failed = self.appender.failure().is_some();
        self.note();
        let torn = self.counts.torn;
        self.crash(Stop::PowerCut, 0);
        assert!(
            failed || (self.appender.log_end() == end && self.counts.torn == torn),
            "a clean stop keeps everything"
        );
    }

    /// The next offset to be assigned.
    pub(crate) fn log_end(&self) -> u64 {
        self.appender.log_end().get()
    }

    /// What consumers see.
    pub(crate) fn readable(&self) -> Range<u64> {
        let readable = self.appender.readable();
        readable.start.get()..readable.end.get()
    }

    fn acknowledged(&mut self, request: RequestId, base: u64, reached: Reached) {
        let (waiting, length) = self.expected.remove(&base).expect("an append is answered once");
        self.handed_over.remove(&base);
        let batch = &self.appended[&base];
        assert_eq!((request, batch.bytes().len()), (waiting, length), "each append gets its own answer");
        assert_eq!(self.acked, base, "appends are answered in order");
        self.acked = batch.offsets().end.get();
        self.counts.acked += 1;
        if reached.is_durable() {
            self.acked_durable = self.acked;
        }
    }
}

fn log_config(epoch: u32) -> SegmentLogConfig {
    SegmentLogConfig { partition: PARTITION, epoch: LeaderEpoch::new(epoch), segment_bytes_max: 32 << 10 }
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
