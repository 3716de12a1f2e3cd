//! Which log lines are repeats too many. Of each place in the code so many lines pass in a window of time; the others are counted,
//! and the count is told. Pure: what time it is comes from outside.

use std::{collections::HashMap, hash::Hash, time::Duration};

use crate::limits::LOG_PLACES_MAX;

/// How many lines of one place pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RepeatLimit {
    /// In one window; 0 is any number.
    pub(super) lines_max: u32,
    /// How long one is.
    pub(super) window: Duration,
}

/// What has been logged of late, by place.
#[derive(Debug)]
pub(super) struct Repeats<P> {
    limit: RepeatLimit,
    places: HashMap<P, Place>,
}

#[derive(Debug)]
struct Place {
    /// When the window began.
    began: Duration,
    /// Lines that have passed in it.
    passed: u32,
    /// Lines that nobody has been told of.
    held_back: u64,
    /// When the first of them came.
    since: Duration,
}

impl<P: Eq + Hash + Clone> Repeats<P> {
    pub(super) fn new(limit: RepeatLimit) -> Self {
        Self { limit, places: HashMap::new() }
    }

    /// From now on another limit holds.
    pub(super) const fn set_limit(&mut self, limit: RepeatLimit) {
        self.limit = limit;
    }

    /// Whether one more line of a place passes; if not, it is counted.
    pub(super) fn admit(&mut self, now: Duration, place: &P) -> bool {
        let RepeatLimit { lines_max, window } = self.limit;
        if lines_max == 0 {
            return true;
        }
        let Some(known) = self.places.get_mut(place) else {
            // Of what finds no room nothing is left out.
            if self.has_room(now) {
                let known = Place { began: now, passed: 1, held_back: 0, since: now };
                self.places.insert(place.clone(), known);
            }
            return true;
        };
        if is_over(known.began, now, window) {
            known.began = now;
            known.passed = 0;
        }
        if known.passed < lines_max {
            known.passed += 1;
            return true;
        }
        if known.held_back == 0 {
            known.since = now;
        }
        known.held_back += 1;
        false
    }

    /// The places of which lines were held back, the first of them a window ago, with how many. They count anew from here on.
    pub(super) fn due(&mut self, now: Duration) -> Vec<(P, u64)> {
        let window = self.limit.window;
        self.take(|place| is_over(place.since, now, window))
    }

    /// The same of all lines that nobody has been told of.
    pub(super) fn rest(&mut self) -> Vec<(P, u64)> {
        self.take(|_| true)
    }

    fn take(&mut self, is_due: impl Fn(&Place) -> bool) -> Vec<(P, u64)> {
        let told = self.places.iter_mut().filter(|(_, known)| known.held_back > 0 && is_due(known));
        told.map(|(place, known)| (place.clone(), std::mem::take(&mut known.held_back))).collect()
    }

    /// Makes room, if it has to, by forgetting the places that have been silent.
    fn has_room(&mut self, now: Duration) -> bool {
        if self.places.len() >= LOG_PLACES_MAX {
            let window = self.limit.window;
            self.places.retain(|_, known| known.held_back > 0 || !is_over(known.began, now, window));
        }
        self.places.len() < LOG_PLACES_MAX
    }
}

fn is_over(began: Duration, now: Duration, window: Duration) -> bool {
    now.saturating_sub(began) >= window
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    fn repeats(lines_max: u32) -> Repeats<u32> {
        Repeats::new(RepeatLimit { lines_max, window: WINDOW })
    }

    /// How many of so many lines pass.
    fn passed(repeats: &mut Repeats<u32>, now: Duration, place: u32, lines: usize) -> usize {
        (0..lines).filter(|_| repeats.admit(now, &place)).count()
    }

    #[test]
    fn the_first_lines_of_each_place_pass_in_each_window() {
        let mut repeats = repeats(3);
        let at = Duration::from_secs;
        assert_eq!(passed(&mut repeats, at(0), 1, 100), 3);
        assert_eq!(passed(&mut repeats, at(9), 1, 100), 0);
        assert_eq!(passed(&mut repeats, at(9), 2, 2), 2, "another place has lines of its own");
        assert_eq!(passed(&mut repeats, at(10), 1, 100), 3, "a new window");
    }

    #[test]
    fn each_line_that_is_held_back_is_told_once_a_window_after_the_first() {
        let mut repeats = repeats(1);
        let at = Duration::from_secs;
        passed(&mut repeats, at(0), 1, 1);
        passed(&mut repeats, at(4), 1, 5);
        assert_eq!(repeats.due(at(13)), []);
        // The flood goes on in the next window, which does not put the telling off.
        passed(&mut repeats, at(13), 1, 3);
        assert_eq!(repeats.due(at(14)), [(1, 7)]);
        assert_eq!(repeats.due(at(1_000)), [], "each is told once");
        passed(&mut repeats, at(14), 1, 2);
        assert_eq!(repeats.rest(), [(1, 2)], "whoever ends waits for no window");
        assert_eq!(repeats.rest(), []);
    }

    #[test]
    fn without_a_limit_all_lines_pass() {
        let mut repeats = repeats(0);
        assert_eq!(passed(&mut repeats, Duration::ZERO, 1, 1_000), 1_000);
        repeats.set_limit(RepeatLimit { lines_max: 2, window: WINDOW });
        assert_eq!(passed(&mut repeats, Duration::ZERO, 1, 1_000), 2);
    }

    #[test]
    fn the_table_has_a_bound_and_nothing_is_lost_by_it() {
        let mut repeats = repeats(1);
        let places = u32::try_from(LOG_PLACES_MAX).unwrap();
        for place in 0..places {
            assert!(repeats.admit(Duration::ZERO, &place));
        }
        assert!(!repeats.admit(Duration::ZERO, &0));
        assert_eq!(passed(&mut repeats, Duration::ZERO, places, 5), 5, "of what finds no room nothing is left out");
        assert_eq!(repeats.places.len(), LOG_PLACES_MAX);
        assert_eq!(passed(&mut repeats, WINDOW, places, 5), 1, "those that were silent have made room");
        assert_eq!(repeats.places.len(), 2);
        assert_eq!(
            repeats.rest().iter().map(|(_, lines)| lines).sum::<u64>(),
            5,
            "and nobody who waits to be told has"
        );
    }
}
