//! The journal writer on a simulated disk, and what a start makes of what it finds there.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    format::cursor_journal::{BLOCK_BYTES, EntryError, GroupError, HeaderError},
    model::{Offset, OffsetRange, PartitionIndex, TopicId, TopicPartition},
};

const PARTITION: TopicPartition = TopicPartition::new(TopicId::new(7), PartitionIndex::new(3));
const SUBSCRIPTION: SubscriptionId = SubscriptionId::new(1);
const BLOCK: u64 = 4096;

/// A writer with the cursors it writes about, and a disk.
struct Rig {
    writer: JournalWriter,
    layout: JournalFiles,
    cursors: BTreeMap<SubscriptionId, CursorState>,
    files: BTreeMap<u64, Vec<u8>>,
    released: Vec<u64>,
    refused: Vec<u64>,
}

impl Rig {
    fn new() -> Self {
        let (writer, layout) = (JournalWriter::open(false), JournalFiles::create(PARTITION));
        let cursors = BTreeMap::new();
        Self { writer, layout, cursors, files: BTreeMap::new(), released: Vec::new(), refused: Vec::new() }
    }

    /// A file of generation 1 with the subscription opened at 0.
    fn opened() -> Self {
        let mut rig = Self::new();
        rig.change(CursorChange::Opened { start: Offset::ZERO });
        rig.settle();
        rig
    }

    fn change(&mut self, change: CursorChange) {
        self.cursors.entry(SUBSCRIPTION).or_default().apply(&change);
        self.writer.record(SUBSCRIPTION, &[change]);
    }

    fn ack(&mut self, offset: u64) {
        self.change(acked(offset));
    }

    fn ask(&mut self, request: u64) {
        self.writer.release_when_durable(RequestId::new(request));
    }

    /// Performs effects up to a write, which it returns without performing it.
    fn poll(&mut self) -> Option<JournalWrite> {
        while let Some(effect) = self.writer.poll_effect() {
            match effect {
                JournalEffect::TakeSnapshot => {
                    self.writer.replace(self.cursors.iter().map(|(&subscription, state)| (subscription, state)));
                }
                JournalEffect::AppendCursors { entries } => return Some(self.layout.append(&entries)),
                JournalEffect::ReplaceCursors { entries } => return Some(self.layout.replace(&entries)),
                JournalEffect::Release { request } => self.released.push(request.get()),
                JournalEffect::Refuse { request, .. } => self.refused.push(request.get()),
            }
        }
        None
    }

    fn store(&mut self, write: JournalWrite) {
        match write {
            JournalWrite::Create { generation, bytes } => {
                self.files.insert(generation, bytes);
            }
            JournalWrite::Write { generation, position, bytes } => {
                let file = self.files.get_mut(&generation).unwrap();
                let at = usize::try_from(position).unwrap();
                file.resize(file.len().max(at + bytes.len()), 0);
                file[at..at + bytes.len()].copy_from_slice(&bytes);
            }
        }
    }

    /// Tells both cores that what was stored is durable.
    fn on_written(&mut self) {
        if let Some(old) = self.layout.on_written() {
            self.files.remove(&old).unwrap();
        }
        self.writer.on_stored(self.layout.is_large());
    }

    /// Starts again from the files.
    fn restart(&mut self) {
        let recovered = self.recovered();
        self.writer = JournalWriter::open(recovered.files.is_large());
        self.layout = recovered.files;
    }

    /// Performs everything.
    fn settle(&mut self) {
        while let Some(write) = self.poll() {
            self.store(write);
            self.on_written();
        }
    }

    fn recovered(&self) -> RecoveredJournal {
        recover_files(&self.files).unwrap()
    }

    /// The file of generation 1.
    fn file(&mut self) -> &mut Vec<u8> {
        self.files.get_mut(&1).unwrap()
    }
}

fn acked(offset: u64) -> CursorChange {
    CursorChange::Acked(OffsetRange::new(Offset::new(offset), Offset::new(offset + 1)))
}

fn recover_files(files: &BTreeMap<u64, Vec<u8>>) -> Result<RecoveredJournal, JournalError> {
    let files: Vec<_> = files.iter().map(|(&generation, bytes)| JournalFile { generation, bytes }).collect();
    recover(PARTITION, &files)
}

fn position_of(write: &JournalWrite) -> u64 {
    match write {
        JournalWrite::Write { position, .. } => *position,
        JournalWrite::Create { .. } => panic!("{write:?} begins a file"),
    }
}

