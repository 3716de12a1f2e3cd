//! How far a long publish has come, for whoever watches.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error, or nothing.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar, if it shall be shown.
    pub(super) fn new(is_shown: bool) -> Self {
        if !is_shown {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} messages, {per_sec}, {elapsed}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// So many more messages were answered.
    pub(super) fn add(&self, messages: u64) {
        self.0.inc(messages);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
