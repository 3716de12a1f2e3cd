//! What happens to a group as members come and go.

use proptest::prelude::*;

use super::{PartitionAssignment::*, *};
use crate::limits;

struct Changing {
    group: Group,
    last_member: u64,
    room: usize,
}

impl Changing {
    fn new(partitions: usize) -> Self {
        Self { group: Group::new(SubscriptionId::new(1), partitions), last_member: 0, room: limits::MEMBERS_MAX }
    }

    fn change(&mut self, changes: Vec<GroupChange>) {
        let members = self.group.members.len();
        let newcomers = Newcomers { last_member: &mut self.last_member, room: self.room, at: Timestamp::default() };
        self.group.change(changes, newcomers);
        self.room = self.room + members - self.group.members.len();
    }

    fn owned(&self, member: u64) -> Vec<u32> {
        self.group.partitions_of(MemberId::new(member)).map(PartitionIndex::get).collect()
    }
}

fn join(consumer_id: &str) -> GroupChange {
    GroupChange::Join { consumer_id: consumer_id.to_owned() }
}

fn leave(member: u64) -> GroupChange {
    GroupChange::Leave { member: MemberId::new(member) }
}

fn adopt(member: u64, generation: u64) -> GroupChange {
    GroupChange::Adopt { member: MemberId::new(member), generation }
}

#[test]
fn a_partition_of_a_live_member_goes_over_only_when_it_was_let_go() {
    let mut changing = Changing::new(4);
    changing.change(vec![join("a")]);
    assert_eq!((changing.group.generation(), changing.owned(1)), (1, vec![0, 1, 2, 3]));
    changing.change(vec![join("b")]);
    assert_eq!(changing.group.generation(), 2);
    assert_eq!((changing.owned(1), changing.owned(2)), (vec![0, 1], vec![]));
    assert_eq!(changing.group.assignment(PartitionIndex::new(2)), None);
    assert_eq!(changing.group.assignment(PartitionIndex::new(0)), Some((MemberId::new(1), 1)), "it has not moved");

    changing.change(vec![adopt(1, 1), adopt(2, 2)]);
    assert_eq!(changing.group.generation(), 2, "an older generation, or that of another, lets nothing go");
    changing.change(vec![adopt(1, 3)]);
    assert_eq!(changing.group.generation(), 2, "there was no such generation yet");
    changing.change(vec![adopt(1, 2)]);
    assert_eq!((changing.group.generation(), changing.owned(2)), (3, vec![2, 3]));
    assert_eq!(changing.group.assignment(PartitionIndex::new(2)), Some((MemberId::new(2), 3)));
}

#[test]
fn the_partitions_of_who_is_gone_are_assigned_at_once() {
    let mut changing = Changing::new(4);
    changing.change(vec![join("a"), join("b")]);
    assert_eq!((changing.owned(1), changing.owned(2)), (vec![0, 1], vec![2, 3]));
    changing.change(vec![leave(1)]);
    assert_eq!((changing.group.generation(), changing.owned(2)), (2, vec![0, 1, 2, 3]));
    changing.change(vec![leave(2)]);
    assert_eq!(changing.group.partitions(), [Free; 4]);
    assert_eq!(changing.group.generation(), 3, "nobody owns anything, which is a change");
}

#[test]
fn who_leaves_before_it_got_what_was_revoked_for_it_changes_nothing_for_the_others() {
    let mut changing = Changing::new(2);
    changing.change(vec![join("a")]);
    changing.change(vec![join("b")]);
    assert_eq!(changing.group.revoked().collect::<Vec<_>>(), [(MemberId::new(1), 2)]);
    changing.change(vec![leave(2)]);
    assert_eq!(changing.owned(1), [0, 1]);
    assert_eq!(changing.group.assignment(PartitionIndex::new(1)), Some((MemberId::new(1), 3)), "in a new generation");
}

#[test]
fn what_comes_twice_or_late_changes_nothing() {
    let mut changing = Changing::new(2);
    changing.change(vec![join("a"), join("a"), join("b")]);
    changing.change(vec![leave(1)]);
    let before = changing.group.clone();
    changing.change(vec![join("b"), leave(1), leave(9), adopt(1, 1), adopt(9, 1)]);
    assert_eq!(changing.group, before);
    changing.change(vec![join("a"), leave(1)]);
    assert_eq!(changing.group.member("a").unwrap().id, MemberId::new(3), "the leave was of the first membership");
}

#[test]
fn a_member_that_left_and_joins_in_one_change_is_another_one() {
    let mut changing = Changing::new(4);
    changing.change(vec![join("a"), join("b")]);
    let before = changing.owned(1);
    changing.change(vec![leave(1), join("a")]);
    assert_eq!(changing.owned(3), before, "what the others have stays with them");
    assert_eq!(changing.group.generation(), 2);
}

#[test]
fn more_members_than_partitions_wait_for_one_to_become_free() {
    let mut changing = Changing::new(1);
    changing.change(vec![join("a")]);
    changing.change(vec![join("b")]);
    assert_eq!(changing.group.generation(), 1, "nothing was assigned");
    changing.change(vec![leave(1)]);
    assert_eq!(changing.owned(2), [0]);
}

#[test]
fn new_partitions_move_no_old_ones() {
    let mut changing = Changing::new(3);
    changing.change(vec![join("a"), join("b")]);
    let before: Vec<_> = changing.group.partitions().to_vec();
    changing.group.add_partitions(8);
    assert_eq!(changing.group.partitions()[..3], before);
    assert_eq!((changing.owned(1).len(), changing.owned(2).len(), changing.group.generation()), (4, 4, 2));
}

