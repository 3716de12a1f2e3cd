//! What must hold of a partition, whatever happens: what was committed stays so, and everybody sees the same.

use std::collections::{BTreeMap, BTreeSet};

use shard_core::{format::record_batch::RecordBatch, model::Offset};

use super::world::World;

/// What is known of one partition from outside.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    /// All that was ever committed.
    committed: Vec<RecordBatch>,
    /// Where each message is.
    pub(super) ids: BTreeMap<u64, Offset>,
    /// Where it was before retention let go of it, and it was published again.
    former: BTreeSet<(u64, Offset)>,
    /// Up to where some leader had let go: it could not know what lies below, though others may still have it.
    let_go: Offset,
    /// Who leads in which epoch: the place, and the opening.
    leaders: BTreeMap<u32, (usize, u64)>,
    /// How far consumers have seen, by epoch.
    shown: BTreeMap<u32, Offset>,
    /// Who has ever lost something that it had promised to have.
    pub(super) lost: BTreeSet<usize>,
    /// How far a consumer was told to have got.
    pub(super) cursor: u64,
}

impl Oracle {
    /// Where what is committed ends.
    pub(super) fn end(&self) -> Offset {
        self.committed.last().map_or(Offset::ZERO, |batch| batch.offsets().end)
    }

    /// Whoever takes publishes has nothing below `start` any more.
    pub(super) fn note_let_go(&mut self, start: Offset) {
        self.let_go = self.let_go.max(start);
    }

    /// E2, R4: what is on a disk and committed is what everybody else has.
    fn compare(&self, batch: &RecordBatch) {
        let at = self.committed.partition_point(|known| known.offsets().end <= batch.offsets().start);
        let known = self.committed.get(at);
        assert!(known == Some(batch), "E2: {} is something else elsewhere", batch.offsets());
    }

    /// E3, E4, E7.
    fn commit(&mut self, batch: &RecordBatch) {
        assert!(batch.offsets().start == self.end(), "E4: what is committed has no gaps");
        let number = number_of(batch);
        if let Some(earlier) = self.ids.insert(number, batch.offsets().start) {
            let is_let_go = earlier < self.let_go;
            assert!(is_let_go, "E7: message {number} is at {earlier} and at {}", batch.offsets().start);
            self.former.insert((number, earlier));
        }
        self.committed.push(batch.clone());
    }
}

/// The message of which a batch is.
pub(super) fn number_of(batch: &RecordBatch) -> u64 {
    let mut number = None;
    let read = batch.for_each_record(|record| {
        number = Some(u64::from_le_bytes(record.payload.try_into().unwrap()));
    });
    read.unwrap();
    number.unwrap()
}

impl World {
    /// R1, R3.
    pub(super) fn note_leader(&mut self, place: usize, partition: usize) {
        let replica = &self.nodes[place].replicas[partition];
        let who = (place, replica.opening);
        let known = *self.oracles[partition].leaders.entry(replica.epoch).or_insert(who);
        assert_eq!(known, who, "R1: one leader in an epoch");
        let (id, epoch) = (self.id_of(place), replica.epoch);
        let agreed = self.agreed_partition(partition).filter(|agreed| agreed.leader_epoch.get() == epoch);
        if agreed.is_none_or(|agreed| !agreed.isr.contains(&id)) {
            // It comes too late; or it has started again, and owns the partition until another is chosen. It does not come
            // into office.
            return;
        }
        let (end, committed) = (self.nodes[place].disks[partition].synced_end(), self.oracles[partition].end());
        assert!(end >= committed, "R3: the leader has {end}, {committed} is committed");
        self.compare_disk(place, partition, committed);
        let (has, told) = (self.nodes[place].disks[partition].cursor_synced, self.oracles[partition].cursor);
        assert!(has >= told, "E10: the leader has cursor {has}, a consumer was told {told}");
    }

