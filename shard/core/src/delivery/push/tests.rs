//! What a push subscription may send, step by step and against any sequence of events.

use proptest::prelude::*;

use super::*;
use crate::limits::{PUSH_FAILURES_BEFORE_OPEN, PUSH_PAUSE_MAX, PUSH_PAUSE_MIN, PUSH_RETRY_AFTER_MAX};

const OK: PushAnswer = PushAnswer::Status { status: 204, retry_after: None };
const ERROR: PushAnswer = PushAnswer::Status { status: 500, retry_after: None };

fn gate(in_flight_max: u32, per_second_max: Option<u32>) -> PushGate {
    PushGate::new(PushLimits { in_flight_max, per_second_max })
}

fn at(millis: u64) -> Monotonic {
    Monotonic::from_micros(millis * 1_000)
}

fn fail(gate: &mut PushGate, now: Monotonic, times: u32) {
    for _ in 0..times {
        gate.on_leased(now, 1);
        gate.on_answer(now, &ERROR);
    }
}

#[test]
fn each_answer_has_its_verdict() {
    let status = |status| PushAnswer::Status { status, retry_after: Some(Duration::from_secs(7)) };
    for (answer, verdict) in [
        (status(200), PushVerdict::Ack),
        (status(299), PushVerdict::Ack),
        (status(300), PushVerdict::Nack { delay: None }),
        (status(199), PushVerdict::Nack { delay: None }),
        (status(302), PushVerdict::Nack { delay: None }),
        (status(404), PushVerdict::Nack { delay: None }),
        (status(410), PushVerdict::Pause),
        (status(429), PushVerdict::Nack { delay: Some(Duration::from_secs(7)) }),
        (status(503), PushVerdict::Nack { delay: Some(Duration::from_secs(7)) }),
        (status(500), PushVerdict::Nack { delay: None }),
        (PushAnswer::Failed, PushVerdict::Nack { delay: None }),
        (PushAnswer::Abandoned, PushVerdict::Nack { delay: Some(Duration::ZERO) }),
    ] {
        assert_eq!(answer.verdict(), verdict, "{answer:?}");
    }
}

#[test]
fn no_more_are_under_way_than_may_be() {
    let mut gate = gate(3, None);
    assert_eq!(gate.allowance(at(0)), PushAllowance::Messages(3));
    gate.on_leased(at(0), 2);
    assert_eq!(gate.allowance(at(0)), PushAllowance::Messages(1));
    gate.on_leased(at(0), 1);
    assert_eq!(gate.allowance(at(0)), PushAllowance::AfterAnswer);
    gate.on_answer(at(0), &ERROR);
    assert_eq!(gate.allowance(at(0)), PushAllowance::Messages(1));
    gate.configure(PushLimits { in_flight_max: 2, per_second_max: None });
    assert_eq!(gate.allowance(at(0)), PushAllowance::AfterAnswer);
}

#[test]
fn the_circuit_opens_after_failures_in_a_row_and_is_tried_with_one_message() {
    let mut gate = gate(100, None);
    fail(&mut gate, at(0), PUSH_FAILURES_BEFORE_OPEN - 1);
    gate.on_leased(at(0), 1);
    gate.on_answer(at(0), &OK);
    fail(&mut gate, at(0), PUSH_FAILURES_BEFORE_OPEN - 1);
    assert_eq!((gate.phase(at(0)), gate.allowance(at(0))), (PushPhase::Active, PushAllowance::Messages(100)));
    fail(&mut gate, at(0), 1);
    let mut until = at(0).plus(PUSH_PAUSE_MIN);
    let mut pause = PUSH_PAUSE_MIN;
    for _ in 0..10 {
        assert_eq!((gate.phase(until), gate.consecutive_failures() >= 10), (PushPhase::OpenCircuit, true));
        let before = Monotonic::from_micros(until.as_micros() - 1);
        assert_eq!(gate.allowance(before), PushAllowance::At(until));
        assert_eq!(gate.allowance(until), PushAllowance::Messages(1));
        gate.on_leased(until, 1);
        assert_eq!(gate.allowance(until), PushAllowance::AfterAnswer, "one is tried, not more");
        gate.on_answer(until, &PushAnswer::Failed);
        pause = (pause * 2).min(PUSH_PAUSE_MAX);
        until = until.plus(pause);
    }
    gate.on_leased(until, 1);
    gate.on_answer(until, &OK);
    assert_eq!((gate.phase(until), gate.allowance(until)), (PushPhase::Active, PushAllowance::Messages(100)));
}

#[test]
fn failures_of_requests_from_before_the_pause_do_not_prolong_it() {
    let mut gate = gate(100, None);
    gate.on_leased(at(0), 50);
    for _ in 0..50 {
        gate.on_answer(at(0), &ERROR);
    }
    assert_eq!(gate.allowance(at(1)), PushAllowance::At(at(0).plus(PUSH_PAUSE_MIN)));
}

