//! How often those in sync have changed: what a run of replicated partitions is about.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::History;

/// So many changes were seen at least: those within one epoch of a partition, without those that lead back.
pub(super) fn changes(history: &History) -> usize {
    let mut seen: BTreeMap<(u32, u64), BTreeSet<&[u64]>> = BTreeMap::new();
    for (_, layout) in history.layouts().filter(|(_, layout)| !layout.isr.is_empty()) {
        seen.entry((layout.partition, layout.epoch)).or_default().insert(&layout.isr);
    }
    seen.values().map(|sets| sets.len() - 1).sum()
}

#[cfg(test)]
mod tests {
    use super::{super::story::Story, changes};
    use crate::history::What;

    fn story(seen: &[(u32, u64, &[u64])]) -> Story {
        let mut story = Story::new();
        for (partition, epoch, isr) in seen {
            story.layout(*partition, 1, *epoch, 0);
            let What::Layout(layout) = &mut story.history.operations.last_mut().unwrap().what else { unreachable!() };
            layout.isr = isr.to_vec();
        }
        story
    }

    #[test]
    fn what_was_seen_before_is_no_change() {
        let seen: &[(u32, u64, &[u64])] =
            &[(0, 1, &[1, 2, 3]), (1, 1, &[1, 2, 3]), (0, 1, &[1, 2]), (0, 1, &[1, 2, 3]), (1, 1, &[1, 2, 3])];
        assert_eq!(changes(&story(seen).history), 1);
        assert_eq!(changes(&story(&seen[..2]).history), 0);
    }

    #[test]
    fn partitions_that_are_not_replicated_have_none() {
        assert_eq!(changes(&story(&[(0, 1, &[]), (0, 2, &[])]).history), 0);
    }
}
