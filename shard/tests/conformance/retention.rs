//! Letting go of what need not be kept.

use std::time::Duration;

use shard::store::{MessageStore, ReadFault};
use shard_core::{
    log::Retention,
    model::{Offset, OffsetRange, Timestamp},
};

use crate::{
    batches::Writer,
    factory::{Factory, KEEP_ALL, open, read_all},
};

/// Far more rounds than any of these tests needs.
const ROUNDS: usize = 40;

fn keep_ms(age_ms: u64) -> Retention {
    Retention { age: Some(Duration::from_millis(age_ms)), bytes: None, below: None }
}

/// Rounds of retention, until nothing more goes; returns where the log starts.
async fn retain(store: &impl MessageStore, now_ms: i64, keep: Retention) -> Offset {
    let mut start = Offset::ZERO;
    for _ in 0..ROUNDS {
        let now = store.retain(Timestamp::from_millis(now_ms), keep).await.unwrap();
        assert!(now >= start, "the start of a log never falls");
        start = now;
    }
    start
}

pub(crate) async fn nothing_goes_that_is_to_be_kept(factory: impl Factory) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    writer.append(&opened.store, 40, 6_000).await;
    let start = writer.start;
    assert_eq!(retain(&opened.store, i64::MAX, KEEP_ALL).await, start);
    assert_eq!(retain(&opened.store, 1_000 + 60_000, keep_ms(60_000)).await, start);
    let bytes = Some(opened.store.bytes());
    assert_eq!(retain(&opened.store, 0, Retention { age: None, bytes, below: None }).await, start);
    assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches);
}

pub(crate) async fn what_is_old_goes_and_never_comes_back<F: Factory>(factory: F) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    writer.append(&opened.store, 60, 6_000).await;
    // The first 30 batches are older than ten seconds then; a store may keep some of them, but not all.
    let now_ms = writer.batches[30].header().base_timestamp.as_millis() + 10_000;
    let start = retain(&opened.store, now_ms, keep_ms(10_000)).await;
    let kept = writer.batches[30].offsets().start;
    assert!(start > writer.start && start <= kept, "{start} of {} to {kept}", writer.start);
    let expired = opened.store.read(OffsetRange::new(writer.start, writer.end()), 100).await;
    assert_eq!(expired, Err(ReadFault::Expired { offset: writer.start, start }));
    writer.trim(start);
    assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches);
    drop(opened);
    let opened = open(&factory.start().await).await;
    if F::SURVIVES {
        assert_eq!((opened.found.extent.start, opened.found.extent.end), (start, writer.end()));
        assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches);
    }
}

pub(crate) async fn what_is_too_much_goes_oldest_first(factory: impl Factory) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    writer.append(&opened.store, 60, 6_000).await;
    let before = opened.store.bytes();
    let kept = before / 3;
    let start = retain(&opened.store, 0, Retention { age: None, bytes: Some(kept), below: None }).await;
    let after = opened.store.bytes();
    assert!(after >= kept && after < before, "{after} of {before}, {kept} were to be kept");
    writer.trim(start);
    assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches);
}

pub(crate) async fn an_emptied_log_goes_on_at_its_end<F: Factory>(factory: F) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    writer.append(&opened.store, 5, 6_000).await;
    // Nobody writes any more, and everything has long expired.
    let end = writer.end();
    assert_eq!(retain(&opened.store, 1 << 40, keep_ms(1)).await, end);
    writer.trim(end);
    assert_eq!(read_all(&opened.store, writer.range()).await, []);
    let opened = if F::SURVIVES {
        drop(opened);
        let opened = open(&factory.start().await).await;
        assert_eq!((opened.found.extent.start, opened.found.extent.end), (end, end), "no offset is given twice");
        assert!(opened.found.extent.newest >= Timestamp::from_millis(5_000), "times don't go back");
        opened
    } else {
        opened
    };
    writer.append(&opened.store, 3, 100).await;
    assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches);
}

pub(crate) async fn a_message_that_is_delivered_late_is_kept_from_then_on<F: Factory>(factory: F) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    writer.append(&opened.store, 20, 6_000).await;
    writer.deliver_at = Some(1_000_000);
    writer.append(&opened.store, 1, 6_000).await;
    writer.deliver_at = None;
    writer.append(&opened.store, 20, 6_000).await;
    let late = writer.batches[20].offsets().start;
    // Everything was taken long ago; a store that was just opened knows of the late one all the same.
    let opened = if F::SURVIVES {
        drop(opened);
        open(&factory.start().await).await
    } else {
        opened
    };
    let start = retain(&opened.store, 1_010_000, keep_ms(10_000)).await;
    assert!(start > writer.start && start <= late, "{start} of {} to {late}", writer.start);
    writer.trim(start);
    assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches);
    let (bytes, end) = (Some(1), writer.end());
    let over = retain(&opened.store, 1_010_001 + 60_000, keep_ms(10_000)).await;
    assert_eq!(over, end, "its time has come, and passed");
    writer.deliver_at = Some(1 << 40);
    writer.append(&opened.store, 40, 6_000).await;
    let start = retain(&opened.store, 1_100_000, Retention { age: None, bytes, below: None }).await;
    assert!(start > end, "what is too much goes whenever it is delivered");
}
