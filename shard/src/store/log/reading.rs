//! Reads of a partition: where to look first, and where next when an index has led astray.

use shard_core::{
    format::record_batch::RecordBatch,
    log::{ReadFailure, ReadPlan},
    model::{Offset, OffsetRange},
};

use super::{data_dir, dma_file::remove_file, partition::Inner, perform::report};
use crate::store::ReadFault;

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

fn no_place() -> ReadFailure {
    ReadFailure { reason: "no segment holds it".to_owned(), astray: false }
}
