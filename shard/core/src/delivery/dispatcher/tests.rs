//! Leases, acks and redeliveries, one fact a test.

use super::*;

mod assigned;
mod marked;
use crate::model::{PartitionIndex, TopicId};

const DEADLINE: Duration = Duration::from_secs(30);
const BACKOFF: Backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_mins(1) };
const POLICY: DeliveryPolicy = DeliveryPolicy {
    ack_deadline: DEADLINE,
    backoff: BACKOFF,
    outstanding_max: 1_000,
    ordering: DeliveryOrder::None,
    mode: DeliveryMode::AtLeastOnce,
    dead_letters: None,
};
const END: Offset = Offset::new(100);
const START: Monotonic = Monotonic::from_micros(1_000);

fn identity(subscription: u64, first_sequence: u64) -> DispatcherIdentity {
    DispatcherIdentity {
        subscription: SubscriptionId::new(subscription),
        partition: TopicPartition::new(TopicId::new(1), PartitionIndex::new(0)),
        key: ClusterKey::new([7; 16]),
        first_sequence,
        jitter_seed: 1,
    }
}

fn dispatcher() -> Dispatcher {
    let mut dispatcher = Dispatcher::open(identity(1, 1_000), POLICY, Offset::ZERO);
    dispatcher.scan_plain(END);
    dispatcher
}

fn restarted(before: &Dispatcher) -> Dispatcher {
    let mut dispatcher = Dispatcher::resume(identity(1, 2_000), POLICY, before.state().clone());
    dispatcher.scan_plain(END);
    dispatcher
}

fn request(count: u32) -> LeaseRequest {
    let readable = OffsetRange::new(Offset::ZERO, END);
    LeaseRequest { readable, count, consumer: ConsumerId(1), deadline: None, claim: None }
}

fn lease(dispatcher: &mut Dispatcher, now: Monotonic, count: u32) -> Vec<LeasedMessage> {
    dispatcher.scan_plain(END);
    dispatcher.lease(now, request(count))
}

fn offsets(leased: &[LeasedMessage]) -> Vec<u64> {
    leased.iter().map(|message| message.offset.get()).collect()
}

#[test]
fn messages_are_leased_in_order_and_each_once() {
    let mut dispatcher = dispatcher();
    assert_eq!(offsets(&lease(&mut dispatcher, START, 3)), [0, 1, 2]);
    assert_eq!(offsets(&lease(&mut dispatcher, START, 2)), [3, 4]);
    assert_eq!(offsets(&lease(&mut dispatcher, START, 1_000)), (5..100).collect::<Vec<_>>());
    assert_eq!(dispatcher.next_deliverable(START, END), None);
    assert_eq!((dispatcher.scan_from(END), dispatcher.scan_from(END.next())), (None, Some(END)));
}

#[test]
fn nothing_is_passed_over_that_is_not_at_hand() {
    let mut dispatcher = dispatcher();
    let readable = OffsetRange::new(Offset::new(5), END);
    assert_eq!(dispatcher.lease(START, LeaseRequest { readable, ..request(3) }), []);
    assert_eq!(dispatcher.next_deliverable(START, END), Some(Offset::ZERO));
}

#[test]
fn an_acked_message_is_not_delivered_again() {
    let mut dispatcher = dispatcher();
    let leased = lease(&mut dispatcher, START, 2);
    assert_eq!(dispatcher.ack(leased[0].offset, leased[0].lease), AckOutcome::Applied);
    let later = START.plus(DEADLINE);
    assert_eq!(dispatcher.next_deliverable(later, END), Some(Offset::new(2)), "1 backs off");
    let much_later = later.plus(DEADLINE * 10);
    assert_eq!(offsets(&lease(&mut dispatcher, much_later, 2)), [1, 2]);
}

