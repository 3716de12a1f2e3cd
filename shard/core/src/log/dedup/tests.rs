//! Bounds of what is remembered, and reading the log back; what is recognised is in `tests/dedup_model`.

use std::convert::Infallible;

use super::*;
use crate::{
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, RecordBatch, Relay},
    },
    log::LogExtent,
    model::{LeaderEpoch, OffsetRange, SubscriptionId},
};

const CONFIG: DedupConfig = DedupConfig { window_ms: 1_000, bytes_max: 1 << 20 };

fn batch(ids: &[String], producer: Option<Producer>) -> UnassignedBatch {
    let mut builder = BatchBuilder::new(0);
    for id in ids {
        let id = MessageId::Text(id);
        let head =
            RecordHead { id, key: None, content_type: "text/plain", priority: 4, ttl_ms: None, deliver_at: None };
        let Ok(()) = builder.push(&head, &[], |_| Ok::<(), Infallible>(()));
    }
    builder.finish(Codec::None, producer).unwrap()
}

fn id(number: u64) -> String {
    format!("id-{number}")
}

fn at(now: i64, log_end: u64) -> AppendPoint {
    let log_end = Offset::new(log_end);
    AppendPoint { now: Timestamp::from_millis(now), log_end, stored_end: log_end }
}

/// Whether a message of that id was there before.
fn is_repeat(dedup: &mut Dedup, number: u64, at: AppendPoint) -> bool {
    dedup.admit(&batch(&[id(number)], None), at).unwrap() != Admission::New
}

fn producer(id: u64, first_sequence: u32) -> Producer {
    Producer { id, epoch: 0, first_sequence }
}

#[test]
fn the_oldest_ids_are_forgotten_when_there_are_too_many() {
    let mut dedup = Dedup::new(DedupConfig { bytes_max: 10_000, ..CONFIG }, [0; 16]);
    for number in 0..1_000 {
        assert!(!is_repeat(&mut dedup, number, at(1, number)));
        assert!(dedup.bytes() <= 10_000);
    }
    let remembered = 1_000 - dedup.forgotten_early();
    assert!((50..150).contains(&remembered), "{remembered}");
    assert!(is_repeat(&mut dedup, 999, at(1, 1_000)) && is_repeat(&mut dedup, 1_000 - remembered, at(1, 1_000)));
    assert!(!is_repeat(&mut dedup, 0, at(1, 1_000)));
}

#[test]
fn what_the_broker_sends_on_is_no_repeat_and_nothing_repeats_it() {
    let relayed = || {
        let mut builder = BatchBuilder::new(0);
        let (id, key, content_type) = (MessageId::Text("id-7"), None, "text/plain");
        let head = RecordHead { id, key, content_type, priority: 4, ttl_ms: None, deliver_at: None };
        let Ok(()) = builder.push(&head, &[], |_| Ok::<(), Infallible>(()));
        builder.finish_relayed(Relay::To(SubscriptionId::new(1))).unwrap()
    };
    let mut dedup = Dedup::new(CONFIG, [0; 16]);
    assert!(!is_repeat(&mut dedup, 7, at(1, 0)));
    assert_eq!(dedup.admit(&relayed(), at(2, 1)), Ok(Admission::New));
    let mut facts = Vec::new();
    let stored = relayed().assign(Offset::new(1), LeaderEpoch::new(1), Timestamp::from_millis(2));
    Fact::of_batch(&stored, &mut facts);
    assert_eq!(facts, [], "after a restart it is the same");
}

#[test]
fn what_is_in_flight_is_remembered_whatever_it_takes() {
    let mut dedup = Dedup::new(DedupConfig { bytes_max: 0, ..CONFIG }, [0; 16]);
    let in_flight = |log_end| AppendPoint { stored_end: Offset::new(5), ..at(1, log_end) };
    for number in 0..100 {
        assert!(!is_repeat(&mut dedup, number, in_flight(number)));
    }
    assert!((5..100).all(|number| is_repeat(&mut dedup, number, in_flight(100))));
    assert!(!is_repeat(&mut dedup, 4, in_flight(100)));
}

