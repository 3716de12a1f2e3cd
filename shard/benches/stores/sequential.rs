//! The log store's appends of 256 KiB beside a plain loop of direct writes and `fdatasync` of the same size on the same
//! filesystem, in turns.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
    time::{Duration, Instant},
};

use shard::store::{MessageStore as _, ShardStore as _};
use shard_core::model::Offset;

use crate::{
    batches::batches,
    median, per_second,
    places::{EPOCH, LogPlace, PARTITION, Place as _, directory, on_executor},
};

const WRITE_BYTES: usize = 256 << 10;
/// With its heads, one such message fills 64 blocks and no more.
const PAYLOAD_BYTES: usize = WRITE_BYTES - 256;
const WRITES: usize = 1_000;
const ROUNDS: usize = 9;
const BLOCK: usize = 4096;

/// Prints MB/s of the store, of the disk as the store uses it, and of the disk over blocks that were there before.
pub(crate) fn print() {
    let [mut store, mut growing, mut written] = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        let turns = [append(), write(false), write(true)]
            .map(|elapsed| per_second(u64::try_from(WRITES * WRITE_BYTES).unwrap() >> 10, elapsed) * 1024.0 / 1e6);
        // The first round warms everything up.
        if round > 0 {
            for (figures, turn) in [&mut store, &mut growing, &mut written].into_iter().zip(turns) {
                figures.push(turn);
            }
        }
    }
    let ratios = store.iter().zip(&growing).map(|(store, disk)| store / disk).collect();
    let rewritten = store.iter().zip(&written).map(|(store, disk)| store / disk).collect();
    println!("medians of {ROUNDS} rounds of {WRITES} writes of {} KiB\n", WRITE_BYTES >> 10);
    println!("| what | MB/s | store / this |");
    println!("|---|---|---|");
    println!("| log store, durable appends | {:.0} | 1 |", median(store));
    println!("| write + fdatasync, a file that grows | {:.0} | {:.2} |", median(growing), median(ratios));
    println!("| write + fdatasync, blocks written before | {:.0} | {:.2} |", median(written), median(rewritten));
}

fn append() -> Duration {
    let place = LogPlace::new();
    on_executor(async move || {
        let store = place.start().await.open(PARTITION, EPOCH).await.unwrap().store;
        let mut next = Offset::ZERO;
        let batches = batches(&mut next, WRITES, (1, PAYLOAD_BYTES));
        let bytes = batches.first().unwrap().bytes().len();
        assert_eq!(bytes.next_multiple_of(BLOCK), WRITE_BYTES, "the same bytes are written to both");
        // They are kept, as in a cache: the disk has nothing to give back either.
        let begun = Instant::now();
        for batch in &batches {
            store.append(vec![batch.clone()], true).await.unwrap();
        }
        let elapsed = begun.elapsed();
        store.close().await.unwrap();
        elapsed
    })
}

/// The least that anyone can do: one thread, one buffer.
fn write(written_before: bool) -> Duration {
    let directory = directory();
    let path = directory.path().join("file");
    let memory = vec![b'x'; WRITE_BYTES + BLOCK];
    let aligned = memory.get(memory.as_ptr().align_offset(BLOCK)..).and_then(|rest| rest.get(..WRITE_BYTES)).unwrap();
    if written_before {
        write_all(&open(&path), aligned, false);
        File::open(&path).unwrap().sync_all().unwrap();
    }
    let file = open(&path);
    let begun = Instant::now();
    write_all(&file, aligned, true);
    begun.elapsed()
}

fn open(path: &Path) -> File {
    OpenOptions::new().create(true).truncate(false).write(true).custom_flags(libc::O_DIRECT).open(path).unwrap()
}

fn write_all(file: &File, bytes: &[u8], durable: bool) {
    let mut position = 0;
    for _ in 0..WRITES {
        file.write_all_at(bytes, position).unwrap();
        if durable {
            file.sync_data().unwrap();
        }
        position += u64::try_from(bytes.len()).unwrap();
    }
}
