//! The layout: rolling, preparing, sealing, syncing, retention, failing.

mod room;
mod scheduled;

use std::time::Duration;

use super::*;
use crate::{
    log::testing::batch_at,
    model::{PartitionIndex, TopicId},
};

fn config() -> SegmentLogConfig {
    let partition = TopicPartition::new(TopicId::new(1), PartitionIndex::new(0));
    SegmentLogConfig { partition, epoch: LeaderEpoch::new(1), segment_bytes_max: 64 << 10 }
}

fn empty() -> SegmentLog {
    SegmentLog::open(config(), RecoveredLog::default())
}

/// One batch of one record behind what is there, taken at as many milliseconds as its offset.
fn begin(log: &mut SegmentLog, payload_bytes: usize, durable: bool) {
    let batch = batch_at(log.written_end().get(), payload_bytes);
    log.begin_append(&[batch], durable);
}

/// What the append wants done next.
fn next(log: &mut SegmentLog) -> SegmentEffect {
    match log.poll(Lane::Append) {
        Step::Do(effect) => effect,
        step @ (Step::Wait | Step::Done | Step::Rejected { .. } | Step::Failed) => panic!("{step:?}"),
    }
}

fn upkeep(log: &mut SegmentLog) -> Vec<SegmentEffect> {
    let mut effects = Vec::new();
    while let Step::Do(effect) = log.poll(Lane::Upkeep) {
        effects.push(effect);
    }
    effects
}

/// Performs a lane to its end, and gives what it did.
fn run(log: &mut SegmentLog, lane: Lane) -> Vec<SegmentEffect> {
    let mut effects = Vec::new();
    while let Step::Do(effect) = log.poll(lane) {
        let event = match &effect {
            SegmentEffect::Create { .. } => SegmentEvent::Created,
            SegmentEffect::Prepare { .. } => SegmentEvent::Prepared,
            SegmentEffect::Write { .. } => SegmentEvent::Written,
            SegmentEffect::Undo { .. } => SegmentEvent::Undone,
            SegmentEffect::Sync { .. } => SegmentEvent::Synced,
            SegmentEffect::Seal { .. } => SegmentEvent::Sealed,
            SegmentEffect::NoteStart { .. } => SegmentEvent::StartNoted { durable: true },
            SegmentEffect::Delete { .. } => SegmentEvent::Deleted,
            SegmentEffect::SyncDirectory => SegmentEvent::DirectorySynced,
        };
        effects.push(effect);
        log.on_event(event);
    }
    effects
}

fn append(log: &mut SegmentLog, payload_bytes: usize) {
    begin(log, payload_bytes, true);
    run(log, Lane::Append);
    run(log, Lane::Upkeep);
}

fn retain(log: &mut SegmentLog, now_ms: i64, keep: Retention) -> Vec<SegmentEffect> {
    log.begin_retention(Timestamp::from_millis(now_ms), keep);
    run(log, Lane::Retention)
}

const fn keep_ms(age_ms: u64) -> Retention {
    Retention { age: Some(Duration::from_millis(age_ms)), bytes: None, below: None }
}

fn position_of(effect: &SegmentEffect) -> u64 {
    let SegmentEffect::Write { position, .. } = effect else { panic!("{effect:?} is no write") };
    *position
}

fn widen(length: usize) -> u64 {
    u64::try_from(length).unwrap()
}

fn offset(offset: u64) -> Offset {
    Offset::new(offset)
}

#[test]
fn the_first_append_makes_the_first_segment() {
    let mut log = empty();
    begin(&mut log, 100, true);
    assert!(matches!(next(&mut log), SegmentEffect::Create { segment: Offset::ZERO, .. }));
    assert_eq!(log.poll(Lane::Append), Step::Wait);
    log.on_event(SegmentEvent::Created);
    assert_eq!(position_of(&next(&mut log)), 4096);
    assert_eq!(log.durable_end(), Offset::ZERO);
    log.on_event(SegmentEvent::Written);
    assert_eq!(log.poll(Lane::Append), Step::Done);
    assert_eq!((log.written_end(), log.durable_end()), (offset(1), offset(1)));
}

