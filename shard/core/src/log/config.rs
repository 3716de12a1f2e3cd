//! How a partition keeps its log.

use std::time::Duration;

use super::dedup::DedupConfig;
use crate::model::{Offset, Timestamp};

/// When an append counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlushPolicy {
    /// When it is as safe as the store makes it: on the disk.
    #[default]
    Always,
    /// When it is written; synced at most this long after.
    Interval(Duration),
    /// When it is written; synced when a segment is closed, and by the operating system.
    Os,
}

/// When a publisher hears that its messages are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Acks {
    /// When they are committed: on the disk of every replica in sync, of enough of them. Where no others keep the log, it
    /// is as `Leader`.
    #[default]
    Quorum,
    /// When they are as safe as the flush policy makes them where the partition is led; they are lost if that one is.
    Leader,
    /// When they are taken: they are lost if the process ends, or its disk is full, before they are stored.
    Memory,
}

/// How appends to one partition are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendConfig {
    /// When an append counts as done.
    pub flush: FlushPolicy,
    /// How many bytes may wait for the store before appends are refused.
    pub unflushed_bytes_max: u64,
    /// What is remembered, to recognise what is published again.
    pub dedup: DedupConfig,
}

/// What of a log is kept, acked or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// How long messages are kept; for ever if none.
    pub age: Option<Duration>,
    /// How many bytes are kept; any number if none.
    pub bytes: Option<u64>,
    /// Nothing from here on goes, however old it is; no bound if none.
    pub below: Option<Offset>,
}

impl Retention {
    /// Whether what was taken, or was last to be delivered, at `taken` need not be kept any longer for its age.
    #[must_use]
    pub fn has_passed(&self, taken: Timestamp, now: Timestamp) -> bool {
        self.age.is_some_and(|kept| {
            let kept_ms = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
            taken.plus_millis(kept_ms) < now
        })
    }
}
