//! Cutting the end off a log.

use shard::store::{MessageStore as _, ReadFault};
use shard_core::model::OffsetRange;

use crate::{
    batches::Writer,
    factory::{Factory, open, read_all},
};

pub(crate) async fn a_log_is_cut_at_a_batch_and_goes_on_from_there(factory: impl Factory) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    for kept in [35, 20, 3, 30] {
        let missing = 40 - writer.batches.len();
        writer.append(&opened.store, missing, 6_000).await;
        let end = writer.batches[kept].offsets().start;
        assert_eq!(opened.store.truncate(end).await, Ok(end));
        writer.cut(end);
        assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches);
        let past = opened.store.read(OffsetRange::new(end.next(), end.plus(2)), 100).await;
        assert_eq!(past, Err(ReadFault::PastEnd { offset: end.next(), end }));
    }
    writer.append(&opened.store, 3, 100).await;
    assert_eq!(opened.store.truncate(writer.end()).await, Ok(writer.end()), "nothing lies behind the end");
    assert_eq!(opened.store.truncate(writer.end().plus(9)).await, Ok(writer.end()));
    assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches);
}

pub(crate) async fn a_batch_that_holds_the_offset_goes_as_a_whole(factory: impl Factory) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    let batches = (0..5).map(|_| writer.next(4, 300)).collect();
    opened.store.append(batches, true).await.unwrap();
    let end = writer.batches[2].offsets().start;
    assert_eq!(opened.store.truncate(end.plus(3)).await, Ok(end));
    writer.cut(end);
    writer.append(&opened.store, 2, 100).await;
    assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches);
}

pub(crate) async fn a_log_is_cut_to_nothing_and_no_further(factory: impl Factory) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    writer.append(&opened.store, 20, 6_000).await;
    let start = writer.start;
    assert_eq!(opened.store.truncate(start).await, Ok(start));
    writer.cut(start);
    assert_eq!(read_all(&opened.store, writer.range()).await, []);
    writer.append(&opened.store, 3, 100).await;
    assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches);
}

pub(crate) async fn a_cut_log_is_cut_after_a_restart_too<F: Factory>(factory: F) {
    for closed in [true, false] {
        let opened = open(&factory.start().await).await;
        let mut writer = Writer::behind(&opened.found);
        writer.append(&opened.store, 40, 6_000).await;
        let end = writer.batches[10].offsets().start;
        opened.store.truncate(end).await.unwrap();
        writer.cut(end);
        if closed {
            writer.append(&opened.store, 1, 100).await;
            opened.store.close().await.unwrap();
        }
        drop(opened);
        let opened = open(&factory.start().await).await;
        if F::SURVIVES {
            assert_eq!(opened.found.extent.end, writer.end(), "closed: {closed}");
            assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches);
        }
        opened.store.close().await.unwrap();
    }
}