#[test]
fn an_ack_twice_is_as_once() {
    let mut dispatcher = dispatcher();
    let leased = lease(&mut dispatcher, START, 1);
    let _opened = dispatcher.take_changes();
    assert_eq!(dispatcher.ack(leased[0].offset, leased[0].lease), AckOutcome::Applied);
    assert_eq!(dispatcher.take_changes(), [CursorChange::Acked(OffsetRange::new(Offset::ZERO, Offset::new(1)))]);
    assert_eq!(dispatcher.ack(leased[0].offset, leased[0].lease), AckOutcome::Applied);
    assert_eq!(dispatcher.take_changes(), []);
}

#[test]
fn a_late_ack_counts_until_the_message_is_leased_again() {
    let mut dispatcher = dispatcher();
    let first = lease(&mut dispatcher, START, 2);
    let late = START.plus(DEADLINE);
    dispatcher.on_deadline(late);
    assert_eq!(dispatcher.ack(first[0].offset, first[0].lease), AckOutcome::Applied);
    let second = lease(&mut dispatcher, late.plus(BACKOFF.max), 1);
    assert_eq!((second[0].offset, second[0].delivery_attempt), (first[1].offset, 2));
    assert_eq!(dispatcher.ack(first[1].offset, first[1].lease), AckOutcome::LeaseExpired);
    assert!(!dispatcher.state().cursor().is_acked(first[1].offset));
    assert_eq!(dispatcher.ack(second[0].offset, second[0].lease), AckOutcome::Applied);
    assert_eq!(dispatcher.ack(first[1].offset, first[1].lease), AckOutcome::Applied, "acked by another lease");
}

#[test]
fn a_forged_or_foreign_lease_changes_nothing() {
    let mut dispatcher = dispatcher();
    let mut other = Dispatcher::open(identity(2, 1_000), POLICY, Offset::ZERO);
    let own = lease(&mut dispatcher, START, 1)[0];
    let foreign = lease(&mut other, START, 1)[0].lease;
    let forged = LeaseId { tag: own.lease.tag ^ 1, ..own.lease };
    let _opened = dispatcher.take_changes();
    for lease in [foreign, forged] {
        assert_eq!(dispatcher.ack(own.offset, lease), AckOutcome::Unknown);
        assert_eq!(dispatcher.nack(START, own.offset, lease, None), AckOutcome::Unknown);
        assert_eq!(dispatcher.extend(START, own.offset, lease, DEADLINE), AckOutcome::Unknown);
    }
    assert_eq!(dispatcher.ack(Offset::new(1), own.lease), AckOutcome::Unknown, "another message's lease");
    assert_eq!(dispatcher.take_changes(), []);
    assert_eq!(dispatcher.next_deadline(), Some(START.plus(DEADLINE)));
}

#[test]
fn a_nack_without_delay_backs_off_and_doubles() {
    let mut dispatcher = dispatcher();
    let mut now = START;
    for attempt in 1..=12 {
        let message = lease(&mut dispatcher, now, 1)[0];
        assert_eq!((message.offset, message.delivery_attempt), (Offset::ZERO, attempt));
        assert_eq!(dispatcher.nack(now, message.offset, message.lease, None), AckOutcome::Applied);
        let due = dispatcher.next_deadline().unwrap();
        assert_eq!(due.since(now), BACKOFF.delay(attempt, message.offset, 1));
        let early = Monotonic::from_micros(due.as_micros() - 1);
        assert_ne!(dispatcher.next_deliverable(early, END), Some(Offset::ZERO));
        assert_eq!(dispatcher.next_deliverable(due, END), Some(Offset::ZERO));
        now = due;
    }
    assert_eq!(dispatcher.status(END).redeliveries, 11);
}

#[test]
fn a_nack_with_a_delay_comes_back_then_and_with_zero_at_once() {
    let mut dispatcher = dispatcher();
    let leased = lease(&mut dispatcher, START, 2);
    let delay = Duration::from_secs(5);
    assert_eq!(dispatcher.nack(START, leased[0].offset, leased[0].lease, Some(delay)), AckOutcome::Applied);
    assert_eq!(dispatcher.nack(START, leased[1].offset, leased[1].lease, Some(Duration::ZERO)), AckOutcome::Applied);
    assert_eq!(dispatcher.next_deliverable(START, END), Some(leased[1].offset));
    assert_eq!(dispatcher.next_deadline(), Some(START.plus(delay)));
}

