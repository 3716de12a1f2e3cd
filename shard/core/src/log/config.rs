//! How a partition keeps its log.

use std::time::Duration;

/// When an append counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlushPolicy {
    /// When it is on the disk.
    #[default]
    Always,
    /// When it is written; synced at most this long after.
    Interval(Duration),
    /// When it is written; synced when a segment is closed, and by the operating system.
    Os,
}

/// The settings of one partition's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// When an append counts as done.
    pub flush: FlushPolicy,
    /// How long messages are kept; for ever if none.
    pub retention: Option<Duration>,
    /// How many bytes are kept; any number if none.
    pub retention_bytes: Option<u64>,
    /// The size at which a segment is closed and the next begun.
    pub segment_bytes_max: u64,
    /// How many bytes may wait for the disk before appends are refused.
    pub unflushed_bytes_max: u64,
}