#[test]
fn each_flush_starts_on_a_fresh_block() {
    let mut log = empty();
    append(&mut log, 100);
    begin(&mut log, 5_000, true);
    assert_eq!(position_of(&next(&mut log)), 8192);
    log.on_event(SegmentEvent::Written);
    begin(&mut log, 100, true);
    assert_eq!(position_of(&next(&mut log)), 16384);
}

#[test]
fn space_is_prepared_for_small_durable_writes_alone() {
    let prepares = |durable, payload_bytes| {
        let mut log =
            SegmentLog::open(SegmentLogConfig { segment_bytes_max: 4 << 20, ..config() }, RecoveredLog::default());
        begin(&mut log, payload_bytes, durable);
        next(&mut log);
        log.on_event(SegmentEvent::Created);
        next(&mut log);
        !upkeep(&mut log).is_empty()
    };
    assert!(prepares(true, 100));
    assert!(!prepares(false, 100));
    assert!(!prepares(true, 200 << 10), "a large write is not paid for twice");
}

#[test]
fn a_write_waits_for_zeros_that_are_on_their_way() {
    let mut log = empty();
    begin(&mut log, 100, true);
    next(&mut log);
    log.on_event(SegmentEvent::Created);
    next(&mut log);
    assert!(matches!(upkeep(&mut log).as_slice(), [SegmentEffect::Prepare { position: 8192, .. }]));
    log.on_event(SegmentEvent::Written);
    begin(&mut log, 100, true);
    assert_eq!(log.poll(Lane::Append), Step::Wait);
    log.on_event(SegmentEvent::Prepared);
    assert_eq!(position_of(&next(&mut log)), 8192);
}

#[test]
fn zeros_never_land_on_what_was_written() {
    let mut log = empty();
    let (mut written_to, mut prepares) = (0, 0);
    for _ in 0..200 {
        begin(&mut log, 3_000, true);
        loop {
            match log.poll(Lane::Append) {
                Step::Do(SegmentEffect::Create { .. }) => {
                    written_to = 4096;
                    log.on_event(SegmentEvent::Created);
                }
                Step::Do(SegmentEffect::Write { position, padded_bytes, .. }) => {
                    written_to = position + widen(padded_bytes);
                    for effect in upkeep(&mut log) {
                        if let SegmentEffect::Prepare { position, .. } = effect {
                            assert!(position >= written_to, "zeros at {position}, written up to {written_to}");
                            prepares += 1;
                        }
                    }
                    log.on_event(SegmentEvent::Written);
                }
                Step::Do(effect) => panic!("{effect:?}"),
                Step::Wait => log.on_event(SegmentEvent::Prepared),
                Step::Done | Step::Rejected { .. } | Step::Failed => break,
            }
        }
    }
    assert!(prepares > 5 && written_to > 0, "{prepares} prepares");
}

#[test]
fn a_full_segment_is_sealed_and_the_next_begun() {
    let mut log = empty();
    append(&mut log, 100);
    begin(&mut log, 60_000, true);
    assert!(matches!(next(&mut log), SegmentEffect::Create { segment, .. } if segment == offset(1)));
    assert!(matches!(upkeep(&mut log).as_slice(), [SegmentEffect::Seal { length: 8192, .. }]));
    log.on_event(SegmentEvent::Created);
    run(&mut log, Lane::Append);
    let plan = log.read_plan(offset(1)).unwrap();
    assert_eq!((plan.segment, plan.position), (offset(1), 4096));
    assert_eq!(log.read_plan(Offset::ZERO).unwrap().segment, Offset::ZERO);
    assert_eq!(log.read_plan(offset(2)), None);
}

#[test]
fn a_buffered_segment_is_synced_before_it_is_left() {
    let mut log = empty();
    begin(&mut log, 100, false);
    run(&mut log, Lane::Append);
    assert_eq!((log.written_end(), log.durable_end()), (offset(1), Offset::ZERO));
    begin(&mut log, 60_000, false);
    assert_eq!(next(&mut log), SegmentEffect::Sync { segment: Offset::ZERO });
    log.on_event(SegmentEvent::Synced);
    assert!(matches!(next(&mut log), SegmentEffect::Create { .. }));
}

