//! What a node's disk holds of one partition, and what of it is safe.

use shard_core::{
    format::record_batch::RecordBatch,
    model::{Offset, OffsetRange},
    replication::{Lineage, LineageSearch},
};

use crate::chance::Random;

/// The log and the cursors of one partition on one disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    start: Offset,
    batches: Vec<RecordBatch>,
    /// How many of the batches are safe.
    synced: usize,
    /// The cursor that was written last, and the one that is safe.
    pub(super) cursor: u64,
    pub(super) cursor_synced: u64,
    /// What was known to be committed, as a hint; only mutants look at it.
    pub(super) checkpoint: Offset,
    /// Which batch can't be read any more, if one can't.
    damaged: Option<usize>,
    /// What lies below was compared with what is committed.
    pub(super) compared: Offset,
}

impl Disk {
    /// Where the log ends, safe or not.
    pub(super) fn end(&self) -> Offset {
        self.batches.last().map_or(self.start, |batch| batch.offsets().end)
    }

    pub(super) const fn start(&self) -> Offset {
        self.start
    }

    pub(super) fn synced_end(&self) -> Offset {
        let last = self.synced.checked_sub(1).map(|last| &self.batches[last]);
        last.map_or(self.start, |batch| batch.offsets().end)
    }

    pub(super) fn synced_range(&self) -> OffsetRange {
        OffsetRange::new(self.start, self.synced_end())
    }

    pub(super) fn write(&mut self, batches: Vec<RecordBatch>) {
        for batch in batches {
            assert!(batch.offsets().start == self.end(), "E4: offsets have no gaps");
            self.batches.push(batch);
        }
    }

    /// What lies below `end` is safe.
    pub(super) fn sync_to(&mut self, end: Offset) {
        let covered = self.batches.partition_point(|batch| batch.offsets().end <= end);
        self.synced = self.synced.max(covered);
    }

    pub(super) fn sync(&mut self) {
        self.synced = self.batches.len();
        self.cursor_synced = self.cursor;
    }

    /// What was not safe may be there afterwards or not; batches go whole.
    pub(super) fn settle(&mut self, random: &mut Random) {
        let kept = self.synced + random.index(self.batches.len() - self.synced + 1);
        self.batches.truncate(kept);
        if random.once_in(2) {
            self.cursor = self.cursor_synced;
        }
        self.sync();
    }

    /// Cuts off what holds `to` and later offsets; returns where the log ends then.
    pub(super) fn truncate(&mut self, to: Offset) -> Offset {
        self.batches.retain(|batch| batch.offsets().end <= to);
        self.synced = self.batches.len();
        self.compared = self.compared.min(self.end());
        self.end()
    }

    /// Lets go of all, and begins at `start`.
    pub(super) fn restart(&mut self, start: Offset) {
        self.batches.clear();
        self.synced = 0;
        self.start = start;
        self.compared = start;
    }

    /// Lets go of the oldest batches, up to one that ends at `to` or before.
    pub(super) fn trim(&mut self, to: Offset) -> Offset {
        let gone = self.batches.partition_point(|batch| batch.offsets().end <= to).min(self.synced);
        if let Some(last) = gone.checked_sub(1) {
            self.start = self.batches[last].offsets().end;
            self.batches.drain(..gone);
            self.synced -= gone;
            self.compared = self.compared.max(self.start);
        }
        self.start
    }

    /// Some batches from `from` on, below `to`.
    pub(super) fn read(&self, from: Offset, to: Offset, count_max: usize) -> Vec<RecordBatch> {
        let first = self.batches.partition_point(|batch| batch.offsets().end <= from);
        let below = self.batches.iter().skip(first).take_while(|batch| batch.offsets().end <= to);
        below.take(count_max).cloned().collect()
    }

    pub(super) fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// As a driver finds it out, looking at few batches. R10.
    pub(super) fn lineage(&self) -> Lineage {
        let mut search = LineageSearch::new(OffsetRange::new(self.start, self.end()));
        while let Some(wanted) = search.wanted() {
            let at = self.batches.partition_point(|batch| batch.offsets().end <= wanted);
            search.take(&self.batches[at]).unwrap();
        }
        let found = search.finish();
        let mut whole = Lineage::new();
        for batch in &self.batches {
            whole.note(batch.header().leader_epoch, batch.offsets().start);
        }
        assert_eq!(found, whole, "R10: the lineage is that of the batches");
        found
    }

    /// Something of it can't be read any more: a batch, or all that was there.
    pub(super) fn damage(&mut self, random: &mut Random) {
        let damaged = if random.once_in(3) { 0 } else { random.index(self.batches.len()) };
        self.damaged = Some(damaged);
    }

    pub(super) const fn is_damaged(&self) -> bool {
        self.damaged.is_some()
    }

    /// Goes on with what can be read: what lies before the damage. Cursors are made again from those of others.
    pub(super) fn cut_at_damage(&mut self) {
        if let Some(damaged) = self.damaged.take() {
            self.batches.truncate(damaged);
            self.synced = self.batches.len();
            self.compared = self.compared.min(self.end());
            (self.cursor, self.cursor_synced) = (0, 0);
        }
    }
}
