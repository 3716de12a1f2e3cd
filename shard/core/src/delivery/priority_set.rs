//! Offsets by priority, a few bits each.

use roaring::RoaringTreemap;

use crate::{
    limits::PRIORITY_MAX,
    model::{Offset, OffsetRange},
};

/// A set of offsets for each priority; a message is in one of them at most.
#[derive(Clone, Debug, Default)]
pub(super) struct PrioritySet {
    by_priority: [RoaringTreemap; PRIORITY_MAX as usize + 1],
    /// How many offsets there are: mostly none, and then no set need be asked.
    count: u64,
}

impl PrioritySet {
    pub(super) fn insert(&mut self, priority: u8, offset: Offset) {
        if let Some(set) = self.by_priority.get_mut(usize::from(priority)) {
            self.count += u64::from(set.insert(offset.get()));
        }
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, priority: u8, offset: Offset) -> bool {
        let set = self.by_priority.get_mut(usize::from(priority)).filter(|_| self.count > 0);
        let removed = set.is_some_and(|set| set.remove(offset.get()));
        self.count -= u64::from(removed);
        removed
    }

    pub(super) fn remove_range(&mut self, range: OffsetRange) {
        if self.count > 0 {
            let range = range.start.get()..range.end.get();
            self.count -= self.by_priority.iter_mut().map(|set| set.remove_range(range.clone())).sum::<u64>();
        }
    }

    /// The oldest of the highest priority.
    pub(super) fn first(&self) -> Option<(u8, Offset)> {
        self.firsts()?.next_back()
    }

    /// The oldest of all.
    pub(super) fn oldest(&self) -> Option<(u8, Offset)> {
        self.firsts()?.min_by_key(|&(_, offset)| offset)
    }

    /// The oldest of each priority, the lowest priority first, if there is any.
    fn firsts(&self) -> Option<impl DoubleEndedIterator<Item = (u8, Offset)>> {
        let sets = (0..=PRIORITY_MAX).zip(&self.by_priority);
        (self.count > 0).then(|| sets.filter_map(|(priority, set)| Some((priority, Offset::new(set.min()?)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_priority_comes_first_and_in_it_the_oldest() {
        let mut set = PrioritySet::default();
        assert_eq!((set.first(), set.oldest()), (None, None));
        for (priority, offset) in [(4, 1), (9, 8), (9, 7), (0, 3)] {
            set.insert(priority, Offset::new(offset));
        }
        assert_eq!((set.first(), set.oldest()), (Some((9, Offset::new(7))), Some((4, Offset::new(1)))));
        assert!(set.remove(9, Offset::new(7)) && !set.remove(9, Offset::new(7)) && !set.remove(9, Offset::new(1)));
        set.remove_range(OffsetRange::new(Offset::new(1), Offset::new(8)));
        assert_eq!((set.first(), set.oldest()), (Some((9, Offset::new(8))), Some((9, Offset::new(8)))));
    }
}
