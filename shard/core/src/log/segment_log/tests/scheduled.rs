//! Segments that hold messages which are delivered late: kept for longer, and found.

use super::*;
use crate::log::testing::scheduled_at;

/// A log of three segments; a message of the first one is to be delivered at 5,000 ms.
fn with_a_scheduled_message() -> SegmentLog {
    let mut log = empty();
    log.begin_append(&[scheduled_at(0, 5_000)], true);
    run(&mut log, Lane::Append);
    for _ in 0..4 {
        append(&mut log, 40_000);
    }
    assert_eq!(log.segment_bases(), [offset(0), offset(2), offset(3), offset(4)]);
    log
}

#[test]
fn a_segment_ages_from_when_its_last_message_is_to_be_delivered() {
    let mut log = with_a_scheduled_message();
    retain(&mut log, 5_100, keep_ms(100));
    assert_eq!(log.log_start(), Offset::ZERO, "one that is delayed keeps all behind it");
    retain(&mut log, 5_101, keep_ms(100));
    assert_eq!(log.log_start(), log.written_end(), "the others are long over");
}

#[test]
fn what_is_scheduled_is_looked_for_where_it_may_be() {
    let log = with_a_scheduled_message();
    let from = |from: u64, at: i64| log.scheduled_from(offset(from), Timestamp::from_millis(at)).get();
    assert_eq!((from(0, 4_999), from(1, 4_999)), (0, 1));
    assert_eq!((from(2, 4_999), from(9, 4_999)), (5, 9), "no other segment has one");
    assert_eq!(from(0, 5_000), 5, "its time has come");
}

#[test]
fn plain_segments_need_not_be_looked_at() {
    let log = with_a_scheduled_message();
    let to = |from: u64| log.plain_to(offset(from)).get();
    assert_eq!((to(0), to(1)), (0, 1), "what is scheduled is in the first segment");
    assert_eq!((to(2), to(5)), (5, 5), "all behind it is plain");
}
