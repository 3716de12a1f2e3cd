//! Finds out the lineage of a log by reading few of its batches: epochs only rise, so where one begins is found by halving.

use super::Lineage;
use crate::{
    format::record_batch::RecordBatch,
    model::{LeaderEpoch, Offset, OffsetRange},
};

/// Looks for where the epochs of a log begin. The driver reads a batch that holds [`LineageSearch::wanted`], gives it to
/// [`LineageSearch::take`], and so on until nothing is wanted.
#[derive(Debug)]
pub struct LineageSearch {
    log: OffsetRange,
    found: Lineage,
    /// The batch before here was looked at; it is of the last epoch found.
    known_to: Offset,
    /// What was read to the right of it, nearest last: where a batch begins and ends, and its epoch.
    right: Vec<(OffsetRange, LeaderEpoch)>,
}

impl LineageSearch {
    /// Begins with a log of which nothing is known but where it starts and ends.
    #[must_use]
    pub const fn new(log: OffsetRange) -> Self {
        Self { log, found: Lineage::new(), known_to: log.start, right: Vec::new() }
    }

    /// An offset; the batch that holds it is to be looked at next.
    #[must_use]
    pub fn wanted(&self) -> Option<Offset> {
        if self.log.is_empty() {
            return None;
        }
        if self.found.last().is_none() {
            return Some(self.log.start);
        }
        if self.known_to >= self.log.end {
            return None;
        }
        match self.right.last() {
            None => Some(Offset::new(self.log.end.get() - 1)),
            Some((nearest, _)) => {
                let between = nearest.start.since(self.known_to);
                Some(self.known_to.plus(between / 2))
            }
        }
    }

    /// Takes the batch that holds what was wanted.
    ///
    /// # Errors
    /// It does not hold it, or its epoch is older than one before it: the log is not what it should be.
    pub fn take(&mut self, batch: &RecordBatch) -> Result<(), String> {
        self.take_part(batch.offsets(), batch.header().leader_epoch)
    }

    /// What was found, once nothing is wanted any more.
    #[must_use]
    pub fn finish(self) -> Lineage {
        self.found
    }

    fn take_part(&mut self, offsets: OffsetRange, epoch: LeaderEpoch) -> Result<(), String> {
        let wanted = self.wanted().filter(|wanted| offsets.contains(*wanted));
        if wanted.is_none() {
            return Err(format!("a batch with offsets {} to {} was not asked for", offsets.start, offsets.end));
        }
        let older = self.found.last().is_some_and(|last| epoch < last);
        let newer = self.right.last().is_some_and(|&(_, nearest)| epoch > nearest);
        if older || newer {
            return Err(format!("the batch at offset {} is of epoch {epoch}, out of order", offsets.start));
        }
        if self.found.last().is_none() {
            self.found.note(epoch, self.log.start);
            self.known_to = offsets.end;
        } else {
            self.right.push((offsets, epoch));
        }
        self.settle();
        Ok(())
    }

    /// Goes on over whatever leaves no question.
    fn settle(&mut self) {
        while let Some(&(nearest, epoch)) = self.right.last() {
            let is_same = self.found.last() == Some(epoch);
            if !is_same && nearest.start > self.known_to {
                return;
            }
            // Between two batches of one epoch there is none of another.
            if !is_same {
                self.found.note(epoch, nearest.start);
            }
            self.known_to = self.known_to.max(nearest.end);
            self.right.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_finds_what_reading_everything_finds(
            start in 0_u64..5,
            batches in prop::collection::vec((1_u64..6, 0_u32..3), 0..200),
        ) {
            let (mut end, mut epoch, mut log, mut whole) = (start, 1, Vec::new(), Lineage::new());
            for (length, step) in batches {
                // Mostly the same epoch goes on.
                epoch += u32::from(step == 2);
                let offsets = OffsetRange::new(Offset::new(end), Offset::new(end + length));
                whole.note(LeaderEpoch::new(epoch), offsets.start);
                log.push((offsets, LeaderEpoch::new(epoch)));
                end += length;
            }
            let mut search = LineageSearch::new(OffsetRange::new(Offset::new(start), Offset::new(end)));
            let mut reads = 0;
            while let Some(wanted) = search.wanted() {
                let &(offsets, epoch) = log.iter().find(|(offsets, _)| offsets.contains(wanted)).unwrap();
                search.take_part(offsets, epoch).unwrap();
                reads += 1;
                prop_assert!(reads <= 2 * log.len() + 2);
            }
            prop_assert!(reads <= 2 + 12 * whole.epochs().len(), "{reads} reads for {} epochs", whole.epochs().len());
            prop_assert_eq!(search.finish(), whole);
        }
    }

    #[test]
    fn a_log_that_is_out_of_order_is_refused() {
        let offsets = |start, end| OffsetRange::new(Offset::new(start), Offset::new(end));
        let mut search = LineageSearch::new(offsets(0, 10));
        assert!(search.take_part(offsets(3, 4), LeaderEpoch::new(1)).is_err(), "it was not asked for");
        search.take_part(offsets(0, 2), LeaderEpoch::new(5)).unwrap();
        assert!(search.take_part(offsets(8, 10), LeaderEpoch::new(4)).is_err());
    }
}