#[test]
fn a_segment_is_not_left_while_a_sync_of_it_is_under_way() {
    let mut log = empty();
    begin(&mut log, 100, false);
    run(&mut log, Lane::Append);
    log.begin_sync();
    assert_eq!(log.poll(Lane::Sync), Step::Do(SegmentEffect::Sync { segment: Offset::ZERO }));
    begin(&mut log, 60_000, false);
    assert_eq!(log.poll(Lane::Append), Step::Wait);
    log.on_event(SegmentEvent::Synced);
    assert_eq!(log.poll(Lane::Sync), Step::Done);
    assert!(matches!(next(&mut log), SegmentEffect::Create { .. }));
}

/// F28.
#[test]
fn a_sync_covers_what_was_written_before_it() {
    let mut log = empty();
    log.begin_sync();
    assert_eq!(log.poll(Lane::Sync), Step::Done, "nothing was written");
    begin(&mut log, 100, false);
    run(&mut log, Lane::Append);
    log.begin_sync();
    assert!(matches!(log.poll(Lane::Sync), Step::Do(SegmentEffect::Sync { .. })));
    begin(&mut log, 100, false);
    run(&mut log, Lane::Append);
    log.on_event(SegmentEvent::Synced);
    assert_eq!((log.durable_end(), log.poll(Lane::Sync)), (offset(1), Step::Done));
}

#[test]
fn a_durable_append_makes_durable_what_was_buffered_before_it() {
    let mut log = empty();
    begin(&mut log, 100, false);
    run(&mut log, Lane::Append);
    begin(&mut log, 100, true);
    assert_eq!(next(&mut log), SegmentEffect::Sync { segment: Offset::ZERO });
    log.on_event(SegmentEvent::Synced);
    assert_eq!(position_of(&next(&mut log)), 8192);
    log.on_event(SegmentEvent::Written);
    assert_eq!(log.durable_end(), offset(2));
}

/// F24.
#[test]
fn a_failure_ends_everything_under_way_and_all_that_comes() {
    let mut log = empty();
    append(&mut log, 100);
    begin(&mut log, 100, true);
    next(&mut log);
    log.on_event(SegmentEvent::Failed { reason: "EIO".into() });
    assert_eq!((log.poll(Lane::Append), log.failure()), (Step::Failed, Some("EIO")));
    begin(&mut log, 100, true);
    assert_eq!(log.poll(Lane::Append), Step::Failed);
    log.begin_sync();
    assert_eq!(log.poll(Lane::Sync), Step::Failed);
    log.begin_retention(Timestamp::from_millis(1 << 40), keep_ms(0));
    assert_eq!(log.poll(Lane::Retention), Step::Failed);
    log.close();
    assert_eq!(upkeep(&mut log), []);
    assert!(log.is_at_rest());
    assert_eq!(log.written_end(), offset(1), "what was whole before can still be read");
    assert!(log.read_plan(Offset::ZERO).is_some());
}

#[test]
fn a_prepare_that_failed_ends_the_log_but_not_the_write_beside_it() {
    let mut log = empty();
    begin(&mut log, 100, true);
    next(&mut log);
    log.on_event(SegmentEvent::Created);
    next(&mut log);
    assert_eq!(upkeep(&mut log).len(), 1);
    log.on_event(SegmentEvent::Written);
    assert_eq!(log.poll(Lane::Append), Step::Done);
    log.on_event(SegmentEvent::Failed { reason: "EIO".into() });
    begin(&mut log, 100, true);
    assert_eq!(log.poll(Lane::Append), Step::Failed);
}

#[test]
fn a_log_that_is_closed_leaves_an_index_once_all_is_at_rest() {
    let mut log = empty();
    begin(&mut log, 100, true);
    next(&mut log);
    log.on_event(SegmentEvent::Created);
    next(&mut log);
    let prepare = upkeep(&mut log);
    log.on_event(SegmentEvent::Written);
    log.close();
    assert!(prepare.len() == 1 && upkeep(&mut log).is_empty() && !log.is_at_rest());
    log.on_event(SegmentEvent::Prepared);
    assert!(matches!(upkeep(&mut log).as_slice(), [SegmentEffect::Seal { length: 8192, .. }]));
    assert!(!log.is_at_rest());
    log.on_event(SegmentEvent::Sealed);
    assert!(log.is_at_rest());
}

