//! A survey tells every damage with what it costs, and agrees with recovery on what is damage.

use proptest::prelude::*;

use super::*;
use crate::{
    format::segment_header::BLOCK_BYTES,
    log::{
        LogRecovery, RecoveryStep,
        testing::{batch_at, padded},
    },
    model::{PartitionIndex, Timestamp, TopicId},
};

const HERE: TopicPartition = TopicPartition::new(TopicId::new(1), PartitionIndex::new(0));
const BLOCK: u64 = limits::BLOCK_BYTES;

/// A segment file by its base offset.
type SegmentFile = (u64, Vec<u8>);

/// What a survey has found, in short.
#[derive(Debug, Default, PartialEq, Eq)]
struct Summary {
    batches: Vec<u64>,
    /// Segment, position, lost offsets.
    damage: Vec<(u64, u64, std::ops::Range<u64>)>,
    reasons: Vec<String>,
    torn: Vec<u64>,
}

fn known(durable_end: u64) -> KnownLog {
    KnownLog { durable_end: Offset::new(durable_end), log_start: None }
}

fn segment_of(partition: u32, base: u64, flushes: &[&[u64]]) -> SegmentFile {
    let header = SegmentHeader {
        partition: TopicPartition::new(TopicId::new(1), PartitionIndex::new(partition)),
        base_offset: Offset::new(base),
        leader_epoch: LeaderEpoch::new(1),
        created_at: Timestamp::default(),
    };
    let mut file = header.encode();
    for flush in flushes {
        let batches: Vec<_> = flush.iter().map(|&offset| batch_at(offset, 100)).collect();
        file.extend(padded(&batches.iter().collect::<Vec<_>>()));
    }
    (base, file)
}

fn segment(base: u64, flushes: &[&[u64]]) -> SegmentFile {
    segment_of(0, base, flushes)
}

/// Three segments of three flushes each, the second of two batches.
fn log() -> Vec<SegmentFile> {
    (0..3).map(|number| number * 4).map(|base| segment(base, &[&[base], &[base + 1, base + 2], &[base + 3]])).collect()
}

fn survey_known(files: &[SegmentFile], known: KnownLog, piece: usize) -> Summary {
    let mut survey = LogSurvey::new(HERE, known);
    let mut summary = Summary::default();
    let mut damage = Vec::new();
    let mut found = |surveyed| match surveyed {
        Surveyed::Batch { batch, .. } => summary.batches.push(batch.offsets().start.get()),
        Surveyed::Damage(met) => damage.push(met),
        Surveyed::TornTail { position, .. } => summary.torn.push(position),
    };
    for (number, (base, file)) in files.iter().enumerate() {
        let following = files.get(number + 1).map(|(base, _)| Offset::new(*base));
        let first_block = &file[..file.len().min(BLOCK_BYTES)];
        let mut step = survey.begin(Offset::new(*base), following, first_block, &mut found);
        while let SurveyStep::Read { position, bytes_min } = step {
            let start = narrow(position).min(file.len());
            let end = (start + piece.max(bytes_min)).min(file.len());
            let bytes = Bytes::copy_from_slice(&file[start..end]);
            step = survey.feed(position, &bytes, end == file.len(), &mut found);
        }
    }
    damage.extend(survey.finish());
    for LogDamage { segment, position, lost, reason } in damage {
        summary.damage.push((segment.get(), position, lost.start.get()..lost.end.get()));
        summary.reasons.push(reason);
    }
    summary
}

fn survey(files: &[SegmentFile], durable_end: u64) -> Summary {
    survey_known(files, known(durable_end), 1 << 20)
}

/// Whether a recovery without indexes would open the log.
fn opens(files: &[SegmentFile], durable_end: u64) -> bool {
    let mut recovery = LogRecovery::new(HERE, known(durable_end));
    for (number, (base, file)) in files.iter().enumerate() {
        let first_block = &file[..file.len().min(BLOCK_BYTES)];
        let begun = recovery.begin(Offset::new(*base), number + 1 == files.len(), first_block);
        let Ok(mut step) = begun else { return false };
        while let RecoveryStep::Read { position, .. } = step {
            let bytes = Bytes::copy_from_slice(file.get(narrow(position)..).unwrap_or_default());
            let Ok(next) = recovery.feed(position, bytes, true) else { return false };
            step = next;
        }
    }
    recovery.finish().is_ok()
}

#[test]
fn a_whole_log_is_read_to_its_end_in_pieces_of_any_size() {
    for piece in [1, 100, 4_096, 5_000, 1 << 20] {
        let summary = survey_known(&log(), known(12), piece);
        assert_eq!(summary.batches, (0..12).collect::<Vec<_>>(), "pieces of {piece}");
        assert_eq!((summary.damage, summary.torn), (vec![], vec![]), "pieces of {piece}");
    }
}

