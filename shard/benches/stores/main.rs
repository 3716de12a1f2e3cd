//! How fast the stores are, at the contract that all of them keep.
//!
//! By hand, on a quiet machine; each prints a table:
//!
//! ```text
//! cargo bench -p shard --bench stores -- throughput       # append and catch-up, every store, by size of batch
//! cargo bench -p shard --bench stores -- sequential       # the log store's large appends beside the bare disk
//! cargo bench -p shard --bench stores -- recovery 10      # opening a log of so many GiB after a crash
//! ```
//!
//! Another store needs a `Place` and a line in `throughput::STORES`.
#![expect(clippy::print_stdout, reason = "tables for people")]
#![expect(clippy::unwrap_used, reason = "a bench that fails ends")]

mod batches;
mod places;
mod recovery;
mod sequential;
#[expect(dead_code, clippy::indexing_slicing, reason = "written for tests, of which the bench needs a part")]
#[path = "../../tests/redis/server.rs"]
mod server;
mod throughput;

use std::time::Duration;

fn main() {
    // Cargo adds an argument of its own.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    match arguments.next().as_deref() {
        Some("throughput") => throughput::print(),
        Some("sequential") => sequential::print(),
        Some("recovery") => recovery::print(arguments.next().map_or(1, |gib| gib.parse().unwrap())),
        Some(_) | None => println!("which one? throughput, sequential, or recovery with a number of GiB"),
    }
}

/// So many of something a second.
fn per_second(count: u64, elapsed: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / elapsed.as_secs_f64()
}

/// The middle one of some figures.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap()
}