#[test]
fn a_log_that_was_not_written_to_seals_nothing() {
    let mut log = empty();
    log.close();
    assert_eq!(upkeep(&mut log), []);
    assert!(log.is_at_rest());
}

/// F10.
#[test]
fn retention_notes_the_start_before_it_deletes_in_order_and_syncs_after() {
    let mut log = empty();
    for _ in 0..4 {
        append(&mut log, 60_000);
    }
    let done = retain(&mut log, 10, Retention { age: None, bytes: Some(70_000), below: None });
    let expected = [
        SegmentEffect::NoteStart { start: offset(2) },
        SegmentEffect::Delete { segment: offset(0) },
        SegmentEffect::Delete { segment: offset(1) },
        SegmentEffect::SyncDirectory,
    ];
    assert_eq!(done, expected);
    assert_eq!((log.log_start(), log.read_plan(offset(1))), (offset(2), None));
    assert!(log.bytes() >= 70_000 && log.is_at_rest());
}

#[test]
fn nothing_goes_before_its_start_is_noted() {
    let mut log = empty();
    append(&mut log, 60_000);
    append(&mut log, 60_000);
    log.begin_retention(Timestamp::from_millis(10), Retention { age: None, bytes: Some(1), below: None });
    assert_eq!(log.poll(Lane::Retention), Step::Do(SegmentEffect::NoteStart { start: offset(1) }));
    assert_eq!(log.durable_point().log_start, offset(1), "this is what is written down");
    assert!(log.read_plan(Offset::ZERO).is_some());
    log.on_event(SegmentEvent::StartNoted { durable: false });
    assert_eq!((log.poll(Lane::Retention), log.log_start()), (Step::Done, Offset::ZERO));
    assert_eq!(log.durable_point().log_start, Offset::ZERO);
}

#[test]
fn a_log_that_nobody_writes_to_is_emptied_and_goes_on_at_its_end() {
    let mut log = empty();
    append(&mut log, 100);
    append(&mut log, 100);
    assert_eq!(retain(&mut log, 50, keep_ms(100)), []);
    let done = retain(&mut log, 102, keep_ms(100));
    assert!(matches!(done[0], SegmentEffect::Create { segment, .. } if segment == offset(2)), "{done:?}");
    let expected = [
        SegmentEffect::NoteStart { start: offset(2) },
        SegmentEffect::Delete { segment: offset(0) },
        SegmentEffect::SyncDirectory,
    ];
    assert_eq!(done[1..], expected);
    assert_eq!((log.log_start(), log.written_end()), (offset(2), offset(2)));
    assert_eq!(retain(&mut log, 100_000, keep_ms(100)), [], "an empty segment is left alone");
    begin(&mut log, 100, true);
    assert_eq!(position_of(&next(&mut log)), 4096);
}

#[test]
fn a_log_that_is_written_to_now_and_then_lets_its_old_records_go() {
    let mut log = empty();
    append(&mut log, 100);
    // The first record is old, the second, a hundred milliseconds later, is not: its segment is left, not deleted.
    let batch = batch_at(1, 100);
    log.begin_append(&[batch], true);
    run(&mut log, Lane::Append);
    run(&mut log, Lane::Upkeep);
    log.segments.back_mut().unwrap().newest = Timestamp::from_millis(100);
    let done = retain(&mut log, 150, keep_ms(100));
    assert!(matches!(done.as_slice(), [SegmentEffect::Create { .. }]), "{done:?}");
    assert_eq!(log.log_start(), Offset::ZERO);
    retain(&mut log, 201, keep_ms(100));
    assert_eq!(log.log_start(), offset(2));
}

#[test]
fn what_was_buffered_is_synced_before_its_segment_is_left_for_its_age() {
    let mut log = empty();
    begin(&mut log, 100, false);
    run(&mut log, Lane::Append);
    let done = retain(&mut log, 1_000, keep_ms(100));
    assert_eq!(done[0], SegmentEffect::Sync { segment: Offset::ZERO });
    assert!(matches!(done[1], SegmentEffect::Create { .. }), "{done:?}");
}

