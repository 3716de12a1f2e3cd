//! Chaos: a broker under faults, what clients saw of it written down, and the whole history judged afterwards.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "all of it is test code: a panic is a failed test, and what is printed is shown with it"
)]

mod checker;
mod history;
