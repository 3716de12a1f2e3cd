//! What the memory store alone does: it is full some time, and each start of it is an incarnation of its own.

use std::time::Duration;

use shard::store::{AppendFault, MessageStore as _, ReadFault};
use shard_core::{
    log::Retention,
    model::{Offset, OffsetRange, Timestamp},
};

use crate::{
    batches::Writer,
    factory::{Factory as _, MemoryFactory, on_executor, open, read_all},
};

#[test]
fn a_full_store_takes_nothing_until_something_goes() {
    let factory = MemoryFactory::new();
    factory.bytes_max.set(50_000);
    on_executor(factory, async |factory| {
        let opened = open(&factory.start().await).await;
        let mut writer = Writer::behind(&opened.found);
        writer.append(&opened.store, 8, 6_000).await;
        let end = writer.end();
        let refused = writer.next(1, 6_000);
        for _ in 0..2 {
            let full = opened.store.append(vec![refused.clone()], true).await;
            assert!(matches!(full, Err(AppendFault::Rejected { .. })), "{full:?}");
        }
        writer.cut(end);
        assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches);
        let keep = Retention { age: Some(Duration::from_secs(3)), bytes: None, below: None };
        let start = opened.store.retain(Timestamp::from_millis(6_500), keep).await.unwrap();
        assert_eq!(start, writer.batches[3].offsets().start, "by whole batches, and no more than asked");
        writer.trim(start);
        writer.append(&opened.store, 1, 6_000).await;
        assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches);
    });
}

#[test]
fn what_a_partition_held_is_given_back_when_it_is_gone() {
    let factory = MemoryFactory::new();
    factory.bytes_max.set(50_000);
    on_executor(factory, async |factory| {
        let store = factory.start().await;
        for _ in 0..3 {
            let opened = open(&store).await;
            Writer::behind(&opened.found).append(&opened.store, 7, 6_000).await;
            opened.store.close().await.unwrap();
        }
    });
}

/// F50.
#[test]
fn an_offset_from_before_a_restart_is_expired_and_never_another_message() {
    on_executor(MemoryFactory::new(), async |factory| {
        let mut before = Vec::new();
        for _ in 0..3 {
            let opened = open(&factory.start().await).await;
            let mut writer = Writer::behind(&opened.found);
            writer.append(&opened.store, 5, 100).await;
            for offset in before.iter().copied() {
                let wanted = OffsetRange::new(offset, writer.end());
                let read = opened.store.read(wanted, 100).await;
                assert_eq!(read, Err(ReadFault::Expired { offset, start: writer.start }));
            }
            before.extend((0..=5).map(|count| writer.start.plus(count)));
        }
        assert_eq!(before[0], Offset::ZERO);
    });
}
