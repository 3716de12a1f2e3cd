//! The appender: grouping, order, rolling, preparing, failing.

use super::*;
use crate::{
    log::testing::unassigned,
    model::{PartitionIndex, TopicId},
};

fn log(flush: FlushPolicy) -> PartitionLog {
    let config = LogConfig {
        flush,
        retention: None,
        retention_bytes: None,
        segment_bytes_max: 64 << 10,
        unflushed_bytes_max: 1 << 20,
    };
    let partition = TopicPartition::new(TopicId::new(1), PartitionIndex::new(0));
    PartitionLog::open(partition, LeaderEpoch::new(1), config, RecoveredLog::default())
}

fn append(log: &mut PartitionLog, request: u64, payload_bytes: usize) -> Result<Offset, AppendError> {
    log.append(Timestamp::from_millis(1), RequestId::new(request), unassigned(payload_bytes))
}

fn effects(log: &mut PartitionLog) -> Vec<LogEffect> {
    std::iter::from_fn(|| log.poll_effect()).collect()
}

fn event(log: &mut PartitionLog, event: LogEvent) -> Vec<LogEffect> {
    log.on_event(Monotonic::default(), event);
    effects(log)
}

/// A log whose first segment is there, with one append in flight.
fn writing(flush: FlushPolicy) -> PartitionLog {
    let mut log = log(flush);
    append(&mut log, 0, 100).unwrap();
    assert!(matches!(effects(&mut log).as_slice(), [LogEffect::CreateSegment { .. }]));
    let started = event(&mut log, LogEvent::SegmentCreated);
    let prepares = started.iter().any(|effect| matches!(effect, LogEffect::Prepare { .. }));
    assert!(matches!(started[0], LogEffect::Write { .. }), "{started:?}");
    assert_eq!(prepares, flush == FlushPolicy::Always, "space is prepared for durable writes");
    log
}

fn acknowledged(effects: &[LogEffect]) -> Vec<u64> {
    let mut requests = Vec::new();
    for effect in effects {
        if let LogEffect::Acknowledge { request, .. } = effect {
            requests.push(request.get());
        }
    }
    requests
}

fn writes(effects: &[LogEffect]) -> Vec<(u64, usize)> {
    let mut writes = Vec::new();
    for effect in effects {
        if let LogEffect::Write { position, batches, .. } = effect {
            writes.push((*position, batches.len()));
        }
    }
    writes
}

#[test]
fn an_ack_waits_for_its_write() {
    let mut log = writing(FlushPolicy::Always);
    assert_eq!(log.high_watermark(), Offset::ZERO);
    let done = event(&mut log, LogEvent::Written);
    assert_eq!(acknowledged(&done), [0]);
    assert_eq!((log.high_watermark(), log.durable_end()), (Offset::new(1), Offset::new(1)));
}

#[test]
fn what_arrives_during_a_write_shares_the_next_on_a_fresh_block() {
    let mut log = writing(FlushPolicy::Always);
    event(&mut log, LogEvent::Prepared);
    for request in 1..=3 {
        append(&mut log, request, 100).unwrap();
    }
    assert_eq!(writes(&effects(&mut log)), []);
    let done = event(&mut log, LogEvent::Written);
    assert_eq!(writes(&done), [(8192, 3)]);
    assert_eq!(acknowledged(&event(&mut log, LogEvent::Written)), [1, 2, 3]);
}

#[test]
fn a_write_waits_for_zeros_that_are_on_their_way() {
    let mut log = writing(FlushPolicy::Always);
    append(&mut log, 1, 100).unwrap();
    assert_eq!(writes(&event(&mut log, LogEvent::Written)), []);
    assert_eq!(writes(&event(&mut log, LogEvent::Prepared)), [(8192, 1)]);
}

#[test]
fn a_large_write_is_not_paid_for_twice() {
    let mut log = log(FlushPolicy::Always);
    log.configure(LogConfig { segment_bytes_max: 4 << 20, ..log.config });
    append(&mut log, 0, 200 << 10).unwrap();
    effects(&mut log);
    let started = event(&mut log, LogEvent::SegmentCreated);
    assert!(matches!(started.as_slice(), [LogEffect::Write { .. }]), "{started:?}");
}

