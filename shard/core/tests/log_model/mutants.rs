//! Drivers that break a promise: the model is worth something only if it notices each of them.

use std::panic::catch_unwind;

use crate::{run, world::Mutant};

/// Far fewer than the model runs.
const SEEDS: u64 = 1_000;

/// How many seeds it takes to notice.
fn noticed_after(mutant: Mutant) -> Option<u64> {
    (0..SEEDS).find(|&seed| catch_unwind(|| run(seed, Some(mutant))).is_err())
}

/// F2.
#[test]
fn a_driver_that_acknowledges_before_the_sync_is_noticed() {
    assert!(noticed_after(Mutant::AcknowledgesBeforeSync).is_some());
}

/// F16.
#[test]
fn a_driver_that_cuts_the_tail_too_far_is_noticed() {
    assert!(noticed_after(Mutant::CutsTooFar).is_some());
}

/// F18.
#[test]
fn a_driver_that_trusts_an_index_blindly_is_noticed() {
    assert!(noticed_after(Mutant::TrustsIndex).is_some());
}

/// F10.
#[test]
fn a_driver_that_deletes_before_the_start_is_noted_is_noticed() {
    assert!(noticed_after(Mutant::DeletesBeforeNoting).is_some());
}

#[test]
fn a_driver_that_leaves_what_had_no_room_is_noticed() {
    assert!(noticed_after(Mutant::LeavesWhatHadNoRoom).is_some());
}

#[test]
fn a_driver_that_forgets_what_it_noted_is_noticed() {
    assert!(noticed_after(Mutant::ForgetsStart).is_some());
}
