//! Which member should have which partition: as evenly as can be, with the least movement.

use std::collections::BTreeMap;

use super::MemberId;

/// Who has a partition before it is assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holding {
    /// The member that has it or was to get it.
    pub(super) holder: Option<MemberId>,
    /// Whether it has it already: what it was only to get is given away first.
    pub(super) settled: bool,
}

/// The member for each partition; `None` throughout if there are no members.
///
/// No two members differ by more than one partition, no partition moves that need not, and the same input gives the
/// same answer. `members` are in ascending order; holders that are not among them count as gone.
pub(super) fn assign(partitions: &[Holding], members: &[MemberId]) -> Vec<Option<MemberId>> {
    let mut room = quotas(partitions, members);
    let mut wanted: Vec<Option<MemberId>> = vec![None; partitions.len()];
    for settled in [true, false] {
        for (wanted, holding) in wanted.iter_mut().zip(partitions).filter(|(_, holding)| holding.settled == settled) {
            *wanted = holding.holder.filter(|holder| take(&mut room, *holder));
        }
    }
    let mut takers = members.iter().copied();
    let mut taker = takers.next();
    for wanted in wanted.iter_mut().filter(|wanted| wanted.is_none()) {
        while let Some(member) = taker {
            if take(&mut room, member) {
                *wanted = Some(member);
                break;
            }
            taker = takers.next();
        }
    }
    wanted
}

/// How many partitions each member gets. Where they can't be equal, those who have the most get one more.
fn quotas(partitions: &[Holding], members: &[MemberId]) -> BTreeMap<MemberId, usize> {
    let mut held: BTreeMap<MemberId, usize> = members.iter().map(|member| (*member, 0)).collect();
    for holder in partitions.iter().filter_map(|holding| holding.holder) {
        if let Some(count) = held.get_mut(&holder) {
            *count += 1;
        }
    }
    let mut by_count: Vec<(usize, MemberId)> = held.into_iter().map(|(member, count)| (count, member)).collect();
    by_count.sort_by_key(|(count, member)| (std::cmp::Reverse(*count), *member));
    let member_count = members.len().max(1);
    let (each, larger) = (partitions.len() / member_count, partitions.len() % member_count);
    let quota = |place| each + usize::from(place < larger);
    by_count.into_iter().enumerate().map(|(place, (_, member))| (member, quota(place))).collect()
}

/// Takes one of a member's places, if it has any left.
fn take(room: &mut BTreeMap<MemberId, usize>, member: MemberId) -> bool {
    match room.get_mut(&member) {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holdings() -> impl Strategy<Value = (Vec<Holding>, Vec<MemberId>)> {
        let holding = (prop::option::of(1..10_u64), any::<bool>())
            .prop_map(|(holder, settled)| Holding { holder: holder.map(MemberId::new), settled });
        let members = proptest::collection::btree_set((1..10_u64).prop_map(MemberId::new), 0..8);
        (proptest::collection::vec(holding, 0..24), members.prop_map(|members| members.into_iter().collect()))
    }

    fn counts(wanted: &[Option<MemberId>], members: &[MemberId]) -> Vec<usize> {
        members.iter().map(|member| wanted.iter().filter(|wanted| **wanted == Some(*member)).count()).collect()
    }

    /// The fewest partitions that a balanced assignment takes from live members, by trying every choice of who gets one more.
    fn fewest_moves(partitions: &[Holding], members: &[MemberId]) -> usize {
        let held: Vec<usize> = counts(&partitions.iter().map(|holding| holding.holder).collect::<Vec<_>>(), members);
        let (each, larger) = (partitions.len() / members.len(), partitions.len() % members.len());
        let choices =
            (0..1_u32 << members.len()).filter(|choice| usize::try_from(choice.count_ones()).unwrap() == larger);
        let moves = choices.map(|choice| {
            let surplus =
                |(place, held): (usize, &usize)| held.saturating_sub(each + usize::from(choice & (1 << place) != 0));
            held.iter().enumerate().map(surplus).sum()
        });
        moves.min().unwrap()
    }

    proptest! {
        #[test]
        fn every_partition_has_a_member_and_they_are_balanced_within_one((partitions, members) in holdings()) {
            let wanted = assign(&partitions, &members);
            prop_assert_eq!(wanted.len(), partitions.len());
            if members.is_empty() {
                prop_assert!(wanted.iter().all(Option::is_none));
                return Ok(());
            }
            let counts = counts(&wanted, &members);
            prop_assert_eq!(counts.iter().sum::<usize>(), partitions.len());
            prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{:?}", counts);
        }

        #[test]
        fn no_more_moves_than_balance_needs((partitions, members) in holdings()) {
            prop_assume!(!members.is_empty());
            let wanted = assign(&partitions, &members);
            let held = partitions.iter().map(|holding| holding.holder.filter(|holder| members.contains(holder)));
            let moved = held.zip(&wanted).filter(|(held, wanted)| held.is_some() && held != *wanted).count();
            prop_assert_eq!(moved, fewest_moves(&partitions, &members));
        }

        #[test]
        fn what_is_balanced_stays((partitions, members) in holdings()) {
            let wanted = assign(&partitions, &members);
            let settled: Vec<_> = wanted.iter().map(|holder| Holding { holder: *holder, settled: true }).collect();
            prop_assert_eq!(assign(&settled, &members), wanted);
        }

        #[test]
        fn a_member_gives_away_what_it_was_only_to_get_first((partitions, members) in holdings()) {
            let wanted = assign(&partitions, &members);
            for member in &members {
                let of_member = || partitions.iter().zip(&wanted).filter(|(holding, _)| holding.holder == Some(*member));
                let loses_settled = of_member().any(|(holding, wanted)| holding.settled && *wanted != Some(*member));
                let keeps_unsettled = of_member().any(|(holding, wanted)| !holding.settled && *wanted == Some(*member));
                prop_assert!(!(loses_settled && keeps_unsettled));
            }
        }
    }
}
