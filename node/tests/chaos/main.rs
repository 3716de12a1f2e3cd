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
#[path = "../cluster/volatile_disk.rs"]
#[expect(dead_code, reason = "other tests have other filesystems too")]
mod volatile_disk;
mod workload;

/// What the disks that can be cut are made with.
mod harness {
    pub(crate) use crate::network::run;

    /// A directory that goes with the test.
    pub(crate) fn data_directory() -> tempfile::TempDir {
        tempfile::Builder::new().prefix("disk-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
    }
}

use harness as filesystem;