#[test]
fn behind_a_damaged_body_the_survey_goes_on_at_once() {
    let mut files = log();
    files[0].1[2 * BLOCK_BYTES + 80] ^= 1;
    let summary = survey(&files, 12);
    assert_eq!(summary.damage, [(0, 2 * BLOCK, 1..2)]);
    assert!(summary.reasons[0].starts_with("the body's checksum is"), "{summary:?}");
    assert_eq!(summary.batches, [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
}

#[test]
fn the_number_of_records_in_a_damaged_batch_is_not_believed() {
    let mut files = log();
    files[0].1[2 * BLOCK_BYTES + 40] ^= 4;
    files[2].1[2 * BLOCK_BYTES + 40] ^= 4;
    let summary = survey(&files, 10);
    assert_eq!(summary.damage, [(0, 2 * BLOCK, 1..2), (8, 2 * BLOCK, 9..10)]);
    assert_eq!(summary.batches, [0, 2, 3, 4, 5, 6, 7, 8, 10, 11]);
}

#[test]
fn batches_damaged_one_behind_the_other_are_told_apart() {
    let mut files = log();
    let second = 2 * BLOCK_BYTES + batch_at(1, 100).bytes().len();
    files[0].1[2 * BLOCK_BYTES + 80] ^= 1;
    files[0].1[second + 80] ^= 1;
    let summary = survey(&files, 12);
    assert_eq!(summary.damage, [(0, 2 * BLOCK, 1..2), (0, u64::try_from(second).unwrap(), 2..3)]);
}

#[test]
fn behind_a_damaged_header_it_goes_on_at_the_next_flush() {
    let mut files = log();
    files[1].1[2 * BLOCK_BYTES + 20] ^= 1;
    let summary = survey(&files, 12);
    assert_eq!(summary.damage, [(4, 2 * BLOCK, 5..7)]);
    assert_eq!(summary.batches, [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]);
}

/// F17.
#[test]
fn every_damage_is_told_not_only_the_first() {
    let mut files = log();
    files[0].1[BLOCK_BYTES + 80] ^= 1;
    files[1].1[3 * BLOCK_BYTES + 80] ^= 1;
    files[2].1[BLOCK_BYTES + 4] = 9;
    let summary = survey(&files, 12);
    assert_eq!(summary.damage, [(0, BLOCK, 0..1), (4, 3 * BLOCK, 7..8), (8, BLOCK, 8..9)]);
    assert_eq!(summary.batches, [1, 2, 3, 4, 5, 6, 9, 10, 11]);
}

#[test]
fn a_batch_that_can_t_be_the_log_s_does_not_end_a_damage() {
    // As a payload that holds a batch would look, once the header before it is damaged.
    let mut files = [segment(0, &[&[0], &[1], &[0], &[9], &[3]]), segment(4, &[&[4]])];
    files[0].1[2 * BLOCK_BYTES + 20] ^= 1;
    let summary = survey(&files, 5);
    assert_eq!(summary.damage, [(0, 2 * BLOCK, 1..3)]);
    assert_eq!(summary.batches, [0, 3, 4]);
}

#[test]
fn a_flush_that_is_blank_is_lost() {
    let mut files = log();
    files[0].1[2 * BLOCK_BYTES..3 * BLOCK_BYTES].fill(0);
    let summary = survey(&files, 12);
    assert_eq!(summary.damage, [(0, 2 * BLOCK, 1..3)]);
    assert_eq!(summary.reasons, ["nothing is written here"]);
}

#[test]
fn a_segment_that_was_cut_off_has_lost_its_end() {
    let mut files = log();
    files[0].1.truncate(3 * BLOCK_BYTES);
    let summary = survey(&files, 12);
    assert_eq!(summary.damage, [(0, 3 * BLOCK, 3..4)]);
    assert_eq!(summary.reasons, ["the file ends here, the next segment begins at offset 4"]);
    files[0].1.truncate(2 * BLOCK_BYTES + 100);
    let summary = survey(&files, 12);
    assert_eq!(summary.damage, [(0, 2 * BLOCK, 1..4)]);
    assert_eq!(summary.reasons, ["the file ends within a batch"]);
}

#[test]
fn a_missing_segment_is_told_wherever_it_was() {
    let all = log();
    let without = |gone: usize| {
        let mut files = all.clone();
        files.remove(gone);
        survey_known(&files, KnownLog { log_start: Some(Offset::ZERO), ..known(12) }, 1 << 20)
    };
    assert_eq!(without(0).damage, [(4, 0, 0..4)]);
    assert_eq!(without(1).damage, [(0, 4 * BLOCK, 4..8)]);
    assert_eq!(without(2).damage, [(4, 4 * BLOCK, 8..12)]);
    assert_eq!(without(2).reasons, ["the log ends at offset 8, it was durable up to 12"]);
    assert_eq!(survey(&[], 12).damage, [(0, 0, 0..12)]);
}

#[test]
fn the_segment_of_another_partition_is_not_taken() {
    let mut files = log();
    files[1] = segment_of(5, 4, &[&[4], &[5, 6], &[7]]);
    let summary = survey(&files, 12);
    assert_eq!(summary.damage, [(4, 0, 4..8)]);
    assert_eq!(summary.reasons, ["it is segment 4 of partition 1/5"]);
}

#[test]
fn a_damaged_segment_header_costs_no_record() {
    let mut files = log();
    files[1].1[20] ^= 1;
    let summary = survey(&files, 12);
    assert_eq!(summary.damage, [(4, 0, 4..4)]);
    assert_eq!(summary.batches.len(), 12);
}

#[test]
fn an_unknown_version_is_named_and_never_taken_for_a_torn_tail() {
    let mut files = log();
    files[0].1[4] = 2;
    let summary = survey(&files, 12);
    assert_eq!(summary.damage, [(0, 0, 0..4)]);
    assert_eq!(summary.reasons, ["segment version 2 is unknown, this is version 1"]);
}

#[test]
fn batches_in_the_wrong_order_are_told() {
    let files = [segment(0, &[&[0], &[2], &[1], &[3]]), segment(4, &[&[4]])];
    let summary = survey(&files, 5);
    assert_eq!(summary.damage, [(0, 2 * BLOCK, 1..2), (0, 3 * BLOCK, 3..3), (0, 4 * BLOCK, 2..3)]);
    assert!(summary.reasons[0].contains("a batch with offset 2 stands where 1 comes next"), "{summary:?}");
}

#[test]
fn what_was_never_durable_is_a_torn_tail() {
    let mut files = log();
    let end = files[2].1.len();
    files[2].1[end - BLOCK_BYTES + 80] ^= 1;
    let summary = survey(&files, 11);
    assert_eq!((summary.damage, summary.torn), (vec![], vec![3 * BLOCK]));
    assert_eq!(survey(&files, 12).damage, [(8, 3 * BLOCK, 11..12)]);
}

#[test]
fn space_prepared_ahead_is_no_damage() {
    let mut files = log();
    files[2].1.resize(50 * BLOCK_BYTES, 0);
    let summary = survey(&files, 12);
    assert_eq!((summary.damage, summary.torn), (vec![], vec![]));
}

#[test]
fn a_segment_that_was_never_finished_is_a_torn_tail() {
    let mut files = log();
    files.push((12, vec![0; 2 * BLOCK_BYTES]));
    let summary = survey(&files, 12);
    assert_eq!((summary.damage, summary.torn), (vec![], vec![0]));
    files[3].1[BLOCK_BYTES] = 1;
    assert_eq!(survey(&files, 12).damage, [(12, 0, 12..12)]);
}

proptest! {
    #[test]
    fn it_finds_damage_where_recovery_does_and_only_there(
        flips in prop::collection::vec((0..3_usize, any::<prop::sample::Index>(), 0..8_u8), 0..3),
        cut in prop::option::of((0..3_usize, any::<prop::sample::Index>())),
        durable_end in 8..=12_u64,
        piece in 1..9_000_usize,
    ) {
        let mut files = log();
        for (segment, at, bit) in flips {
            let at = at.index(files[segment].1.len());
            files[segment].1[at] ^= 1 << bit;
        }
        if let Some((segment, length)) = cut {
            let length = length.index(files[segment].1.len());
            files[segment].1.truncate(length);
        }
        let summary = survey_known(&files, known(durable_end), piece);
        prop_assert_eq!(summary.damage.is_empty(), opens(&files, durable_end), "{:?}", summary);
        let lost: u64 = summary.damage.iter().map(|(.., lost)| lost.end - lost.start).sum();
        let whole = summary.batches.len() as u64;
        prop_assert!(whole + lost >= durable_end, "{:?}", summary);
        prop_assert!(whole + lost <= 12, "{:?}", summary);
    }

    #[test]
    fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..20_000), piece in 1..9_000_usize) {
        survey_known(&[(0, bytes.clone()), (7, bytes)], known(9), piece);
    }
}
