//! What was read of old messages, kept for whoever goes on behind them, and the piece that follows it.
//!
//! A page takes fewer messages than a read of the disk brings, so the next page is mostly there. From the second page on
//! the next piece is read while this one is sent. All that is kept apart from the tail cache: a reader that catches up
//! takes nothing away from those who keep up. It is one place of one partition, and a few partitions of a shard.

use std::{cell::RefCell, collections::VecDeque};

use glommio::Task;
use shard_core::{
    format::record_batch::RecordBatch,
    model::{Offset, OffsetRange, TopicPartition},
};

use crate::limits::READ_AHEAD_PARTITIONS_MAX;

/// The pieces of one shard.
#[derive(Debug, Default)]
pub(super) struct ReadAhead {
    /// The one used last is the last.
    pieces: RefCell<VecDeque<Piece>>,
}

/// What was read of a partition.
#[derive(Debug)]
pub(super) struct Piece {
    partition: TopicPartition,
    batches: Vec<RecordBatch>,
    /// What follows is being read, or was.
    pub(super) next: Option<Task<Option<Vec<RecordBatch>>>>,
}

impl ReadAhead {
    /// Takes out what is kept of a partition.
    pub(super) fn take(&self, partition: TopicPartition) -> Option<Piece> {
        let mut pieces = self.pieces.borrow_mut();
        let at = pieces.iter().position(|piece| piece.partition == partition)?;
        pieces.remove(at)
    }

    /// Keeps a piece, and lets go of the one used longest ago if there are too many.
    pub(super) fn put(&self, piece: Piece) {
        let mut pieces = self.pieces.borrow_mut();
        pieces.retain(|other| other.partition != piece.partition);
        if pieces.len() == READ_AHEAD_PARTITIONS_MAX {
            pieces.pop_front();
        }
        pieces.push_back(piece);
    }
}

impl Piece {
    pub(super) const fn new(partition: TopicPartition, batches: Vec<RecordBatch>) -> Self {
        Self { partition, batches, next: None }
    }

    /// The offset behind the last of it.
    pub(super) fn end(&self) -> Option<Offset> {
        self.batches.last().map(|last| last.offsets().end)
    }

    /// The batches from the one that holds `wanted.start` on; none if it is not there.
    pub(super) fn read(&self, wanted: OffsetRange, bytes_max: usize) -> Vec<RecordBatch> {
        let first = self.batches.partition_point(|batch| batch.offsets().end <= wanted.start);
        let holds = self.batches.get(first).is_some_and(|batch| batch.offsets().contains(wanted.start));
        let mut bytes = 0;
        let fits = |batch: &&RecordBatch| {
            let is_first = bytes == 0;
            bytes += batch.bytes().len();
            holds && (is_first || (bytes <= bytes_max && batch.offsets().start < wanted.end))
        };
        self.batches.iter().skip(first).take_while(fits).cloned().collect()
    }
}
