//! Appends: what is there after one, and after one that failed.

use shard::store::{AppendFault, MessageStore as _};

use crate::{
    batches::Writer,
    factory::{Factory, open, partition, read_all},
};

pub(crate) async fn what_is_appended_is_read_back_byte_for_byte(factory: impl Factory) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    for round in 0..40 {
        // Several in one append, compressed ones and large ones among them.
        let batches = (0..=round % 4).map(|number| writer.next(1 + number, 1 << (round % 14))).collect();
        opened.store.append(batches, round % 3 != 0).await.unwrap();
    }
    let read = read_all(&opened.store, writer.range()).await;
    assert_eq!(read, writer.batches);
    let mut next = writer.start;
    for batch in &read {
        assert_eq!(batch.offsets().start, next, "offsets are dense");
        next = batch.offsets().end;
    }
}

pub(crate) async fn an_append_says_what_it_reached<F: Factory>(factory: F) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    for _ in 0..3 {
        assert_eq!(writer.append_one(&opened.store, 1, true).await, F::REACHED);
    }
    let buffered = writer.append_one(&opened.store, 1, false).await;
    assert!(!buffered.is_durable() || F::REACHED.is_durable());
    opened.store.sync().await.unwrap();
    assert_eq!(writer.append_one(&opened.store, 1, true).await, F::REACHED);
}

pub(crate) async fn what_was_not_durable_is_there_until_the_process_ends<F: Factory>(factory: F) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    for round in 0..30 {
        let batch = writer.next(2, 5_000);
        opened.store.append(vec![batch], false).await.unwrap();
        if round % 10 == 5 {
            opened.store.sync().await.unwrap();
        }
    }
    assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches);
    // Once something behind it is durable, so is it.
    writer.append_one(&opened.store, 1, true).await;
    drop(opened);
    let opened = open(&factory.start().await).await;
    if F::SURVIVES {
        assert_eq!(opened.found.extent.end, writer.end());
        assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches);
    }
}

pub(crate) async fn a_failed_append_is_followed_by_none(factory: impl Factory) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    writer.append(&opened.store, 1, 100).await;
    if !factory.break_writes(partition(0)) {
        return;
    }
    let mut failed = None;
    for _ in 0..100 {
        let batch = writer.next(1, 10_000);
        if let Err(fault) = opened.store.append(vec![batch.clone()], true).await {
            failed = Some((fault, batch));
            break;
        }
    }
    let (fault, batch) = failed.expect("no write goes on for ever where none can");
    assert!(matches!(fault, AppendFault::Failed(_)), "{fault}");
    for _ in 0..2 {
        let again = opened.store.append(vec![batch.clone()], true).await;
        assert!(matches!(again, Err(AppendFault::Failed(_))), "{again:?}");
    }
    assert!(opened.store.sync().await.is_err());
    opened.store.close().await.unwrap();
}
