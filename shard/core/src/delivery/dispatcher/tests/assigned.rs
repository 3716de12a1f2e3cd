//! Partitions that are assigned to consumers, one fact a test.

use super::*;
use crate::delivery::{Assignee, PartitionAssignment};

const ANN: ConsumerId = ConsumerId(11);
const BOB: ConsumerId = ConsumerId(12);

#[expect(clippy::unnecessary_wraps, reason = "that is what a request takes")]
fn assignment(generation: u64, to: Option<(ConsumerId, u64)>) -> Option<PartitionAssignment> {
    Some(PartitionAssignment { generation, assignee: to.map(|(consumer, since)| Assignee { consumer, since }) })
}

#[expect(clippy::unnecessary_wraps, reason = "that is what a request takes")]
fn claim(consumer: ConsumerId, generation: u64) -> Option<Claim> {
    Some(Claim { consumer, generation })
}

/// A dispatcher of an assigned subscription; the partition is Ann's since generation 1.
fn of_ann() -> Dispatcher {
    let mut dispatcher = dispatcher();
    dispatcher.assign(START, assignment(1, Some((ANN, 1))));
    dispatcher
}

fn lease_by(dispatcher: &mut Dispatcher, claim: Option<Claim>, count: u32) -> Vec<LeasedMessage> {
    dispatcher.scan_plain(END);
    // Over HTTP leases outlive their connections.
    dispatcher.lease(START, LeaseRequest { claim, consumer: ConsumerId::default(), ..request(count) })
}

#[test]
fn nothing_is_leased_without_a_good_claim() {
    let mut dispatcher = dispatcher();
    dispatcher.assign(START, assignment(0, None));
    assert_eq!(lease_by(&mut dispatcher, claim(ANN, 0), 1), []);
    dispatcher.assign(START, assignment(1, Some((ANN, 1))));
    for bad in [None, claim(BOB, 1), claim(ANN, 0), claim(ANN, 2)] {
        assert_eq!(lease_by(&mut dispatcher, bad, 1), [], "{bad:?}");
    }
    assert_eq!(offsets(&lease_by(&mut dispatcher, claim(ANN, 1), 2)), [0, 1]);
}

/// F53.
#[test]
fn what_the_former_consumer_held_is_deliverable_at_once_in_order_and_its_leases_count_no_more() {
    let mut dispatcher = of_ann();
    let leased = lease_by(&mut dispatcher, claim(ANN, 1), 3);
    assert_eq!(dispatcher.ack(leased[1].offset, leased[1].lease), AckOutcome::Applied);
    dispatcher.assign(START, assignment(2, Some((BOB, 2))));
    let _ = dispatcher.take_changes();

    let (offset, lease) = (leased[0].offset, leased[0].lease);
    assert_eq!(dispatcher.ack(offset, lease), AckOutcome::StaleGeneration);
    assert_eq!(dispatcher.nack(START, offset, lease, Some(Duration::ZERO)), AckOutcome::StaleGeneration);
    assert_eq!(dispatcher.reject(START, offset, lease), AckOutcome::StaleGeneration);
    assert_eq!(dispatcher.extend(START, offset, lease, DEADLINE), AckOutcome::StaleGeneration);
    assert_eq!(dispatcher.ack(leased[1].offset, leased[1].lease), AckOutcome::StaleGeneration, "even one that held");
    assert_eq!(dispatcher.take_changes(), []);

    let again = lease_by(&mut dispatcher, claim(BOB, 2), 3);
    assert_eq!(offsets(&again), [0, 2, 3]);
    assert_eq!(again[0].delivery_attempt, 2);
    assert_eq!(dispatcher.ack(offset, lease), AckOutcome::StaleGeneration);
    assert_eq!(dispatcher.ack(again[0].offset, again[0].lease), AckOutcome::Applied);
}