#[test]
fn an_ack_after_a_nack_counts_until_the_message_is_leased_again() {
    let mut dispatcher = dispatcher();
    let message = lease(&mut dispatcher, START, 1)[0];
    assert_eq!(dispatcher.nack(START, message.offset, message.lease, None), AckOutcome::Applied);
    assert_eq!(dispatcher.nack(START, message.offset, message.lease, None), AckOutcome::Applied);
    assert_eq!(dispatcher.ack(message.offset, message.lease), AckOutcome::Applied);
    assert_eq!(dispatcher.nack(START, message.offset, message.lease, None), AckOutcome::LeaseExpired);
    assert_eq!(dispatcher.next_deadline(), None);
}

#[test]
fn an_extension_moves_the_deadline_of_a_live_lease_only() {
    let mut dispatcher = dispatcher();
    let message = lease(&mut dispatcher, START, 1)[0];
    let later = START.plus(DEADLINE / 2);
    assert_eq!(dispatcher.extend(later, message.offset, message.lease, DEADLINE), AckOutcome::Applied);
    assert_eq!(dispatcher.next_deadline(), Some(later.plus(DEADLINE)));
    let expired = later.plus(DEADLINE);
    assert_eq!(dispatcher.extend(expired, message.offset, message.lease, DEADLINE), AckOutcome::LeaseExpired);
}

#[test]
fn a_lease_request_may_set_its_own_deadline() {
    let mut dispatcher = dispatcher();
    let deadline = Some(Duration::from_millis(100));
    dispatcher.lease(START, LeaseRequest { deadline, ..request(1) });
    assert_eq!(dispatcher.next_deadline(), Some(START.plus(Duration::from_millis(100))));
}

#[test]
fn what_a_closed_connection_held_is_deliverable_at_once() {
    let mut dispatcher = dispatcher();
    lease(&mut dispatcher, START, 2);
    dispatcher.lease(START, LeaseRequest { consumer: ConsumerId(2), ..request(1) });
    dispatcher.lease(START, LeaseRequest { consumer: ConsumerId::default(), ..request(1) });
    dispatcher.release_consumer(START, ConsumerId(1));
    dispatcher.release_consumer(START, ConsumerId::default());
    let again = lease(&mut dispatcher, START, 3);
    assert_eq!(offsets(&again), [0, 1, 4]);
    assert_eq!(again.iter().map(|message| message.delivery_attempt).collect::<Vec<_>>(), [2, 2, 1]);
}

#[test]
fn a_cumulative_ack_ends_at_the_high_watermark() {
    let mut dispatcher = dispatcher();
    lease(&mut dispatcher, START, 10);
    let _opened = dispatcher.take_changes();
    dispatcher.ack_up_to(Offset::new(4), END);
    assert_eq!(dispatcher.take_changes(), [CursorChange::AckedBelow { to: Offset::new(5) }]);
    assert_eq!(dispatcher.status(END).leased, 5);
    dispatcher.ack_up_to(Offset::new(4), END);
    assert_eq!(dispatcher.take_changes(), []);
    dispatcher.ack_up_to(Offset::new(u64::MAX), END);
    assert_eq!(dispatcher.status(END).ack_floor, END);
    dispatcher.scan_plain(END.next());
    assert_eq!(dispatcher.next_deliverable(START, END.next()), Some(END), "what comes later is not acked");
}