#[test]
fn requests_that_the_node_gave_up_say_nothing_of_the_endpoint() {
    let mut gate = gate(100, None);
    gate.on_leased(at(0), 50);
    for _ in 0..50 {
        gate.on_answer(at(0), &PushAnswer::Abandoned);
    }
    assert_eq!((gate.consecutive_failures(), gate.allowance(at(0))), (0, PushAllowance::Messages(100)));
}

#[test]
fn an_endpoint_is_left_alone_for_as_long_as_it_asks_within_bounds() {
    let busy = |seconds| PushAnswer::Status { status: 429, retry_after: Some(Duration::from_secs(seconds)) };
    let mut gate = gate(5, None);
    gate.on_leased(at(0), 3);
    gate.on_answer(at(0), &busy(4));
    gate.on_answer(at(0), &busy(2));
    assert_eq!((gate.phase(at(0)), gate.allowance(at(0))), (PushPhase::HoldingOff, PushAllowance::At(at(4_000))));
    assert_eq!(gate.allowance(at(4_000)), PushAllowance::Messages(4));
    gate.on_answer(at(0), &busy(u64::MAX));
    assert_eq!(gate.allowance(at(0)), PushAllowance::At(at(0).plus(PUSH_RETRY_AFTER_MAX)));
    gate.forgive();
    assert_eq!(gate.allowance(at(0)), PushAllowance::Messages(5));
}

#[test]
fn a_pace_gathers_a_tenth_of_a_second() {
    let mut gate = gate(1_000, Some(100));
    assert_eq!(gate.allowance(at(0)), PushAllowance::Messages(10));
    gate.on_leased(at(0), 10);
    assert_eq!(gate.allowance(at(3)), PushAllowance::At(at(10)));
    assert_eq!(gate.allowance(at(50)), PushAllowance::Messages(5));
    assert_eq!(gate.allowance(at(9_000)), PushAllowance::Messages(10));
    gate.configure(PushLimits { in_flight_max: 1_000, per_second_max: Some(1) });
    assert_eq!(gate.allowance(at(9_000)), PushAllowance::Messages(1));
    gate.on_leased(at(9_000), 1);
    assert_eq!(gate.allowance(at(9_500)), PushAllowance::At(at(10_000)));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u64),
    Lease(u32),
    Answer(u16),
    Fail,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3_000_u64).prop_map(Step::Wait),
        (1..20_u32).prop_map(Step::Lease),
        prop_oneof![Just(200_u16), Just(500), Just(429), Just(410)].prop_map(Step::Answer),
        Just(Step::Fail),
    ]
}

proptest! {
    #[test]
    fn bounds_hold_and_nothing_stands_still_for_ever(
        in_flight_max in 1..20_u32,
        rate in prop::option::of(1..200_u32),
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let mut gate = gate(in_flight_max, rate);
        let mut now = at(0);
        let (mut under_way, mut begun) = (0_u32, Vec::new());
        for step in steps {
            match step {
                Step::Wait(millis) => now = now.plus(Duration::from_millis(millis)),
                Step::Lease(wanted) => match gate.allowance(now) {
                    PushAllowance::Messages(allowed) => {
                        let leased = wanted.min(allowed);
                        gate.on_leased(now, leased);
                        under_way += leased;
                        begun.extend((0..leased).map(|_| now));
                    }
                    PushAllowance::At(later) => {
                        prop_assert!(later > now && later.since(now) <= PUSH_RETRY_AFTER_MAX);
                        let allowed = matches!(gate.allowance(later), PushAllowance::Messages(_));
                        prop_assert!(allowed || under_way > 0, "what is announced comes");
                    }
                    PushAllowance::AfterAnswer => prop_assert!(under_way > 0, "there is no answer to wait for"),
                },
                Step::Answer(_) | Step::Fail if under_way == 0 => {}
                Step::Answer(status) => {
                    under_way -= 1;
                    gate.on_answer(now, &PushAnswer::Status { status, retry_after: Some(Duration::from_secs(3)) });
                }
                Step::Fail => {
                    under_way -= 1;
                    gate.on_answer(now, &PushAnswer::Failed);
                }
            }
            prop_assert!(gate.in_flight() == under_way && under_way <= in_flight_max);
        }
        if let Some(rate) = rate {
            for (index, first) in begun.iter().enumerate() {
                let within = begun[index..].iter().filter(|time| time.since(*first) < Duration::from_secs(1)).count();
                prop_assert!(within <= (rate + rate.div_ceil(10).max(1)) as usize, "{within} in a second");
            }
        }
    }
}