/// F22.
#[test]
fn a_segment_that_has_no_room_for_its_next_is_written_to_again() {
    let mut log = empty();
    append(&mut log, 100);
    log.begin_retention(Timestamp::from_millis(1_000), keep_ms(100));
    assert!(matches!(log.poll(Lane::Retention), Step::Do(SegmentEffect::Create { .. })));
    assert!(matches!(upkeep(&mut log).as_slice(), [SegmentEffect::Seal { .. }]));
    begin(&mut log, 100, true);
    assert_eq!(log.poll(Lane::Append), Step::Wait);
    log.on_event(SegmentEvent::NotCreated { reason: "full".into() });
    assert_eq!(log.poll(Lane::Retention), Step::Done);
    assert_eq!(log.poll(Lane::Append), Step::Wait, "the segment is being cut to what it held");
    log.on_event(SegmentEvent::Sealed);
    let SegmentEffect::Write { segment, position, .. } = next(&mut log) else { panic!("no write") };
    assert_eq!((segment, position), (Offset::ZERO, 8192));
    log.on_event(SegmentEvent::Written);
    assert_eq!((log.log_start(), log.written_end(), log.failure()), (Offset::ZERO, offset(2), None));
}

fn no_room(touched: bool) -> SegmentEvent {
    SegmentEvent::NotWritten { reason: "full".into(), touched }
}

fn rejected() -> Step {
    Step::Rejected { reason: "full".into() }
}

#[test]
fn an_append_that_finds_no_room_leaves_nothing_and_the_next_begins_where_it_began() {
    let mut log = empty();
    append(&mut log, 100);
    begin(&mut log, 10_000, true);
    assert_eq!(position_of(&next(&mut log)), 8192);
    log.on_event(no_room(true));
    assert_eq!(next(&mut log), SegmentEffect::Undo { segment: Offset::ZERO, length: 8192 });
    assert_eq!(log.poll(Lane::Append), Step::Wait, "it is refused once nothing of it can come back");
    log.on_event(SegmentEvent::Undone);
    assert_eq!(log.poll(Lane::Append), rejected());
    assert_eq!(log.poll(Lane::Append), Step::Done, "it is refused once");
    assert_eq!((log.written_end(), log.durable_end(), log.failure()), (offset(1), offset(1), None));
    begin(&mut log, 100, true);
    assert_eq!(position_of(&next(&mut log)), 8192);
    log.on_event(SegmentEvent::Written);
    assert_eq!((log.poll(Lane::Append), log.durable_end()), (Step::Done, offset(2)));
}

#[test]
fn an_append_that_never_reached_its_file_is_refused_at_once() {
    let mut log = empty();
    append(&mut log, 100);
    begin(&mut log, 100, false);
    next(&mut log);
    log.on_event(no_room(false));
    assert_eq!(log.poll(Lane::Append), rejected());
    begin(&mut log, 100, true);
    assert_eq!(position_of(&next(&mut log)), 8192);
}

#[test]
fn nothing_is_cut_off_while_zeros_are_on_their_way_behind_it() {
    let mut log = empty();
    begin(&mut log, 100, true);
    next(&mut log);
    log.on_event(SegmentEvent::Created);
    next(&mut log);
    assert!(matches!(upkeep(&mut log).as_slice(), [SegmentEffect::Prepare { .. }]));
    log.on_event(no_room(true));
    assert_eq!(log.poll(Lane::Append), Step::Wait);
    log.on_event(SegmentEvent::Prepared);
    assert_eq!(next(&mut log), SegmentEffect::Undo { segment: Offset::ZERO, length: 4096 });
    log.on_event(SegmentEvent::Undone);
    assert_eq!(log.poll(Lane::Append), rejected());
    // What was prepared is cut off too.
    begin(&mut log, 100, true);
    next(&mut log);
    let [SegmentEffect::Prepare { position, .. }] = upkeep(&mut log)[..] else { panic!("nothing is prepared") };
    assert_eq!(position, 8192);
}

#[test]
fn a_cut_that_fails_ends_the_log() {
    let mut log = empty();
    append(&mut log, 100);
    begin(&mut log, 100, true);
    next(&mut log);
    log.on_event(no_room(true));
    next(&mut log);
    log.on_event(SegmentEvent::Failed { reason: "EIO".into() });
    assert_eq!((log.poll(Lane::Append), log.failure()), (Step::Failed, Some("EIO")));
}

