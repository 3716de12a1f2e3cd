//! A following replica: where it fetches, what it writes, where it cuts its log off.

use super::{EpochEnd, FetchAnswer, FetchPosition, FetchRefusal, Lineage};
use crate::{
    format::record_batch::RecordBatch,
    model::{LeaderEpoch, Offset, OffsetRange},
};

/// What a follower begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowerStart {
    /// Which leader it follows.
    pub epoch: LeaderEpoch,
    /// Where its log starts and ends; all of it is on its disk.
    pub log: OffsetRange,
    /// Which epochs its batches are of.
    pub lineage: Lineage,
}

/// A follower of one partition. One thing is done at a time: while it writes or cuts, it does not fetch.
#[derive(Debug)]
pub struct Follower {
    epoch: LeaderEpoch,
    log: OffsetRange,
    lineage: Lineage,
    /// What it was told is committed, and has; it is never cut off.
    high_watermark: Offset,
    /// Up to which change it has the cursors, of those that the leader of an epoch counts.
    cursors: Option<(LeaderEpoch, u64)>,
    doing: Doing,
}

/// What came with an answer that says to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Batches, in order and without a gap.
    pub batches: Vec<RecordBatch>,
    /// With the cursors that come along, it has them up to this change.
    pub cursors: Option<u64>,
}

/// What a follower wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FollowerEffect {
    /// Write and sync what came; then `on_stored`.
    Store,
    /// Cut off what holds this offset and later ones, durably; then `on_cut`.
    Truncate(Offset),
    /// Let go of the whole log, durably, and have it begin at this offset; then `on_restarted`.
    Restart(Offset),
    /// It follows nobody: fetch again when the metadata have changed, or after a while.
    Wait(FetchRefusal),
    /// Nothing: fetch again.
    Fetch,
}

/// A leader says what can't be, if what was committed is kept: nothing is done, and somebody has to look.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Distrust {
    /// For people.
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Doing {
    Fetching,
    Storing {
        end: Offset,
        epochs: Vec<(LeaderEpoch, Offset)>,
        cursors: Option<(LeaderEpoch, u64)>,
    },
    Cutting,
    /// It does nothing more.
    Nothing,
}

impl Follower {
    /// Begins to follow with what is there.
    #[must_use]
    pub fn new(start: FollowerStart) -> Self {
        let FollowerStart { epoch, log, lineage } = start;
        Self { epoch, log, lineage, high_watermark: Offset::ZERO, cursors: None, doing: Doing::Fetching }
    }

    /// Another one leads, in a newer epoch. With `incarnation_changed` what was committed need not be kept: an operator has
    /// given it up.
    pub fn on_leader(&mut self, epoch: LeaderEpoch, incarnation_changed: bool) {
        self.epoch = self.epoch.max(epoch);
        if incarnation_changed {
            self.high_watermark = Offset::ZERO;
        }
    }

    /// Where to fetch; none while something is being done.
    #[must_use]
    pub fn position(&self) -> Option<FetchPosition> {
        let cursors = self.cursors.filter(|(epoch, _)| *epoch == self.epoch).map_or(0, |(_, change)| change);
        (self.doing == Doing::Fetching).then_some(FetchPosition {
            leader_epoch: self.epoch,
            end: self.log.end,
            last_epoch: self.lineage.last(),
            cursors,
        })
    }

    /// The leader of `epoch` has answered a fetch; `fetched` came along if it says to follow.
    ///
    /// # Errors
    /// What it says can't be.
    pub fn on_answer(
        &mut self,
        epoch: LeaderEpoch,
        answer: FetchAnswer,
        fetched: &Fetched,
    ) -> Result<FollowerEffect, Distrust> {
        // A late answer, to what this follower does not want to know any more.
        if epoch != self.epoch || self.doing != Doing::Fetching {
            return Ok(FollowerEffect::Fetch);
        }
        let effect = match answer {
            FetchAnswer::Follows { high_watermark, log_start: _ } => self.follow(high_watermark, fetched),
            FetchAnswer::Diverged(there) => self.cut(there),
            FetchAnswer::Behind(start) => self.restart(start),
            FetchAnswer::Refused(refusal) => Ok(FollowerEffect::Wait(refusal)),
        };
        if effect.is_err() {
            self.doing = Doing::Nothing;
        }
        effect
    }

    /// What came is on the disk.
    ///
    /// # Panics
    /// If nothing was to be stored.
    pub fn on_stored(&mut self) {
        let doing = std::mem::replace(&mut self.doing, Doing::Fetching);
        let Doing::Storing { end, epochs, cursors } = doing else { panic!("nothing was being stored") };
        for (epoch, start) in epochs {
            self.lineage.note(epoch, start);
        }
        self.log.end = end;
        self.cursors = cursors.or(self.cursors);
    }

