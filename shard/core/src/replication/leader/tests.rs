//! The leader: what is committed when, and who is proposed to be in sync.

use std::time::Duration;

use super::*;

const US: u64 = 1;
const LAG_MAX: Duration = Duration::from_secs(10);
const EPOCH: u32 = 5;

fn offset(offset: u64) -> Offset {
    Offset::new(offset)
}

fn at(seconds: u64) -> Monotonic {
    Monotonic::default().plus(Duration::from_secs(seconds))
}

fn set(isr: &[u64], partition_epoch: u32) -> ReplicaSet {
    ReplicaSet { replicas: vec![1, 2, 3], isr: isr.to_vec(), elr: Vec::new(), partition_epoch, min_insync: 2 }
}

/// Leads a log of which offsets 0 to 10 are of epoch 2 and those up to 20 of epoch 4.
fn leader(isr: &[u64]) -> Leader {
    let mut lineage = Lineage::new();
    lineage.note(LeaderEpoch::new(2), offset(0));
    lineage.note(LeaderEpoch::new(4), offset(10));
    let config = LeaderConfig { node: US, epoch: LeaderEpoch::new(EPOCH), set: set(isr, 1), lag_max: LAG_MAX };
    Leader::new(at(0), config, lineage, (offset(0), offset(20)))
}

fn run(node: u64) -> NodeRun {
    NodeRun { node, epoch: 100 + node }
}

fn position(end: u64, last_epoch: u32) -> FetchPosition {
    let last_epoch = Some(LeaderEpoch::new(last_epoch));
    FetchPosition { leader_epoch: LeaderEpoch::new(EPOCH), end: offset(end), last_epoch, cursors: 1 }
}

fn committed(leader: &mut Leader) -> u64 {
    leader.take_effects();
    leader.high_watermark().get()
}

/// Proposals among the effects.
fn proposed(leader: &mut Leader) -> Vec<(Vec<u64>, Vec<NodeRun>)> {
    let effects = leader.take_effects().into_iter();
    let proposals = effects.filter_map(|effect| match effect {
        LeaderEffect::ProposeIsr { isr, joining, .. } => Some((isr, joining)),
        LeaderEffect::Committed { .. } => None,
    });
    proposals.collect()
}

fn follow(leader: &mut Leader, node: u64, end: u64, last_epoch: u32) {
    assert_eq!(leader.on_fetch(at(1), run(node), position(end, last_epoch)), Ok(FetchVerdict::Follows));
}

#[test]
fn what_all_in_sync_have_is_committed() {
    let mut leader = leader(&[1, 2, 3]);
    follow(&mut leader, 2, 20, 4);
    assert_eq!(committed(&mut leader), 0, "one was not heard of");
    assert!(!leader.is_in_office());
    follow(&mut leader, 3, 15, 4);
    assert_eq!(committed(&mut leader), 15);
    follow(&mut leader, 3, 20, 4);
    assert_eq!(committed(&mut leader), 20);
    assert!(leader.is_in_office());
    leader.on_synced(at(1), offset(30));
    follow(&mut leader, 2, 30, EPOCH);
    assert_eq!(committed(&mut leader), 20);
    follow(&mut leader, 3, 25, EPOCH);
    assert_eq!(committed(&mut leader), 25);
}

#[test]
fn what_was_sent_ahead_is_committed_once_the_leaders_own_disk_has_it() {
    let mut leader = leader(&[1, 2, 3]);
    follow(&mut leader, 2, 20, 4);
    follow(&mut leader, 3, 20, 4);
    leader.on_sent_ahead(offset(30));
    assert_eq!((leader.end(), leader.tail()), (offset(20), offset(30)));
    follow(&mut leader, 2, 30, EPOCH);
    follow(&mut leader, 3, 30, EPOCH);
    assert_eq!(committed(&mut leader), 20, "it may not get to the leader's disk");
    leader.on_synced(at(1), offset(30));
    assert_eq!((committed(&mut leader), leader.tail()), (30, offset(30)));
}

#[test]
fn who_has_more_than_was_sent_ahead_has_something_else() {
    let mut leader = leader(&[1, 2, 3]);
    leader.on_sent_ahead(offset(30));
    let there = EpochEnd { epoch: LeaderEpoch::new(4), end: offset(20) };
    let diverged = Ok(FetchVerdict::Diverged(there));
    assert_eq!(
        leader.on_fetch(at(1), run(2), position(30, 4)),
        diverged,
        "what an earlier leader sent is not what this one did"
    );
    let there = EpochEnd { epoch: LeaderEpoch::new(EPOCH), end: offset(30) };
    assert_eq!(leader.on_fetch(at(1), run(2), position(31, EPOCH)), Ok(FetchVerdict::Diverged(there)));
    follow(&mut leader, 2, 30, EPOCH);
}

