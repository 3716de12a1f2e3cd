//! Reads: by offset, by time, within bounds.

use shard::store::{MessageStore as _, ReadFault};
use shard_core::{
    format::record_batch::RecordBatch,
    model::{Offset, OffsetRange, Timestamp},
};

use crate::{
    batches::Writer,
    factory::{Factory, open},
};

pub(crate) async fn a_read_within_a_batch_gives_the_whole_batch(factory: impl Factory) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    for records in 1..20 {
        let batch = writer.next(records, 3_000);
        opened.store.append(vec![batch], true).await.unwrap();
    }
    for batch in &writer.batches {
        let offsets = batch.offsets();
        for offset in offsets.start.get()..offsets.end.get() {
            let wanted = OffsetRange::new(Offset::new(offset), writer.end());
            let read = opened.store.read(wanted, 1).await.unwrap();
            assert_eq!(read.first(), Some(batch), "offset {offset}");
        }
    }
}

pub(crate) async fn a_read_is_bounded_by_bytes_but_gives_one_batch(factory: impl Factory) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    writer.append(&opened.store, 30, 2_000).await;
    for bytes_max in [0, 1, 2_500, 10_000, 30_000, 1 << 20] {
        let read = opened.store.read(writer.range(), bytes_max).await.unwrap();
        let bytes: usize = read.iter().map(|batch| batch.bytes().len()).sum();
        assert!(read.len() == 1 || bytes <= bytes_max, "{} batches, {bytes} bytes of {bytes_max}", read.len());
        assert_eq!(read, writer.batches[..read.len()]);
    }
    let large = writer.next(1, 3 << 20);
    opened.store.append(vec![large.clone()], true).await.unwrap();
    let read = opened.store.read(OffsetRange::new(large.offsets().start, writer.end()), 1).await.unwrap();
    assert_eq!(read, [large], "a batch is given however large");
}

pub(crate) async fn a_read_ends_with_its_range(factory: impl Factory) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    writer.append(&opened.store, 10, 100).await;
    let wanted = OffsetRange::new(writer.start.plus(2), writer.start.plus(5));
    let read = opened.store.read(wanted, 1 << 20).await.unwrap();
    assert_eq!(read, writer.batches[2..5]);
    let empty = OffsetRange::new(writer.start.plus(2), writer.start.plus(2));
    assert_eq!(opened.store.read(empty, 1 << 20).await.unwrap(), []);
}

pub(crate) async fn a_read_outside_of_the_log_says_where_the_log_is(factory: impl Factory) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    let from = |offset: Offset| OffsetRange::new(offset, offset.plus(100));
    assert_eq!(opened.store.read(from(writer.end()), 100).await, Ok(vec![]), "an empty log");
    writer.append(&opened.store, 3, 100).await;
    let end = writer.end();
    assert_eq!(opened.store.read(from(end), 100).await, Ok(vec![]), "the end of a log");
    let past = opened.store.read(from(end.next()), 100).await;
    assert_eq!(past, Err(ReadFault::PastEnd { offset: end.next(), end }));
}

pub(crate) async fn a_time_leads_to_the_first_batch_that_reaches_it(factory: impl Factory) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    writer.append(&opened.store, 40, 5_000).await;
    let (store, end) = (&opened.store, writer.end());
    for (number, batch) in writer.batches.iter().enumerate() {
        let at = batch.header().base_timestamp;
        assert_eq!(store.find_time(at, end).await.unwrap(), batch.offsets().start);
        let between = store.find_time(at.plus_millis(1), end).await.unwrap();
        assert_eq!(between, writer.batches.get(number + 1).map_or(end, |next| next.offsets().start));
    }
    assert_eq!(store.find_time(Timestamp::from_millis(i64::MIN), end).await.unwrap(), writer.start);
    assert_eq!(store.find_time(Timestamp::from_millis(i64::MAX), end).await.unwrap(), end);
    // What lies at the given end or behind it is not looked at.
    let early = writer.start.plus(10);
    assert_eq!(store.find_time(writer.batches[20].header().base_timestamp, early).await.unwrap(), early);
}

pub(crate) async fn what_is_not_plain_is_never_passed_over(factory: impl Factory) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    for step in 0..30 {
        writer.deliver_at = (step % 10 == 7).then_some(1_000);
        writer.append(&opened.store, 1, 6_000).await;
    }
    for from in (0..=30).map(|step| writer.start.plus(step)) {
        let found = opened.store.plain_to(from);
        let special = |batch: &&RecordBatch| batch.offsets().start >= from && !batch.header().is_plain();
        let special = writer.batches.iter().find(special).map_or(writer.end(), |batch| batch.offsets().start);
        assert!(found >= from && found <= special, "{from}: {found}, and {special} is not plain");
    }
}

pub(crate) async fn what_is_scheduled_is_never_passed_over(factory: impl Factory) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    for step in 0..30 {
        writer.deliver_at = (step % 10 == 7).then_some(step * 1_000);
        writer.append(&opened.store, 1, 6_000).await;
    }
    let end = writer.end();
    for from in (0..=30).map(|step| writer.start.plus(step)) {
        for at in [0, 7_000, 17_000, 27_000] {
            let found = opened.store.scheduled_from(from, Timestamp::from_millis(at));
            let is_late = |batch: &&RecordBatch| {
                batch.offsets().start >= from && batch.latest_deliver_at() > Some(Timestamp::from_millis(at))
            };
            let late = writer.batches.iter().find(is_late).map_or(end, |batch| batch.offsets().start);
            assert!(found >= from && found <= late, "{from}, {at} ms: {found}, and {late} is late");
        }
    }
}
