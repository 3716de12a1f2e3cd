//! A schedule of faults: the same seed gives the same one.

use super::fault::Fault;
use crate::{broker::Storage, random::Random};

/// A fault, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub at_ms: u64,
    pub lasts_ms: u64,
    pub fault: Fault,
}

/// How long clients work undisturbed in the beginning, and between faults at least.
const CALM_MS: u64 = 500;
/// How much longer, at most.
const CALM_MORE_MS: u64 = 1_000;
/// How long a fault lasts, at least, and how much longer at most.
const LASTS_MS: u64 = 500;
const LASTS_MORE_MS: u64 = 4_000;
/// Of so many faults one has another one at the same time.
const COMBINED_ONE_IN: u64 = 3;

/// Faults for so long at so many nodes: each of these kinds once, in any order, then any, some of them two at a time.
pub(crate) fn plan(seed: u64, ms: u64, (nodes, mut kinds): (u32, Vec<Fault>)) -> Vec<Step> {
    let mut random = Random::new(seed, 1_000);
    random.shuffle(&mut kinds);
    let mut next = kinds.clone();
    let mut steps: Vec<Step> = Vec::new();
    let mut now = CALM_MS;
    loop {
        now += random.below(CALM_MORE_MS);
        let kind = next.pop().unwrap_or_else(|| random.pick(&kinds).clone());
        let fault = kind.somewhere(&mut random, nodes);
        let lasts_ms = LASTS_MS + random.below(LASTS_MORE_MS);
        if now + lasts_ms > ms {
            return steps;
        }
        let mut end = now + lasts_ms;
        steps.push(Step { at_ms: now, lasts_ms, fault });
        if random.one_in(COMBINED_ONE_IN) {
            let other = random.pick(&kinds).somewhere(&mut random, nodes);
            let (at_ms, lasts_ms) = (now + random.below(lasts_ms), LASTS_MS + random.below(LASTS_MORE_MS));
            let before = &steps[steps.len() - 1].fault;
            if at_ms + lasts_ms <= ms && other.goes_with(before) {
                end = end.max(at_ms + lasts_ms);
                steps.push(Step { at_ms, lasts_ms, fault: other });
            }
        }
        now = end + CALM_MS;
    }
}

#[test]
fn a_seed_has_one_plan_that_ends_in_time_and_has_every_kind() {
    for (nodes, storage) in [(1, Storage::Shared), (3, Storage::Shared), (5, Storage::Shared), (3, Storage::Disks)] {
        let kinds = || Fault::kinds(nodes, storage);
        let (mut kinds_seen, mut combined) = (std::collections::BTreeSet::new(), 0);
        for seed in 0..50 {
            let steps = plan(seed, 120_000, (nodes, kinds()));
            assert_eq!(steps, plan(seed, 120_000, (nodes, kinds())));
            assert_ne!(steps, plan(seed + 50, 120_000, (nodes, kinds())));
            assert!(steps.iter().all(|step| step.at_ms >= CALM_MS && step.at_ms + step.lasts_ms <= 120_000));
            combined += steps.windows(2).filter(|two| two[1].at_ms < two[0].at_ms + two[0].lasts_ms).count();
            let seen: std::collections::BTreeSet<_> = steps.iter().map(|step| step.fault.kind()).collect();
            assert_eq!(seen.len(), kinds().len(), "two minutes are enough for each: {steps:?}");
            kinds_seen.extend(seen);
        }
        assert!(combined > 50, "{combined} at the same time");
        assert_eq!(kinds_seen.len(), kinds().len());
    }
}

#[test]
fn no_two_faults_at_a_time_are_about_the_same_process() {
    for seed in 0..500 {
        let storage = if seed % 2 == 0 { Storage::Shared } else { Storage::Disks };
        let steps = plan(seed, 120_000, (3, Fault::kinds(3, storage)));
        for two in steps.windows(2).filter(|two| two[1].at_ms < two[0].at_ms + two[0].lasts_ms) {
            assert!(two[1].fault.goes_with(&two[0].fault), "{two:?}");
        }
    }
}