    /// There was no room for what came: it is fetched again.
    ///
    /// # Panics
    /// If nothing was to be stored.
    pub fn on_not_stored(&mut self) {
        assert!(matches!(self.doing, Doing::Storing { .. }), "nothing was being stored");
        self.doing = Doing::Fetching;
        // It has no more of what is committed than before.
        self.high_watermark = self.high_watermark.min(self.log.end);
    }

    /// The cursors that are here are to be sent as a whole once more.
    pub fn want_snapshot(&mut self) {
        self.cursors = None;
    }

    /// The log was cut, and ends here.
    ///
    /// # Panics
    /// If it was not to be cut.
    pub fn on_cut(&mut self, end: Offset) {
        assert!(self.doing == Doing::Cutting, "nothing was being cut");
        self.doing = Doing::Fetching;
        self.log.end = end;
        self.lineage.truncate(end);
    }

    /// The log is empty, and begins here.
    ///
    /// # Panics
    /// If it was not to begin anew.
    pub fn on_restarted(&mut self, start: Offset) {
        assert!(self.doing == Doing::Cutting, "nothing was to begin anew");
        self.doing = Doing::Fetching;
        self.log = OffsetRange::new(start, start);
        self.lineage = Lineage::new();
        self.high_watermark = self.high_watermark.max(start);
    }

    /// Retention has let go of what lies below.
    pub fn on_log_start(&mut self, start: Offset) {
        self.log.start = self.log.start.max(start);
        self.lineage.on_log_start(start);
    }

    /// Which leader it follows.
    #[must_use]
    pub const fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// Where its log starts and ends; all of it is on its disk.
    #[must_use]
    pub const fn log(&self) -> OffsetRange {
        self.log
    }

    /// What it knows to be committed, and has.
    #[must_use]
    pub const fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// Which epochs its batches are of.
    #[must_use]
    pub const fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    fn follow(&mut self, high_watermark: Offset, fetched: &Fetched) -> Result<FollowerEffect, Distrust> {
        let (mut end, mut newest) = (self.log.end, self.lineage.last());
        let mut epochs = Vec::new();
        for batch in &fetched.batches {
            let (offsets, epoch) = (batch.offsets(), batch.header().leader_epoch);
            if offsets.start != end || newest > Some(epoch) || epoch > self.epoch {
                let newest = newest.unwrap_or_default();
                let reason = format!(
                    "the leader of epoch {} sent offset {} of epoch {epoch}, where {end} follows one of {newest}",
                    self.epoch, offsets.start
                );
                return Err(Distrust { reason });
            }
            if newest != Some(epoch) {
                epochs.push((epoch, offsets.start));
                newest = Some(epoch);
            }
            end = offsets.end;
        }
        // What is committed is there once it is stored; until then it can't be cut off either, as nothing else is done.
        self.high_watermark = self.high_watermark.max(high_watermark.min(end));
        if fetched.batches.is_empty() && fetched.cursors.is_none() {
            return Ok(FollowerEffect::Fetch);
        }
        let cursors = fetched.cursors.map(|change| (self.epoch, change));
        self.doing = Doing::Storing { end, epochs, cursors };
        Ok(FollowerEffect::Store)
    }

    fn cut(&mut self, there: EpochEnd) -> Result<FollowerEffect, Distrust> {
        let here = self.lineage.end_of(there.epoch, self.log.end).map_or(self.log.start, |here| here.end);
        let to = there.end.min(here).max(self.log.start);
        if to >= self.log.end {
            let reason = format!("the leader of epoch {} finds a difference where there is none", self.epoch);
            return Err(Distrust { reason });
        }
        self.check_committed(to)?;
        self.doing = Doing::Cutting;
        Ok(FollowerEffect::Truncate(to))
    }

    fn restart(&mut self, start: Offset) -> Result<FollowerEffect, Distrust> {
        if start == self.log.start && self.log.is_empty() && self.lineage.last().is_none() {
            let reason = format!("the leader of epoch {} has an empty log begin anew", self.epoch);
            return Err(Distrust { reason });
        }
        self.check_committed(start)?;
        self.doing = Doing::Cutting;
        Ok(FollowerEffect::Restart(start))
    }

    /// What is committed is on every replica that may lead: no leader lacks it.
    fn check_committed(&self, to: Offset) -> Result<(), Distrust> {
        if to >= self.high_watermark {
            return Ok(());
        }
        let reason = format!(
            "the leader of epoch {} has the log cut to offset {to}, but it is committed up to {}",
            self.epoch, self.high_watermark
        );
        Err(Distrust { reason })
    }
}

#[cfg(test)]
mod tests;
