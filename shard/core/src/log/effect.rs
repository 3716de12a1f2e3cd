//! What a log wants done, and what is told to it: the whole traffic between the core and its driver.

use crate::{
    format::record_batch::RecordBatch,
    model::{Offset, RequestId, Timestamp},
};

/// Something to do for a log. Files are named by the base offset of their segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEffect {
    /// Make the file, write this header block, sync the file and its directory; then `LogEvent::SegmentCreated`.
    CreateSegment {
        /// The new segment.
        segment: Offset,
        /// Its first block.
        header: Vec<u8>,
    },
    /// Write zeros here, ahead of the log, so that later writes find their blocks in place; then
    /// `LogEvent::Prepared`. Only a convenience: an error is to be ignored.
    Prepare {
        /// The segment.
        segment: Offset,
        /// The first byte.
        position: u64,
        /// How many.
        length: u64,
    },
    /// Write the batches one behind the other, padded with zeros to whole blocks; then `LogEvent::Written`.
    Write {
        /// The segment.
        segment: Offset,
        /// Where, the start of a block.
        position: u64,
        /// What.
        batches: Vec<RecordBatch>,
        /// The size with padding.
        padded_bytes: usize,
        /// Whether it has to be on the disk when `Written` is told.
        durable: bool,
    },
    /// Sync the segment; then `LogEvent::Synced`.
    Sync {
        /// The segment.
        segment: Offset,
    },
    /// Nothing more is written to the segment: cut it to this length, close it, and write its index file; then
    /// `LogEvent::Sealed`. Only a convenience: an error is to be ignored, and a start without the index reads it all.
    Seal {
        /// The segment.
        segment: Offset,
        /// The position behind its last flush.
        length: u64,
        /// The bytes of its index file.
        index: Vec<u8>,
    },
    /// Remove the segment's file, then its index; in the order of these effects. Nothing waits for it.
    DeleteSegment {
        /// The segment.
        segment: Offset,
    },
    /// The append is done: answer it.
    Acknowledge {
        /// The append.
        request: RequestId,
        /// The offset of its first record.
        base_offset: Offset,
        /// When it was taken.
        timestamp: Timestamp,
        /// What it has reached.
        reached: Reached,
    },
    /// The append failed: it is not known whether the batch will be there after a restart.
    Refuse {
        /// The append.
        request: RequestId,
    },
    /// Consumers now see what lies below.
    HighWatermark(Offset),
}

/// How durable an append is when it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// On the disk.
    Disk,
    /// Written, not synced.
    Written,
}

/// The end of something a log wanted done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// The segment is there, and durably so.
    SegmentCreated,
    /// The prepared range is in place, or not.
    Prepared,
    /// The write is done.
    Written,
    /// Everything written before the sync began is on the disk.
    Synced,
    /// The segment is sealed and its index written, or not.
    Sealed,
    /// A create, a write or a sync failed: the log is not to be trusted until it was recovered.
    Failed {
        /// For people.
        reason: String,
    },
}
