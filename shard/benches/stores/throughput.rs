//! Appending and catching up, for every store and by the size of a batch.

use std::time::{Duration, Instant};

use shard::store::{MessageStore, ShardStore as _};
use shard_core::{
    format::record_batch::RecordBatch,
    model::{Offset, OffsetRange},
};

use crate::{
    batches::batches,
    median, per_second,
    places::{EPOCH, LogPlace, MemoryPlace, PARTITION, Place, RedisPlace, on_executor},
};

/// Every store, by its name.
const STORES: [(&str, Measure); 3] =
    [("log", turn::<LogPlace>), ("redis", turn::<RedisPlace>), ("memory", turn::<MemoryPlace>)];
/// Messages in a batch, batches that are appended one by one, and batches that are appended together.
const SIZES: [Size; 4] = [
    Size { records: 1, alone: 3_000, together: 40_000 },
    Size { records: 10, alone: 3_000, together: 20_000 },
    Size { records: 100, alone: 1_500, together: 4_000 },
    Size { records: 1_000, alone: 400, together: 400 },
];
const ROUNDS: usize = 5;
const PAYLOAD_BYTES: usize = 256;
/// As many publishers as may wait for one append, and as many bytes as a shard appends at once.
const GROUP_MAX: usize = 64;
const GROUP_BYTES_MAX: usize = 1 << 20;
const READ_BYTES: usize = 1 << 20;

#[derive(Clone, Copy)]
struct Size {
    records: u64,
    alone: usize,
    together: usize,
}

/// One turn of one store.
type Measure = fn(Size) -> Turn;

/// Messages a second in one turn.
struct Turn {
    alone: f64,
    together: f64,
    read: f64,
}

/// Prints a line for each store and size; the stores take turns in each round.
pub(crate) fn print() {
    println!("medians of {ROUNDS} rounds, {PAYLOAD_BYTES} B a message; each append is as safe as its store makes it\n");
    println!(
        "| store | messages in a batch | one batch an append, messages/s | batches of {GROUP_MAX} publishers, or 1 MiB, an append | catch-up in reads of 1 MiB |"
    );
    println!("|---|---|---|---|---|");
    for size in SIZES {
        let mut turns: [Vec<Turn>; STORES.len()] = Default::default();
        // The first round warms everything up.
        for round in 0..=ROUNDS {
            for ((_, turn), turns) in STORES.iter().zip(&mut turns) {
                let figures = turn(size);
                if round > 0 {
                    turns.push(figures);
                }
            }
        }
        for ((name, _), turns) in STORES.iter().zip(turns) {
            let of = |figure: fn(&Turn) -> f64| median(turns.iter().map(figure).collect());
            let (alone, together, read) = (of(|turn| turn.alone), of(|turn| turn.together), of(|turn| turn.read));
            println!("| {name} | {} | {alone:.0} | {together:.0} | {read:.0} |", size.records);
        }
    }
}

fn turn<P: Place>(size: Size) -> Turn {
    let place = P::new();
    on_executor(async move || {
        let opened = place.start().await.open(PARTITION, EPOCH).await.unwrap();
        let (store, start) = (opened.store, opened.found.extent.end);
        let mut next = start;
        let one_by_one = batches(&mut next, size.alone, (size.records, PAYLOAD_BYTES));
        let alone = append(&store, one_by_one, 1).await;
        let gathered = batches(&mut next, size.together, (size.records, PAYLOAD_BYTES));
        let bytes = gathered.first().unwrap().bytes().len();
        let together = append(&store, gathered, (GROUP_BYTES_MAX / bytes).clamp(1, GROUP_MAX)).await;
        let read = read(&store, OffsetRange::new(start, next)).await;
        store.close().await.unwrap();
        let messages = |batches| size.records * u64::try_from(batches).unwrap();
        Turn {
            alone: per_second(messages(size.alone), alone),
            together: per_second(messages(size.together), together),
            read: per_second(messages(size.alone + size.together), read),
        }
    })
}

/// Appends so many batches at a time, one append after the other.
async fn append(store: &impl MessageStore, batches: Vec<RecordBatch>, at_once: usize) -> Duration {
    let appends: Vec<_> = batches.chunks(at_once).map(<[RecordBatch]>::to_vec).collect();
    let begun = Instant::now();
    for batches in appends {
        store.append(batches, true).await.unwrap();
    }
    begun.elapsed()
}

/// Reads everything as a consumer does that is far behind.
async fn read(store: &impl MessageStore, mut wanted: OffsetRange) -> Duration {
    let begun = Instant::now();
    while wanted.start < wanted.end {
        wanted.start = last(&store.read(wanted, READ_BYTES).await.unwrap());
    }
    begun.elapsed()
}

fn last(batches: &[RecordBatch]) -> Offset {
    batches.last().unwrap().offsets().end
}