#[test]
fn a_seek_voids_every_lease_also_after_a_restart() {
    let mut dispatcher = dispatcher();
    let leased = lease(&mut dispatcher, START, 3);
    dispatcher.ack(leased[0].offset, leased[0].lease);
    dispatcher.seek(Offset::ZERO);
    let mut after_restart = restarted(&dispatcher);
    for dispatcher in [&mut dispatcher, &mut after_restart] {
        assert_eq!(dispatcher.status(END).backlog, 100);
        assert_eq!(dispatcher.status(END).leased, 0);
        assert_eq!(dispatcher.ack(leased[1].offset, leased[1].lease), AckOutcome::LeaseExpired);
        assert_eq!(dispatcher.nack(START, leased[1].offset, leased[1].lease, None), AckOutcome::LeaseExpired);
        let again = lease(dispatcher, START, 1)[0];
        assert_eq!((again.offset, again.delivery_attempt), (Offset::ZERO, 1));
        assert_eq!(dispatcher.ack(again.offset, again.lease), AckOutcome::Applied);
    }
}

#[test]
fn a_lease_from_before_a_restart_counts_until_the_message_is_leased_again() {
    let mut dispatcher = dispatcher();
    let before = lease(&mut dispatcher, START, 5);
    let mut dispatcher = restarted(&dispatcher);
    assert_eq!(dispatcher.ack(before[3].offset, before[3].lease), AckOutcome::Applied);
    assert_eq!(dispatcher.extend(START, before[4].offset, before[4].lease, DEADLINE), AckOutcome::LeaseExpired);
    let again = lease(&mut dispatcher, START, 4);
    assert_eq!(offsets(&again), [0, 1, 2, 4]);
    assert_eq!(dispatcher.ack(before[0].offset, before[0].lease), AckOutcome::LeaseExpired);
}

#[test]
fn lease_sequences_rise_over_a_restart_and_a_clock_set_back() {
    let mut dispatcher = dispatcher();
    dispatcher.seek(Offset::ZERO);
    let state = dispatcher.state().clone();
    let mut dispatcher = Dispatcher::resume(identity(1, 5), POLICY, state);
    assert!(lease(&mut dispatcher, START, 1)[0].lease.sequence >= 1_000);
}

#[test]
fn attempts_are_counted_over_a_restart() {
    let mut dispatcher = dispatcher();
    for _ in 0..3 {
        let message = lease(&mut dispatcher, START, 1)[0];
        dispatcher.nack(START, message.offset, message.lease, Some(Duration::ZERO));
    }
    let mut dispatcher = restarted(&dispatcher);
    let message = lease(&mut dispatcher, START, 1)[0];
    assert_eq!(message.delivery_attempt, 4);
    dispatcher.ack(message.offset, message.lease);
    assert_eq!(dispatcher.state().snapshot().attempts, []);
}

#[test]
fn retention_takes_what_it_passes_and_counts_what_was_unacked() {
    let mut dispatcher = dispatcher();
    let leased = lease(&mut dispatcher, START, 4);
    dispatcher.ack(leased[1].offset, leased[1].lease);
    assert_eq!(dispatcher.on_log_start(Offset::new(3)), 2);
    let status = dispatcher.status(END);
    assert_eq!((status.ack_floor, status.fell_out, status.leased), (Offset::new(3), 2, 1));
    assert_eq!(dispatcher.ack(leased[0].offset, leased[0].lease), AckOutcome::Applied);
    assert_eq!(dispatcher.on_log_start(Offset::new(50)), 47);
    assert_eq!(offsets(&lease(&mut dispatcher, START, 1)), [50]);
    assert_eq!(dispatcher.status(END).fell_out, 2 + 47);
}

#[test]
fn what_the_store_has_lost_is_passed_over_and_counted_once() {
    let mut dispatcher = dispatcher();
    let leased = lease(&mut dispatcher, START, 4);
    dispatcher.ack(leased[2].offset, leased[2].lease);
    assert_eq!(dispatcher.on_lost(OffsetRange::new(Offset::new(1), Offset::new(6))), 4);
    assert_eq!(dispatcher.on_lost(OffsetRange::new(Offset::new(1), Offset::new(6))), 0);
    let status = dispatcher.status(END);
    assert_eq!((status.ack_floor, status.fell_out, status.leased), (Offset::ZERO, 4, 1));
    assert_eq!(offsets(&lease(&mut dispatcher, START, 2)), [6, 7]);
    let restarted = restarted(&dispatcher);
    assert_eq!(restarted.status(END).backlog, END.get() - 5);
}

