//! The appender: grouping, order, back-pressure, policies, failing, stopping.

use std::time::Duration;

use super::*;
use crate::log::{Acks, DedupConfig, Place, testing::unassigned};

fn config(flush: FlushPolicy) -> AppendConfig {
    AppendConfig { flush, unflushed_bytes_max: 1 << 20, dedup: DedupConfig::default() }
}

fn log(flush: FlushPolicy) -> Appender {
    Appender::open(LeaderEpoch::new(1), config(flush), LogExtent::default())
}

fn append(log: &mut Appender, request: u64, payload_bytes: usize) -> Result<Offset, AppendError> {
    log.append(Timestamp::from_millis(1), RequestId::new(request), unassigned(payload_bytes))
}

fn effects(log: &mut Appender) -> Vec<AppendEffect> {
    std::iter::from_fn(|| log.poll_effect()).collect()
}

fn event(log: &mut Appender, event: AppendEvent) -> Vec<AppendEffect> {
    log.on_event(Monotonic::default(), event);
    effects(log)
}

fn appended(log: &mut Appender) -> Vec<AppendEffect> {
    event(log, AppendEvent::Appended { reached: Reached::Disk })
}

/// A log with one append on its way to the store.
fn appending(flush: FlushPolicy) -> Appender {
    let mut log = log(flush);
    append(&mut log, 0, 100).unwrap();
    assert_eq!(handed(&effects(&mut log)), [(0, 1)]);
    log
}

fn acknowledged(effects: &[AppendEffect]) -> Vec<u64> {
    let mut requests = Vec::new();
    for effect in effects {
        if let AppendEffect::Acknowledge { request, .. } = effect {
            requests.push(request.get());
        }
    }
    requests
}

/// The first offset and the number of batches of each append to the store.
fn handed(effects: &[AppendEffect]) -> Vec<(u64, usize)> {
    let mut appends = Vec::new();
    for effect in effects {
        if let AppendEffect::Append { batches, .. } = effect {
            appends.push((batches[0].offsets().start.get(), batches.len()));
        }
    }
    appends
}

fn refusals(effects: &[AppendEffect]) -> Vec<(u64, Fate)> {
    let mut refusals = Vec::new();
    for effect in effects {
        if let AppendEffect::Refuse { request, fate } = effect {
            refusals.push((request.get(), *fate));
        }
    }
    refusals
}

/// F2.
#[test]
fn an_ack_waits_for_the_store() {
    let mut log = appending(FlushPolicy::Always);
    assert_eq!(log.high_watermark(), Offset::ZERO);
    let done = appended(&mut log);
    assert_eq!(acknowledged(&done), [0]);
    assert_eq!((log.high_watermark(), log.synced_end()), (Offset::new(1), Offset::new(1)));
}

#[test]
fn what_arrives_during_an_append_shares_the_next() {
    let mut log = appending(FlushPolicy::Always);
    for request in 1..=3 {
        append(&mut log, request, 100).unwrap();
    }
    assert_eq!(effects(&mut log), []);
    assert_eq!(handed(&appended(&mut log)), [(1, 3)]);
    assert_eq!(acknowledged(&appended(&mut log)), [1, 2, 3]);
}

#[test]
fn one_append_to_the_store_is_bounded() {
    let mut log = appending(FlushPolicy::Always);
    log.configure(AppendConfig { unflushed_bytes_max: 16 << 20, ..config(FlushPolicy::Always) });
    for request in 1..=5 {
        append(&mut log, request, limits::FLUSH_BYTES_MAX / 3).unwrap();
    }
    assert_eq!(handed(&appended(&mut log)), [(1, 2)]);
    assert_eq!(handed(&appended(&mut log)), [(3, 2)]);
}

/// F24.
#[test]
fn a_failure_refuses_all_that_waits_and_all_that_comes() {
    let mut log = appending(FlushPolicy::Always);
    append(&mut log, 1, 100).unwrap();
    let failed = event(&mut log, AppendEvent::Failed { reason: "EIO".into() });
    assert_eq!(refusals(&failed), [(0, Fate::Unknown), (1, Fate::NotStored)]);
    assert_eq!(failed.len(), 2);
    assert_eq!(append(&mut log, 2, 100), Err(AppendError::Failed { reason: "EIO".into() }));
    assert_eq!(log.high_watermark(), Offset::ZERO);
    assert!(log.is_idle());
}

