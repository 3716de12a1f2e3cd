//! Chaos: a broker under faults, what clients saw of it written down, and the whole history judged afterwards.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "all of it is test code: a panic is a failed test, and what is printed is shown with it"
)]

mod broker;
mod checker;
mod history;
mod nemesis;
mod network;
mod random;
mod recorder;
mod runs;
mod workload;
