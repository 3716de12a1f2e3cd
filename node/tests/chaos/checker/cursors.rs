//! E10: how far a subscription is never goes back.

use std::collections::BTreeMap;

use super::sweep::falls;
use crate::history::{History, Interval};

pub(super) fn check(history: &History) -> Vec<String> {
    let mut seen: BTreeMap<(&str, u32), Vec<Interval<u64>>> = BTreeMap::new();
    for (operation, cursor) in history.cursors() {
        let interval = Interval { start: operation.start, end: operation.end, seen: cursor.ack_floor };
        seen.entry((&cursor.subscription, cursor.partition)).or_default().push(interval);
    }
    let mut violations = Vec::new();
    for ((subscription, partition), seen) in seen {
        for (earlier, later) in falls(seen, |floor| *floor, false) {
            let (from, to, at) = (earlier.seen, later.seen, later.end);
            violations
                .push(format!("{subscription} went back on partition {partition} from {from} to {to} at {at} µs"));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::story::{SHARED, accepts, good, rejects};
    use super::check;

    #[test]
    fn a_cursor_that_goes_back_is_noticed() {
        let mut story = good();
        story.cursor(SHARED, 1, 0);
        story.cursor(SHARED, 0, 2);
        accepts(check, &story);
        story.cursor(SHARED, 0, 1);
        rejects(check, &story, "from 2 to 1");
        story.history.operations.last_mut().unwrap().start = 0;
        accepts(check, &story);
    }
}