#[test]
fn at_the_limit_only_what_comes_back_is_leased() {
    let policy = DeliveryPolicy { outstanding_max: 3, ..POLICY };
    let mut dispatcher = Dispatcher::open(identity(1, 1_000), policy, Offset::ZERO);
    let leased = lease(&mut dispatcher, START, 10);
    assert_eq!(offsets(&leased), [0, 1, 2]);
    assert_eq!(dispatcher.next_deliverable(START, END), None);
    dispatcher.nack(START, leased[1].offset, leased[1].lease, Some(Duration::ZERO));
    assert_eq!(offsets(&lease(&mut dispatcher, START, 10)), [1]);
    dispatcher.ack(leased[0].offset, leased[0].lease);
    assert_eq!(offsets(&lease(&mut dispatcher, START, 10)), [3]);
}

#[test]
fn status_counts_what_is_where() {
    let mut dispatcher = dispatcher();
    let leased = lease(&mut dispatcher, START, 4);
    dispatcher.ack(leased[2].offset, leased[2].lease);
    dispatcher.nack(START, leased[1].offset, leased[1].lease, None);
    let status = dispatcher.status(END);
    assert_eq!((status.backlog, status.leased, status.awaiting_redelivery), (99, 2, 1));
    assert_eq!(status.first_unacked, Some(Offset::ZERO));
    dispatcher.ack_up_to(END, END);
    assert_eq!(dispatcher.status(END).first_unacked, None);
    assert_eq!(dispatcher.status(END).backlog, 0);
}

#[test]
fn acks_in_a_row_are_one_change() {
    let mut dispatcher = dispatcher();
    for message in lease(&mut dispatcher, START, 50) {
        dispatcher.ack(message.offset, message.lease);
    }
    let acked = CursorChange::Acked(OffsetRange::new(Offset::ZERO, Offset::new(50)));
    assert_eq!(dispatcher.take_changes(), [CursorChange::Opened { start: Offset::ZERO }, acked]);
}

#[test]
fn owners_that_begin_in_the_same_millisecond_give_no_lease_twice() {
    let sequences = |epoch: u64| {
        let mut owner = Dispatcher::open(identity(1, (5_000 << 20) + epoch), POLICY, Offset::ZERO);
        lease(&mut owner, START, 50).iter().map(|message| message.lease.sequence).collect::<Vec<_>>()
    };
    let (one, other) = (sequences(1), sequences(2));
    assert!(one.iter().all(|sequence| !other.contains(sequence)));
    // A seek of a former owner has voided what lies below: the next one begins above it, in its own row.
    let mut former = Dispatcher::open(identity(1, (9_000 << 20) + 1), POLICY, Offset::ZERO);
    former.seek(Offset::new(3));
    let mut owner = Dispatcher::resume(identity(1, (5_000 << 20) + 2), POLICY, former.state().clone());
    let given = lease(&mut owner, START, 1)[0];
    assert!(given.lease.sequence > 9_000 << 20 && given.lease.sequence % 256 == 2, "{given:?}");
    assert_eq!(owner.ack(given.offset, given.lease), AckOutcome::Applied);
}

#[test]
fn a_seek_voids_what_an_owner_gave_whose_clock_is_ahead() {
    let mut former = Dispatcher::open(identity(1, (9_000 << 20) + 1), POLICY, Offset::ZERO);
    let given = lease(&mut former, START, 1)[0];
    let mut owner = Dispatcher::resume(identity(1, (5_000 << 20) + 2), POLICY, former.state().clone());
    owner.scan_plain(END);
    owner.seek(Offset::ZERO);
    assert_eq!(owner.ack(given.offset, given.lease), AckOutcome::LeaseExpired);
}
