//! Reads of a partition: where to look first, and where next when an index has led astray.

use std::rc::Rc;

use glommio::Task;
use shard_core::{
    format::record_batch::RecordBatch,
    log::{ReadFailure, ReadPlan},
    model::{Offset, OffsetRange},
};

use super::{data_dir, dma_file::remove_file, partition::Inner, perform::report, read_ahead::Piece};
use crate::{limits::DISK_READ_BYTES_MAX, store::ReadFault};

/// A batch that was found.
pub(super) struct Placed {
    /// The segment that holds it.
    pub(super) segment: Offset,
    /// Where in the segment it lies.
    pub(super) position: u64,
    /// What it is.
    pub(super) batch: RecordBatch,
}

impl Inner {
    /// The batches from the one that holds `wanted.start` on, out of what was read last if it is there.
    pub(super) async fn read(
        self: &Rc<Self>,
        wanted: OffsetRange,
        bytes_max: usize,
    ) -> Result<Vec<RecordBatch>, ReadFault> {
        let kept = &self.shared.read_ahead;
        let mut piece = kept.take(self.id);
        if let Some(next) =
            piece.as_mut().filter(|piece| piece.end() == Some(wanted.start)).and_then(|old| old.next.take())
        {
            piece = next.await.map(|batches| Piece::new(self.id, batches));
        }
        // What retention has let go of is not given, be it at hand or not.
        let is_there = !wanted.is_empty() && wanted.start >= self.log.borrow().log_start();
        if let Some(mut piece) = piece.filter(|_| is_there) {
            let batches = piece.read(wanted, bytes_max);
            if !batches.is_empty() {
                if piece.next.is_none() {
                    piece.next = self.read_on(&piece, wanted.end);
                }
                kept.put(piece);
                return Ok(batches);
            }
        }
        let batches = batches_of(self.find(wanted, bytes_max).await?);
        kept.put(Piece::new(self.id, batches.clone()));
        Ok(batches)
    }

    /// Begins to read what follows a piece.
    fn read_on(self: &Rc<Self>, piece: &Piece, end: Offset) -> Option<Task<Option<Vec<RecordBatch>>>> {
        let rest = OffsetRange::new(piece.end()?, end);
        let inner = Rc::clone(self);
        let read = async move { inner.find(rest, DISK_READ_BYTES_MAX).await.ok().map(batches_of) };
        (!rest.is_empty()).then(|| glommio::spawn_local(read))
    }

    /// The batches from the one that holds `wanted.start` on; none if `wanted` is empty or begins at the log's end.
    pub(super) async fn find(&self, wanted: OffsetRange, bytes_max: usize) -> Result<Vec<Placed>, ReadFault> {
        let plans = self.plans(wanted)?;
        if plans.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.find_by(&plans, wanted, bytes_max).await;
        // Retention may have taken the file away meanwhile.
        let start = self.log.borrow().log_start();
        match found {
            Err(_) if wanted.start < start => Err(ReadFault::Expired { offset: wanted.start, start }),
            Err(ReadFailure { reason, away: true, .. }) => Err(ReadFault::Away { reason }),
            Err(ReadFailure { reason, .. }) => Err(ReadFault::Damaged { offset: wanted.start, reason }),
            Ok(found) => Ok(found),
        }
    }

    fn plans(&self, wanted: OffsetRange) -> Result<Vec<ReadPlan>, ReadFault> {
        let log = self.log.borrow();
        let (start, end) = (log.log_start(), log.written_end());
        if wanted.start < start {
            return Err(ReadFault::Expired { offset: wanted.start, start });
        }
        if wanted.start > end {
            return Err(ReadFault::PastEnd { offset: wanted.start, end });
        }
        Ok(if wanted.is_empty() { Vec::new() } else { log.read_plans(wanted.start) })
    }

    async fn find_by(
        &self,
        plans: &[ReadPlan],
        wanted: OffsetRange,
        bytes_max: usize,
    ) -> Result<Vec<Placed>, ReadFailure> {
        let mut failed: Vec<(ReadPlan, ReadFailure)> = Vec::new();
        for &plan in plans {
            match self.shared.reader.find(&self.directory, plan, wanted, bytes_max).await {
                Ok(found) => {
                    self.distrust(&failed).await;
                    let place = |(position, batch)| Placed { segment: plan.segment, position, batch };
                    return Ok(found.into_iter().map(place).collect());
                }
                Err(failure) => {
                    let is_last = !failure.astray;
                    failed.push((plan, failure));
                    if is_last {
                        break;
                    }
                }
            }
        }
        // The first place is the nearest to what is wrong.
        Err(failed.into_iter().next().map_or_else(no_place, |(_, failure)| failure))
    }

    /// What was wanted is there, but not where the index had it: a start, too, does better without it.
    async fn distrust(&self, failed: &[(ReadPlan, ReadFailure)]) {
        let Some((plan, failure)) = failed.first() else { return };
        tracing::warn!(partition = %self.id, segment = %plan.segment, reason = failure.reason, "an index leads astray");
        for (plan, _) in failed {
            self.log.borrow_mut().forget_place(plan.segment, plan.position);
        }
        report(remove_file(data_dir::index_path(&self.directory, plan.segment)).await);
    }
}

pub(super) fn batches_of(found: Vec<Placed>) -> Vec<RecordBatch> {
    found.into_iter().map(|placed| placed.batch).collect()
}

fn no_place() -> ReadFailure {
    ReadFailure { reason: "no segment holds it".to_owned(), astray: false, away: false }
}
