//! E5: what could be read once can be read ever after: the end that clients see does not go back.

use std::collections::BTreeMap;

use super::sweep::falls;
use crate::history::{History, Interval, Layout};

/// Where a partition was seen to end, or that a read found nothing behind an offset.
#[derive(Clone, Copy)]
struct End {
    end: u64,
}

pub(super) fn check(history: &History) -> Vec<String> {
    let mut known: BTreeMap<u32, Vec<Interval<End>>> = BTreeMap::new();
    for (operation, partition, record) in history.seen() {
        let seen = End { end: record.offset + 1 };
        // What is known is known from the end of the operation; before that it is no evidence that it must be there.
        let interval = Interval { start: u64::MAX, end: operation.end, seen };
        known.entry(partition).or_default().push(interval);
    }
    for (operation, read) in history.reads().filter(|(_, read)| read.records.is_empty()) {
        let interval = Interval { start: operation.start, end: u64::MAX, seen: End { end: read.from } };
        known.entry(read.partition).or_default().push(interval);
    }
    let mut violations = Vec::new();
    for (partition, seen) in known {
        for (earlier, later) in falls(seen, |end| end.end, false) {
            let (end, at, from) = (earlier.seen.end, later.start, later.seen.end);
            violations.push(format!("partition {partition} reached {end}, and at {at} µs had nothing at {from}"));
        }
    }
    violations.extend(high_watermarks(history));
    violations
}

fn high_watermarks(history: &History) -> Vec<String> {
    let mut seen: BTreeMap<u32, Vec<Interval<u64>>> = BTreeMap::new();
    let told = |layout: &Layout| Some((layout.partition, layout.high_watermark?));
    for (operation, (partition, high_watermark)) in
        history.layouts().filter_map(|(operation, layout)| Some((operation, told(layout)?)))
    {
        let interval = Interval { start: operation.start, end: operation.end, seen: high_watermark };
        seen.entry(partition).or_default().push(interval);
    }
    let mut violations = Vec::new();
    for (partition, seen) in seen {
        for (earlier, later) in falls(seen, |high_watermark| *high_watermark, false) {
            let (from, to, at) = (earlier.seen, later.seen, later.end);
            violations.push(format!("the high watermark of partition {partition} fell from {from} to {to} at {at} µs"));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::story::{accepts, good, rejects};
    use super::check;

    #[test]
    fn a_read_that_finds_nothing_where_there_was_something_is_noticed() {
        let mut story = good();
        let read = story.read(0, 1);
        (read.next, read.records) = (1, Vec::new());
        rejects(check, &story, "partition 0 reached 2");
    }

    #[test]
    fn a_read_that_began_before_it_was_known_may_find_nothing() {
        let mut story = good();
        let read = story.read(0, 1);
        (read.next, read.records) = (1, Vec::new());
        story.history.operations.last_mut().unwrap().start = 0;
        accepts(check, &story);
        story.read(0, 2);
        accepts(check, &story);
    }

    #[test]
    fn a_high_watermark_that_falls_is_noticed() {
        let mut story = good();
        story.layout(0, 2, 2, 2);
        accepts(check, &story);
        story.layout(0, 2, 2, 1);
        rejects(check, &story, "fell from 2 to 1");
    }
}
