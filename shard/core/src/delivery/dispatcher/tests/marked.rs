//! Priorities, times, ordered keys, dead letters and modes, one fact a test.

use std::convert::Infallible;

use super::*;
use crate::format::{
    record::{MessageId, RecordHead},
    record_batch::{BatchBuilder, Codec, RecordBatch, Relay},
};
use crate::{limits, model::LeaderEpoch};

const EPOCH: LeaderEpoch = LeaderEpoch::new(1);
/// When everything is published.
const PUBLISHED: Timestamp = Timestamp::from_millis(1_000_000);
const HEAD: RecordHead<'static> = RecordHead {
    id: MessageId::Text("id"),
    key: None,
    content_type: "text/plain",
    priority: limits::PRIORITY_DEFAULT,
    ttl_ms: None,
    deliver_at: None,
};

/// A batch at `base` with these heads.
fn batch(base: u64, heads: &[RecordHead<'_>]) -> RecordBatch {
    let mut builder = BatchBuilder::new(64);
    for head in heads {
        let Ok(()) = builder.push(head, &[], |_| Ok::<_, Infallible>(()));
    }
    builder.finish(Codec::None, None).unwrap().assign(Offset::new(base), EPOCH, PUBLISHED)
}

fn of_priorities(priorities: &[u8]) -> RecordBatch {
    let heads: Vec<_> = priorities.iter().map(|&priority| RecordHead { priority, ..HEAD }).collect();
    batch(0, &heads)
}

fn of_keys(keys: &[&'static str]) -> RecordBatch {
    let heads: Vec<_> = keys.iter().map(|&key| RecordHead { key: Some(key), ..HEAD }).collect();
    batch(0, &heads)
}

fn with(policy: DeliveryPolicy, batches: &[RecordBatch]) -> Dispatcher {
    let mut dispatcher = Dispatcher::open(identity(1, 1_000), policy, Offset::ZERO);
    dispatcher.on_clock(PUBLISHED);
    for batch in batches {
        dispatcher.scan(batch).unwrap();
    }
    dispatcher
}

/// Leases what may be, of what was looked at.
fn lease(dispatcher: &mut Dispatcher, now: Monotonic, count: u32) -> Vec<LeasedMessage> {
    dispatcher.lease(now, request(count))
}

const fn ms(millis: i64) -> Timestamp {
    PUBLISHED.plus_millis(millis)
}

const KEYED: DeliveryPolicy = DeliveryPolicy { ordering: DeliveryOrder::Key, ..POLICY };

#[test]
fn the_highest_priority_goes_first_and_in_it_the_oldest() {
    let mut dispatcher = with(POLICY, &[of_priorities(&[4, 0, 9, 4, 9, 7])]);
    let leased = lease(&mut dispatcher, START, 4);
    assert_eq!(offsets(&leased), [2, 4, 5, 0]);
    // What comes back keeps its priority, and what comes later may have a higher one.
    dispatcher.nack(START, leased[1].offset, leased[1].lease, Some(Duration::ZERO));
    dispatcher.nack(START, leased[3].offset, leased[3].lease, Some(Duration::ZERO));
    dispatcher.scan(&batch(6, &[RecordHead { priority: 8, ..HEAD }])).unwrap();
    assert_eq!(offsets(&lease(&mut dispatcher, START, 10)), [4, 6, 0, 3, 1]);
}

#[test]
fn the_oldest_message_does_not_wait_for_ever() {
    let mut priorities = vec![9; 100];
    priorities[0] = 0;
    let mut dispatcher = with(POLICY, &[of_priorities(&priorities)]);
    let leased = offsets(&lease(&mut dispatcher, START, 100));
    let every = usize::try_from(limits::OLDEST_FIRST_EVERY).unwrap();
    assert_eq!(leased.iter().position(|&offset| offset == 0), Some(every - 1));
    assert_eq!(leased.len(), 100);
}

#[test]
fn only_a_marked_batch_is_looked_into() {
    assert!(!batch(0, &[HEAD, HEAD]).header().marked);
    for head in [
        RecordHead { priority: 5, ..HEAD },
        RecordHead { ttl_ms: Some(1), ..HEAD },
        RecordHead { deliver_at: Some(PUBLISHED), ..HEAD },
    ] {
        assert!(batch(0, &[HEAD, head]).header().marked);
    }
}

#[test]
fn what_was_not_looked_at_is_not_delivered() {
    let mut dispatcher = with(POLICY, &[]);
    assert_eq!(dispatcher.next_deliverable(START, END), None);
    assert_eq!(dispatcher.scan_from(END), Some(Offset::ZERO));
    dispatcher.scan(&batch(5, &[HEAD])).unwrap();
    assert_eq!(dispatcher.scan_from(END), Some(Offset::ZERO), "a batch further on does not help");
    dispatcher.scan(&batch(0, &[HEAD, HEAD])).unwrap();
    assert_eq!((dispatcher.scan_from(END), dispatcher.scan_from(Offset::new(2))), (Some(Offset::new(2)), None));
    assert_eq!(offsets(&lease(&mut dispatcher, START, 10)), [0, 1]);
}

#[test]
fn what_is_acked_or_lost_is_not_looked_at() {
    let mut dispatcher = with(POLICY, &[batch(0, &[HEAD])]);
    assert_eq!(offsets(&lease(&mut dispatcher, START, 1)), [0]);
    dispatcher.on_lost(OffsetRange::new(Offset::new(1), Offset::new(20)));
    assert_eq!(dispatcher.scan_from(END), Some(Offset::new(20)));
    dispatcher.ack_up_to(Offset::new(29), END);
    assert_eq!(dispatcher.scan_from(END), Some(Offset::new(30)));
    dispatcher.scan(&batch(30, &[HEAD])).unwrap();
    assert_eq!(offsets(&lease(&mut dispatcher, START, 9)), [30]);
}

#[test]
fn a_delayed_message_waits_for_its_time_and_others_pass_it() {
    let delayed = RecordHead { deliver_at: Some(ms(500)), ..HEAD };
    let mut dispatcher = with(POLICY, &[batch(0, &[HEAD, delayed, HEAD, RecordHead { priority: 9, ..delayed }])]);
    assert_eq!(offsets(&lease(&mut dispatcher, START, 10)), [0, 2]);
    assert_eq!((dispatcher.next_due(), dispatcher.status(END).delayed), (Some(ms(500)), 2));
    dispatcher.on_clock(ms(499));
    assert_eq!(dispatcher.next_deliverable(START, END), None);
    // The clock jumps back: what was scheduled waits for its own time.
    dispatcher.on_clock(ms(-10_000));
    assert_eq!(dispatcher.next_deliverable(START, END), None);
    dispatcher.on_clock(ms(500));
    assert_eq!(offsets(&lease(&mut dispatcher, START, 10)), [3, 1]);
    assert_eq!(dispatcher.next_due(), None);
}

#[test]
fn a_delayed_message_is_met_again_after_a_restart() {
    let delayed = batch(0, &[RecordHead { deliver_at: Some(ms(500)), ..HEAD }, HEAD]);
    let mut dispatcher = with(POLICY, std::slice::from_ref(&delayed));
    let leased = lease(&mut dispatcher, START, 10);
    assert_eq!(dispatcher.ack(leased[0].offset, leased[0].lease), AckOutcome::Applied);
    let mut dispatcher = Dispatcher::resume(identity(1, 2_000), POLICY, dispatcher.state().clone());
    dispatcher.on_clock(ms(1));
    dispatcher.scan(&delayed).unwrap();
    assert_eq!((dispatcher.next_deliverable(START, END), dispatcher.next_due()), (None, Some(ms(500))));
    dispatcher.on_clock(ms(501));
    assert_eq!(offsets(&lease(&mut dispatcher, START, 10)), [0]);
}

#[test]
fn an_expired_message_is_passed_over_and_counted() {
    let expiring = RecordHead { ttl_ms: Some(100), ..HEAD };
    let mut dispatcher = with(POLICY, &[batch(0, &[expiring, HEAD, expiring])]);
    dispatcher.on_clock(ms(99));
    let leased = lease(&mut dispatcher, START, 1);
    assert_eq!(offsets(&leased), [0]);
    dispatcher.on_clock(ms(100));
    assert_eq!(offsets(&lease(&mut dispatcher, START, 10)), [1]);
    assert_eq!((dispatcher.status(END).expired, dispatcher.status(Offset::new(3)).backlog), (1, 2));
    // One that is in a consumer's hands may still be acked; once it has come back it is too late.
    dispatcher.nack(START, leased[0].offset, leased[0].lease, Some(Duration::ZERO));
    assert_eq!(dispatcher.next_deliverable(START, END), None);
    assert_eq!(dispatcher.status(END).expired, 2);
}

#[test]
fn what_a_filter_keeps_out_is_acked_without_being_delivered() {
    let heads: Vec<_> = [1, 5, 9, 4, 2].map(|priority| RecordHead { priority, ..HEAD }).to_vec();
    let mut dispatcher = Dispatcher::open(identity(1, 1_000), POLICY, Offset::ZERO);
    dispatcher.set_filter(Some(Arc::new(Filter::parse("priority >= 4").unwrap())));
    dispatcher.scan(&batch(0, &heads)).unwrap();
    let _opened = dispatcher.take_changes();
    assert_eq!((dispatcher.state().cursor().floor(), dispatcher.status(Offset::new(5)).backlog), (Offset::new(1), 3));
    let leased = lease(&mut dispatcher, START, 1);
    assert_eq!(offsets(&leased), [2]);
    // Another filter is for what was not delivered yet; what was kept out stays so.
    dispatcher.set_filter(None);
    dispatcher.scan(&batch(0, &heads)).unwrap();
    assert_eq!(offsets(&lease(&mut dispatcher, START, 10)), [1, 3]);
}

#[test]
fn no_message_of_a_key_goes_before_an_earlier_one_is_acked() {
    let mut dispatcher = with(KEYED, &[of_keys(&["a", "b", "a", "a", "b", "c"])]);
    let first = lease(&mut dispatcher, START, 10);
    assert_eq!(offsets(&first), [0, 1, 5]);
    // A nack keeps the key where it is, while others go on.
    dispatcher.nack(START, first[0].offset, first[0].lease, Some(Duration::from_secs(1)));
    dispatcher.ack(first[1].offset, first[1].lease);
    let second = lease(&mut dispatcher, START, 10);
    assert_eq!(offsets(&second), [4]);
    let later = START.plus(Duration::from_secs(1));
    let again = lease(&mut dispatcher, later, 10);
    assert_eq!(offsets(&again), [0]);
    dispatcher.ack(again[0].offset, again[0].lease);
    let third = lease(&mut dispatcher, later, 10);
    assert_eq!(offsets(&third), [2]);
    dispatcher.ack_up_to(Offset::new(2), END);
    assert_eq!(offsets(&lease(&mut dispatcher, later, 10)), [3]);
}

#[test]
fn a_key_waits_for_its_delayed_message_and_messages_without_keys_wait_for_none() {
    let heads = [
        RecordHead { key: Some("a"), deliver_at: Some(ms(50)), ..HEAD },
        RecordHead { key: Some("a"), priority: 9, ..HEAD },
        HEAD,
        HEAD,
    ];
    let mut dispatcher = with(KEYED, &[batch(0, &heads)]);
    assert_eq!(offsets(&lease(&mut dispatcher, START, 10)), [2, 3]);
    dispatcher.on_clock(ms(50));
    let leased = lease(&mut dispatcher, START, 10);
    assert_eq!(offsets(&leased), [0]);
    dispatcher.ack(leased[0].offset, leased[0].lease);
    assert_eq!(offsets(&lease(&mut dispatcher, START, 10)), [1]);
}

#[test]
fn after_a_restart_a_key_goes_on_where_it_was() {
    let keys = of_keys(&["a", "a", "a"]);
    let mut dispatcher = with(KEYED, std::slice::from_ref(&keys));
    let leased = lease(&mut dispatcher, START, 10);
    dispatcher.ack(leased[0].offset, leased[0].lease);
    assert_eq!(offsets(&lease(&mut dispatcher, START, 10)), [1]);
    let mut dispatcher = Dispatcher::resume(identity(1, 2_000), KEYED, dispatcher.state().clone());
    dispatcher.scan(&keys).unwrap();
    assert_eq!(offsets(&lease(&mut dispatcher, START, 10)), [1], "only the first that is not acked");
}

#[test]
fn a_change_to_ordered_keys_delivers_nothing_twice() {
    let keys = of_keys(&["a", "a", "b"]);
    let mut dispatcher = with(POLICY, std::slice::from_ref(&keys));
    let leased = lease(&mut dispatcher, START, 1);
    dispatcher.set_policy(KEYED);
    assert_eq!(dispatcher.scan_from(END), Some(Offset::ZERO));
    dispatcher.scan(&keys).unwrap();
    assert_eq!(offsets(&lease(&mut dispatcher, START, 10)), [2], "the first of `a` is in a consumer's hands");
    dispatcher.ack(leased[0].offset, leased[0].lease);
    assert_eq!(offsets(&lease(&mut dispatcher, START, 10)), [1]);
}

#[test]
fn after_its_last_attempt_a_message_is_condemned_and_acked_once_that_is_durable() {
    let policy = DeliveryPolicy { dead_letters: Some(DeadLetterPolicy { max_attempts: 2 }), ..KEYED };
    let keys = of_keys(&["a", "a"]);
    let mut dispatcher = with(policy, std::slice::from_ref(&keys));
    let offset = Offset::ZERO;
    for attempt in 1..=2 {
        let leased = lease(&mut dispatcher, START, 10);
        assert_eq!((offsets(&leased), leased[0].delivery_attempt), (vec![0], attempt));
        dispatcher.nack(START, offset, leased[0].lease, Some(Duration::ZERO));
    }
    assert_eq!(dispatcher.next_deliverable(START, END), None, "its key waits until it is among the dead letters");
    let letter = DeadLetter { offset, attempts: 2, reason: DeadLetterReason::MaxAttempts, seeks: 0 };
    assert_eq!((dispatcher.take_condemned(10), dispatcher.take_condemned(10)), (vec![letter], vec![]));
    // A crash before it is durable: it is condemned again.
    let mut after_crash = Dispatcher::resume(identity(1, 2_000), policy, dispatcher.state().clone());
    after_crash.scan(&keys).unwrap();
    assert_eq!((after_crash.next_deliverable(START, END), after_crash.take_condemned(10)), (None, vec![letter]));

    assert!(dispatcher.on_dead_lettered(offset));
    assert_eq!((dispatcher.state().cursor().floor(), dispatcher.status(END).dead_lettered), (Offset::new(1), 1));
    assert_eq!(offsets(&lease(&mut dispatcher, START, 10)), [1]);
    assert!(!dispatcher.on_dead_lettered(Offset::new(1)));
    assert_eq!(dispatcher.status(END).dead_lettered, 1, "one that was not condemned is not acked by it");
}

#[test]
fn a_rejected_message_is_condemned_at_once_and_an_expired_one_when_it_is_met() {
    let policy = DeliveryPolicy { dead_letters: Some(DeadLetterPolicy { max_attempts: 0 }), ..POLICY };
    let mut dispatcher = with(policy, &[batch(0, &[HEAD, RecordHead { ttl_ms: Some(5), ..HEAD }])]);
    let leased = lease(&mut dispatcher, START, 1);
    assert_eq!(dispatcher.reject(START, leased[0].offset, leased[0].lease), AckOutcome::Applied);
    assert_eq!(dispatcher.reject(START, leased[0].offset, leased[0].lease), AckOutcome::Applied);
    dispatcher.on_clock(ms(5));
    assert_eq!(dispatcher.next_deliverable(START, END), None);
    let letters = dispatcher.take_condemned(10);
    let told: Vec<_> = letters.iter().map(|letter| (letter.offset.get(), letter.attempts, letter.reason)).collect();
    assert_eq!(told, [(0, 1, DeadLetterReason::Rejected), (1, 0, DeadLetterReason::Expired)]);
}

#[test]
fn a_dead_letter_that_fails_is_taken_again_and_without_a_place_for_it_delivered_again() {
    let policy = DeliveryPolicy { dead_letters: Some(DeadLetterPolicy { max_attempts: 0 }), ..POLICY };
    let mut dispatcher = with(policy, &[batch(0, &[HEAD, HEAD, HEAD])]);
    for message in lease(&mut dispatcher, START, 3) {
        dispatcher.reject(START, message.offset, message.lease);
    }
    let first = dispatcher.take_condemned(1);
    assert_eq!((first[0].offset, first.len()), (Offset::ZERO, 1));
    dispatcher.on_dead_letter_failed(first[0]);
    let taken = dispatcher.take_condemned(2);
    assert_eq!(taken.iter().map(|letter| letter.offset.get()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(dispatcher.next_deliverable(START, END), None);
    // The topic for them is gone: one had not been taken, one fails after that, and one had been written before.
    dispatcher.set_policy(POLICY);
    assert_eq!(offsets(&lease(&mut dispatcher, START, 9)), [0]);
    dispatcher.on_dead_letter_failed(taken[0]);
    assert_eq!(offsets(&lease(&mut dispatcher, START, 9)), [1]);
    assert!(dispatcher.on_dead_lettered(taken[1].offset));
    assert_eq!(dispatcher.take_condemned(9), []);
}

#[test]
fn without_dead_letters_a_reject_is_a_nack() {
    let mut dispatcher = dispatcher();
    let leased = lease(&mut dispatcher, START, 1);
    assert_eq!(dispatcher.reject(START, leased[0].offset, leased[0].lease), AckOutcome::Applied);
    assert_eq!((dispatcher.take_condemned(10), dispatcher.status(END).awaiting_redelivery), (vec![], 1));
}

#[test]
fn at_most_once_is_acked_before_it_is_delivered() {
    let mut dispatcher = with(DeliveryPolicy { mode: DeliveryMode::AtMostOnce, ..POLICY }, &[batch(0, &[HEAD, HEAD])]);
    assert_eq!(offsets(&lease(&mut dispatcher, START, 1)), [0]);
    assert_eq!(dispatcher.state().cursor().floor(), Offset::new(1));
    assert_eq!(dispatcher.status(END).leased, 0);
    let mut restarted = Dispatcher::resume(identity(1, 2_000), POLICY, dispatcher.state().clone());
    restarted.scan_plain(Offset::new(2));
    assert_eq!(offsets(&lease(&mut restarted, START, 10)), [1]);
}

#[test]
fn exactly_once_takes_one_ack_by_the_live_lease() {
    let policy = DeliveryPolicy { mode: DeliveryMode::ExactlyOnce, ..POLICY };
    let mut dispatcher = with(policy, &[batch(0, &[HEAD, HEAD])]);
    let leased = lease(&mut dispatcher, START, 2);
    assert_eq!(dispatcher.ack(leased[0].offset, leased[0].lease), AckOutcome::Applied);
    assert_eq!(dispatcher.ack(leased[0].offset, leased[0].lease), AckOutcome::LeaseExpired);
    dispatcher.on_deadline(START.plus(DEADLINE));
    assert_eq!(dispatcher.ack(leased[1].offset, leased[1].lease), AckOutcome::LeaseExpired, "it came too late");
    assert_eq!(dispatcher.state().cursor().floor(), Offset::new(1));
}

/// What the broker wrote for one subscription, at `base`.
fn relayed(base: u64, to: u64) -> RecordBatch {
    let mut builder = BatchBuilder::new(64);
    for _ in 0..2 {
        let Ok(()) = builder.push(&HEAD, &[], |_| Ok::<_, Infallible>(()));
    }
    let relay = Relay::To(SubscriptionId::new(to));
    builder.finish_relayed(relay).unwrap().assign(Offset::new(base), EPOCH, PUBLISHED)
}

#[test]
fn what_is_sent_to_one_subscription_is_acked_by_all_others() {
    let log = [batch(0, &[HEAD]), relayed(1, 1), relayed(3, 9), batch(5, &[HEAD])];
    let mut dispatcher = with(POLICY, &log);
    assert_eq!(offsets(&lease(&mut dispatcher, START, 10)), [0, 1, 2, 5]);
    assert_eq!(dispatcher.status(Offset::new(6)).backlog, 4);
    let acked = CursorChange::Acked(OffsetRange::new(Offset::new(3), Offset::new(5)));
    assert!(dispatcher.take_changes().contains(&acked), "that is durable, as with what a filter keeps out");
}

#[test]
fn a_cancelled_message_is_not_delivered_and_holds_up_no_key() {
    let later = RecordHead { key: Some("k"), deliver_at: Some(ms(50)), ..HEAD };
    let next = RecordHead { key: Some("k"), ..HEAD };
    let policy = DeliveryPolicy { ordering: DeliveryOrder::Key, ..POLICY };
    let log = [batch(0, &[later, next])];
    let mut dispatcher = with(policy, &log);
    let _ = dispatcher.take_changes();
    assert_eq!(lease(&mut dispatcher, START, 10), []);
    let cancelled = OffsetRange::new(Offset::ZERO, Offset::new(1));
    dispatcher.on_cancelled(cancelled);
    assert_eq!(dispatcher.take_changes(), [], "the partition remembers it for all");
    assert_eq!(offsets(&lease(&mut dispatcher, START, 10)), [1]);
    dispatcher.on_clock(ms(50));
    assert_eq!(lease(&mut dispatcher, START, 10), []);
    // After a seek it is said again.
    dispatcher.seek(Offset::ZERO);
    dispatcher.on_cancelled(cancelled);
    dispatcher.scan(&log[0]).unwrap();
    assert_eq!(offsets(&lease(&mut dispatcher, START, 10)), [1]);
}

#[test]
fn what_is_leased_when_it_is_cancelled_does_not_come_back() {
    let mut dispatcher = with(POLICY, &[batch(0, &[HEAD])]);
    let leased = lease(&mut dispatcher, START, 1);
    dispatcher.on_cancelled(OffsetRange::new(Offset::ZERO, Offset::new(1)));
    assert_eq!(dispatcher.ack(leased[0].offset, leased[0].lease), AckOutcome::Applied);
    dispatcher.on_deadline(START.plus(DEADLINE * 2));
    assert_eq!(lease(&mut dispatcher, START.plus(DEADLINE * 2), 10), []);
}
