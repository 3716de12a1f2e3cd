//! Where an append is certain to find its blocks.

use super::*;

fn finds_room(log: &SegmentLog, payload_bytes: usize) -> bool {
    log.finds_room(&[batch_at(log.written_end().get(), payload_bytes)])
}

/// An append beside which zeros are written where the log asks for them; whether it began a segment.
fn append_beside(log: &mut SegmentLog, payload_bytes: usize, prepared: &SegmentEvent) -> bool {
    let mut is_first = false;
    begin(log, payload_bytes, true);
    while let Step::Do(effect) = log.poll(Lane::Append) {
        is_first |= matches!(effect, SegmentEffect::Create { .. });
        let asked = upkeep(log);
        log.on_event(if matches!(effect, SegmentEffect::Create { .. }) {
            SegmentEvent::Created
        } else {
            SegmentEvent::Written
        });
        for effect in asked {
            let is_prepare = matches!(effect, SegmentEffect::Prepare { .. });
            log.on_event(if is_prepare { prepared.clone() } else { SegmentEvent::Sealed });
        }
    }
    is_first
}

#[test]
fn room_is_certain_where_zeros_were_written() {
    let mut log = empty();
    assert!(!finds_room(&log, 100), "there is no segment");
    append_beside(&mut log, 100, &SegmentEvent::Prepared);
    assert!(finds_room(&log, 100));
    assert!(!finds_room(&log, 1 << 20), "no more than was prepared");
    begin(&mut log, 100, true);
    assert!(!finds_room(&log, 100), "another append has its place");
    run(&mut log, Lane::Append);
    let mut certain = 0;
    for _ in 0..40 {
        let is_certain = finds_room(&log, 6_000);
        let is_first = append_beside(&mut log, 6_000, &SegmentEvent::Prepared);
        assert!(!(is_certain && is_first), "a segment that is not there has no room");
        certain += u32::from(is_certain);
    }
    assert!(certain > 20 && log.segment_bases().len() > 2, "{certain}");
}

#[test]
fn room_is_not_certain_where_there_was_none_for_zeros() {
    let mut log = empty();
    for _ in 0..20 {
        append_beside(&mut log, 3_000, &SegmentEvent::Unprepared);
        assert!(!finds_room(&log, 100));
    }
    append_beside(&mut log, 3_000, &SegmentEvent::Prepared);
    while !finds_room(&log, 100) {
        append_beside(&mut log, 3_000, &SegmentEvent::Prepared);
        assert!(log.written_end().get() < 60, "it is certain again some time");
    }
    begin(&mut log, 100, true);
    next(&mut log);
    log.on_event(no_room(true));
    run(&mut log, Lane::Append);
    assert!(!finds_room(&log, 100), "what was prepared is cut off with what was not written");
}