#[test]
fn a_log_whose_store_is_back_goes_on_behind_what_is_there() {
    let mut log = appending(FlushPolicy::Always);
    append(&mut log, 1, 100).unwrap();
    log.on_event(Monotonic::default(), AppendEvent::Failed { reason: "away".into() });
    // The batch in flight was stored after all, and those who wait are still told that this was not known.
    let newest = Timestamp::from_millis(7);
    let dedup = log.take_dedup();
    log.reopen(LogExtent { start: Offset::ZERO, end: Offset::new(1), newest }, dedup);
    let told = effects(&mut log);
    assert_eq!(refusals(&told), [(0, Fate::Unknown), (1, Fate::NotStored)]);
    assert_eq!(told.last(), Some(&AppendEffect::HighWatermark(Offset::new(1))));
    assert_eq!((log.high_watermark(), log.failure()), (Offset::new(1), None));
    assert_eq!(append(&mut log, 2, 100), Ok(Offset::new(1)));
    assert_eq!(handed(&effects(&mut log)), [(1, 1)]);
    assert_eq!(acknowledged(&appended(&mut log)), [2]);
}

#[test]
#[should_panic(expected = "lost messages")]
fn a_store_that_came_back_with_less_is_not_gone_on_with() {
    let mut log = appending(FlushPolicy::Always);
    appended(&mut log);
    log.on_event(Monotonic::default(), AppendEvent::Failed { reason: "away".into() });
    let dedup = log.take_dedup();
    log.reopen(LogExtent::default(), dedup);
}

#[test]
fn what_the_store_rejects_is_refused_and_its_offsets_are_given_again() {
    let mut log = appending(FlushPolicy::Always);
    append(&mut log, 1, 100).unwrap();
    let rejected = event(&mut log, AppendEvent::Rejected { reason: "full".into() });
    assert_eq!(refusals(&rejected), [(0, Fate::NotStored), (1, Fate::NotStored)]);
    assert_eq!((log.log_end(), log.rejection(), log.failure()), (Offset::ZERO, Some("full"), None));
    assert!(log.is_idle());
    assert_eq!(append(&mut log, 2, 100), Ok(Offset::ZERO));
    assert_eq!(handed(&effects(&mut log)), [(0, 1)]);
    assert_eq!(acknowledged(&appended(&mut log)), [2]);
}

/// A log that remembers ids, with a message in flight; every message of these tests has the same id.
fn remembering() -> Appender {
    let mut log = log(FlushPolicy::Always);
    log.configure(AppendConfig {
        dedup: DedupConfig { window_ms: 1_000, bytes_max: 1 << 20 },
        ..config(FlushPolicy::Always)
    });
    append(&mut log, 0, 100).unwrap();
    effects(&mut log);
    log
}

#[test]
fn a_repeat_of_what_is_in_flight_shares_its_fate() {
    let mut log = remembering();
    assert_eq!(append(&mut log, 1, 100), Ok(Offset::ZERO));
    let failed = event(&mut log, AppendEvent::Failed { reason: "away".into() });
    assert_eq!(refusals(&failed), [(0, Fate::Unknown), (1, Fate::Unknown)]);

    let mut log = remembering();
    append(&mut log, 1, 100).unwrap();
    let rejected = event(&mut log, AppendEvent::Rejected { reason: "full".into() });
    assert_eq!(refusals(&rejected), [(0, Fate::NotStored), (1, Fate::NotStored)]);
    append(&mut log, 2, 100).unwrap();
    assert_eq!(handed(&effects(&mut log)), [(0, 1)], "what was refused is not remembered");
}

#[test]
fn a_repeat_is_answered_with_the_first_ones_place_once_that_is_stored() {
    let mut log = remembering();
    append(&mut log, 1, 100).unwrap();
    assert_eq!(effects(&mut log), []);
    let stored = appended(&mut log);
    assert_eq!(acknowledged(&stored), [0, 1]);
    append(&mut log, 2, 100).unwrap();
    assert!(!log.is_idle(), "somebody is to be answered");
    let known = effects(&mut log);
    let placed = Placed { base_offset: Offset::ZERO, repeats: Repeats::Some(Box::new([place(0)])) };
    assert!(matches!(&known[..], [AppendEffect::Acknowledge { placed: told, .. }] if *told == placed), "{known:?}");
    assert_eq!((log.log_end(), log.is_idle()), (Offset::new(1), true));
}

fn place(offset: u64) -> Place {
    Place { offset: Offset::new(offset), repeat: true }
}

