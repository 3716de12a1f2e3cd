//! The follower: what it makes of answers.

use super::*;
use crate::{log::testing::unassigned, model::Timestamp};

fn epoch(epoch: u32) -> LeaderEpoch {
    LeaderEpoch::new(epoch)
}

fn offset(offset: u64) -> Offset {
    Offset::new(offset)
}

fn batch(base: u64, of: u32) -> RecordBatch {
    unassigned(7).assign(offset(base), epoch(of), Timestamp::from_millis(1))
}

/// Follows epoch 5 with a log of offsets 0 to 10, those from 6 on of epoch 4.
fn follower() -> Follower {
    let mut lineage = Lineage::new();
    lineage.note(epoch(2), offset(0));
    lineage.note(epoch(4), offset(6));
    Follower::new(FollowerStart { epoch: epoch(5), log: OffsetRange::new(offset(0), offset(10)), lineage })
}

fn follows(high_watermark: u64) -> FetchAnswer {
    FetchAnswer::Follows { high_watermark: offset(high_watermark), log_start: offset(0) }
}

fn fetched(batches: &[RecordBatch], cursors: Option<u64>) -> Fetched {
    Fetched { batches: batches.to_vec(), cursors }
}

fn answer(follower: &mut Follower, answer: FetchAnswer, batches: &[RecordBatch]) -> Result<FollowerEffect, Distrust> {
    follower.on_answer(epoch(5), answer, &fetched(batches, None))
}

fn place(follower: &Follower) -> (u64, Option<u32>) {
    let position = follower.position().unwrap();
    (position.end.get(), position.last_epoch.map(LeaderEpoch::get))
}

#[test]
fn what_is_stored_is_promised_and_nothing_before() {
    let mut follower = follower();
    let batches = [batch(10, 4), batch(11, 5)];
    assert_eq!(answer(&mut follower, follows(10), &batches), Ok(FollowerEffect::Store));
    assert_eq!(follower.position(), None, "it is not on the disk yet");
    follower.on_stored();
    assert_eq!(place(&follower), (12, Some(5)));
    assert_eq!(follower.high_watermark(), offset(10));
}

#[test]
fn cursors_belong_to_the_leader_that_counts_them() {
    let mut follower = follower();
    assert_eq!(follower.on_answer(epoch(5), follows(0), &fetched(&[], Some(7))), Ok(FollowerEffect::Store));
    follower.on_stored();
    assert_eq!(follower.position().unwrap().cursors, 7);
    follower.on_leader(epoch(6), false);
    assert_eq!(follower.position().unwrap().cursors, 0);
}

#[test]
fn it_knows_no_more_to_be_committed_than_it_has() {
    let mut follower = follower();
    assert_eq!(answer(&mut follower, follows(100), &[]), Ok(FollowerEffect::Fetch));
    assert_eq!(follower.high_watermark(), offset(10));
}

#[test]
fn batches_that_do_not_follow_are_refused_for_good() {
    for batches in [[batch(11, 5)], [batch(10, 3)], [batch(10, 6)]] {
        let mut follower = follower();
        assert!(answer(&mut follower, follows(0), &batches).is_err(), "{batches:?}");
        assert_eq!(follower.position(), None);
    }
}

#[test]
fn what_differs_is_cut_off_step_by_step() {
    let diverged = |of, end| FetchAnswer::Diverged(EpochEnd { epoch: epoch(of), end: offset(end) });
    let mut shorter = follower();
    assert_eq!(answer(&mut shorter, diverged(4, 8), &[]), Ok(FollowerEffect::Truncate(offset(8))));
    assert_eq!(shorter.position(), None);
    shorter.on_cut(offset(8));
    assert_eq!(place(&shorter), (8, Some(4)));
    // The leader has none of epoch 4, and more of epoch 2 than is here.
    let mut other = follower();
    assert_eq!(answer(&mut other, diverged(2, 9), &[]), Ok(FollowerEffect::Truncate(offset(6))));
    other.on_cut(offset(6));
    assert_eq!(place(&other), (6, Some(2)));
}

#[test]
fn what_is_committed_is_never_cut_off() {
    let mut follower = follower();
    answer(&mut follower, follows(9), &[]).unwrap();
    let diverged = FetchAnswer::Diverged(EpochEnd { epoch: epoch(4), end: offset(8) });
    assert!(answer(&mut follower, diverged, &[]).is_err());
    assert_eq!(follower.position(), None, "somebody has to look");
}

#[test]
fn unless_an_operator_has_given_it_up() {
    let mut follower = follower();
    answer(&mut follower, follows(9), &[]).unwrap();
    follower.on_leader(epoch(5), true);
    let diverged = FetchAnswer::Diverged(EpochEnd { epoch: epoch(4), end: offset(8) });
    assert_eq!(answer(&mut follower, diverged, &[]), Ok(FollowerEffect::Truncate(offset(8))));
}

#[test]
fn a_difference_that_is_none_is_not_believed() {
    let mut follower = follower();
    let diverged = FetchAnswer::Diverged(EpochEnd { epoch: epoch(4), end: offset(10) });
    assert!(answer(&mut follower, diverged, &[]).is_err());
}

#[test]
fn one_that_is_behind_begins_anew() {
    let mut follower = follower();
    assert_eq!(answer(&mut follower, FetchAnswer::Behind(offset(50)), &[]), Ok(FollowerEffect::Restart(offset(50))));
    follower.on_restarted(offset(50));
    assert_eq!(place(&follower), (50, None));
    assert_eq!(follower.log(), OffsetRange::new(offset(50), offset(50)));
}

#[test]
fn an_answer_that_comes_late_means_nothing() {
    let mut follower = follower();
    follower.on_leader(epoch(6), false);
    assert_eq!(answer(&mut follower, follows(10), &[batch(10, 5)]), Ok(FollowerEffect::Fetch));
    assert_eq!((place(&follower), follower.high_watermark()), ((10, Some(4)), offset(0)));
}

#[test]
fn what_is_being_stored_under_an_old_leader_is_part_of_the_log() {
    let mut follower = follower();
    answer(&mut follower, follows(10), &[batch(10, 5)]).unwrap();
    follower.on_leader(epoch(6), false);
    follower.on_stored();
    assert_eq!(place(&follower), (11, Some(5)));
    assert_eq!(follower.position().unwrap().leader_epoch, epoch(6));
}

#[test]
fn what_found_no_room_is_fetched_again() {
    let mut follower = follower();
    answer(&mut follower, follows(10), &[batch(10, 5)]).unwrap();
    follower.on_not_stored();
    assert_eq!(place(&follower), (10, Some(4)));
    answer(&mut follower, follows(11), &[batch(10, 5)]).unwrap();
    follower.on_not_stored();
    let behind = answer(&mut follower, FetchAnswer::Behind(offset(10)), &[]);
    assert_eq!(behind, Ok(FollowerEffect::Restart(offset(10))), "what is not there is not cut off");
}