/// F6.
#[test]
fn an_ack_waits_for_its_write() {
    let mut rig = Rig::opened();
    rig.ack(5);
    rig.ask(1);
    let write = rig.poll().unwrap();
    assert_eq!(rig.released, [0_u64; 0]);
    rig.store(write);
    assert_eq!(rig.poll(), None);
    assert_eq!(rig.released, [0_u64; 0], "written is not durable before its completion");
    rig.on_written();
    rig.settle();
    assert_eq!(rig.released, [1]);
    assert!(rig.writer.is_idle());
}

#[test]
fn a_request_that_changed_nothing_waits_for_what_it_may_rest_on_and_no_longer() {
    let mut rig = Rig::opened();
    rig.ask(1);
    rig.settle();
    assert_eq!(rig.released, [1], "all is durable");
    rig.ack(5);
    let write = rig.poll().unwrap();
    rig.ask(2);
    rig.settle();
    assert_eq!(rig.released, [1], "a second ack of 5 rests on the write in flight");
    rig.store(write);
    rig.on_written();
    rig.settle();
    assert_eq!(rig.released, [1, 2]);
}

#[test]
fn changes_that_arrive_during_a_write_share_the_next_one() {
    let mut rig = Rig::opened();
    rig.ack(5);
    rig.ask(1);
    let first = rig.poll().unwrap();
    for offset in 10..20 {
        rig.ack(offset);
        rig.ask(offset);
    }
    assert_eq!(rig.poll(), None, "one write is in flight at a time");
    let position = position_of(&first);
    rig.store(first);
    rig.on_written();
    let second = rig.poll().unwrap();
    assert_eq!(position_of(&second), position + BLOCK);
    assert_eq!(rig.released, [1]);
    rig.store(second);
    rig.on_written();
    assert_eq!(rig.poll(), None);
    assert_eq!(rig.released, (1..2).chain(10..20).collect::<Vec<_>>());
    assert_eq!(rig.recovered().cursors, rig.cursors);
}

#[test]
fn the_first_change_creates_the_file_with_room_for_more() {
    let mut rig = Rig::new();
    assert_eq!(rig.poll(), None, "a partition without subscriptions has no journal");
    rig.change(CursorChange::Opened { start: Offset::new(9) });
    rig.ask(1);
    rig.settle();
    assert_eq!(rig.released, [1]);
    assert_eq!(rig.file().len(), limits::JOURNAL_SPARE_BYTES);
    let recovered = rig.recovered();
    assert_eq!((recovered.torn, recovered.obsolete), (None, vec![]));
    assert_eq!(recovered.cursors, rig.cursors);
}

#[test]
fn a_recovered_writer_goes_on_behind_what_is_there() {
    let mut rig = Rig::opened();
    for offset in [3, 5, 7] {
        rig.ack(offset);
        rig.settle();
        rig.restart();
    }
    assert_eq!(rig.recovered().cursors, rig.cursors);
    rig.ack(9);
    let write = rig.poll().unwrap();
    assert_eq!(position_of(&write), 5 * BLOCK, "header, snapshot, three groups");
}

#[test]
fn a_grown_journal_is_replaced_and_only_then_deleted() {
    let mut rig = Rig::opened();
    let mut offset = 1;
    let created = loop {
        rig.ack(offset);
        rig.ask(offset);
        offset += 2;
        let effect = rig.poll().unwrap();
        if matches!(effect, JournalWrite::Create { .. }) {
            break effect;
        }
        rig.store(effect);
        rig.on_written();
    };
    let last = offset - 2;
    assert!(rig.file().len() > limits::JOURNAL_COMPACT_BYTES);
    assert!(!rig.released.contains(&last), "the ack waits for the new file");
    rig.ack(offset);
    rig.store(created);
    assert_eq!(rig.poll(), None, "nothing is written to the old file meanwhile");
    assert_eq!(rig.files.keys().copied().collect::<Vec<_>>(), [1, 2]);
    rig.on_written();
    rig.settle();
    assert!(rig.released.contains(&last));
    assert_eq!(rig.files.keys().copied().collect::<Vec<_>>(), [2]);
    assert_eq!(rig.recovered().cursors, rig.cursors);
}

#[test]
fn a_removed_subscription_is_gone_after_a_restart() {
    let mut rig = Rig::opened();
    rig.writer.record(SUBSCRIPTION, &[CursorChange::Removed, acked(5)]);
    rig.settle();
    assert_eq!(rig.recovered().cursors, BTreeMap::new());
}

#[test]
fn a_failed_write_closes_the_journal_and_refuses_who_waits() {
    let mut rig = Rig::opened();
    rig.ack(5);
    rig.ask(1);
    let _write = rig.poll().unwrap();
    rig.ack(6);
    rig.ask(2);
    rig.writer.on_failed("input/output error");
    rig.ack(7);
    rig.ask(3);
    assert_eq!(rig.poll(), None);
    assert_eq!((rig.released.as_slice(), rig.refused.as_slice()), (&[][..], &[1, 2, 3][..]));
    assert_eq!(rig.writer.closed(), Some("input/output error"));
}