/// What an earlier leader stored and did not commit.
#[test]
fn a_leader_says_what_its_log_holds_once_that_can_not_change() {
    let holds = |leader: &Leader, epoch, end| leader.holds(LeaderEpoch::new(epoch), offset(end));
    let mut leader = leader(&[1, 2, 3]);
    follow(&mut leader, 2, 20, 4);
    assert_eq!([holds(&leader, 4, 20), holds(&leader, 4, 21)], [None, None], "it is not in office");
    follow(&mut leader, 3, 20, 4);
    let of_epochs = [(4, 20), (4, 21), (2, 10), (2, 11), (3, 11)].map(|(epoch, end)| holds(&leader, epoch, end));
    assert_eq!(of_epochs, [Some(true), Some(false), Some(true), Some(false), Some(false)]);
    assert_eq!([holds(&leader, EPOCH, 20), holds(&leader, 9, 20)], [None, None], "of its own epoch it is not over");
    leader.on_log_start(offset(15));
    assert_eq!([holds(&leader, 2, 10), holds(&leader, 2, 16)], [None, Some(false)], "it is gone, whatever it was");
}

/// It is in office at once, as there is nothing to commit; but another may still hold more, and be elected.
#[test]
fn a_leader_of_nothing_denies_nothing_before_all_follow_it() {
    let config = LeaderConfig { node: US, epoch: LeaderEpoch::new(EPOCH), set: set(&[1, 2, 3], 1), lag_max: LAG_MAX };
    let mut leader = Leader::new(at(0), config, Lineage::new(), (offset(0), offset(0)));
    let denied = |leader: &Leader| leader.holds(LeaderEpoch::new(4), offset(1));
    let nothing = FetchPosition { leader_epoch: LeaderEpoch::new(EPOCH), end: offset(0), last_epoch: None, cursors: 1 };
    assert!(leader.is_in_office());
    assert_eq!(leader.on_fetch(at(1), run(2), nothing), Ok(FetchVerdict::Follows));
    assert_eq!(leader.on_fetch(at(1), run(3), position(1, 4)), Ok(FetchVerdict::Behind(offset(0))));
    assert_eq!(denied(&leader), None);
    assert_eq!(leader.on_fetch(at(2), run(3), nothing), Ok(FetchVerdict::Follows));
    assert_eq!(denied(&leader), Some(false));
    leader.on_replicas(at(3), set(&[1], 2));
    assert_eq!(denied(&leader), None, "who has left may be elected as long as too few are in sync");
}

#[test]
fn its_own_disk_counts_too() {
    let mut leader = leader(&[1, 2]);
    follow(&mut leader, 2, 20, 4);
    assert_eq!(committed(&mut leader), 20);
    let ahead = FetchPosition { last_epoch: Some(LeaderEpoch::new(EPOCH)), ..position(40, EPOCH) };
    let there = EpochEnd { epoch: LeaderEpoch::new(4), end: offset(20) };
    assert_eq!(leader.on_fetch(at(1), run(2), ahead), Ok(FetchVerdict::Diverged(there)), "nobody has more than it");
    assert_eq!(committed(&mut leader), 20);
}

#[test]
fn nothing_is_committed_while_too_few_are_in_sync() {
    let mut leader = leader(&[1]);
    follow(&mut leader, 2, 20, 4);
    assert_eq!(leader.high_watermark(), offset(0));
    assert_eq!(leader.check_sufficient(), Err(NotEnoughReplicas { insync: 1, needed: 2 }));
    assert_eq!(proposed(&mut leader), [(vec![1, 2], vec![run(2)])]);
    assert_eq!(leader.high_watermark(), offset(0), "it is only proposed");
    leader.on_replicas(at(2), set(&[1, 2], 2));
    assert_eq!(committed(&mut leader), 20);
    assert_eq!(leader.check_sufficient(), Ok(()));
}

#[test]
fn one_that_joins_counts_before_it_is_in_sync() {
    let mut leader = leader(&[1, 2]);
    follow(&mut leader, 2, 20, 4);
    follow(&mut leader, 3, 20, 4);
    assert_eq!(proposed(&mut leader), [(vec![1, 2, 3], vec![run(3)])]);
    leader.on_synced(at(1), offset(30));
    follow(&mut leader, 2, 30, EPOCH);
    assert_eq!(committed(&mut leader), 20, "the one that joins has no more");
    leader.on_proposal_end(1, ProposalEnd::Refused);
    assert_eq!(committed(&mut leader), 30, "it surely has not joined");
}

