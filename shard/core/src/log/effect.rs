//! What an appender wants done, and what is told to it: the whole traffic between it and its driver.

use super::dedup::Repeats;
use crate::{
    format::record_batch::RecordBatch,
    model::{Offset, RequestId, Timestamp},
};

/// Something to do for a partition's appends, whatever store holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendEffect {
    /// Hand the batches to the store; then `AppendEvent::Appended`. The next one comes only after that.
    Append {
        /// In offset order, behind everything handed over before.
        batches: Vec<RecordBatch>,
        /// Whether they, and everything before them, have to be as safe as the store can make them.
        durable: bool,
    },
    /// Make safe what was handed over before; then `AppendEvent::Synced`.
    Sync,
    /// The append is done: answer it.
    Acknowledge {
        /// The append.
        request: RequestId,
        /// Where it is.
        placed: Placed,
        /// When it was taken.
        timestamp: Timestamp,
        /// What it has reached.
        reached: Reached,
    },
    /// The append failed: answer it.
    Refuse {
        /// The append.
        request: RequestId,
        /// What is known of the batch.
        fate: Fate,
    },
    /// So many messages that were acknowledged from memory are not stored, or may not be: nobody waits to hear of it.
    Dropped {
        /// How many.
        messages: u64,
    },
    /// Another one leads now, and decides by what its log holds whether the append is done: tell who waits where to look.
    Undecided {
        /// The append.
        request: RequestId,
        /// Where it is here.
        placed: Placed,
        /// When it was taken.
        timestamp: Timestamp,
        /// The offset behind its last record.
        end: Offset,
    },
    /// Consumers now see what lies below.
    HighWatermark(Offset),
}

/// Where the messages of an append are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The offset of the first.
    pub base_offset: Offset,
    /// Which of them were there before.
    pub repeats: Repeats,
}

/// What an append has reached when it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reached {
    /// This process's memory: gone when it ends.
    Memory,
    /// Written to the owner's disk, not synced.
    Written,
    /// Synced to the owner's disk.
    Disk,
    /// Synced to the disk of every replica in sync.
    Replicas,
    /// A Redis that syncs later, or never.
    RedisBuffered,
    /// A Redis that has synced it.
    RedisFsync,
}

/// What is known of a batch whose append was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is not in the log.
    NotStored,
    /// It may or may not be in the log after a restart.
    Unknown,
}

/// The end of something an appender wanted done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendEvent {
    /// The batches are in the store.
    Appended {
        /// How safe they are.
        reached: Reached,
    },
    /// None of the batches is in the store, or ever will be, and a later append may succeed.
    Rejected {
        /// For people.
        reason: String,
    },
    /// Everything handed over before the sync began is safe.
    Synced,
    /// It is not known what of the batches is in the store: nothing more is appended until the partition was opened
    /// again.
    Failed {
        /// For people.
        reason: String,
    },
}

impl Reached {
    /// Whether it outlives a loss of power where it is.
    #[must_use]
    pub const fn is_durable(self) -> bool {
        match self {
            Self::Disk | Self::Replicas | Self::RedisFsync => true,
            Self::Memory | Self::Written | Self::RedisBuffered => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_synced_is_durable() {
        let durable = [Reached::Disk, Reached::Replicas, Reached::RedisFsync];
        let fleeting = [Reached::Memory, Reached::Written, Reached::RedisBuffered];
        assert!(durable.iter().all(|reached| reached.is_durable()));
        assert!(!fleeting.iter().any(|reached| reached.is_durable()));
    }
}
