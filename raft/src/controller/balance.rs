//! How partitions are evened out with as few moves as there can be.

use crate::metadata::NodeId;

/// Moves of some partitions of one node, whichever they are, to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shift {
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    pub(super) count: usize,
}

/// The moves after which no node owns two more than another. Those that own most keep what can't be shared evenly, so that
/// nothing moves that need not.
pub(super) fn even_out(owned: &[(NodeId, usize)]) -> Vec<Shift> {
    let mut nodes = owned.to_vec();
    nodes.sort_unstable_by_key(|(node, count)| (std::cmp::Reverse(*count), *node));
    let total: usize = nodes.iter().map(|(_, count)| count).sum();
    let share = total.checked_div(nodes.len()).unwrap_or_default();
    let uneven = total.checked_rem(nodes.len()).unwrap_or_default();
    let target = |place: usize| share + usize::from(place < uneven);
    let mut lacking: Vec<(NodeId, usize)> =
        nodes.iter().enumerate().map(|(place, (node, count))| (*node, target(place).saturating_sub(*count))).collect();
    let mut shifts = Vec::new();
    for (place, (from, count)) in nodes.iter().enumerate() {
        let mut surplus = count.saturating_sub(target(place));
        for (to, lack) in lacking.iter_mut().filter(|(_, lack)| *lack > 0) {
            let count = surplus.min(*lack);
            if count == 0 {
                break;
            }
            shifts.push(Shift { from: *from, to: *to, count });
            surplus -= count;
            *lack -= count;
        }
    }
    shifts
}

/// Whether a node has so much more than its share that it is worth moving partitions.
pub(super) fn is_uneven(owned: &[(NodeId, usize)], percent_max: usize) -> bool {
    let counts = || owned.iter().map(|(_, count)| *count);
    let (Some(most), Some(least)) = (counts().max(), counts().min()) else { return false };
    let total: usize = counts().sum();
    most - least >= 2 && most * owned.len() * 100 > total * (100 + percent_max)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nodes(counts: &[usize]) -> Vec<(NodeId, usize)> {
        (1..).map(NodeId::new).zip(counts.iter().copied()).collect()
    }

    proptest! {
        #[test]
        fn nothing_moves_that_need_not_and_all_is_even_then(counts in proptest::collection::vec(0..50_usize, 1..8)) {
            let mut after: std::collections::BTreeMap<_, _> = nodes(&counts).into_iter().collect();
            let shifts = even_out(&nodes(&counts));
            for Shift { from, to, count } in &shifts {
                *after.get_mut(from).unwrap() -= count;
                *after.get_mut(to).unwrap() += count;
            }
            let (most, least) = (after.values().max().unwrap(), after.values().min().unwrap());
            prop_assert!(most - least <= 1, "{after:?}");
            // Each node must give what is over the larger share, and each must get what lacks to the smaller one.
            let total: usize = counts.iter().sum();
            let (share, more) = (total / counts.len(), total.div_ceil(counts.len()));
            let given: usize = counts.iter().map(|count| count.saturating_sub(more)).sum();
            let taken: usize = counts.iter().map(|count| share.saturating_sub(*count)).sum();
            prop_assert_eq!(shifts.iter().map(|shift| shift.count).sum::<usize>(), given.max(taken));
        }
    }

    #[test]
    fn small_differences_are_left_alone() {
        assert!(!is_uneven(&nodes(&[3, 2, 2]), 10), "nothing could be more even");
        assert!(is_uneven(&nodes(&[3, 2, 1]), 10));
        assert!(!is_uneven(&nodes(&[105, 100, 95]), 10));
        assert!(is_uneven(&nodes(&[150, 150, 0]), 10));
        assert!(!is_uneven(&[], 10));
        assert!(!is_uneven(&nodes(&[0, 0]), 10));
    }
}
