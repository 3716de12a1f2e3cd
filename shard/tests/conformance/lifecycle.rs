//! Opening, closing, deleting, dying.

use shard::store::{MessageStore as _, ShardStore as _};
use shard_core::log::LogExtent;

use crate::{
    batches::Writer,
    cursors::Cursors,
    factory::{EPOCH, Factory, open, partition, read_all},
};

pub(crate) async fn a_new_partition_is_empty(factory: impl Factory) {
    let opened = open(&factory.start().await).await;
    assert_eq!(opened.found.extent, LogExtent::default(), "the first offset is 0");
    assert!(opened.found.cursors.is_empty() && opened.found.cut.is_empty());
    let writer = Writer::behind(&opened.found);
    assert_eq!(read_all(&opened.store, writer.range()).await, []);
    opened.store.close().await.unwrap();
}

pub(crate) async fn a_partition_is_closed_and_opened<F: Factory>(factory: F) {
    let mut store = factory.start().await;
    let opened = open(&store).await;
    let mut writer = Writer::behind(&opened.found);
    writer.append(&opened.store, 30, 6_000).await;
    opened.store.close().await.unwrap();
    assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches, "a closed partition can be read");
    drop(opened);
    for round in 0..3 {
        // In the same process, and in another.
        if round > 0 {
            store = factory.start().await;
        }
        let opened = open(&store).await;
        assert!(opened.found.extent.end >= writer.end(), "no offset is given twice");
        assert!(opened.found.cut.is_empty(), "{:?}", opened.found.cut);
        if F::SURVIVES {
            assert_eq!((opened.found.extent.start, opened.found.extent.end), (writer.start, writer.end()));
            let newest = writer.batches.last().unwrap().header().last_timestamp();
            assert!(opened.found.extent.newest >= newest);
            assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches);
        } else {
            assert_eq!(opened.found.extent.start, opened.found.extent.end);
            writer.start_anew(&opened.found);
        }
        writer.append(&opened.store, 1, 100).await;
        opened.store.close().await.unwrap();
        store.checkpoint().await.unwrap();
    }
}

pub(crate) async fn a_partition_outlives_a_process_that_was_killed<F: Factory>(factory: F) {
    let mut end = None;
    for round in 0..5 {
        let store = factory.start().await;
        let opened = open(&store).await;
        if let Some(end) = end {
            assert!(opened.found.extent.end >= end, "no offset is given twice");
            assert!(!F::SURVIVES || opened.found.extent.end == end);
        }
        let mut writer = Writer::behind(&opened.found);
        writer.append(&opened.store, 7, 6_000).await;
        if round % 2 == 0 {
            store.checkpoint().await.unwrap();
        }
        end = Some(writer.end());
    }
}

pub(crate) async fn a_deleted_partition_leaves_nothing(factory: impl Factory) {
    let store = factory.start().await;
    let opened = open(&store).await;
    let mut writer = Writer::behind(&opened.found);
    writer.append(&opened.store, 30, 6_000).await;
    opened.store.append_cursors(Cursors::default().ack(1, 5)).await.unwrap();
    store.checkpoint().await.unwrap();
    opened.store.close().await.unwrap();
    drop(opened);
    store.delete(partition(0)).await.unwrap();
    let opened = open(&store).await;
    assert_eq!(opened.found.extent.start, opened.found.extent.end);
    assert!(opened.found.cursors.is_empty());
    let mut writer = Writer::behind(&opened.found);
    writer.append(&opened.store, 3, 100).await;
    assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches);
    store.checkpoint().await.unwrap();
}

pub(crate) async fn a_partition_is_deleted_that_was_never_opened<F: Factory>(factory: F) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    writer.append(&opened.store, 3, 100).await;
    opened.store.close().await.unwrap();
    drop(opened);
    let store = factory.start().await;
    store.delete(partition(0)).await.unwrap();
    store.delete(partition(9)).await.unwrap();
    let found = open(&factory.start().await).await.found;
    assert_eq!(found.extent.start, found.extent.end);
    assert!(!F::SURVIVES || found.extent == LogExtent::default());
}

pub(crate) async fn partitions_are_apart(factory: impl Factory) {
    let store = factory.start().await;
    let mut partitions = Vec::new();
    for index in 0..3 {
        let opened = store.open(partition(index), EPOCH).await.unwrap();
        let writer = Writer::behind(&opened.found);
        partitions.push((opened, writer));
    }
    for round in 0..10 {
        for (number, (opened, writer)) in partitions.iter_mut().enumerate() {
            writer.append(&opened.store, 1 + number, 100 * (round + 1)).await;
        }
    }
    store.delete(partition(1)).await.unwrap();
    for number in [0, 2] {
        let (opened, writer) = &partitions[number];
        assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches, "partition {number}");
    }
}

pub(crate) async fn a_checkpoint_changes_nothing<F: Factory>(factory: F) {
    let store = factory.start().await;
    let opened = open(&store).await;
    let mut writer = Writer::behind(&opened.found);
    for _ in 0..5 {
        store.checkpoint().await.unwrap();
        writer.append(&opened.store, 2, 100).await;
        store.checkpoint().await.unwrap();
        assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches);
    }
    drop(opened);
    let found = open(&factory.start().await).await.found;
    assert!(!F::SURVIVES || found.extent.end == writer.end());
}
