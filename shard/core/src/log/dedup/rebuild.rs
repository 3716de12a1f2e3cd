//! Learns from the log what is to be recognised, newest first, so that what there is no room for is the oldest.

use super::{Dedup, Fact};
use crate::{
    format::record_batch::RecordBatch,
    limits,
    log::LogExtent,
    model::{Offset, OffsetRange, Timestamp},
};

/// Reads the newest part of a log: the driver reads what is `wanted` until nothing is, and tells what it has read.
///
/// A log can't be read backwards; so parts of it are read, each forwards, the last part first.
#[derive(Debug)]
pub struct DedupRebuild {
    dedup: Dedup,
    /// Nothing below is looked at.
    from: Offset,
    /// The part that is being read.
    part: OffsetRange,
    /// Where reading goes on in it.
    next: Offset,
    part_bytes: usize,
    bytes: usize,
    /// What each part told, the newest part first.
    facts: Vec<Vec<Fact>>,
    /// What is left of the part that is being learned.
    settling: std::vec::IntoIter<Fact>,
}

impl DedupRebuild {
    /// From which time on messages matter, at `now`; `None` if none of the log's does.
    #[must_use]
    pub fn since(dedup: &Dedup, extent: &LogExtent, now: Timestamp) -> Option<Timestamp> {
        let window_ms = i64::try_from(dedup.config.window_ms).unwrap_or(i64::MAX);
        // An id is remembered while now < taken + window.
        let since = now.max(extent.newest).as_millis().saturating_sub(window_ms).saturating_add(1);
        let since = Timestamp::from_millis(since);
        (window_ms > 0 && extent.start < extent.end && extent.newest >= since).then_some(since)
    }

    /// Goes to learn from the messages at `wanted`, behind what `dedup` knows.
    #[must_use]
    pub fn new(dedup: Dedup, wanted: OffsetRange) -> Self {
        let mut rebuild = Self {
            dedup,
            from: wanted.start,
            part: OffsetRange::new(wanted.end, wanted.end),
            next: wanted.end,
            part_bytes: 0,
            bytes: 0,
            facts: Vec::new(),
            settling: Vec::new().into_iter(),
        };
        rebuild.begin_part(limits::DEDUP_REBUILD_RECORDS_MIN);
        rebuild
    }

    /// What to read next; `None` at the end.
    #[must_use]
    pub fn wanted(&self) -> Option<OffsetRange> {
        (!self.part.is_empty()).then(|| OffsetRange::new(self.next, self.part.end))
    }

    /// Takes what was read; nothing at all, if there was nothing more to read in that part.
    pub fn take(&mut self, batches: &[RecordBatch]) {
        let Some(facts) = self.facts.last_mut() else { return };
        for batch in batches {
            let offsets = batch.offsets();
            // The first one may begin before the part: then so does the part.
            self.part.start = self.part.start.min(offsets.start);
            self.next = self.next.max(offsets.end);
            self.part_bytes += batch.bytes().len();
            Fact::of_batch(batch, facts);
        }
        let known: usize = self.facts.iter().map(Vec::len).sum();
        let over =
            self.bytes + self.part_bytes >= limits::DEDUP_REBUILD_BYTES_MAX || known >= limits::DEDUP_REBUILD_FACTS_MAX;
        if over || batches.is_empty() || self.next >= self.part.end {
            self.end_part(over);
        }
    }

    /// Stops reading: what lies further back can't be read.
    pub fn give_up(&mut self) {
        self.end_part(true);
    }

    /// Learns nothing: what was known before.
    #[must_use]
    pub fn abandon(self) -> Dedup {
        self.dedup
    }

    /// Learns some of what was read; whether there is more. Nothing may be wanted any more.
    pub fn settle(&mut self) -> bool {
        for _ in 0..limits::DEDUP_SETTLE_FACTS {
            if let Some(fact) = self.settling.next() {
                self.dedup.learn(fact);
            } else if let Some(part) = self.facts.pop() {
                self.settling = part.into_iter();
            } else {
                return false;
            }
        }
        true
    }

    /// What is known now.
    #[must_use]
    pub fn finish(mut self) -> Dedup {
        while self.settle() {}
        self.dedup
    }

    fn end_part(&mut self, last: bool) {
        self.bytes += self.part_bytes;
        let records = self.part.len();
        if last {
            self.part = OffsetRange::new(self.part.start, self.part.start);
            return;
        }
        // The next part is as long as what would take about the bytes wanted at once.
        let bytes = u64::try_from(self.part_bytes.max(1)).unwrap_or(u64::MAX);
        let fitting = records.saturating_mul(limits::DEDUP_REBUILD_PART_BYTES) / bytes;
        let most = (records * 8).min(limits::DEDUP_REBUILD_RECORDS_MAX);
        self.begin_part(fitting.clamp(limits::DEDUP_REBUILD_RECORDS_MIN, most.max(limits::DEDUP_REBUILD_RECORDS_MIN)));
    }

    fn begin_part(&mut self, records: u64) {
        let end = self.part.start;
        let start = Offset::new(end.get().saturating_sub(records)).max(self.from).min(end);
        self.part = OffsetRange::new(start, end);
        self.next = start;
        self.part_bytes = 0;
        self.facts.push(Vec::new());
    }
}
