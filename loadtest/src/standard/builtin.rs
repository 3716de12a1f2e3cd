//! What a set measures without a program of its own.

use std::io;
use std::path::Path;

use serde::Deserialize;

use crate::run::RunResult;
use crate::workload::Workload;
use crate::{disk, write_loop};

/// One of them, by its name in the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Builtin {
    /// A loop that writes to the disk.
    Disk,
    /// Threads that read files from the disk.
    DiskRead,
    /// A loop that sends to many connections.
    WriteLoop,
}

impl Builtin {
    /// Measures what the workload says; files are in this directory, and gone afterwards.
    ///
    /// # Errors
    ///
    /// When the disk or the network refuses.
    pub fn run(self, directory: &Path, workload: &Workload) -> io::Result<RunResult> {
        match self {
            Self::Disk => disk::write::run(directory, workload),
            Self::DiskRead => disk::read::run(directory, workload),
            Self::WriteLoop => write_loop::run(workload),
        }
    }
}