#[test]
fn zeros_never_land_on_what_was_written() {
    let mut log = writing(FlushPolicy::Always);
    let mut written_to = 8192;
    let mut zeros_from = u64::MAX;
    for request in 1..200 {
        append(&mut log, request, 3_000).unwrap();
        let prepared = event(&mut log, LogEvent::Prepared);
        let written = event(&mut log, LogEvent::Written);
        for effect in prepared.into_iter().chain(written) {
            match effect {
                LogEffect::CreateSegment { .. } => {
                    (written_to, zeros_from) = (4096, u64::MAX);
                    log.on_event(Monotonic::default(), LogEvent::SegmentCreated);
                }
                LogEffect::Write { position, padded_bytes, .. } => written_to = position + widen(padded_bytes),
                LogEffect::Prepare { position, .. } => {
                    zeros_from = position;
                    assert!(position >= written_to, "zeros at {position}, written up to {written_to}");
                }
                LogEffect::Sync { .. }
                | LogEffect::Seal { .. }
                | LogEffect::DeleteSegment { .. }
                | LogEffect::Acknowledge { .. }
                | LogEffect::Refuse { .. }
                | LogEffect::HighWatermark(_) => {}
            }
        }
    }
    assert_ne!(zeros_from, 0);
}

#[test]
fn a_full_segment_is_sealed_and_the_next_begun() {
    let mut log = writing(FlushPolicy::Always);
    event(&mut log, LogEvent::Prepared);
    event(&mut log, LogEvent::Written);
    append(&mut log, 1, 60_000).unwrap();
    let rolled = effects(&mut log);
    assert!(
        matches!(
            rolled.as_slice(),
            [LogEffect::Seal { length: 8192, .. }, LogEffect::CreateSegment { segment, .. }] if segment.get() == 1
        ),
        "{rolled:?}"
    );
    assert_eq!(writes(&event(&mut log, LogEvent::SegmentCreated)), [(4096, 1)]);
    event(&mut log, LogEvent::Written);
    let plan = log.read_plan(Offset::new(1)).unwrap();
    assert_eq!((plan.segment, plan.position), (Offset::new(1), 4096));
    assert_eq!(log.read_plan(Offset::ZERO).unwrap().segment, Offset::ZERO);
    assert_eq!(log.read_plan(Offset::new(2)), None);
}

#[test]
fn a_failed_write_refuses_all_that_waits_and_all_that_comes() {
    let mut log = writing(FlushPolicy::Always);
    append(&mut log, 1, 100).unwrap();
    let failed = event(&mut log, LogEvent::Failed { reason: "EIO".into() });
    let refused = [0, 1].map(|request| LogEffect::Refuse { request: RequestId::new(request) });
    assert_eq!(failed, refused);
    assert_eq!(append(&mut log, 2, 100), Err(AppendError::Failed { reason: "EIO".into() }));
    assert_eq!(log.high_watermark(), Offset::ZERO);
    assert!(log.is_idle());
}

#[test]
fn too_much_waiting_is_refused_but_one_batch_is_always_taken() {
    let mut log = log(FlushPolicy::Always);
    append(&mut log, 0, 2 << 20).unwrap();
    assert!(matches!(append(&mut log, 1, 1), Err(AppendError::Backpressure { .. })));
}

#[test]
fn a_buffered_append_is_done_when_written_and_synced_in_time() {
    let mut log = writing(FlushPolicy::Interval(std::time::Duration::from_millis(5)));
    let done = event(&mut log, LogEvent::Written);
    assert!(matches!(done[0], LogEffect::Acknowledge { reached: Reached::Written, .. }), "{done:?}");
    assert_eq!((log.high_watermark(), log.durable_end()), (Offset::new(1), Offset::ZERO));
    let due = log.next_deadline().unwrap();
    log.on_deadline(due);
    assert!(effects(&mut log).iter().any(|effect| matches!(effect, LogEffect::Sync { .. })));
    event(&mut log, LogEvent::Synced);
    assert_eq!((log.durable_end(), log.next_deadline()), (Offset::new(1), None));
}

#[test]
fn a_stricter_policy_first_syncs_what_was_buffered() {
    let mut log = writing(FlushPolicy::Os);
    event(&mut log, LogEvent::Prepared);
    event(&mut log, LogEvent::Written);
    log.configure(LogConfig { flush: FlushPolicy::Always, ..log.config });
    assert_eq!(log.high_watermark(), Offset::new(1));
    append(&mut log, 1, 100).unwrap();
    let started = effects(&mut log);
    assert!(matches!(started.as_slice(), [LogEffect::Sync { .. }]), "{started:?}");
    assert_eq!(writes(&event(&mut log, LogEvent::Synced)), [(8192, 1)]);
    event(&mut log, LogEvent::Written);
    assert_eq!(log.durable_end(), Offset::new(2));
}