#[test]
fn too_much_waiting_is_refused_but_one_batch_is_always_taken() {
    let mut log = log(FlushPolicy::Always);
    append(&mut log, 0, 2 << 20).unwrap();
    assert!(matches!(append(&mut log, 1, 1), Err(AppendError::Backpressure { .. })));
    effects(&mut log);
    appended(&mut log);
    assert_eq!(append(&mut log, 1, 1), Ok(Offset::new(1)));
}

#[test]
fn a_buffered_append_is_done_when_written_and_synced_in_time() {
    let mut log = appending(FlushPolicy::Interval(Duration::from_millis(5)));
    let done = event(&mut log, AppendEvent::Appended { reached: Reached::Written });
    assert!(matches!(done[0], AppendEffect::Acknowledge { reached: Reached::Written, .. }), "{done:?}");
    assert_eq!((log.high_watermark(), log.synced_end()), (Offset::new(1), Offset::ZERO));
    let due = log.next_deadline().unwrap();
    log.on_deadline(due);
    assert_eq!(effects(&mut log), [AppendEffect::Sync]);
    event(&mut log, AppendEvent::Synced);
    assert_eq!((log.synced_end(), log.next_deadline()), (Offset::new(1), None));
}

/// F28.
#[test]
fn appends_go_on_during_a_sync_which_covers_only_what_was_before() {
    let mut log = appending(FlushPolicy::Interval(Duration::ZERO));
    event(&mut log, AppendEvent::Appended { reached: Reached::Written });
    log.on_deadline(Monotonic::default());
    append(&mut log, 1, 100).unwrap();
    let started = effects(&mut log);
    assert_eq!(started[0], AppendEffect::Sync);
    assert_eq!(handed(&started), [(1, 1)]);
    event(&mut log, AppendEvent::Appended { reached: Reached::Written });
    event(&mut log, AppendEvent::Synced);
    assert_eq!((log.synced_end(), log.high_watermark()), (Offset::new(1), Offset::new(2)));
}

#[test]
fn a_stop_leaves_everything_accepted_safe() {
    let mut log = appending(FlushPolicy::Os);
    log.begin_shutdown();
    assert_eq!(append(&mut log, 1, 1), Err(AppendError::Stopping));
    let written = event(&mut log, AppendEvent::Appended { reached: Reached::Written });
    assert!(written.contains(&AppendEffect::Sync), "{written:?}");
    assert!(!log.is_idle());
    event(&mut log, AppendEvent::Synced);
    assert!(log.is_idle());
}

#[test]
fn a_stop_without_appends_does_nothing() {
    let mut log = log(FlushPolicy::Always);
    log.begin_shutdown();
    assert_eq!(effects(&mut log), []);
    assert!(log.is_idle());
}

#[test]
fn times_never_go_back() {
    let mut log = appending(FlushPolicy::Always);
    log.append(Timestamp::from_millis(0), RequestId::new(1), unassigned(1)).unwrap();
    appended(&mut log);
    let done = appended(&mut log);
    assert!(matches!(done[0], AppendEffect::Acknowledge { timestamp, .. } if timestamp.as_millis() == 1), "{done:?}");
}

#[test]
fn the_start_of_a_log_never_falls() {
    let mut log = appending(FlushPolicy::Always);
    appended(&mut log);
    log.on_log_start(Offset::new(1));
    log.on_log_start(Offset::ZERO);
    assert_eq!(log.readable(), OffsetRange::new(Offset::new(1), Offset::new(1)));
}

/// A replicated log with one append, to the end 1, that is stored here.
fn uncommitted(acks: Acks) -> (Appender, Vec<AppendEffect>) {
    let mut log = log(FlushPolicy::Always).answering(acks).replicated();
    append(&mut log, 0, 100).unwrap();
    effects(&mut log);
    let done = appended(&mut log);
    (log, done)
}

#[test]
fn an_ack_of_a_replicated_log_waits_for_the_others() {
    let (mut log, done) = uncommitted(Acks::Quorum);
    assert_eq!(done, []);
    assert_eq!((log.high_watermark(), log.synced_end()), (Offset::ZERO, Offset::new(1)));
    assert!(!log.is_idle());
    log.on_committed(Offset::new(1));
    let done = effects(&mut log);
    assert_eq!(acknowledged(&done), [0]);
    assert!(matches!(done[0], AppendEffect::Acknowledge { reached: Reached::Replicas, .. }));
    assert_eq!(done[1], AppendEffect::HighWatermark(Offset::new(1)));
    assert!(log.is_idle());
}

