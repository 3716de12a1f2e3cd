//! Which epochs the batches of a log are of: what two replicas compare to find out where their logs part.

use crate::model::{LeaderEpoch, Offset};

/// The epochs of a log, each with the offset it begins at; both rise strictly.
///
/// It is read off the batches, which carry their epoch: nothing but the log says what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    epochs: Vec<(LeaderEpoch, Offset)>,
}

/// Where the batches of an epoch end in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct EpochEnd {
    /// The newest epoch, of those asked about and older ones, of which the log holds batches.
    pub epoch: LeaderEpoch,
    /// The offset behind its last batch.
    pub end: Offset,
}

impl Lineage {
    /// Of a log without batches.
    #[must_use]
    pub const fn new() -> Self {
        Self { epochs: Vec::new() }
    }

    /// A batch of `epoch` begins at `start`, behind all others.
    ///
    /// # Panics
    /// If the epoch or the offset goes back.
    pub fn note(&mut self, epoch: LeaderEpoch, start: Offset) {
        if let Some(&(newest, begun)) = self.epochs.last() {
            if newest == epoch {
                return;
            }
            assert!(newest < epoch && begun <= start, "epochs of a log rise");
            if begun == start {
                // Nothing is left of it.
                self.epochs.pop();
            }
        }
        self.epochs.push((epoch, start));
    }

    /// What begins at `end` or later is gone.
    pub fn truncate(&mut self, end: Offset) {
        self.epochs.retain(|&(_, start)| start < end);
    }

    /// What lies below `start` is gone. Of what epoch the batch before it was stays known.
    pub fn on_log_start(&mut self, start: Offset) {
        let gone = self.epochs.iter().skip(1).take_while(|&&(_, next)| next <= start).count();
        self.epochs.drain(..gone);
        if let Some((_, first)) = self.epochs.first_mut() {
            *first = start.max(*first);
        }
    }

    /// The epoch of the newest batch.
    #[must_use]
    pub fn last(&self) -> Option<LeaderEpoch> {
        self.epochs.last().map(|&(epoch, _)| epoch)
    }

    /// Where the batches of `epoch` end in a log that ends at `log_end`; or if it has none, those of the newest epoch before.
    #[must_use]
    pub fn end_of(&self, epoch: LeaderEpoch, log_end: Offset) -> Option<EpochEnd> {
        let behind = self.epochs.partition_point(|&(known, _)| known <= epoch);
        let &(epoch, _) = self.epochs.get(behind.checked_sub(1)?)?;
        let end = self.epochs.get(behind).map_or(log_end, |&(_, next)| next);
        Some(EpochEnd { epoch, end })
    }

    /// Every epoch and where it begins, in order.
    #[must_use]
    pub fn epochs(&self) -> &[(LeaderEpoch, Offset)] {
        &self.epochs
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn epoch(epoch: u32) -> LeaderEpoch {
        LeaderEpoch::new(epoch)
    }

    fn offset(offset: u64) -> Offset {
        Offset::new(offset)
    }

    fn lineage(epochs: &[(u32, u64)]) -> Lineage {
        let mut lineage = Lineage::new();
        for &(of, start) in epochs {
            lineage.note(epoch(of), offset(start));
        }
        lineage
    }

    fn end(lineage: &Lineage, of: u32) -> Option<(u32, u64)> {
        lineage.end_of(epoch(of), offset(100)).map(|end| (end.epoch.get(), end.end.get()))
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let lineage = lineage(&[(2, 0), (2, 5), (3, 10), (7, 40)]);
        let ends = [1, 2, 3, 4, 7, 9].map(|of| end(&lineage, of));
        assert_eq!(ends, [None, Some((2, 10)), Some((3, 40)), Some((3, 40)), Some((7, 100)), Some((7, 100))]);
        assert_eq!(lineage.last(), Some(epoch(7)));
    }

    #[test]
    fn a_log_that_is_cut_forgets_what_began_behind() {
        let mut cut = lineage(&[(2, 0), (3, 10), (7, 40)]);
        cut.truncate(offset(41));
        assert_eq!(cut, lineage(&[(2, 0), (3, 10), (7, 40)]));
        cut.truncate(offset(40));
        assert_eq!(cut, lineage(&[(2, 0), (3, 10)]));
        cut.truncate(offset(0));
        assert_eq!(cut.last(), None);
    }

    #[test]
    fn a_log_that_starts_later_knows_the_epoch_before_its_start() {
        let mut later = lineage(&[(2, 0), (3, 10), (7, 40)]);
        later.on_log_start(offset(20));
        assert_eq!(later, lineage(&[(3, 20), (7, 40)]));
        later.on_log_start(offset(100));
        assert_eq!(later, lineage(&[(7, 100)]));
        assert_eq!(end(&later, 7), Some((7, 100)));
        later.note(epoch(8), offset(100));
        assert_eq!(later, lineage(&[(8, 100)]), "nothing is left of the epoch before");
    }

    #[test]
    #[should_panic(expected = "epochs of a log rise")]
    fn an_older_epoch_never_follows() {
        let mut lineage = lineage(&[(2, 0), (3, 10)]);
        lineage.note(epoch(2), offset(20));
    }

    proptest! {
        /// The two logs share a prefix and then go different ways: the rounds of comparison end exactly there, or earlier
        /// where batches of one epoch were cut between.
        #[test]
        fn comparing_ends_never_keeps_what_differs(
            shared in prop::collection::vec(1_u64..5, 0..6),
            ours in prop::collection::vec((1_u64..5, any::<bool>()), 0..6),
            theirs in prop::collection::vec((1_u64..5, any::<bool>()), 0..6),
        ) {
            // Epochs of ours are odd, those of theirs even: no epoch is of both, but in what is shared.
            let (mut a, mut b, mut end, mut next) = (Lineage::new(), Lineage::new(), 0, 0);
            for length in shared {
                next += 1;
                a.note(epoch(next), offset(end));
                b.note(epoch(next), offset(end));
                end += length;
            }
            let shared_end = end;
            let extend = |lineage: &mut Lineage, parts: &[(u64, bool)], odd: u32| {
                let (mut end, mut current) = (shared_end, (next / 2 + 1) * 2 + odd);
                for &(length, changes) in parts {
                    current += if changes { 2 } else { 0 };
                    lineage.note(epoch(current), offset(end));
                    end += length;
                }
                end
            };
            let mut a_end = extend(&mut a, &ours, 1);
            let b_end = extend(&mut b, &theirs, 0);
            // `a` follows `b`.
            while let Some(last) = a.last() {
                let Some(there) = b.end_of(last, offset(b_end)) else { a_end = 0; break };
                if there.epoch == last && there.end >= offset(a_end) {
                    break;
                }
                let here = a.end_of(there.epoch, offset(a_end)).map_or(Offset::ZERO, |end| end.end);
                let to = there.end.min(here);
                prop_assert!(to < offset(a_end), "each round gets further");
                a.truncate(to);
                a_end = to.get();
            }
            prop_assert!(a_end <= shared_end || ours.is_empty());
            prop_assert_eq!(a_end, shared_end, "no more is cut than differs");
        }
    }
}