#[test]
fn one_that_leaves_counts_until_it_has_left() {
    let mut leader = leader(&[1, 2, 3]);
    follow(&mut leader, 2, 20, 4);
    follow(&mut leader, 3, 20, 4);
    leader.on_synced(at(2), offset(30));
    assert_eq!(leader.on_fetch(at(9), run(2), position(30, EPOCH)), Ok(FetchVerdict::Follows));
    leader.on_tick(at(12));
    assert_eq!(proposed(&mut leader), [], "it may be behind for a while");
    leader.on_tick(at(13));
    assert_eq!(proposed(&mut leader), [(vec![1, 2], vec![])]);
    assert_eq!(committed(&mut leader), 20);
    leader.on_replicas(at(13), set(&[1, 2], 2));
    assert_eq!(committed(&mut leader), 30);
}

#[test]
fn one_that_was_left_behind_comes_back_once_it_keeps_up() {
    let mut leader = leader(&[1, 2]);
    follow(&mut leader, 2, 20, 4);
    leader.on_synced(at(2), offset(30));
    leader.on_tick(at(20));
    assert_eq!(proposed(&mut leader), [(vec![1], vec![])]);
    leader.on_replicas(at(20), set(&[1], 2));
    leader.on_tick(at(21));
    assert_eq!(proposed(&mut leader), [], "it has all that is committed, and is not heard of");
    assert_eq!(leader.on_fetch(at(22), run(2), position(25, EPOCH)), Ok(FetchVerdict::Follows));
    assert_eq!(proposed(&mut leader), []);
    assert_eq!(leader.on_fetch(at(23), run(2), position(30, EPOCH)), Ok(FetchVerdict::Follows));
    assert_eq!(proposed(&mut leader), [(vec![1, 2], vec![run(2)])]);
}

#[test]
fn one_that_says_that_it_does_not_follow_leaves_at_once() {
    let mut leader = leader(&[1, 2, 3]);
    follow(&mut leader, 2, 20, 4);
    follow(&mut leader, 3, 20, 4);
    leader.take_effects();
    leader.on_leave(NodeRun { epoch: 1, ..run(3) });
    leader.on_tick(at(1));
    assert_eq!(proposed(&mut leader), [], "it was an earlier run");
    leader.on_leave(run(3));
    leader.on_tick(at(1));
    assert_eq!(proposed(&mut leader), [(vec![1, 2], vec![])]);
    leader.on_replicas(at(1), set(&[1, 2], 2));
    follow(&mut leader, 3, 20, 4);
    assert_eq!(proposed(&mut leader), [(vec![1, 2, 3], vec![run(3)])], "it follows again");
}

#[test]
fn one_that_has_everything_need_not_say_so_again() {
    let mut leader = leader(&[1, 2, 3]);
    follow(&mut leader, 2, 20, 4);
    follow(&mut leader, 3, 20, 4);
    leader.take_effects();
    leader.on_tick(at(1_000));
    assert_eq!(proposed(&mut leader), []);
    leader.on_synced(at(1_000), offset(30));
    leader.on_tick(at(1_005));
    assert_eq!(proposed(&mut leader), [], "it is behind since then only");
}

#[test]
fn one_that_keeps_up_at_a_distance_stays_in_sync() {
    let mut leader = leader(&[1, 2]);
    follow(&mut leader, 2, 20, 4);
    for second in 2..100 {
        leader.on_synced(at(second), offset(10 * second + 10));
        // It has what was there when it fetched last.
        let newest = if second == 2 { 4 } else { EPOCH };
        assert_eq!(leader.on_fetch(at(second), run(2), position(10 * second, newest)), Ok(FetchVerdict::Follows));
        leader.on_tick(at(second));
        assert_eq!(proposed(&mut leader), []);
    }
}

#[test]
fn who_lacks_something_committed_does_not_join() {
    let mut leader = leader(&[1, 2]);
    follow(&mut leader, 2, 20, 4);
    follow(&mut leader, 3, 19, 4);
    assert_eq!(proposed(&mut leader), []);
    let no_cursors = FetchPosition { cursors: 0, ..position(20, 4) };
    assert_eq!(leader.on_fetch(at(1), run(3), no_cursors), Ok(FetchVerdict::Follows));
    assert_eq!(proposed(&mut leader), [], "it has no cursors");
    follow(&mut leader, 3, 20, 4);
    assert_eq!(proposed(&mut leader), [(vec![1, 2, 3], vec![run(3)])]);
}