#[test]
fn only_what_is_committed_is_acknowledged() {
    let (mut log, _) = uncommitted(Acks::Quorum);
    append(&mut log, 1, 100).unwrap();
    effects(&mut log);
    appended(&mut log);
    log.on_committed(Offset::new(1));
    assert_eq!(acknowledged(&effects(&mut log)), [0]);
    log.on_committed(Offset::new(1));
    assert_eq!(effects(&mut log), [], "it is no more than before");
}

#[test]
fn who_need_not_wait_for_the_others_hears_at_once_but_nobody_sees_it() {
    let (mut log, done) = uncommitted(Acks::Leader);
    assert_eq!(acknowledged(&done), [0]);
    assert!(matches!(done[0], AppendEffect::Acknowledge { reached: Reached::Disk, .. }));
    assert_eq!(log.high_watermark(), Offset::ZERO);
    log.on_committed(Offset::new(1));
    assert_eq!(effects(&mut log), [AppendEffect::HighWatermark(Offset::new(1))]);
}

#[test]
fn a_publisher_says_itself_when_it_wants_to_hear() {
    for (of_topic, asked, hears) in [
        (Acks::Quorum, Some(Acks::Memory), true),
        (Acks::Memory, Some(Acks::Quorum), false),
        (Acks::Quorum, Some(Acks::Leader), true),
        (Acks::Leader, Some(Acks::Quorum), false),
        (Acks::Leader, None, true),
        (Acks::Quorum, None, false),
    ] {
        let (mut log, _) = uncommitted(of_topic);
        assert_eq!(log.acks_at_once(asked), hears);
        log.append_for(Timestamp::from_millis(1), (RequestId::new(1), asked), unassigned(100)).unwrap();
        let mut done = acknowledged(&effects(&mut log));
        done.extend(acknowledged(&appended(&mut log)));
        assert_eq!(done.contains(&1), hears, "{of_topic:?} {asked:?}");
        log.on_committed(Offset::new(2));
        assert_eq!(acknowledged(&effects(&mut log)).contains(&1), !hears, "once");
    }
}

#[test]
fn what_was_not_committed_is_left_to_who_leads_next() {
    let (mut log, _) = uncommitted(Acks::Quorum);
    append(&mut log, 1, 100).unwrap();
    effects(&mut log);
    log.give_up_uncommitted();
    let undecided = |effects: &[AppendEffect]| match effects {
        [AppendEffect::Undecided { request, placed, end, .. }] => (request.get(), placed.base_offset.get(), end.get()),
        _ => panic!("{effects:?}"),
    };
    assert_eq!(undecided(&effects(&mut log)), (0, 0, 1));
    log.begin_shutdown();
    assert_eq!(undecided(&appended(&mut log)), (1, 1, 2), "what was on its way to the store is stored, and no more");
    assert!(log.is_idle());
}

#[test]
fn what_found_no_room_does_not_touch_what_waits_for_the_others() {
    let (mut log, _) = uncommitted(Acks::Quorum);
    append(&mut log, 1, 100).unwrap();
    effects(&mut log);
    let refused = event(&mut log, AppendEvent::Rejected { reason: "full".to_owned() });
    assert_eq!(refusals(&refused), [(1, Fate::NotStored)]);
    log.on_committed(Offset::new(1));
    assert_eq!(acknowledged(&effects(&mut log)), [0]);
}

#[test]
#[should_panic(expected = "what is committed is stored")]
fn nothing_is_committed_that_is_not_stored() {
    uncommitted(Acks::Quorum).0.on_committed(Offset::new(2));
}

#[test]
fn what_is_not_committed_counts_as_waiting() {
    let mut log = log(FlushPolicy::Always).replicated();
    log.configure(AppendConfig { unflushed_bytes_max: 1_000, ..config(FlushPolicy::Always) });
    append(&mut log, 0, 600).unwrap();
    effects(&mut log);
    appended(&mut log);
    assert!(matches!(append(&mut log, 1, 600), Err(AppendError::Backpressure { .. })), "the others do not have it");
    log.on_committed(Offset::new(1));
    append(&mut log, 2, 600).unwrap();
}

/// A log whose publishers hear of what they publish when it is taken, with one append on its way to the store.
fn from_memory() -> (Appender, Vec<AppendEffect>) {
    let mut log = log(FlushPolicy::Always).answering(Acks::Memory);
    append(&mut log, 0, 100).unwrap();
    let done = effects(&mut log);
    (log, done)
}