    /// A leader says that what lies below is committed. R5: all in sync have it on their disks.
    pub(super) fn note_committed(&mut self, place: usize, partition: usize, high_watermark: Offset) {
        let oracle = &mut self.oracles[partition];
        let disk = &self.nodes[place].disks[partition];
        assert!(high_watermark <= disk.end(), "R5: {high_watermark} is committed, {} is there", disk.end());
        for batch in disk.read(oracle.end().max(disk.start()), high_watermark, usize::MAX) {
            oracle.commit(&batch);
            self.counts.committed += 1;
        }
        let committed = oracle.end();
        assert!(committed >= high_watermark, "R5: {high_watermark} is in the midst of a batch");
        self.compare_disk(place, partition, high_watermark);
        self.trace(high_watermark.get());
        self.check_members(partition);
    }

    /// E2, R4: a disk has what is committed, below `end`.
    fn compare_disk(&mut self, place: usize, partition: usize, end: Offset) {
        let disk = &mut self.nodes[place].disks[partition];
        let oracle = &self.oracles[partition];
        if disk.compared < end {
            for batch in disk.read(disk.compared, end, usize::MAX) {
                oracle.compare(&batch);
            }
            disk.compared = end;
        }
    }

    /// R8: who is in sync, or is eligible, has on its disk all that is committed. Who is damaged says so before it is back.
    pub(super) fn check_members(&mut self, partition: usize) {
        let Some(agreed) = self.agreed_partition(partition) else { return };
        let members: Vec<_> = agreed.isr.iter().chain(&agreed.elr).copied().collect();
        let (committed, cursor) = (self.oracles[partition].end(), self.oracles[partition].cursor);
        for place in self.places(&members) {
            let disk = &self.nodes[place].disks[partition];
            if disk.is_damaged() {
                continue;
            }
            let end = disk.synced_end();
            assert!(end >= committed, "R8: {place} of {members:?} has {end}, {committed} is committed");
            let has = disk.cursor_synced.min(disk.cursor);
            assert!(has >= cursor, "E10: {place} of {members:?} has cursor {has}, a consumer was told {cursor}");
            self.compare_disk(place, partition, committed);
        }
    }

    /// A leader shows consumers what lies below. E5.
    pub(super) fn note_shown(&mut self, partition: usize, epoch: u32, end: Offset) {
        let oracle = &mut self.oracles[partition];
        assert!(end <= oracle.end(), "E2: {end} is shown, {} is committed", oracle.end());
        let before = oracle.shown.range(..=epoch).map(|(_, shown)| *shown).max().unwrap_or_default();
        assert!(end >= before, "E5: {end} is shown in epoch {epoch}, where {before} was");
        oracle.shown.insert(epoch, end);
    }

    /// A consumer is told how far it has got. E10.
    pub(super) fn note_cursor(&mut self, partition: usize, value: u64) {
        let oracle = &mut self.oracles[partition];
        oracle.cursor = oracle.cursor.max(value);
        self.check_members(partition);
    }

    /// A publisher is told that its message is there. E1, R6: enough disks have it.
    pub(super) fn note_acknowledged(&mut self, partition: usize, number: u64, offset: Offset) {
        let oracle = &self.oracles[partition];
        let known = oracle.ids.get(&number);
        // A former leader that knows of no other may still tell where it was.
        let was_there = oracle.former.contains(&(number, offset));
        assert!(
            known == Some(&offset) || was_there,
            "E1: message {number} is acknowledged at {offset}, is at {known:?}"
        );
        let Some(agreed) = self.agreed_partition(partition) else { return };
        let replicas = self.places(&agreed.replicas.clone());
        // Who had it when it said so may have lost it since.
        let has_lost = |place: &usize| self.oracles[partition].lost.contains(place);
        let has = |place: &usize| self.nodes[*place].disks[partition].synced_end() > offset || has_lost(place);
        let holders = replicas.iter().filter(|place| has(place)).count();
        let needed = usize::from(self.shape.min_insync);
        assert!(holders >= needed, "R6: {holders} have message {number}, {needed} are to");
    }
}