#[test]
fn what_is_over_is_let_go_of() {
    let mut dedup = Dedup::new(CONFIG, [0; 16]);
    for number in 0..100 {
        is_repeat(&mut dedup, number, at(1, number));
    }
    dedup.forget_expired(Timestamp::from_millis(1_000), 1_000);
    assert!(dedup.bytes() > 0, "the window is not over");
    dedup.forget_expired(Timestamp::from_millis(1_001), 60);
    assert!(dedup.bytes() > 0, "a round is bounded");
    dedup.forget_expired(Timestamp::from_millis(1_001), 60);
    assert_eq!((dedup.bytes(), dedup.forgotten_early()), (0, 0));
}

#[test]
fn without_a_window_ids_are_names_only() {
    let mut dedup = Dedup::new(CONFIG, [0; 16]);
    is_repeat(&mut dedup, 1, at(1, 0));
    dedup.configure(DedupConfig { window_ms: 0, ..CONFIG });
    assert_eq!(dedup.bytes(), 0);
    assert!(!is_repeat(&mut dedup, 1, at(1, 1)) && !is_repeat(&mut dedup, 1, at(1, 2)));
    dedup.configure(CONFIG);
    assert!(!is_repeat(&mut dedup, 1, at(1, 3)) && is_repeat(&mut dedup, 1, at(1, 4)));
}

#[test]
fn the_producer_that_was_silent_longest_is_forgotten() {
    let mut dedup = Dedup::new(CONFIG, [0; 16]);
    let most = u64::try_from(limits::PRODUCERS_MAX).unwrap();
    let mut log_end = 0;
    let mut send = |dedup: &mut Dedup, id, first_sequence| {
        log_end += 1;
        dedup.admit(&batch(&["a".to_owned()], Some(producer(id, first_sequence))), at(1, log_end))
    };
    for id in 0..most {
        assert_eq!(send(&mut dedup, id, 0), Ok(Admission::New));
    }
    assert_eq!(send(&mut dedup, 0, 1), Ok(Admission::New));
    assert_eq!(send(&mut dedup, most, 0), Ok(Admission::New), "1 is forgotten for it");
    assert_eq!(send(&mut dedup, 0, 3), Err(ProducerRefusal::Gap { sent: 3, expected: 2 }));
    assert_eq!(send(&mut dedup, 1, 7), Ok(Admission::New), "one that is not known begins where it likes");
}

/// Batches of ten messages each.
fn log(batches: u64) -> Vec<RecordBatch> {
    let batch = |number| {
        let ids: Vec<_> = (number * 10..number * 10 + 10).map(id).collect();
        let taken = Timestamp::from_millis(i64::try_from(number).unwrap());
        batch(&ids, None).assign(Offset::new(number * 10), LeaderEpoch::new(1), taken)
    };
    (0..batches).map(batch).collect()
}

/// Reads a log at most `most` batches at a time; returns what is known, and how many batches were read.
fn rebuilt(log: &[RecordBatch], from: u64, most: usize) -> (Dedup, usize) {
    let end = log.last().unwrap().offsets().end;
    let mut rebuild = DedupRebuild::new(Dedup::new(CONFIG, [0; 16]), OffsetRange::new(Offset::new(from), end));
    let mut read = 0;
    while let Some(wanted) = rebuild.wanted() {
        let first = log.partition_point(|batch| batch.offsets().end <= wanted.start);
        let found: Vec<_> =
            log[first..].iter().take_while(|batch| batch.offsets().start < wanted.end).take(most).cloned().collect();
        read += found.len();
        rebuild.take(&found);
    }
    (rebuild.finish(), read)
}