#[test]
fn who_lacks_what_the_leader_began_with_does_not_join() {
    // Nothing is known to be committed, as the other one in sync is not heard of.
    let mut leader = leader(&[1, 2]);
    follow(&mut leader, 3, 15, 4);
    assert_eq!(proposed(&mut leader), []);
}

#[test]
fn a_proposal_whose_end_is_unknown_is_made_again() {
    let mut leader = leader(&[1, 2]);
    follow(&mut leader, 3, 20, 4);
    let joins = [(vec![1, 2, 3], vec![run(3)])];
    assert_eq!(proposed(&mut leader), joins);
    leader.on_tick(at(20));
    assert_eq!(proposed(&mut leader), [], "it is under way");
    leader.on_proposal_end(1, ProposalEnd::Unknown);
    leader.on_tick(at(21));
    assert_eq!(proposed(&mut leader), joins);
    leader.on_proposal_end(0, ProposalEnd::Unknown);
    leader.on_tick(at(22));
    assert_eq!(proposed(&mut leader), [], "another one ended");
}

#[test]
fn what_was_refused_may_hold_later_if_it_was_made_before() {
    let mut leader = leader(&[1, 2]);
    follow(&mut leader, 2, 20, 4);
    follow(&mut leader, 3, 20, 4);
    leader.take_effects();
    leader.on_proposal_end(1, ProposalEnd::Unknown);
    leader.on_tick(at(2));
    leader.take_effects();
    leader.on_proposal_end(1, ProposalEnd::Refused);
    leader.on_synced(at(2), offset(30));
    follow(&mut leader, 2, 30, EPOCH);
    assert_eq!(committed(&mut leader), 20, "the one that joins may have joined");
    leader.on_tick(at(3));
    assert_eq!(proposed(&mut leader), [(vec![1, 2], vec![])], "so that it can't any more");
    leader.on_proposal_end(1, ProposalEnd::Refused);
    assert_eq!(committed(&mut leader), 20);
    leader.on_replicas(at(4), set(&[1, 2], 2));
    assert_eq!(committed(&mut leader), 30);
}

#[test]
fn what_was_refused_is_not_proposed_again_at_once() {
    let mut leader = leader(&[1, 2]);
    follow(&mut leader, 3, 20, 4);
    leader.take_effects();
    leader.on_proposal_end(1, ProposalEnd::Refused);
    follow(&mut leader, 3, 20, 4);
    assert_eq!(proposed(&mut leader), []);
    leader.on_tick(at(2));
    assert_eq!(proposed(&mut leader), [(vec![1, 2, 3], vec![run(3)])]);
}

#[test]
fn who_follows_another_leader_is_told() {
    let mut leader = leader(&[1, 2]);
    let of = |epoch| FetchPosition { leader_epoch: LeaderEpoch::new(epoch), ..position(20, 4) };
    let epoch = LeaderEpoch::new(EPOCH);
    assert_eq!(leader.on_fetch(at(1), run(2), of(4)), Err(FetchRefusal::Fenced { epoch }));
    assert_eq!(leader.on_fetch(at(1), run(2), of(6)), Err(FetchRefusal::UnknownEpoch { epoch }));
    assert_eq!(leader.on_fetch(at(1), run(9), of(EPOCH)), Err(FetchRefusal::NotReplica));
    assert_eq!(committed(&mut leader), 0);
}

#[test]
fn an_earlier_run_of_a_node_means_nothing() {
    let mut leader = leader(&[1, 2]);
    let later = NodeRun { epoch: 200, ..run(2) };
    assert_eq!(leader.on_fetch(at(1), later, position(12, 4)), Ok(FetchVerdict::Follows));
    assert_eq!(leader.on_fetch(at(1), run(2), position(20, 4)), Err(FetchRefusal::StaleRun));
    assert_eq!(committed(&mut leader), 12);
}

#[test]
fn a_later_run_begins_where_it_says() {
    let mut leader = leader(&[1, 2]);
    follow(&mut leader, 3, 20, 4);
    leader.take_effects();
    leader.on_proposal_end(1, ProposalEnd::Refused);
    // It has started again with less, and cuts off what differs before it follows.
    let later = NodeRun { epoch: 200, ..run(3) };
    let there = EpochEnd { epoch: LeaderEpoch::new(2), end: offset(10) };
    assert_eq!(leader.on_fetch(at(1), later, position(12, 3)), Ok(FetchVerdict::Diverged(there)));
    leader.on_tick(at(2));
    assert_eq!(proposed(&mut leader), [], "what the earlier run had does not count");
}

