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
}

impl PrioritySet {
    pub(super) fn insert(&mut self, priority: u8, offset: Offset) {
        if let Some(set) = self.by_priority.get_mut(usize::from(priority)) {
            set.insert(offset.get());
        }
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, priority: u8, offset: Offset) -> bool {
        self.by_priority.get_mut(usize::from(priority)).is_some_and(|set| set.remove(offset.get()))
    }

    pub(super) fn remove_range(&mut self, range: OffsetRange) {
        for set in &mut self.by_priority {
            if !set.is_empty() {
                set.remove_range(range.start.get()..range.end.get());
            }
        }
    }

    /// The oldest of the highest priority.
    pub(super) fn first(&self) -> Option<(u8, Offset)> {
        self.firsts().last()
    }

    /// The oldest of all.
    pub(super) fn oldest(&self) -> Option<(u8, Offset)> {
        self.firsts().min_by_key(|&(_, offset)| offset)
    }

    /// The oldest of each priority, the lowest priority first.
    fn firsts(&self) -> impl DoubleEndedIterator<Item = (u8, Offset)> {
        let sets = (0..=PRIORITY_MAX).zip(&self.by_priority);
        sets.filter_map(|(priority, set)| Some((priority, Offset::new(set.min()?))))
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
