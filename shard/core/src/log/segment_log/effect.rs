//! What a segment log wants done with its files, and what is told to it.

use crate::model::Offset;

/// Who wants something done: at most one operation of each kind is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// `begin_append`.
    Append,
    /// `begin_sync`.
    Sync,
    /// `begin_retention`.
    Retention,
    /// What nobody waits for; its effects may be performed beside each other.
    Upkeep,
}

/// How an operation goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Do this, tell its end by an event, and ask again.
    Do(SegmentEffect),
    /// Something of another lane has to end first: ask again after its event.
    Wait,
    /// The operation has ended, or there is none.
    Done,
    /// The append has ended: nothing of it is in the log, and the next one may succeed.
    Rejected {
        /// For people.
        reason: String,
    },
    /// The log has failed, and the operation with it.
    Failed,
}

/// Something to do with the files of a log, named by the base offsets of their segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentEffect {
    /// Make the file, in the place of whatever may be there, write this header block, sync the file and its directory;
    /// then `SegmentEvent::Created`. If there is no room for it, leave nothing of it; then `SegmentEvent::NotCreated`.
    Create {
        /// The new segment.
        segment: Offset,
        /// Its first block.
        header: Vec<u8>,
    },
    /// Write zeros here, ahead of the log, so that later writes find their blocks in place; then
    /// `SegmentEvent::Prepared` or `Unprepared`.
    Prepare {
        /// The segment.
        segment: Offset,
        /// The first byte.
        position: u64,
        /// How many.
        length: u64,
    },
    /// Write the batches of the append one behind the other, padded with zeros to whole blocks; then
    /// `SegmentEvent::Written`. If there is no room for them, `SegmentEvent::NotWritten`.
    Write {
        /// The segment.
        segment: Offset,
        /// Where, the start of a block.
        position: u64,
        /// The size with padding.
        padded_bytes: usize,
        /// Whether it has to be on the disk when `Written` is told.
        durable: bool,
    },
    /// Cut the segment to this length and sync it, so that nothing is left of a write that found no room; then
    /// `SegmentEvent::Undone`.
    Undo {
        /// The segment.
        segment: Offset,
        /// The position at which the write began.
        length: u64,
    },
    /// Sync the segment; then `SegmentEvent::Synced`.
    Sync {
        /// The segment.
        segment: Offset,
    },
    /// Nothing more is written to the segment: cut it to this length, close it, and write its index file; then
    /// `SegmentEvent::Sealed`. Only a convenience: an error is to be ignored, and a start without the index reads it all.
    Seal {
        /// The segment.
        segment: Offset,
        /// The position behind its last flush.
        length: u64,
        /// The bytes of its index file.
        index: Vec<u8>,
    },
    /// Write down durably that the log starts here; then `SegmentEvent::StartNoted`. Until then nothing is deleted.
    NoteStart {
        /// The new start.
        start: Offset,
    },
    /// Remove the segment's file, then its index; then `SegmentEvent::Deleted`. A file that can't be removed is left to
    /// the next start, which knows by the noted start that it is not wanted.
    Delete {
        /// The segment.
        segment: Offset,
    },
    /// Sync the directory, so that what was removed stays removed; then `SegmentEvent::DirectorySynced`.
    SyncDirectory,
}

/// The end of something a segment log wanted done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentEvent {
    /// The segment is there, and durably so.
    Created,
    /// There was no room for the segment, and nothing is left of its file, durably so.
    NotCreated {
        /// For people.
        reason: String,
    },
    /// The range is prepared.
    Prepared,
    /// It is not, or not all of it: there was no room to spare on the disk.
    Unprepared,
    /// The write is done.
    Written,
    /// There was no room for the write, and nothing worse is wrong.
    NotWritten {
        /// For people.
        reason: String,
        /// Whether any part of it may be in the file.
        touched: bool,
    },
    /// Nothing is left of the write that found no room, durably so.
    Undone,
    /// Everything written to the segment before the sync began is on the disk.
    Synced,
    /// The segment is sealed and its index written, or not.
    Sealed,
    /// The start is written down, or could not be.
    StartNoted {
        /// Whether it is.
        durable: bool,
    },
    /// The segment is gone, or is left to the next start.
    Deleted,
    /// The deletions are durable, or are left to the next start.
    DirectorySynced,
    /// A create, a prepare or a write failed for another reason than want of room, or a sync or an undo for any: the log
    /// is not to be trusted until it was recovered.
    Failed {
        /// For people.
        reason: String,
    },
}
