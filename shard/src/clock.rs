//! The two clocks of a shard, read here and nowhere else.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use shard_core::model::{Monotonic, Timestamp};

/// Reads the wall clock and the time since the shard started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// Time since the shard started, for deadlines.
    pub(crate) fn monotonic(&self) -> Monotonic {
        Monotonic::default().plus(self.started.elapsed())
    }

    /// Wall-clock time, for records.
    pub(crate) fn wall() -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}
