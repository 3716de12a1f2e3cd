//! Recovery: what is whole is kept, what is torn is cut, what was durable and is damaged is refused.

use super::*;
use crate::{
    format::{offset_index::OffsetIndexFile, record_batch::BatchHeader, segment_header::BLOCK_BYTES},
    log::testing::{batch_at, padded},
    model::{PartitionIndex, Timestamp, TopicId},
};

const HERE: TopicPartition = TopicPartition::new(TopicId::new(1), PartitionIndex::new(0));

/// A segment file by its base offset.
type SegmentFile = (u64, Vec<u8>);

fn known(durable_end: u64) -> KnownLog {
    KnownLog { durable_end: Offset::new(durable_end), log_start: None }
}

fn segment(base: u64, flushes: &[&[u64]]) -> SegmentFile {
    let header = SegmentHeader {
        partition: HERE,
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

/// The checksum that a batch's header needs to have.
fn checksum_of(batch: &[u8]) -> u32 {
    match BatchHeader::decode(batch) {
        Err(BatchError::HeaderChecksum { computed, .. }) => computed,
        other => panic!("the checksum still holds: {other:?}"),
    }
}

/// Recovers from whole files, read in pieces of `piece` bytes.
fn recover(files: &[SegmentFile], durable_end: u64, piece: usize) -> Result<RecoveredLog, DamagedLog> {
    let mut recovery = LogRecovery::new(HERE, known(durable_end));
    for (number, (base, file)) in files.iter().enumerate() {
        let is_last = number + 1 == files.len();
        let first_block = &file[..file.len().min(BLOCK_BYTES)];
        let mut step = recovery.begin(Offset::new(*base), is_last, first_block)?;
        while let RecoveryStep::Read { position, bytes_min } = step {
            let start = usize::try_from(position).unwrap().min(file.len());
            let end = (start + piece.max(bytes_min)).min(file.len());
            step = recovery.feed(position, Bytes::copy_from_slice(&file[start..end]), end == file.len())?;
        }
    }
    recovery.finish()
}

/// Recovers from whole files with an index beside each, and says where the reading of each began, if it was read.
fn recover_indexed(
    files: &[SegmentFile],
    indexes: &[Vec<u8>],
    durable_end: u64,
) -> Result<(RecoveredLog, Vec<Option<u64>>), DamagedLog> {
    let mut recovery = LogRecovery::new(HERE, known(durable_end));
    let mut began = Vec::new();
    for (number, ((base, file), index)) in files.iter().zip(indexes).enumerate() {
        let following: Vec<_> = files[number + 1..].iter().map(|(base, _)| Offset::new(*base)).collect();
        let mut step = recovery.begin(Offset::new(*base), following.is_empty(), &file[..BLOCK_BYTES])?;
        step = recovery.use_index(index, widen(file.len()), &following).unwrap_or(step);
        let mut lowest = None;
        while let RecoveryStep::Read { position, bytes_min } = step {
            lowest = Some(lowest.unwrap_or(position).min(position));
            let start = usize::try_from(position).unwrap().min(file.len());
            let end = (start + bytes_min.max(100_000)).min(file.len());
            step = recovery.feed(position, Bytes::copy_from_slice(&file[start..end]), end == file.len())?;
        }
        began.push(lowest);
    }
    Ok((recovery.finish()?, began))
}

/// A log of three segments of 3 MB, and their indexes: flushes of one batch of 50 kB.
fn large_log() -> (Vec<SegmentFile>, Vec<Vec<u8>>) {
    let large_segment = |number: u64| {
        let (base, mut file) = segment(number * 60, &[]);
        for offset in base..base + 60 {
            file.extend(padded(&[&batch_at(offset, 50_000)]));
        }
        (base, file)
    };
    let files: Vec<_> = (0..3).map(large_segment).collect();
    let segments = recover(&files, 0, 1 << 20).unwrap().segments;
    let index = |segment: &Segment| segment.to_index(HERE, segment.base.plus(60)).encode();
    let indexes = segments.iter().map(index).collect();
    (files, indexes)
}

fn ends(recovered: &RecoveredLog) -> (u64, u64) {
    (recovered.log_end.get(), recovered.segments.last().unwrap().end)
}

#[test]
fn a_whole_log_comes_back_whole_in_pieces_of_any_size() {
    let files = [segment(0, &[&[0, 1], &[2]]), segment(3, &[&[3], &[4, 5, 6]])];
    for piece in [1, 100, 300, 4_096, 5_000, 1 << 20] {
        let recovered = recover(&files, 7, piece).unwrap();
        assert_eq!(ends(&recovered), (7, 3 * 4_096), "pieces of {piece}");
        assert_eq!(recovered.cut.unwrap().torn, None);
    }
}

#[test]
fn an_empty_partition_is_a_log_from_zero() {
    assert_eq!(recover(&[], 0, 100), Ok(RecoveredLog::default()));
}

/// F16.
#[test]
fn a_tail_torn_at_any_byte_is_cut_to_the_last_whole_batch() {
    let whole = segment(0, &[&[0], &[1, 2]]);
    let first_flush_end = 2 * 4_096;
    let batch = batch_at(0, 100).bytes().len();
    for at in first_flush_end..first_flush_end + 2 * batch {
        let mut file = whole.1.clone();
        file[at] ^= 0xff;
        let recovered = recover(&[(0, file)], 1, 1 << 20).unwrap();
        let kept = if at < first_flush_end + batch { 1 } else { 2 };
        assert_eq!(recovered.log_end.get(), kept, "byte {at}");
        let position = first_flush_end + if kept == 2 { batch } else { 0 };
        let cut = recovered.cut.unwrap();
        assert_eq!((cut.position, cut.torn.is_some()), (widen(position), true));
    }
}

/// F17.
#[test]
fn damage_below_the_durable_end_is_refused_with_its_place() {
    let mut file = segment(0, &[&[0], &[1]]);
    file.1[4_096 + 70] ^= 1;
    let damaged = recover(&[file], 2, 1 << 20).unwrap_err();
    assert_eq!((damaged.segment, damaged.position, damaged.offset), (Offset::ZERO, 4_096, Offset::ZERO));
    assert!(damaged.reason.contains("checksum"), "{damaged}");
}

#[test]
fn damage_in_an_older_segment_is_refused_whatever_was_durable() {
    let mut files = [segment(0, &[&[0]]), segment(1, &[&[1]])];
    files[0].1[4_096 + 70] ^= 1;
    assert!(recover(&files, 0, 1 << 20).is_err());
}

/// F27.
#[test]
fn a_log_that_lost_its_durable_end_is_refused() {
    assert!(recover(&[segment(0, &[&[0]])], 2, 1 << 20).is_err());
    assert!(recover(&[], 1, 1 << 20).is_err());
}

/// F19.
#[test]
fn a_missing_segment_is_noticed() {
    let damaged = recover(&[segment(0, &[&[0]]), segment(2, &[&[2]])], 0, 1 << 20).unwrap_err();
    assert_eq!(damaged.segment, Offset::new(2));
}

/// F19.
#[test]
fn a_file_of_another_partition_is_noticed() {
    let mut recovery = LogRecovery::new(HERE, KnownLog::default());
    let (_, elsewhere) = segment(9, &[]);
    assert!(recovery.begin(Offset::ZERO, true, &elsewhere).is_err());
    let other = TopicPartition::new(TopicId::new(2), PartitionIndex::new(0));
    assert!(LogRecovery::new(other, KnownLog::default()).begin(Offset::new(9), true, &elsewhere).is_err());
}

/// F9.
#[test]
fn a_segment_whose_creation_was_cut_short_is_discarded() {
    let recovered = recover(&[segment(0, &[&[0]]), (1, vec![0; 100])], 1, 1 << 20).unwrap();
    assert_eq!((recovered.log_end.get(), recovered.segments.len()), (1, 1));
    assert!(recover(&[segment(0, &[&[0]]), (1, vec![0; 100])], 2, 1 << 20).is_err());
}

/// F9.
#[test]
fn a_segment_without_a_header_is_not_discarded_with_batches_in_it() {
    let (base, mut file) = segment(1, &[&[1]]);
    file[20] ^= 1;
    let damaged = recover(&[segment(0, &[&[0]]), (base, file)], 1, 1 << 20).unwrap_err();
    assert_eq!((damaged.segment, damaged.position), (Offset::new(1), 0));
}

/// F19.
#[test]
fn a_segment_without_a_header_is_not_discarded_if_it_is_all_there_is() {
    assert!(recover(&[(5, vec![0; 4_096])], 0, 1 << 20).is_err());
    assert_eq!(recover(&[(0, vec![0; 4_096])], 0, 1 << 20).unwrap().segments, []);
}

/// F15.
#[test]
fn an_unknown_version_is_never_cut() {
    let mut file = segment(0, &[&[0]]);
    file.1[4_096 + 4] = 9;
    let checksum = checksum_of(&file.1[4_096..]);
    file.1[4_096 + 12..4_096 + 16].copy_from_slice(&checksum.to_le_bytes());
    assert!(recover(&[file], 0, 1 << 20).unwrap_err().reason.contains("version 9"));
    let mut file = segment(0, &[]);
    file.1[4] = 9;
    assert!(recover(&[file], 0, 1 << 20).unwrap_err().reason.contains("version 9"));
}

#[test]
fn with_an_index_only_what_is_near_the_durable_end_is_read() {
    let (files, indexes) = large_log();
    let (recovered, began) = recover_indexed(&files, &indexes, 180).unwrap();
    assert_eq!(recovered, recover(&files, 180, 1 << 20).unwrap());
    let &[None, Some(before_last), Some(last)] = began.as_slice() else { panic!("{began:?}") };
    for (start, end) in [(before_last, files[1].1.len()), (last, files[2].1.len())] {
        let read = widen(end) - start;
        assert!((limits::RECOVERY_VERIFY_BYTES..2 * limits::RECOVERY_VERIFY_BYTES).contains(&read), "{read} bytes");
    }
    let (recovered, began) = recover_indexed(&files, &indexes, 20).unwrap();
    assert_eq!(recovered.log_end.get(), 180);
    assert_eq!(began, [Some(4_096); 3], "what is above the durable end is read whole");
}

#[test]
fn damage_near_the_durable_end_is_found_with_an_index_too() {
    let (mut files, indexes) = large_log();
    for number in [1, 2] {
        let near = files[number].1.len() - 900_000;
        files[number].1[near] ^= 1;
        assert!(recover_indexed(&files, &indexes, 180).is_err(), "segment {number}");
        files[number].1[near] ^= 1;
    }
}

/// F18.
#[test]
fn an_index_that_is_not_the_segments_is_of_no_use() {
    let (files, indexes) = large_log();
    let good = OffsetIndexFile::decode(&indexes[0]).unwrap();
    let elsewhere = TopicPartition::new(TopicId::new(2), PartitionIndex::new(0));
    let of_no_use = [
        vec![],
        indexes[1].clone(),
        OffsetIndexFile { partition: elsewhere, ..good.clone() }.encode(),
        OffsetIndexFile { end_offset: Offset::new(61), ..good.clone() }.encode(),
        OffsetIndexFile { segment_bytes: good.segment_bytes + 4_096, ..good }.encode(),
    ];
    for index in of_no_use {
        let offered = [index, indexes[1].clone(), indexes[2].clone()];
        let (recovered, began) = recover_indexed(&files, &offered, 180).unwrap();
        assert_eq!(recovered.log_end.get(), 180);
        assert_eq!(began[0], Some(4_096));
    }
}

/// F18.
#[test]
fn an_index_that_leads_astray_is_not_believed() {
    let (files, mut indexes) = large_log();
    let whole = recover(&files, 180, 1 << 20).unwrap();
    let good = OffsetIndexFile::decode(&indexes[2]).unwrap();
    // To another batch, and into the middle of one.
    for shift in [13 * 4_096, 4_096] {
        let mut index = good.clone();
        index.entries.retain(|entry| entry.position + shift < index.segment_bytes);
        for entry in &mut index.entries {
            entry.position += shift;
        }
        indexes[2] = index.encode();
        let (recovered, began) = recover_indexed(&files, &indexes, 180).unwrap();
        assert_eq!(recovered, whole, "shifted by {shift}");
        assert_eq!(began[2], Some(4_096), "the segment is read whole then");
    }
}

/// F18.
#[test]
fn a_stale_index_hides_nothing_written_since() {
    let (files, mut indexes) = large_log();
    let mut shorter = files.clone();
    shorter[2].1.truncate(BLOCK_BYTES + 40 * 13 * 4_096);
    let stale = recover(&shorter, 0, 1 << 20).unwrap();
    assert_eq!(stale.log_end.get(), 160);
    indexes[2] = stale.segments[2].to_index(HERE, stale.log_end).encode();
    let (recovered, _) = recover_indexed(&files, &indexes, 170).unwrap();
    assert_eq!(recovered, recover(&files, 170, 1 << 20).unwrap());
}

/// F16.
#[test]
fn stale_batches_behind_a_blank_block_are_not_taken() {
    let mut file = segment(0, &[&[0]]).1;
    file.resize(file.len() + 4_096, 0);
    file.extend(padded(&[&batch_at(1, 100)]));
    let recovered = recover(&[(0, file)], 1, 1 << 20).unwrap();
    assert_eq!(ends(&recovered), (1, 2 * 4_096));
}

#[test]
fn segments_below_the_start_are_expired_whatever_is_left_of_them() {
    let started = |start| KnownLog { durable_end: Offset::new(9), log_start: start };
    let bases = |bases: &[u64]| bases.iter().copied().map(Offset::new).collect::<Vec<_>>();
    let start = started(Some(Offset::new(6)));
    assert_eq!(start.expired_segments(&bases(&[0, 3, 6, 9])), 2);
    // One in the middle was deleted, and the first was not.
    assert_eq!(start.expired_segments(&bases(&[0, 6, 9])), 1);
    assert_eq!(start.expired_segments(&bases(&[6, 9])), 0);
    assert_eq!(start.expired_segments(&bases(&[])), 0);
    assert_eq!(started(None).expired_segments(&bases(&[0, 3, 6, 9])), 0);
}

#[test]
fn a_log_whose_first_segment_is_lost_is_refused() {
    let start = |start| KnownLog { durable_end: Offset::ZERO, log_start: Some(Offset::new(start)) };
    let (_, later) = segment(3, &[&[3]]);
    let damaged = LogRecovery::new(HERE, start(2)).begin(Offset::new(3), true, &later).unwrap_err();
    assert!(damaged.reason.contains("starts at offset 2"), "{damaged}");
    assert!(LogRecovery::new(HERE, start(3)).begin(Offset::new(3), true, &later).is_ok());
    assert!(LogRecovery::new(HERE, start(3)).finish().is_err(), "what the log starts with was on the disk");
}

#[test]
fn a_log_that_was_emptied_goes_on_at_its_end_and_knows_its_time() {
    let header = SegmentHeader {
        partition: HERE,
        base_offset: Offset::new(7),
        leader_epoch: LeaderEpoch::new(1),
        created_at: Timestamp::from_millis(50),
    };
    let recovered = recover(&[(7, header.encode())], 7, 1 << 20).unwrap();
    assert_eq!((recovered.log_start.get(), recovered.log_end.get()), (7, 7));
    assert_eq!(recovered.newest(), Timestamp::from_millis(50));
}
