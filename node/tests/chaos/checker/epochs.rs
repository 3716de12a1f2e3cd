//! R1 and R2: a leader epoch has one owner, and no node goes back to an older one.

use std::collections::{BTreeMap, BTreeSet};

use super::sweep::falls;
use crate::history::{History, Interval};

pub(super) fn check(history: &History) -> Vec<String> {
    let mut owners: BTreeMap<(u32, u64), u64> = BTreeMap::new();
    // By the node that was asked: another one may hear of it later.
    let mut seen: BTreeMap<(u32, u32), Vec<Interval<u64>>> = BTreeMap::new();
    let mut violations = Vec::new();
    for (operation, layout) in history.layouts() {
        let owner = *owners.entry((layout.partition, layout.epoch)).or_insert(layout.owner);
        if owner != layout.owner {
            let (partition, epoch, other) = (layout.partition, layout.epoch, layout.owner);
            violations.push(format!("partition {partition} has the owners {owner} and {other} in epoch {epoch}"));
        }
        let interval = Interval { start: operation.start, end: operation.end, seen: layout.epoch };
        seen.entry((operation.node, layout.partition)).or_default().push(interval);
    }
    for ((node, partition), seen) in seen {
        for (earlier, later) in falls(seen, |epoch| *epoch, false) {
            let (from, to) = (earlier.seen, later.seen);
            violations.push(format!("node {node} went back on partition {partition} from epoch {from} to {to}"));
        }
    }
    violations
}

/// How often a partition was seen in another epoch than before.
pub(super) fn owner_changes(history: &History) -> usize {
    epochs(history).values().map(|epochs| epochs.len() - 1).sum()
}

/// The partitions that were seen in more than one epoch.
pub(super) fn moved(history: &History) -> BTreeSet<u32> {
    epochs(history).into_iter().filter(|(_, epochs)| epochs.len() > 1).map(|(partition, _)| partition).collect()
}

fn epochs(history: &History) -> BTreeMap<u32, BTreeSet<u64>> {
    let mut epochs: BTreeMap<u32, BTreeSet<u64>> = BTreeMap::new();
    for (_, layout) in history.layouts() {
        epochs.entry(layout.partition).or_default().insert(layout.epoch);
    }
    epochs
}

#[cfg(test)]
mod tests {
    use super::super::story::{accepts, good, rejects};
    use super::{check, owner_changes};

    #[test]
    fn two_owners_in_an_epoch_are_noticed() {
        let mut story = good();
        assert_eq!(owner_changes(&story.history), 1);
        accepts(check, &story);
        story.layout(0, 3, 2, 1);
        rejects(check, &story, "owners 2 and 3 in epoch 2");
    }

    #[test]
    fn a_node_that_goes_back_is_noticed_and_one_that_lags_behind_is_not() {
        let mut story = good();
        story.layout(0, 1, 1, 0);
        rejects(check, &story, "from epoch 2 to 1");
        story.history.operations.last_mut().unwrap().node = 2;
        accepts(check, &story);
    }
}