#[test]
fn logs_that_differ_are_found_out() {
    let mut leader = leader(&[1, 2]);
    let diverged =
        |epoch, end| Ok(FetchVerdict::Diverged(EpochEnd { epoch: LeaderEpoch::new(epoch), end: offset(end) }));
    assert_eq!(leader.on_fetch(at(1), run(2), position(25, 4)), diverged(4, 20), "it has more of an epoch");
    assert_eq!(leader.on_fetch(at(1), run(2), position(12, 2)), diverged(2, 10), "it has more of an older one");
    assert_eq!(leader.on_fetch(at(1), run(2), position(12, 3)), diverged(2, 10), "it has one that is not here");
    assert_eq!(leader.on_fetch(at(1), run(2), position(8, 1)), Ok(FetchVerdict::Behind(offset(0))), "nothing is alike");
    assert_eq!(committed(&mut leader), 0);
}

/// F43.
#[test]
fn who_is_behind_the_start_begins_anew() {
    let mut leader = leader(&[1, 2]);
    leader.on_log_start(offset(12));
    let empty = FetchPosition { last_epoch: None, ..position(0, 0) };
    assert_eq!(leader.on_fetch(at(1), run(3), empty), Ok(FetchVerdict::Behind(offset(12))));
    assert_eq!(leader.on_fetch(at(1), run(3), position(9, 2)), Ok(FetchVerdict::Behind(offset(12))));
    assert_eq!(
        leader.on_fetch(at(1), run(3), position(12, 2)),
        Ok(FetchVerdict::Behind(offset(12))),
        "of what epoch is it"
    );
    follow(&mut leader, 3, 12, 4);
    let begun = FetchPosition { end: offset(12), ..empty };
    assert_eq!(leader.on_fetch(at(1), run(3), begun), Ok(FetchVerdict::Follows));
}

#[test]
fn who_has_let_go_of_all_goes_on_where_it_is() {
    let mut leader = leader(&[1, 2]);
    let at_offset = |end| FetchPosition { end: offset(end), last_epoch: None, ..position(0, 0) };
    assert_eq!(leader.on_fetch(at(1), run(2), at_offset(20)), Ok(FetchVerdict::Follows));
    assert_eq!(committed(&mut leader), 20, "it has promised so much, and holds to it");
    assert_eq!(leader.on_fetch(at(1), run(3), at_offset(15)), Ok(FetchVerdict::Follows));
    assert_eq!(leader.on_fetch(at(1), run(3), at_offset(21)), Ok(FetchVerdict::Behind(offset(0))));
}

#[test]
fn cursors_are_committed_like_messages() {
    let mut leader = leader(&[1, 2]);
    follow(&mut leader, 2, 20, 4);
    assert_eq!(leader.cursors_committed(), 1);
    leader.on_cursors_synced(at(1), 3);
    assert_eq!(leader.cursors_committed(), 1);
    let with = |cursors| FetchPosition { cursors, ..position(20, 4) };
    assert_eq!(leader.on_fetch(at(1), run(2), with(2)), Ok(FetchVerdict::Follows));
    assert_eq!(leader.cursors_committed(), 2);
    assert_eq!(leader.on_fetch(at(1), run(2), with(4)), Ok(FetchVerdict::Follows));
    assert_eq!(leader.cursors_committed(), 3, "its own disk has no more");
}

#[test]
fn one_that_is_no_longer_in_sync_itself_commits_nothing() {
    let mut leader = leader(&[1, 2, 3]);
    follow(&mut leader, 2, 20, 4);
    leader.on_replicas(at(1), set(&[2, 3], 2));
    let refused = leader.on_fetch(at(1), run(3), position(20, 4));
    assert_eq!(refused, Err(FetchRefusal::NotLeader), "nor does it tell others what to cut off");
    assert_eq!(committed(&mut leader), 0);
    leader.on_tick(at(100));
    assert_eq!(proposed(&mut leader), []);
}

#[test]
fn one_that_is_not_in_sync_is_not_in_office_though_it_has_nothing() {
    let config = LeaderConfig { node: US, epoch: LeaderEpoch::new(EPOCH), set: set(&[2, 3], 1), lag_max: LAG_MAX };
    let mut leader = Leader::new(at(0), config, Lineage::new(), (offset(0), offset(0)));
    assert!(!leader.is_in_office(), "others may have what was committed");
    leader.on_replicas(at(1), set(&[1], 2));
    assert!(leader.is_in_office());
}

#[test]
fn older_sets_change_nothing() {
    let mut leader = leader(&[1, 2]);
    leader.on_replicas(at(1), set(&[1], 0));
    assert_eq!(leader.replicas(), &set(&[1, 2], 1));
}