#[test]
fn an_append_whose_segment_finds_no_room_is_refused_and_retention_goes_on() {
    let mut log = empty();
    for _ in 0..20 {
        append(&mut log, 6_000);
    }
    log.begin_retention(Timestamp::from_millis(1 << 40), keep_ms(1));
    // The last segment is left for its age, and nothing is decided before the append begins.
    assert!(matches!(log.poll(Lane::Retention), Step::Do(SegmentEffect::Create { .. })));
    log.on_event(SegmentEvent::NotCreated { reason: "full".into() });
    let last = *log.segment_bases().last().unwrap();
    while log.segment_bases().last() == Some(&last) {
        upkeep(&mut log);
        log.on_event(SegmentEvent::Sealed);
        begin(&mut log, 6_000, true);
        if let SegmentEffect::Create { .. } = next(&mut log) {
            break;
        }
        log.on_event(SegmentEvent::Written);
        log.on_event(SegmentEvent::Prepared);
        assert_eq!(log.poll(Lane::Append), Step::Done);
    }
    log.begin_retention(Timestamp::from_millis(1 << 40), keep_ms(1));
    let end = log.written_end();
    log.on_event(SegmentEvent::NotCreated { reason: "full".into() });
    assert_eq!(log.poll(Lane::Append), rejected());
    assert_eq!((log.written_end(), log.segment_bases().last()), (end, Some(&last)));
    assert!(log.poll(Lane::Retention) != Step::Done, "the round was not the append's");
}

#[test]
fn a_new_log_whose_first_segment_finds_no_room_begins_with_the_next_append() {
    let mut log = empty();
    begin(&mut log, 100, true);
    next(&mut log);
    log.on_event(SegmentEvent::NotCreated { reason: "full".into() });
    assert_eq!(log.poll(Lane::Append), rejected());
    assert_eq!((log.segment_bases(), log.durable_point().position), (Vec::new(), 0));
    append(&mut log, 100);
    assert_eq!(log.durable_end(), offset(1));
}

#[test]
fn a_segment_is_not_left_for_its_age_while_it_is_written_to() {
    let mut log = empty();
    append(&mut log, 100);
    begin(&mut log, 100, true);
    next(&mut log);
    assert_eq!(retain(&mut log, 1_000, keep_ms(100)), []);
}

#[test]
fn an_append_waits_for_a_segment_that_retention_began() {
    let mut log = empty();
    append(&mut log, 100);
    log.begin_retention(Timestamp::from_millis(1_000), keep_ms(100));
    assert!(matches!(log.poll(Lane::Retention), Step::Do(SegmentEffect::Create { .. })));
    begin(&mut log, 100, true);
    assert_eq!(log.poll(Lane::Append), Step::Wait);
    log.on_event(SegmentEvent::Created);
    let SegmentEffect::Write { segment, position, .. } = next(&mut log) else { panic!("no write") };
    assert_eq!((segment, position), (offset(1), 4096));
}

#[test]
fn retention_keeps_what_carries_the_end_of_a_log_whose_next_segment_is_not_there() {
    let mut log = empty();
    append(&mut log, 60_000);
    begin(&mut log, 60_000, true);
    assert!(matches!(next(&mut log), SegmentEffect::Create { .. }));
    assert_eq!(retain(&mut log, 10_000, keep_ms(1)), []);
}

#[test]
fn a_round_lets_go_of_a_bounded_number_and_never_of_the_last() {
    let mut log = empty();
    for _ in 0..limits::RETENTION_SEGMENTS_MAX + 3 {
        append(&mut log, 60_000);
    }
    retain(&mut log, 1, Retention { age: None, bytes: Some(0), below: None });
    assert_eq!(log.log_start().get(), widen(limits::RETENTION_SEGMENTS_MAX));
    retain(&mut log, 1, Retention { age: None, bytes: Some(0), below: None });
    assert_eq!(log.log_start().get(), widen(limits::RETENTION_SEGMENTS_MAX) + 2);
    assert!(log.read_plan(log.log_start()).is_some());
}
