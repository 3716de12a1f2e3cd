//! Values that must not fall, seen by many clients at overlapping times.

use crate::history::Interval;

/// Where a value is lower than (or, if `is_strict`, no higher than) one that was seen whole before: the two values, each
/// with the time at which it was known.
pub(crate) fn falls<T>(
    mut seen: Vec<Interval<T>>,
    value: impl Fn(&T) -> u64,
    is_strict: bool,
) -> Vec<(Interval<T>, Interval<T>)>
where
    T: Copy,
{
    let mut by_end = seen.clone();
    by_end.sort_by_key(|interval| interval.end);
    seen.sort_by_key(|interval| interval.start);
    let mut before = by_end.into_iter().peekable();
    let mut highest: Option<Interval<T>> = None;
    let mut falls = Vec::new();
    // Without a start it says only what was there before.
    for later in seen.into_iter().filter(|later| later.start != u64::MAX) {
        while let Some(earlier) = before.next_if(|earlier| earlier.end < later.start) {
            if highest.is_none_or(|highest| value(&highest.seen) < value(&earlier.seen)) {
                highest = Some(earlier);
            }
        }
        if let Some(highest) = highest {
            let (then, now) = (value(&highest.seen), value(&later.seen));
            if now < then || (is_strict && now == then) {
                falls.push((highest, later));
            }
        }
    }
    falls
}

#[test]
fn a_value_falls_only_if_the_higher_one_was_known_before() {
    let at = |start, end, seen| Interval { start, end, seen };
    let count = |seen, is_strict| falls(seen, |value: &u64| *value, is_strict).len();
    assert_eq!(count(vec![at(0, 1, 5), at(2, 3, 4)], false), 1);
    assert_eq!(count(vec![at(0, 2, 5), at(2, 3, 4)], false), 0, "they may have been at the same time");
    assert_eq!(count(vec![at(0, 1, 5), at(2, 3, 5)], false), 0);
    assert_eq!(count(vec![at(0, 1, 5), at(2, 3, 5)], true), 1);
    assert_eq!(count(vec![at(4, 5, 1), at(0, 1, 9), at(2, 9, 3)], false), 2, "the order of the lines means nothing");
}
