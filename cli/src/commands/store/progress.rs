//! How much of a directory was read, for whoever watches.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressStyle};

const TEMPLATE: &str = "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";

/// A bar on standard error; nothing where that is no terminal.
pub(super) struct Progress {
    bar: ProgressBar,
    read: u64,
}

impl Progress {
    /// A bar for so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        if !io::stderr().is_terminal() {
            return Self::hidden();
        }
        let bar = ProgressBar::new(bytes);
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        Self { bar, read: 0 }
    }

    /// No bar.
    pub(super) fn hidden() -> Self {
        Self { bar: ProgressBar::hidden(), read: 0 }
    }

    /// So many bytes were read.
    pub(super) fn add(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or_default();
        self.read += bytes;
        self.bar.inc(bytes);
    }

    /// So many bytes were read that had not been counted in.
    pub(super) fn add_extra(&mut self, bytes: usize) {
        self.bar.inc_length(u64::try_from(bytes).unwrap_or_default());
        self.add(bytes);
    }

    /// How many bytes were read so far.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// Prints something while the bar steps aside.
    pub(super) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