#[test]
fn a_stop_leaves_everything_accepted_on_the_disk() {
    let mut log = writing(FlushPolicy::Os);
    log.begin_shutdown();
    assert_eq!(append(&mut log, 1, 1), Err(AppendError::Stopping));
    event(&mut log, LogEvent::Prepared);
    let written = event(&mut log, LogEvent::Written);
    assert!(written.iter().any(|effect| matches!(effect, LogEffect::Sync { .. })), "{written:?}");
    assert!(!log.is_idle());
    let synced = event(&mut log, LogEvent::Synced);
    assert!(matches!(synced.as_slice(), [LogEffect::Seal { length: 8192, .. }]), "{synced:?}");
    assert!(!log.is_idle());
    assert_eq!(event(&mut log, LogEvent::Sealed), []);
    assert!(log.is_idle());
}

#[test]
fn a_stop_of_a_log_at_rest_leaves_an_index() {
    let mut log = writing(FlushPolicy::Always);
    event(&mut log, LogEvent::Prepared);
    event(&mut log, LogEvent::Written);
    log.begin_shutdown();
    assert!(!log.is_idle());
    assert!(matches!(effects(&mut log).as_slice(), [LogEffect::Seal { .. }]));
    event(&mut log, LogEvent::Sealed);
    assert!(log.is_idle());
}

#[test]
fn a_stop_without_a_write_seals_nothing() {
    let mut log = log(FlushPolicy::Always);
    log.begin_shutdown();
    assert_eq!(effects(&mut log), []);
    assert!(log.is_idle());
}

#[test]
fn times_never_go_back() {
    let mut log = writing(FlushPolicy::Always);
    log.append(Timestamp::from_millis(0), RequestId::new(1), unassigned(1)).unwrap();
    event(&mut log, LogEvent::Prepared);
    event(&mut log, LogEvent::Written);
    let done = event(&mut log, LogEvent::Written);
    assert!(matches!(done[0], LogEffect::Acknowledge { timestamp, .. } if timestamp.as_millis() == 1), "{done:?}");
}

#[test]
fn retention_keeps_what_carries_the_end_of_a_log_whose_next_segment_failed() {
    let mut log = writing(FlushPolicy::Always);
    event(&mut log, LogEvent::Prepared);
    event(&mut log, LogEvent::Written);
    append(&mut log, 1, 60_000).unwrap();
    assert!(effects(&mut log).iter().any(|effect| matches!(effect, LogEffect::CreateSegment { .. })));
    log.config.retention = Some(std::time::Duration::from_secs(1));
    log.enforce_retention(Timestamp::from_millis(10_000));
    let mut later = effects(&mut log);
    later.extend(event(&mut log, LogEvent::Failed { reason: "EIO".into() }));
    log.enforce_retention(Timestamp::from_millis(10_000));
    later.extend(effects(&mut log));
    assert_eq!(later, [LogEffect::Refuse { request: RequestId::new(1) }]);
}

#[test]
fn retention_lets_go_of_the_oldest_segments_but_never_of_the_last() {
    let mut log = writing(FlushPolicy::Always);
    for request in 1..8 {
        event(&mut log, LogEvent::Prepared);
        event(&mut log, LogEvent::Written);
        append(&mut log, request, 60_000).unwrap();
        effects(&mut log);
        event(&mut log, LogEvent::SegmentCreated);
    }
    event(&mut log, LogEvent::Written);
    log.config.retention_bytes = Some(150_000);
    log.enforce_retention(Timestamp::from_millis(2));
    let deleted = effects(&mut log).iter().filter(|effect| matches!(effect, LogEffect::DeleteSegment { .. })).count();
    assert!(deleted > 0 && log.bytes() >= 150_000, "{deleted} deleted, {} bytes left", log.bytes());
    let start = log.readable().start;
    assert_eq!((log.read_plan(Offset::ZERO), log.read_plan(start).is_some()), (None, true));
    log.config.retention = Some(std::time::Duration::from_secs(1));
    log.enforce_retention(Timestamp::from_millis(10_000));
    assert_eq!(log.readable(), OffsetRange::new(Offset::new(7), Offset::new(8)));
}