#[test]
fn what_found_no_room_is_stored_as_a_whole_when_somebody_waits_for_it() {
    let mut rig = Rig::opened();
    rig.ack(0);
    rig.ask(1);
    let write = rig.poll().unwrap();
    rig.ask(2);
    rig.layout.on_not_written();
    rig.writer.on_no_room("full");
    assert_eq!((rig.poll(), &rig.refused[..], &rig.released[..]), (None, &[1, 2][..], &[][..]), "nobody waits");
    assert!(rig.writer.is_idle() && rig.writer.closed().is_none());
    // The ack holds in memory, and this one changes nothing: it is told so only when the ack is on the disk.
    rig.ask(3);
    let snapshot = rig.poll().unwrap();
    assert_ne!(snapshot, write);
    assert!(matches!(snapshot, JournalWrite::Create { .. }), "{snapshot:?}");
    rig.store(snapshot);
    rig.on_written();
    rig.settle();
    assert_eq!(rig.released, [3]);
    rig.ack(1);
    assert!(matches!(rig.poll(), Some(JournalWrite::Write { .. })));
}

#[test]
fn what_waits_is_bounded() {
    let mut rig = Rig::opened();
    rig.ack(1);
    let _write = rig.poll().unwrap();
    let mut offset = 3;
    while rig.writer.has_room() {
        rig.ack(offset);
        offset += 2;
    }
    assert!(rig.writer.pending.len() < limits::JOURNAL_PENDING_BYTES_MAX + 64);
    let mut rig = Rig::opened();
    rig.ack(1);
    for request in 0..u64::try_from(limits::JOURNAL_WAITING_MAX).unwrap() {
        assert!(rig.writer.has_room());
        rig.ask(request);
    }
    assert!(!rig.writer.has_room());
}

#[test]
fn a_write_torn_at_any_byte_is_cut_and_left_behind() {
    let mut rig = Rig::opened();
    rig.ack(5);
    rig.settle();
    let before = rig.cursors.clone();
    for offset in (100..9_000).step_by(2) {
        rig.ack(offset);
    }
    let write = rig.poll().unwrap();
    let position = position_of(&write);
    let old = rig.file().clone();
    rig.store(write);
    let new = rig.file().clone();
    let start = usize::try_from(position).unwrap();
    for cut in start..new.len() {
        // Every byte of the group's header and of each block's edge, some of the rest.
        let near_edge = (cut + 8) % BLOCK_BYTES < 48;
        if !near_edge && cut % 97 != 0 {
            continue;
        }
        let mut torn = new[..cut].to_vec();
        torn.extend_from_slice(old.get(cut..).unwrap_or_default());
        let whole = torn == new;
        rig.files.insert(1, torn);
        let recovered = rig.recovered();
        let durable = if whole { &rig.cursors } else { &before };
        assert_eq!(&recovered.cursors, durable, "cut at {cut}");
        if let Some(tail) = recovered.torn {
            assert_eq!((tail.generation, tail.position), (1, position), "cut at {cut}");
            assert!(recovered.files.is_large(), "cut at {cut}: a snapshot is asked for at once");
        }
    }
}

#[test]
fn damage_before_the_last_group_is_an_error_with_its_place() {
    let mut rig = Rig::opened();
    for offset in [3, 5, 7] {
        rig.ack(offset);
        rig.settle();
    }
    let whole = rig.file().clone();
    for (position, block) in [(2 * BLOCK, "the first group"), (3 * BLOCK, "the second group")] {
        for byte in [0, 5, 10, 20, 30, 34] {
            let at = usize::try_from(position).unwrap() + byte;
            rig.file().clone_from(&whole);
            rig.file()[at] ^= 1;
            let refused = recover_files(&rig.files).unwrap_err();
            assert!(
                matches!(refused, JournalError::Group { generation: 1, position: found, .. } if found == position),
                "{block}, byte {byte}: {refused}"
            );
        }
    }
    rig.file()[usize::try_from(3 * BLOCK).unwrap()..usize::try_from(4 * BLOCK).unwrap()].fill(0);
    rig.file()[usize::try_from(2 * BLOCK).unwrap()..usize::try_from(3 * BLOCK).unwrap()].fill(0);
    let blank = JournalError::Group { generation: 1, position: 2 * BLOCK, error: GroupError::Blank };
    assert_eq!(recover_files(&rig.files).unwrap_err(), blank);
}

