//! Reads of a partition: where to look first, and where next when an index has led astray.

use std::rc::Rc;

use glommio::Task;
use shard_core::{
    format::record_batch::RecordBatch,
    log::{ReadFailure, ReadPlan},
    model::{Offset, OffsetRange},
};

use super::{
    data_dir,
    dma_file::remove_file,
    partition::Inner,
    perform::report,
    read_ahead::Piece,
    segment_reader::{Found, Rest},
};
use crate::{limits::DISK_READ_BYTES_MAX, store::ReadFault};

/// Reads the piece behind another, which is `None` if it can't be read. Dropped, it reads no more.
#[derive(Debug)]
pub(super) struct NextPiece(Task<Option<Piece<NextPiece>>>);

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
        let mut piece = kept.take(self.id, wanted.start);
        let goes_on = piece.as_ref().is_some_and(|piece| piece.end() == Some(wanted.start));
        if goes_on && let Some(next) = piece.as_mut().and_then(|piece| piece.next.take()) {
            piece = next.0.await;
        }
        // What retention has let go of is not given, be it at hand or not.
        let is_there = !wanted.is_empty() && wanted.start >= self.log.borrow().log_start();
        if let Some(mut piece) = piece.take_if(|piece| is_there && piece.has(wanted.start)) {
            let batches = piece.read(wanted, bytes_max);
            self.read_on(&mut piece, wanted.end);
            self.keep(piece);
            return Ok(batches);
        }
        let rest = piece.and_then(|piece| piece.rest).filter(|_| is_there);
        let mut piece = self.read_piece(rest, wanted, bytes_max).await?;
        let batches = piece.batches().to_vec();
        if goes_on {
            self.read_on(&mut piece, wanted.end);
        }
        self.keep(piece);
        Ok(batches)
    }

    /// Keeps a piece, unless its partition was closed meanwhile: who opens it again may cut it.
    fn keep(&self, piece: Piece<NextPiece>) {
        if !self.log.borrow().is_closing() {
            self.shared.read_ahead.put(piece);
        }
    }

    /// Begins to read what follows a piece, unless that was begun.
    fn read_on(self: &Rc<Self>, piece: &mut Piece<NextPiece>, end: Offset) {
        let rest_wanted = piece.end().map(|start| OffsetRange::new(start, end)).filter(|wanted| !wanted.is_empty());
        if let (None, Some(wanted)) = (&piece.next, rest_wanted) {
            let (inner, rest) = (Rc::clone(self), piece.rest.take());
            let read = async move { inner.read_piece(rest, wanted, DISK_READ_BYTES_MAX).await.ok() };
            piece.next = Some(NextPiece(glommio::spawn_local(read)));
        }
    }

    /// Reads a piece, from where an earlier read ended if that is known.
    async fn read_piece(
        &self,
        rest: Option<Rest>,
        wanted: OffsetRange,
        bytes_max: usize,
    ) -> Result<Piece<NextPiece>, ReadFault> {
        let plan = rest.as_ref().and_then(|rest| {
            let plans = self.plans(wanted).ok()?;
            plans.into_iter().find(|plan| rest.fits(plan, wanted.start))
        });
        if let (Some(rest), Some(plan)) = (rest, plan) {
            let found = self.shared.reader.go_on(&self.directory, (plan, rest), (wanted, bytes_max)).await;
            // What is wrong there is told by a read that looks for its place.
            if let Ok(Found { batches, rest }) = found {
                let batches = batches.into_iter().map(|(_, batch)| batch).collect();
                return Ok(Piece::new(self.id, batches, rest));
            }
        }
        let (found, rest) = self.find_with_rest(wanted, bytes_max).await?;
        Ok(Piece::new(self.id, batches_of(found), rest))
    }

    /// The batches from the one that holds `wanted.start` on; none if `wanted` is empty or begins at the log's end.
    pub(super) async fn find(&self, wanted: OffsetRange, bytes_max: usize) -> Result<Vec<Placed>, ReadFault> {
        Ok(self.find_with_rest(wanted, bytes_max).await?.0)
    }

    /// The same, and where it ends.
    async fn find_with_rest(
        &self,
        wanted: OffsetRange,
        bytes_max: usize,
    ) -> Result<(Vec<Placed>, Option<Rest>), ReadFault> {
        let plans = self.plans(wanted)?;
        if plans.is_empty() {
            return Ok((Vec::new(), None));
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
    ) -> Result<(Vec<Placed>, Option<Rest>), ReadFailure> {
        let mut failed: Vec<(ReadPlan, ReadFailure)> = Vec::new();
        for &plan in plans {
            match self.shared.reader.find(&self.directory, plan, (wanted, bytes_max)).await {
                Ok(Found { batches, rest }) => {
                    self.distrust(&failed).await;
                    let place = |(position, batch)| Placed { segment: plan.segment, position, batch };
                    return Ok((batches.into_iter().map(place).collect(), rest));
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
