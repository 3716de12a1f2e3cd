//! Which of many have a series of their own, so that the number of series has a bound.

use std::collections::{BTreeMap, BTreeSet};

/// What the label of the rest says; no topic and no subscription can have this name.
pub(super) const OTHER: &str = "__other";

/// Those with a series of their own: the oldest, and others as these go.
#[derive(Debug)]
pub(super) struct SeriesBound<I> {
    max: usize,
    own: BTreeSet<I>,
}

/// What those without a series of their own have come to together; it never falls, whoever comes and goes.
#[derive(Debug)]
pub(super) struct OthersTotal<I> {
    last: BTreeMap<I, u64>,
    /// What those had come to that are gone, or have a series of their own now.
    gone: u64,
}

impl<I: Ord + Copy> SeriesBound<I> {
    pub(super) const fn new(max: usize) -> Self {
        Self { max, own: BTreeSet::new() }
    }

    /// Takes in that these are there now, the oldest first.
    pub(super) fn admit(&mut self, there: &BTreeSet<I>) {
        self.own.retain(|id| there.contains(id));
        for id in there {
            if self.own.len() >= self.max {
                break;
            }
            self.own.insert(*id);
        }
    }

    pub(super) fn has_own(&self, id: I) -> bool {
        self.own.contains(&id)
    }
}

impl<I: Ord + Copy> OthersTotal<I> {
    pub(super) const fn new() -> Self {
        Self { last: BTreeMap::new(), gone: 0 }
    }

    /// The others have come to this now; nothing as long as there were never any.
    pub(super) fn total(&mut self, now: BTreeMap<I, u64>) -> Option<u64> {
        let gone = self.last.iter().filter(|(id, _)| !now.contains_key(id)).map(|(_, count)| count);
        self.gone += gone.sum::<u64>();
        self.last = now;
        let total = self.gone + self.last.values().sum::<u64>();
        (total > 0 || !self.last.is_empty()).then_some(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_have_their_own_until_they_go() {
        let mut bound = SeriesBound::new(2);
        bound.admit(&[1, 2, 3].into());
        assert_eq!([1, 2, 3].map(|id| bound.has_own(id)), [true, true, false]);
        bound.admit(&[2, 3, 4].into());
        assert_eq!([1, 2, 3, 4].map(|id| bound.has_own(id)), [false, true, true, false]);
    }

    #[test]
    fn who_has_its_own_keeps_it_when_an_older_one_comes() {
        let mut bound = SeriesBound::new(1);
        bound.admit(&[5].into());
        bound.admit(&[4, 5].into());
        assert_eq!([4, 5].map(|id| bound.has_own(id)), [false, true]);
    }

    #[test]
    fn the_total_of_others_never_falls() {
        let mut others = OthersTotal::new();
        assert_eq!(others.total(BTreeMap::new()), None);
        assert_eq!(others.total([(1, 10), (2, 5)].into()), Some(15));
        assert_eq!(others.total([(2, 6)].into()), Some(16));
        assert_eq!(others.total(BTreeMap::new()), Some(16));
    }
}