#[test]
fn a_group_has_no_more_members_than_it_may_have_and_a_cluster_neither() {
    let mut changing = Changing::new(1);
    changing.change((0..=limits::MEMBERS_PER_GROUP_MAX).map(|number| join(&number.to_string())).collect());
    assert_eq!(changing.group.members().len(), limits::MEMBERS_PER_GROUP_MAX);
    let mut changing = Changing::new(1);
    changing.room = 2;
    changing.change(vec![join("a"), join("b"), join("c")]);
    assert_eq!(changing.group.members().len(), 2);
    changing.change(vec![leave(1), join("c"), join("d")]);
    assert!(changing.group.member("c").is_some() && changing.group.member("d").is_none());
}

fn changes() -> impl Strategy<Value = Vec<Vec<GroupChange>>> {
    let change = prop_oneof![
        4 => "[a-f]".prop_map(|consumer| join(&consumer)),
        2 => (1..30_u64).prop_map(leave),
        5 => (1..30_u64, 0..20_u64).prop_map(|(member, generation)| adopt(member, generation)),
    ];
    proptest::collection::vec(proptest::collection::vec(change, 0..4), 0..30)
}

/// The highest generation that a member says it has taken note of, of those that there were.
fn adopted(changes: &[GroupChange], member: MemberId, generation: u64) -> u64 {
    let of_member = changes.iter().filter_map(|change| match change {
        GroupChange::Adopt { member: who, generation: adopted } if *who == member => Some(*adopted),
        GroupChange::Adopt { .. } | GroupChange::Join { .. } | GroupChange::Leave { .. } => None,
    });
    of_member.filter(|adopted| *adopted <= generation).max().unwrap_or(0)
}

fn check_step(before: &Group, after: &Group, changes: &[GroupChange]) {
    let mut moved = false;
    for (former, new) in before.partitions.iter().chain(std::iter::repeat(&Free)).zip(&after.partitions) {
        moved |= former.owned() != new.owned();
        if former.owned() != new.owned()
            && let Some((_, since)) = new.owned()
        {
            assert_eq!(since, after.generation, "what is new is of the new generation");
        }
        match (*former, *new) {
            (Owned { owner: from, .. }, Owned { owner, .. }) if from != owner => {
                assert!(!after.members.contains_key(&from), "taken from a live member without its letting go");
            }
            (Revoked { from, since, .. }, Owned { owner, .. }) if from != owner => {
                let gone = !after.members.contains_key(&from);
                assert!(gone || adopted(changes, from, before.generation) >= since, "{from} has not let go");
            }
            (Revoked { from, since, .. }, Revoked { from: still, since: same, .. }) => {
                assert_eq!((from, since), (still, same));
            }
            _ => {}
        }
    }
    assert_eq!(after.generation, before.generation + u64::from(moved));
}

fn check_balance(group: &Group) {
    let goes_to = |assignment: &PartitionAssignment| match *assignment {
        Free => None,
        Owned { owner, .. } => Some(owner),
        Revoked { wanted, .. } => Some(wanted),
    };
    let wanted: Vec<_> = group.partitions.iter().filter_map(goes_to).collect();
    assert_eq!(wanted.len(), if group.members.is_empty() { 0 } else { group.partitions.len() });
    let counts: Vec<_> =
        group.members.keys().map(|member| wanted.iter().filter(|wanted| *wanted == member).count()).collect();
    let (most, least) = (counts.iter().max().unwrap_or(&0), counts.iter().min().unwrap_or(&0));
    assert!(counts.iter().sum::<usize>() == wanted.len() && most - least <= 1, "{group:?}");
}

proptest! {
    #[test]
    fn whatever_happens_nothing_is_taken_from_a_live_member_that_has_not_let_go(
        changes in changes(),
        partitions in 0..9_usize,
        grown_at in 0..60_usize,
    ) {
        let mut changing = Changing::new(partitions);
        for (number, changes) in changes.into_iter().enumerate() {
            let before = changing.group.clone();
            changing.change(changes.clone());
            check_step(&before, &changing.group, &changes);
            check_balance(&changing.group);
            if number == grown_at {
                let before = changing.group.clone();
                changing.group.add_partitions(partitions + 3);
                check_step(&before, &changing.group, &[]);
                check_balance(&changing.group);
            }
            let stored = StoredGroup::from(&changing.group);
            prop_assert_eq!(stored.restore(), Some(changing.group.clone()));
        }
        let generation = changing.group.generation();
        let everyone: Vec<_> = changing.group.members().map(|member| adopt(member.id.get(), generation)).collect();
        changing.change(everyone);
        prop_assert_eq!(changing.group.revoked().count(), 0, "all have let go, so all is assigned");
        check_balance(&changing.group);
    }
}

#[test]
fn a_stored_group_that_contradicts_itself_is_refused() {
    let mut changing = Changing::new(2);
    changing.change(vec![join("a")]);
    changing.change(vec![join("b")]);
    let broken = |break_it: &dyn Fn(&mut Group)| {
        let mut group = changing.group.clone();
        break_it(&mut group);
        StoredGroup::from(&group).restore()
    };
    assert_eq!(broken(&|_| ()).as_ref(), Some(&changing.group));
    let stranger = Owned { owner: MemberId::new(7), since: 1 };
    assert_eq!(broken(&|group| group.partitions[0] = stranger), None);
    assert_eq!(broken(&|group| group.partitions[0] = Free), None);
    assert_eq!(broken(&|group| group.generation = 1), None, "a partition is of a later one");
    assert_eq!(broken(&|group| group.members.get_mut(&MemberId::new(2)).unwrap().consumer_id = "a".into()), None);
}

impl Group {
    /// The same group with other partitions: what a broken implementation might make of it.
    pub(crate) fn tampered(&self, generation: u64, partitions: Vec<PartitionAssignment>) -> Self {
        Self { generation, partitions, ..self.clone() }
    }
}
