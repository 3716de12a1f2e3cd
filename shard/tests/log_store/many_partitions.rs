//! Ten thousand partitions on one shard: files are open within a budget, and nothing else grows with them but memory.

use std::{cell::Cell, fs, rc::Rc};

use shard::store::{MessageStore as _, ShardStore as _, log::LogPartition};
use shard_core::{
    format::cursor_journal::{CursorChange, encode_entry},
    model::{LeaderEpoch, Offset, OffsetRange, SubscriptionId},
};

use crate::rig::{Rig, batch, on_executor, partition};

const PARTITIONS: u32 = 10_000;
/// How many of them are written to.
const WRITTEN: usize = 1_000;
const OPEN_FILES_MAX: usize = 48;
/// How many are used at once.
const TOGETHER: usize = 200;

/// The files this process has open, with the one that it takes to look.
fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Does something with each partition, many at once, and gives the most files that were open meanwhile.
async fn with_each<F: Future<Output = ()> + 'static>(
    partitions: &[LogPartition],
    act: impl Fn(LogPartition) -> F,
) -> usize {
    let most = Rc::new(Cell::new(0));
    for together in partitions.chunks(TOGETHER) {
        let tasks: Vec<_> = together
            .iter()
            .map(|partition| {
                let (acting, most) = (act(partition.clone()), Rc::clone(&most));
                glommio::spawn_local(async move {
                    acting.await;
                    most.set(open_files().max(most.get()));
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
    }
    most.get()
}

#[test]
fn ten_thousand_partitions_are_open_with_a_few_files() {
    on_executor(async || {
        let rig = Rig::new().with_files(OPEN_FILES_MAX);
        let store = rig.start(0, 1).await;
        let mut partitions = Vec::new();
        for index in 0..PARTITIONS {
            partitions.push(store.open(partition(index), LeaderEpoch::new(1)).await.unwrap().store);
        }
        // Making a file and its name durable takes a few milliseconds, so not all of them are written to.
        let written = &partitions[..WRITTEN];
        let before = open_files();
        for offset in 0..2 {
            let most = with_each(written, |partition| async move {
                partition.append(vec![batch(offset, 100)], true).await.unwrap();
            })
            .await;
            assert!(most <= before + OPEN_FILES_MAX, "{most} files are open, {before} were");
        }
        // Journals count too.
        let most = with_each(&written[..TOGETHER], |partition| async move {
            let mut entries = Vec::new();
            encode_entry(SubscriptionId::new(1), &CursorChange::Opened { start: Offset::ZERO }, &mut entries);
            partition.append_cursors(entries).await.unwrap();
        })
        .await;
        assert!(most <= before + OPEN_FILES_MAX, "{most} files are open, {before} were");
        // What was closed meanwhile is written to and read all the same.
        for partition in written.iter().step_by(97) {
            let read = partition.read(OffsetRange::new(Offset::ZERO, Offset::new(2)), 1 << 20).await.unwrap();
            assert_eq!(read, [batch(0, 100), batch(1, 100)]);
        }
        with_each(&partitions, |partition| async move { partition.close().await.unwrap() }).await;
        assert_eq!(open_files(), before, "all are closed");
        store.checkpoint().await.unwrap();
        let store = rig.start(0, 1).await;
        let opened = store.open(partition(0), LeaderEpoch::new(1)).await.unwrap();
        assert_eq!(opened.found.extent.end, Offset::new(2));
    });
}