#[test]
fn groups_out_of_order_are_an_error() {
    let mut rig = Rig::opened();
    for offset in [3, 5] {
        rig.ack(offset);
        rig.settle();
    }
    let block = usize::try_from(BLOCK).unwrap();
    rig.file().copy_within(3 * block..4 * block, 2 * block);
    let refused = JournalError::Sequence { generation: 1, position: 2 * BLOCK, expected: 1, found: 2 };
    assert_eq!(recover_files(&rig.files).unwrap_err(), refused);
}

#[test]
fn a_damaged_snapshot_of_a_journal_in_use_is_an_error() {
    let mut rig = Rig::opened();
    rig.ack(5);
    rig.settle();
    let whole = rig.file().clone();
    for at in [0, 20, 4096, 4096 + 20] {
        rig.file().clone_from(&whole);
        rig.file()[at] ^= 1;
        assert!(recover_files(&rig.files).is_err(), "byte {at}");
    }
    // Generation 2 never begins without 1 beside it, so alone it was in use.
    let file = whole[..2 * 4096].to_vec();
    rig.files = BTreeMap::from([(2, file)]);
    assert!(recover_files(&rig.files).is_err());
    rig.files = BTreeMap::from([(2, Vec::new())]);
    assert!(recover_files(&rig.files).is_err());
}

#[test]
fn an_unknown_version_or_kind_is_refused_and_never_cut() {
    let mut rig = Rig::opened();
    let older = rig.file().clone();
    rig.files.insert(2, older);
    rig.files.get_mut(&2).unwrap()[4] = 9;
    let refused = JournalError::Header { generation: 2, error: HeaderError::Version { found: 9 } };
    assert_eq!(recover_files(&rig.files).unwrap_err(), refused);
    let mut rig = Rig::opened();
    rig.writer.pending.extend_from_slice(&[99, 1, 0]);
    rig.settle();
    let error = EntryError::Kind { position: 0, kind: 99 };
    let refused = JournalError::Entry { generation: 1, position: 2 * BLOCK, error };
    assert_eq!(recover_files(&rig.files).unwrap_err(), refused);
}

#[test]
fn an_unfinished_new_file_is_passed_over_and_deleted() {
    let mut rig = Rig::opened();
    rig.ack(5);
    rig.settle();
    let durable = rig.cursors.clone();
    rig.writer = JournalWriter::open(true);
    rig.ack(7);
    let Some(JournalWrite::Create { generation: 2, bytes }) = rig.poll() else { panic!("no compaction") };
    for length in (0..2 * 4096).step_by(61) {
        let mut torn = bytes[..length].to_vec();
        for tail in [0, bytes.len() - length] {
            torn.resize(length + tail, 0);
            rig.files.insert(2, torn.clone());
            let recovered = rig.recovered();
            if recovered.obsolete == [2] {
                assert_eq!(recovered.cursors, durable, "{length} bytes");
            } else {
                assert_eq!((recovered.obsolete, recovered.cursors), (vec![1], rig.cursors.clone()), "{length} bytes");
            }
        }
    }
    rig.files.insert(2, bytes);
    let recovered = rig.recovered();
    assert_eq!((recovered.obsolete, &recovered.cursors), (vec![1], &rig.cursors), "the newest whole file counts");
}

#[test]
fn a_first_file_that_was_never_finished_is_as_none() {
    for file in [vec![], vec![0; 65_536], b"PSCJ".to_vec()] {
        let recovered = recover_files(&BTreeMap::from([(1, file)])).unwrap();
        assert_eq!((recovered.obsolete, recovered.cursors), (vec![1], BTreeMap::new()));
    }
    let recovered = recover_files(&BTreeMap::new()).unwrap();
    assert_eq!((recovered.obsolete, recovered.cursors), (vec![], BTreeMap::new()));
}

proptest! {
    #[test]
    fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..20_000), generation in 0..3_u64) {
        let _ = recover_files(&BTreeMap::from([(generation, bytes)]));
    }

    #[test]
    fn any_damage_is_an_error_or_a_cut(
        at in 0..5 * 4096_usize,
        garbage in prop::collection::vec(any::<u8>(), 1..5_000),
    ) {
        let mut rig = Rig::opened();
        let mut states = vec![BTreeMap::new(), rig.cursors.clone()];
        for offset in [3, 5, 7] {
            rig.ack(offset);
            rig.settle();
            states.push(rig.cursors.clone());
        }
        let end = (at + garbage.len()).min(5 * 4096);
        rig.file()[at..end].copy_from_slice(&garbage[..end - at]);
        if let Ok(recovered) = recover_files(&rig.files) {
            prop_assert!(states.contains(&recovered.cursors));
            let reaches_the_last_group = end > 4 * 4096;
            prop_assert!(recovered.cursors == rig.cursors || reaches_the_last_group);
        }
    }
}