#[test]
fn a_log_is_read_once_from_where_it_matters() {
    let log = log(1_000);
    for (from, most) in [(0, 1), (0, 1_000), (4_321, 3), (9_999, 1), (10_000, 1)] {
        let (mut dedup, read) = rebuilt(&log, from, most);
        assert_eq!(read, 1_000 - usize::try_from(from).unwrap() / 10, "each batch once, from {from}");
        let now = at(999, 10_000);
        for number in (from / 10 * 10..10_000).rev() {
            let admission = dedup.admit(&batch(&[id(number)], None), now).unwrap();
            let place = Place { offset: Offset::new(number), repeat: true };
            assert_eq!(admission, Admission::Partly(Box::new([place])));
        }
        assert!(from < 10 || !is_repeat(&mut dedup, from / 10 * 10 - 1, now));
    }
}

#[test]
fn a_read_that_finds_nothing_ends_its_part() {
    let mut rebuild = DedupRebuild::new(Dedup::new(CONFIG, [0; 16]), OffsetRange::new(Offset::ZERO, Offset::new(300)));
    let mut parts = 0;
    while rebuild.wanted().is_some() {
        rebuild.take(&[]);
        parts += 1;
    }
    assert!(parts < 10, "{parts}");
    let mut rebuild = DedupRebuild::new(Dedup::new(CONFIG, [0; 16]), OffsetRange::new(Offset::ZERO, Offset::new(300)));
    rebuild.give_up();
    assert_eq!(rebuild.wanted(), None);
}

#[test]
fn a_log_that_is_too_long_to_read_is_read_from_its_end() {
    let mut rebuild =
        DedupRebuild::new(Dedup::new(CONFIG, [0; 16]), OffsetRange::new(Offset::ZERO, Offset::new(1 << 40)));
    let payload = "x".repeat(1 << 20);
    let mut bytes = 0;
    while let Some(wanted) = rebuild.wanted() {
        assert!(wanted.len() <= limits::DEDUP_REBUILD_RECORDS_MIN, "parts stay short where messages are large");
        let mut builder = BatchBuilder::new(0);
        let id = wanted.start.get().to_string();
        let id = MessageId::Text(&id);
        let head =
            RecordHead { id, key: None, content_type: "text/plain", priority: 4, ttl_ms: None, deliver_at: None };
        let Ok(()) = builder.push(&head, &[], |out| {
            out.extend_from_slice(payload.as_bytes());
            Ok::<(), Infallible>(())
        });
        let batch = builder.finish(Codec::None, None).unwrap();
        bytes += batch.len();
        rebuild.take(&[batch.assign(wanted.start, LeaderEpoch::new(1), Timestamp::from_millis(1))]);
    }
    assert!((limits::DEDUP_REBUILD_BYTES_MAX..limits::DEDUP_REBUILD_BYTES_MAX + (2 << 20)).contains(&bytes), "{bytes}");
    let mut dedup = rebuild.finish();
    let last = (1_u64 << 40) - 1;
    let repeat = dedup.admit(&self::batch(&[format!("{last}")], None), at(2, 1 << 40));
    assert_ne!(repeat, Ok(Admission::New));
}

#[test]
fn a_log_whose_messages_are_all_too_old_is_not_read() {
    let dedup = Dedup::new(CONFIG, [0; 16]);
    let extent = LogExtent { start: Offset::ZERO, end: Offset::new(5), newest: Timestamp::from_millis(1_000) };
    let since = |now, dedup: &Dedup, extent: &LogExtent| {
        DedupRebuild::since(dedup, extent, Timestamp::from_millis(now)).map(Timestamp::as_millis)
    };
    assert_eq!(since(1_999, &dedup, &extent), Some(1_000));
    assert_eq!(since(2_000, &dedup, &extent), None);
    assert_eq!(since(500, &dedup, &extent), Some(1), "a clock that went back");
    assert_eq!(since(1_000, &dedup, &LogExtent { start: extent.end, ..extent }), None, "there is no message");
    assert_eq!(since(1_000, &Dedup::default(), &extent), None, "nothing is to be remembered");
}
