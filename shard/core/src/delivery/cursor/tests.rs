//! The cursor against a plain set of offsets.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const OFFSETS: u64 = 64;

fn range(start: u64, end: u64) -> OffsetRange {
    OffsetRange::new(Offset::new(start), Offset::new(end))
}

fn ranges(cursor: &Cursor) -> Vec<(u64, u64)> {
    cursor.acked_ranges().map(|range| (range.start.get(), range.end.get())).collect()
}

#[test]
fn the_floor_rises_over_ranges_it_reaches() {
    let mut cursor = Cursor::new(Offset::new(10));
    assert!(cursor.ack(Offset::new(12)));
    assert!(cursor.ack(Offset::new(11)));
    assert_eq!(ranges(&cursor), [(11, 13)]);
    assert_eq!(cursor.floor(), Offset::new(10));
    assert!(cursor.ack(Offset::new(10)));
    assert_eq!(cursor.floor(), Offset::new(13));
    assert_eq!(ranges(&cursor), []);
}

#[test]
fn what_is_acked_already_is_not_counted_again() {
    let mut cursor = Cursor::new(Offset::new(10));
    assert_eq!(cursor.ack_range(range(12, 15)), 3);
    assert_eq!(cursor.ack_range(range(0, 13)), 2);
    assert_eq!(cursor.floor(), Offset::new(15));
    assert!(!cursor.ack(Offset::new(3)));
    assert_eq!(cursor.ack_range(range(20, 20)), 0);
    assert_eq!(cursor.ack_below(Offset::new(12)), 0);
}

#[test]
fn neighbours_become_one_range() {
    let mut cursor = Cursor::new(Offset::ZERO);
    for (start, end) in [(10, 12), (14, 16), (12, 14)] {
        cursor.ack_range(range(start, end));
    }
    assert_eq!(ranges(&cursor), [(10, 16)]);
}

#[test]
fn the_last_offset_of_all_can_be_acked_as_a_range() {
    let mut cursor = Cursor::new(Offset::ZERO);
    assert_eq!(cursor.ack_range(range(5, u64::MAX)), u64::MAX - 5);
    assert_eq!(cursor.backlog(Offset::new(u64::MAX)), 5);
    assert_eq!(cursor.next_unacked(Offset::new(7)), Offset::new(u64::MAX));
}

#[test]
fn memory_is_kept_per_gap_and_not_per_message() {
    let mut cursor = Cursor::new(Offset::ZERO);
    // 7 is prime to 100,000, so the order visits every offset once and leaves many gaps on the way.
    let mut ranges_most = 0;
    for step in 0..100_000_u64 {
        cursor.ack(Offset::new(step * 7 % 100_000));
        ranges_most = ranges_most.max(cursor.acked_ranges().len());
    }
    assert!(ranges_most > 10_000, "{ranges_most} ranges");
    assert_eq!((cursor.floor(), cursor.acked_ranges().len()), (Offset::new(100_000), 0));
    cursor.ack_range(range(200_000, 300_000));
    assert_eq!(cursor.acked_ranges().len(), 1);
    // A B-tree node of 11 entries holds at least 5; beside them it has a parent, two counters and, one in six, edges.
    let node_bytes = 11 * size_of::<(Offset, Offset)>() + 2 * size_of::<usize>() + 12 * size_of::<usize>();
    assert!(node_bytes / 5 < 200, "{} bytes for each gap", node_bytes / 5);
}

#[derive(Clone, Debug)]
enum Step {
    Ack(u64, u64),
    AckBelow(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..OFFSETS, 1..6_u64).prop_map(|(start, count)| Step::Ack(start, start + count)),
        1 => (0..OFFSETS).prop_map(Step::AckBelow),
    ]
}

proptest! {
    #[test]
    fn acks_together_are_as_acks_one_by_one(
        start in 0..8_u64,
        before in prop::collection::vec((0..OFFSETS, 1..3_u64), 0..40),
        acks in prop::collection::vec((0..OFFSETS, 0..6_u64), 0..60),
    ) {
        let mut one_by_one = Cursor::new(Offset::new(start));
        for (first, count) in before {
            one_by_one.ack_range(range(first, first + count));
        }
        let mut together = one_by_one.clone();
        let acks: Vec<_> = acks.into_iter().map(|(first, count)| range(first, first + count)).collect();
        for &acked in &acks {
            one_by_one.ack_range(acked);
        }
        together.ack_all(acks);
        prop_assert_eq!(together, one_by_one);
    }

    #[test]
    fn a_cursor_is_a_set_of_offsets(start in 0..8_u64, steps in prop::collection::vec(step(), 0..60)) {
        let mut cursor = Cursor::new(Offset::new(start));
        let mut model: BTreeSet<u64> = (0..start).collect();
        for step in steps {
            let before = model.len();
            let newly = match step {
                Step::Ack(start, end) => {
                    model.extend(start..end);
                    cursor.ack_range(range(start, end))
                }
                Step::AckBelow(to) => {
                    model.extend(0..to);
                    cursor.ack_below(Offset::new(to))
                }
            };
            prop_assert_eq!(newly, u64::try_from(model.len() - before).unwrap());
        }
        let unacked: Vec<u64> = (0..OFFSETS * 2).filter(|offset| !model.contains(offset)).collect();
        prop_assert_eq!(cursor.floor().get(), unacked[0]);
        prop_assert_eq!(cursor.backlog(Offset::new(OFFSETS * 2)), u64::try_from(unacked.len()).unwrap());
        for offset in 0..OFFSETS * 2 - 1 {
            let at = Offset::new(offset);
            prop_assert_eq!(cursor.is_acked(at), model.contains(&offset));
            let next = unacked.iter().find(|&&unacked| unacked >= offset).copied();
            prop_assert_eq!(Some(cursor.next_unacked(at).get()), next);
            let below = unacked.iter().filter(|&&unacked| unacked < offset).count();
            prop_assert_eq!(cursor.backlog_below(at), u64::try_from(below).unwrap());
        }
        let mut last = cursor.floor();
        for acked in cursor.acked_ranges() {
            prop_assert!(acked.start > last && !acked.is_empty(), "{} after {}", acked, last);
            last = acked.end;
        }
    }
}
