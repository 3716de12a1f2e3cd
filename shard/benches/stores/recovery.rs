//! Opening a large log after a crash.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use shard::store::{MessageStore as _, ShardStore as _};
use shard_core::model::Offset;

use crate::{
    batches::batches,
    places::{EPOCH, PARTITION, directory, on_executor, start_log},
};

/// Messages in a batch, and the bytes of each.
const BATCH: (u64, usize) = (1_000, 256);
/// Batches in an append: less than a shard appends at once.
const APPEND: usize = 3;
/// Appends between two syncs.
const SYNC_EVERY: usize = 64;

/// Prints how long the opening took with the indexes that the segments had, and without any.
pub(crate) fn print(gib: u64) {
    let directory = directory();
    let path = directory.path().to_owned();
    let begun = Instant::now();
    let end = on_executor({
        let path = path.clone();
        async move || fill(&path, gib << 30).await
    });
    println!(
        "{gib} GiB, {end} messages, written in {:.1} s; the process ends without a close\n",
        begun.elapsed().as_secs_f64()
    );
    println!("| opening | seconds |");
    println!("|---|---|");
    println!("| each full segment has its index | {:.2} |", open(&path, end).as_secs_f64());
    for index in files(&path).into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "index")) {
        fs::remove_file(index).unwrap();
    }
    println!("| no index is left | {:.2} |", open(&path, end).as_secs_f64());
}

/// Writes so many bytes and stops as a killed process does.
async fn fill(path: &Path, bytes: u64) -> Offset {
    let store = start_log(path).await;
    let partition = store.open(PARTITION, EPOCH).await.unwrap().store;
    let mut next = Offset::ZERO;
    while partition.bytes() < bytes {
        for _ in 0..SYNC_EVERY {
            partition.append(batches(&mut next, APPEND, BATCH), false).await.unwrap();
        }
        partition.sync().await.unwrap();
        store.checkpoint().await.unwrap();
    }
    next
}

fn open(path: &Path, end: Offset) -> Duration {
    let path = path.to_owned();
    on_executor(async move || {
        let begun = Instant::now();
        let found = start_log(&path).await.open(PARTITION, EPOCH).await.unwrap().found;
        let elapsed = begun.elapsed();
        assert_eq!(found.extent.end, end);
        elapsed
    })
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
