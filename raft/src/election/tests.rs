//! Who stands, and when.

use openraft::CommittedLeaderId;

use super::*;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn standing(node: u64, voters: &[u64]) -> Standing {
    Standing { node, leads: false, voters: voters.iter().copied().collect() }
}

#[expect(clippy::unnecessary_wraps, reason = "a log may be empty, these are not")]
fn log_id(term: u64, index: u64) -> Option<LogId> {
    Some(LogId::new(CommittedLeaderId::new(term, 1), index))
}

#[test]
fn a_voter_by_itself_stands_at_once() {
    let mut election = Election::new(ms(0), 0);
    assert_eq!(election.tick(ms(0), &standing(1, &[1]), 0), Step::Stand);
}

#[test]
fn a_learner_and_a_leader_never_stand() {
    let mut election = Election::new(ms(0), 0);
    assert_eq!(election.tick(ms(60_000), &standing(4, &[1, 2, 3]), 0), Step::Wait);
    let leader = Standing { leads: true, ..standing(1, &[1, 2, 3]) };
    assert_eq!(election.tick(ms(120_000), &leader, 0), Step::Wait);
}

#[test]
fn a_node_canvasses_only_once_its_patience_has_run_out() {
    let mut election = Election::new(ms(0), 7);
    let patience = limits::PATIENCE_MS_MIN + 7;
    let standing = standing(1, &[1, 2, 3]);
    assert_eq!(election.tick(ms(patience - 1), &standing, 7), Step::Wait);
    election.heard(ms(patience - 1), 7);
    assert_eq!(election.tick(ms(patience), &standing, 7), Step::Wait);
    assert!(matches!(election.tick(ms(2 * patience - 1), &standing, 7), Step::Canvass { .. }));
}

#[test]
fn a_majority_of_yes_makes_it_stand_and_less_does_not() {
    let standing = standing(1, &[1, 2, 3, 4, 5]);
    let mut election = Election::new(ms(0), 0);
    let Step::Canvass { round } = election.tick(ms(9_000), &standing, 0) else { panic!("patience has run out") };
    assert_eq!(election.on_answer(round, 2, false, &standing), Step::Wait);
    assert_eq!(election.on_answer(round, 3, true, &standing), Step::Wait);
    assert_eq!(election.on_answer(round, 3, true, &standing), Step::Wait, "a voter counts once");
    assert_eq!(election.on_answer(round, 9, true, &standing), Step::Wait, "a learner does not count");
    assert_eq!(election.on_answer(round, 4, true, &standing), Step::Stand);
    assert_eq!(election.on_answer(round, 5, true, &standing), Step::Wait, "it stands once");
}

#[test]
fn answers_to_an_older_canvass_count_for_nothing() {
    let standing = standing(1, &[1, 2, 3]);
    let mut election = Election::new(ms(0), 0);
    let Step::Canvass { round } = election.tick(ms(9_000), &standing, 0) else { panic!("patience has run out") };
    election.heard(ms(9_001), 0);
    assert_eq!(election.on_answer(round, 2, true, &standing), Step::Wait);
}

#[test]
fn whoever_hears_a_leader_would_vote_for_nobody() {
    let mut election = Election::new(ms(0), 0);
    election.heard(ms(5_000), 0);
    let (older, newer) = (log_id(1, 9), log_id(2, 3));
    assert!(!election.would_vote(ms(5_000 + limits::LEASE_MS - 1), false, newer, older));
    assert!(election.would_vote(ms(5_000 + limits::LEASE_MS), false, newer, older));
    assert!(election.would_vote(ms(5_000 + limits::LEASE_MS), false, older, older));
    assert!(!election.would_vote(ms(60_000), false, older, newer), "its log is behind");
    assert!(!election.would_vote(ms(60_000), true, newer, older), "it leads itself");
}

#[test]
fn a_node_that_was_cut_off_disturbs_nobody() {
    // Three nodes; the third hears nothing for a minute, the others hear the leader.
    let others = standing(2, &[1, 2, 3]);
    let mut second = Election::new(ms(0), 3);
    let mut third = Election::new(ms(0), 5);
    let mut stood = 0;
    for now in (0..60_000).step_by(50).map(ms) {
        second.heard(now, 3);
        assert_eq!(second.tick(now, &others, 3), Step::Wait);
        if let Step::Canvass { round } = third.tick(now, &standing(3, &[1, 2, 3]), 5) {
            let granted = second.would_vote(now, false, log_id(1, 1), log_id(1, 1));
            let step = third.on_answer(round, 2, granted, &standing(3, &[1, 2, 3]));
            stood += u32::from(step == Step::Stand);
        }
    }
    assert_eq!(stood, 0);
}

#[test]
fn who_was_invited_is_the_first_to_canvass() {
    let standing = standing(2, &[1, 2, 3]);
    let mut election = Election::new(ms(0), 0);
    election.heard(ms(1_000), 0);
    election.invited();
    let first = ms(1_000 + limits::LEASE_MS);
    assert!(matches!(election.tick(first, &standing, 0), Step::Canvass { .. }));
    assert_eq!(election.tick(first, &standing, 0), Step::Wait);
    // Whoever heard of the leader last may vote a heartbeat later, and nobody else has lost patience by then.
    let last = first + ms(limits::HEARTBEAT_MS);
    assert!(matches!(election.tick(last, &standing, 0), Step::Canvass { .. }));
    election.heard(last, 0);
    assert_eq!(election.tick(last + ms(limits::LEASE_MS), &standing, 0), Step::Wait, "there is a leader again");
}
