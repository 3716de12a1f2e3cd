//! What may be under way at the same time, over several handles of a partition.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Duration,
};

use flume::{Receiver, Sender};
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{LocalBoxFuture, join},
    stream::FuturesUnordered,
};
use shard::store::{MessageStore, ReadFault, ShardStore as _};
use shard_core::{
    format::record_batch::RecordBatch,
    log::Retention,
    model::{Offset, OffsetRange, Timestamp},
};

use crate::{
    batches::Writer,
    cursors::Cursors,
    factory::{Factory, open, partition, read_all},
};

const ROUNDS: usize = 60;
const PAYLOAD_BYTES: usize = 6_000;
const KEEP: Retention = Retention { age: Some(Duration::from_secs(30)), bytes: None, below: None };

/// What an observer of a log knows of it.
#[derive(Default)]
struct Seen {
    batches: RefCell<BTreeMap<Offset, RecordBatch>>,
    start: Cell<Offset>,
    /// Every batch below it was appended.
    end: Cell<Offset>,
    now: Cell<Timestamp>,
}

pub(crate) async fn operations_of_a_partition_overlap<F: Factory>(factory: F) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    let seen = Seen::default();
    seen.start.set(writer.start);
    seen.end.set(writer.start);
    let mut cursors = Cursors::default();
    let store = &opened.store;
    // Each is polled when it is woken and not when another one is: a file is told of every poll that waits for it.
    let (told, appended) = flume::bounded(3 * ROUNDS);
    let operations: [LocalBoxFuture<'_, ()>; 6] = [
        append(store.clone(), (&mut writer, told), &seen).boxed_local(),
        sync(store.clone()).boxed_local(),
        ack(store, &mut cursors).boxed_local(),
        retain(store, &seen, appended.clone()).boxed_local(),
        read(store, &seen, appended.clone()).boxed_local(),
        read(store, &seen, appended).boxed_local(),
    ];
    operations.into_iter().collect::<FuturesUnordered<_>>().collect::<()>().await;

    writer.trim(seen.start.get());
    assert_eq!(read_all(store, writer.range()).await, writer.batches);
    assert!(writer.batches.len() < ROUNDS, "something went meanwhile");
    store.close().await.unwrap();
    drop(opened);
    let opened = open(&factory.start().await).await;
    if F::SURVIVES {
        assert_eq!((opened.found.extent.start, opened.found.extent.end), (writer.start, writer.end()));
        assert_eq!(opened.found.cursors, cursors.0);
        assert_eq!(read_all(&opened.store, writer.range()).await, writer.batches);
    }
}

/// Appends, and tells the others of each append.
async fn append(store: impl MessageStore, (writer, told): (&mut Writer, Sender<()>), seen: &Seen) {
    for round in 0..ROUNDS {
        let batch = writer.next(1, PAYLOAD_BYTES);
        seen.batches.borrow_mut().insert(batch.offsets().start, batch.clone());
        seen.now.set(batch.header().last_timestamp());
        let end = batch.offsets().end;
        store.append(vec![batch], round % 3 != 0).await.unwrap();
        seen.end.set(end);
        for _ in 0..3 {
            told.try_send(()).unwrap();
        }
        // Some stores finish at once, and the others are to have their turn.
        glommio::executor().yield_now().await;
    }
}

async fn sync(store: impl MessageStore) {
    for _ in 0..ROUNDS {
        store.sync().await.unwrap();
    }
}

async fn ack(store: &impl MessageStore, cursors: &mut Cursors) {
    for offset in 0..ROUNDS {
        store.append_cursors(cursors.ack(1, u64::try_from(offset).unwrap())).await.unwrap();
    }
}

/// Lets go of what is older than half a minute, while the rest is written.
async fn retain(store: &impl MessageStore, seen: &Seen, appended: Receiver<()>) {
    while appended.recv_async().await.is_ok() {
        let start = store.retain(seen.now.get(), KEEP).await.unwrap();
        assert!(start >= seen.start.get() && start <= seen.end.get(), "the start never falls, and passes no end");
        seen.start.set(start);
    }
}

/// Reads what was appended, wherever the log starts by then.
async fn read(store: &impl MessageStore, seen: &Seen, appended: Receiver<()>) {
    for round in (0..7).cycle() {
        if appended.recv_async().await.is_err() {
            return;
        }
        let range = OffsetRange::new(seen.start.get(), seen.end.get());
        let wanted = OffsetRange::new(range.start.plus(range.len() * round / 7), range.end);
        match store.read(wanted, 50_000).await {
            Ok(read) => {
                assert_eq!(read.is_empty(), wanted.is_empty());
                for batch in &read {
                    assert_eq!(Some(batch), seen.batches.borrow().get(&batch.offsets().start));
                }
            }
            Err(fault) => {
                let expired = matches!(fault, ReadFault::Expired { start, .. } if start > wanted.start);
                assert!(expired, "{fault}");
            }
        }
    }
}

pub(crate) async fn what_is_under_way_ends_without_effect_when_its_partition_is_deleted(factory: impl Factory) {
    let store = factory.start().await;
    let opened = open(&store).await;
    let mut writer = Writer::behind(&opened.found);
    writer.append(&opened.store, 20, PAYLOAD_BYTES).await;
    let batch = writer.next(1, PAYLOAD_BYTES);
    let entries = Cursors::default().ack(1, 5);
    let partition_0 = &opened.store;
    let under_way = join(partition_0.append(vec![batch], true), partition_0.append_cursors(entries));
    let (_, deleted) = join(under_way, store.delete(partition(0))).await;
    if deleted.is_err() {
        // Something was written while it was removed; nothing is now.
        store.delete(partition(0)).await.unwrap();
    }
    let closed = partition_0.close().await;
    drop(closed.map_err(|error| error.to_string()));
    drop(opened);
    let found = open(&store).await.found;
    assert_eq!(found.extent.start, found.extent.end, "nothing is left");
    assert!(found.cursors.is_empty());
}

pub(crate) async fn a_log_says_how_many_bytes_it_takes<F: Factory>(factory: F) {
    let opened = open(&factory.start().await).await;
    let mut writer = Writer::behind(&opened.found);
    let batch_bytes = |writer: &Writer| writer.batches.iter().map(|batch| batch.bytes().len()).sum::<usize>();
    let mut before = 0;
    for _ in 0..5 {
        writer.append(&opened.store, 5, PAYLOAD_BYTES).await;
        let bytes = opened.store.bytes();
        assert!(bytes >= u64::try_from(batch_bytes(&writer)).unwrap(), "at least what the batches have");
        assert!(bytes > before);
        before = bytes;
    }
    let cut = writer.batches[10].offsets().start;
    opened.store.truncate(cut).await.unwrap();
    writer.cut(cut);
    let left = opened.store.bytes();
    assert!(left < before && left >= u64::try_from(batch_bytes(&writer)).unwrap(), "{left} of {before}");
    drop(opened);
    let found = open(&factory.start().await).await;
    assert!(!F::SURVIVES || found.store.bytes() >= u64::try_from(batch_bytes(&writer)).unwrap());
}