#[test]
fn who_does_not_wait_for_the_store_hears_at_once_and_what_it_said_is_stored_all_the_same() {
    let (mut log, done) = from_memory();
    assert_eq!(acknowledged(&done), [0]);
    assert!(matches!(done[0], AppendEffect::Acknowledge { reached: Reached::Memory, .. }));
    assert!(effects(&mut log).is_empty() && !log.is_idle());
    assert_eq!(handed(&done), [(0, 1)]);
    assert_eq!(appended(&mut log), [AppendEffect::HighWatermark(Offset::new(1))], "nobody is answered twice");
    assert!(log.is_idle());
}

#[test]
fn what_was_acknowledged_from_memory_and_is_not_stored_is_counted() {
    let (mut log, _) = from_memory();
    append(&mut log, 1, 100).unwrap();
    log.append_for(Timestamp::from_millis(1), (RequestId::new(2), Some(Acks::Leader)), unassigned(100)).unwrap();
    effects(&mut log);
    let failed = event(&mut log, AppendEvent::Failed { reason: "EIO".to_owned() });
    assert_eq!(failed[0], AppendEffect::Dropped { messages: 2 }, "one in flight, one that waited");
    assert_eq!(refusals(&failed), [(2, Fate::NotStored)], "who waits is refused as ever");
}

#[test]
fn while_the_store_takes_nothing_nobody_is_answered_from_memory() {
    let (mut log, _) = from_memory();
    let rejected = || AppendEvent::Rejected { reason: "full".to_owned() };
    assert_eq!(event(&mut log, rejected()), [AppendEffect::Dropped { messages: 1 }]);
    append(&mut log, 1, 100).unwrap();
    assert_eq!(acknowledged(&effects(&mut log)), [0_u64; 0]);
    assert_eq!(refusals(&event(&mut log, rejected())), [(1, Fate::NotStored)]);
    append(&mut log, 2, 100).unwrap();
    effects(&mut log);
    assert_eq!(acknowledged(&appended(&mut log)), [2], "there is room again");
    append(&mut log, 3, 100).unwrap();
    assert_eq!(acknowledged(&effects(&mut log)), [3]);
}

#[test]
fn what_waits_in_memory_is_bounded_for_all() {
    let (mut log, _) = from_memory();
    log.configure(AppendConfig { unflushed_bytes_max: 300, ..config(FlushPolicy::Always) });
    assert!(matches!(append(&mut log, 1, 300), Err(AppendError::Backpressure { .. })));
}

#[test]
fn a_log_that_goes_on_after_a_failure_answers_as_before() {
    let (mut log, _) = from_memory();
    event(&mut log, AppendEvent::Failed { reason: "EIO".to_owned() });
    let dedup = log.take_dedup();
    log.reopen(LogExtent::default(), dedup);
    effects(&mut log);
    append(&mut log, 1, 100).unwrap();
    assert_eq!(acknowledged(&effects(&mut log)), [1]);
}

#[test]
fn a_repeat_of_what_is_stored_is_answered_from_memory_with_what_it_has_reached() {
    let mut log = log(FlushPolicy::Always).answering(Acks::Memory);
    log.configure(AppendConfig {
        dedup: DedupConfig { window_ms: 1_000, bytes_max: 1 << 20 },
        ..config(FlushPolicy::Always)
    });
    append(&mut log, 0, 100).unwrap();
    effects(&mut log);
    appended(&mut log);
    append(&mut log, 1, 100).unwrap();
    let done = effects(&mut log);
    let [AppendEffect::Acknowledge { placed, .. }] = &done[..] else { panic!("{done:?}") };
    assert_eq!(placed.repeats.count(1), 1);
    assert!(log.is_idle());
}

#[test]
fn what_is_sent_ahead_is_so_until_it_is_stored() {
    let mut log = appending(FlushPolicy::Always);
    assert!(!log.is_ahead());
    log.on_sent_ahead();
    assert!(log.is_ahead());
    appended(&mut log);
    assert!(!log.is_ahead());
}

#[test]
#[should_panic(expected = "what others may have is not taken back")]
fn a_store_does_not_take_back_what_was_sent_ahead() {
    let mut log = appending(FlushPolicy::Always);
    log.on_sent_ahead();
    event(&mut log, AppendEvent::Rejected { reason: "full".to_owned() });
}