#[test]
fn between_two_consumers_nothing_is_leased_and_the_former_one_may_finish() {
    let mut dispatcher = of_ann();
    let leased = lease_by(&mut dispatcher, claim(ANN, 1), 2);
    dispatcher.assign(START, assignment(2, None));
    assert_eq!(lease_by(&mut dispatcher, claim(ANN, 2), 1), []);
    assert_eq!(dispatcher.extend(START, leased[1].offset, leased[1].lease, DEADLINE), AckOutcome::Applied);
    assert_eq!(dispatcher.ack(leased[0].offset, leased[0].lease), AckOutcome::Applied);
    assert_eq!(dispatcher.check_commit(claim(ANN, 1)), Ok(()));
    dispatcher.assign(START, assignment(3, Some((BOB, 3))));
    assert_eq!(offsets(&lease_by(&mut dispatcher, claim(BOB, 3), 2)), [1, 2], "what was finished is done");
    assert!(dispatcher.check_commit(claim(ANN, 3)).is_err());
}

#[test]
fn a_message_that_has_had_its_deliveries_is_a_dead_letter_when_its_consumer_goes() {
    let mut dispatcher = of_ann();
    let dead_letters = Some(DeadLetterPolicy { max_attempts: 1 });
    dispatcher.set_policy(DeliveryPolicy { dead_letters, ..POLICY });
    lease_by(&mut dispatcher, claim(ANN, 1), 1);
    dispatcher.assign(START, assignment(2, Some((BOB, 2))));
    let letter = DeadLetter { offset: Offset::ZERO, attempts: 1, reason: DeadLetterReason::MaxAttempts, seeks: 0 };
    assert_eq!(dispatcher.take_condemned(9), [letter]);
}

/// The first answer may have been lost with the owner that gave it.
#[test]
fn an_ack_that_was_taken_before_a_restart_is_taken_again() {
    for (mode, again) in
        [(DeliveryMode::AtLeastOnce, AckOutcome::Applied), (DeliveryMode::ExactlyOnce, AckOutcome::LeaseExpired)]
    {
        let mut before = of_ann();
        let leased = lease_by(&mut before, claim(ANN, 1), 2);
        assert_eq!(before.ack(leased[0].offset, leased[0].lease), AckOutcome::Applied);
        let mut dispatcher = restarted(&before);
        dispatcher.set_policy(DeliveryPolicy { mode, ..POLICY });
        dispatcher.assign(START, assignment(1, Some((ANN, 1))));
        assert_eq!(dispatcher.ack(leased[0].offset, leased[0].lease), again);
        assert_eq!(dispatcher.ack(leased[1].offset, leased[1].lease), AckOutcome::LeaseExpired);
        assert_eq!(dispatcher.take_changes(), [], "nothing is done twice");
    }
}

#[test]
fn leases_from_before_a_restart_are_void() {
    let mut before = of_ann();
    let leased = lease_by(&mut before, claim(ANN, 1), 1);
    let mut dispatcher = restarted(&before);
    dispatcher.assign(START, assignment(1, Some((ANN, 1))));
    assert_eq!(dispatcher.ack(leased[0].offset, leased[0].lease), AckOutcome::LeaseExpired);
    assert_eq!(offsets(&lease_by(&mut dispatcher, claim(ANN, 1), 1)), [0]);
}

#[test]
fn what_an_owner_gave_whose_clock_is_ahead_is_void_like_all_from_before() {
    let mut former = Dispatcher::open(identity(1, (9_000 << 20) + 1), POLICY, Offset::ZERO);
    former.assign(START, assignment(1, Some((ANN, 1))));
    let leased = lease_by(&mut former, claim(ANN, 1), 2);

    let mut owner = Dispatcher::resume(identity(1, (5_000 << 20) + 2), POLICY, former.state().clone());
    owner.assign(START, assignment(2, Some((BOB, 2))));
    assert_eq!(offsets(&lease_by(&mut owner, claim(BOB, 2), 1)), [0]);
    let _ = owner.take_changes();
    for message in leased {
        assert_eq!(owner.ack(message.offset, message.lease), AckOutcome::LeaseExpired);
    }
    assert_eq!(owner.take_changes(), []);
}
