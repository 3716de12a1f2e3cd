//! The leading replica: how far the others have come, what is committed, and who counts as in sync.

use std::{collections::BTreeMap, time::Duration};

use super::{EpochEnd, FetchPosition, FetchRefusal, FetchVerdict, Lineage, NodeRun, ReplicaSet};
use crate::model::{LeaderEpoch, Monotonic, Offset};

mod commit;
mod insync;

use insync::Proposal;

/// What a leader begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderConfig {
    /// The node that leads.
    pub node: u64,
    /// Its epoch.
    pub epoch: LeaderEpoch,
    /// Who keeps the partition.
    pub set: ReplicaSet,
    /// A follower that has not come up with the log for so long is no longer in sync.
    pub lag_max: Duration,
}

/// The leader of one partition. What it holds of the log is on its disk.
#[derive(Debug)]
pub struct Leader {
    node: u64,
    epoch: LeaderEpoch,
    set: ReplicaSet,
    lag_max: Duration,
    lineage: Lineage,
    log_start: Offset,
    /// Everything below is on this node's disk.
    end: Offset,
    /// Everything below is on this node's disk or on its way there: followers may have it.
    tail: Offset,
    /// Where the log ended when it began to lead.
    epoch_start: Offset,
    /// Everything below is on the disk of every replica in sync; it never falls.
    high_watermark: Offset,
    /// Up to which change of the cursors this node's disk has them, and that of every replica in sync.
    cursors: u64,
    cursors_committed: u64,
    followers: BTreeMap<u64, Progress>,
    proposal: Option<Proposal>,
    /// Nothing is proposed until the next tick.
    rests: bool,
    effects: Vec<LeaderEffect>,
}

/// What a leader wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaderEffect {
    /// Have the metadata say that these are in sync, if the partition is still of both epochs; then `on_proposal_end`.
    ProposeIsr {
        /// The epoch of the sets that it starts from.
        partition_epoch: u32,
        /// Those in sync.
        isr: Vec<u64>,
        /// Which runs of those are meant that were not in sync before.
        joining: Vec<NodeRun>,
    },
    /// What lies below is committed, and so are the cursors up to a change.
    Committed {
        /// The high watermark.
        high_watermark: Offset,
        /// The number of the change.
        cursors: u64,
    },
}

/// What became of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProposalEnd {
    /// The metadata have said no to what was proposed last, and nothing of it is under way. That the partition is of other
    /// epochs is no such answer: then something else holds, perhaps the same proposed before, and the metadata will say what.
    Refused,
    /// It may hold, now or later.
    Unknown,
}

/// Too few replicas are in sync for anything to be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{insync} replicas are in sync, {needed} are needed")]
pub struct NotEnoughReplicas {
    /// How many are in sync.
    pub insync: usize,
    /// How many have to be.
    pub needed: u16,
}

/// What is known of a follower.
#[derive(Clone, Copy, Debug)]
struct Progress {
    /// The run of the node that fetched last; 0 before any.
    run: u64,
    /// Where its log ends, synced; `None` until it follows.
    end: Option<Offset>,
    cursors: u64,
    /// When it last had all that was there.
    caught_up_at: Monotonic,
    /// When it fetched last, and where the log ended then.
    fetched: Option<(Monotonic, Offset)>,
    /// Whether it has said that it does not follow.
    has_left: bool,
}

impl Leader {
    /// Begins to lead a log that starts and ends as given and is on this node's disk.
    #[must_use]
    pub fn new(now: Monotonic, config: LeaderConfig, lineage: Lineage, (log_start, end): (Offset, Offset)) -> Self {
        let LeaderConfig { node, epoch, set, lag_max } = config;
        let mut leader = Self {
            node,
            epoch,
            set,
            lag_max,
            lineage,
            log_start,
            end,
            tail: end,
            epoch_start: end,
            high_watermark: log_start,
            cursors: 1,
            cursors_committed: 0,
            followers: BTreeMap::new(),
            proposal: None,
            rests: false,
            effects: Vec::new(),
        };
        leader.know_replicas(now);
        leader.commit();
        leader
    }

    /// Batches of this epoch, up to `tail`, are on their way to this node's disk, and followers are sent them meanwhile. They
    /// get there, or nothing more is appended in this epoch.
    pub fn on_sent_ahead(&mut self, tail: Offset) {
        if tail > self.tail {
            self.lineage.note(self.epoch, self.end);
            self.tail = tail;
        }
    }

    /// Batches of this epoch were synced here: the log ends at `end`.
    pub fn on_synced(&mut self, now: Monotonic, end: Offset) {
        if end > self.end {
            self.note_level(now);
            self.lineage.note(self.epoch, self.end);
            self.end = end;
            self.tail = self.tail.max(end);
            self.commit();
        }
    }

    /// Changes of the cursors were synced here, up to this one.
    pub fn on_cursors_synced(&mut self, now: Monotonic, change: u64) {
        if change > self.cursors {
            self.note_level(now);
            self.cursors = change;
            self.commit();
        }
    }

    /// The log starts later than it did.
    pub fn on_log_start(&mut self, start: Offset) {
        self.log_start = self.log_start.max(start);
        self.lineage.on_log_start(start);
        self.high_watermark = self.high_watermark.max(start);
    }

    /// A follower fetches.
    ///
    /// # Errors
    /// It means nothing to this leader; nothing has changed.
    pub fn on_fetch(
        &mut self,
        now: Monotonic,
        run: NodeRun,
        position: FetchPosition,
    ) -> Result<FetchVerdict, FetchRefusal> {
        if position.leader_epoch < self.epoch {
            return Err(FetchRefusal::Fenced { epoch: self.epoch });
        }
        if position.leader_epoch > self.epoch {
            return Err(FetchRefusal::UnknownEpoch { epoch: self.epoch });
        }
        // An owner that has started again may have less than those that follow it: they must not cut off what it lacks.
        if !self.set.isr.contains(&self.node) {
            return Err(FetchRefusal::NotLeader);
        }
        let Some(progress) = self.followers.get_mut(&run.node) else { return Err(FetchRefusal::NotReplica) };
        if run.epoch < progress.run {
            return Err(FetchRefusal::StaleRun);
        }
        if run.epoch > progress.run {
            *progress = Progress { run: run.epoch, end: None, cursors: 0, fetched: None, has_left: false, ..*progress };
        }
        let verdict = self.compare(position);
        if verdict == FetchVerdict::Follows {
            self.note_progress(now, run.node, position);
            self.commit();
            self.expand(now);
        }
        Ok(verdict)
    }

    /// A follower can't follow, and says so: it is not waited for.
    pub fn on_leave(&mut self, run: NodeRun) {
        match self.followers.get_mut(&run.node) {
            Some(progress) if run.epoch >= progress.run => {
                *progress =
                    Progress { run: run.epoch, end: None, cursors: 0, fetched: None, has_left: true, ..*progress };
            }
            Some(_) | None => {}
        }
    }

    /// The metadata have changed who keeps the partition, in the same epoch of its leader.
    pub fn on_replicas(&mut self, now: Monotonic, set: ReplicaSet) {
        if set.partition_epoch < self.set.partition_epoch {
            return;
        }
        if set.partition_epoch > self.set.partition_epoch {
            self.proposal = None;
            self.rests = false;
        }
        self.set = set;
        self.know_replicas(now);
        self.commit();
        self.expand(now);
    }

    /// What is to be done; the newest state of what is committed comes last.
    pub fn take_effects(&mut self) -> Vec<LeaderEffect> {
        std::mem::take(&mut self.effects)
    }

    /// Whether anything is to be done.
    #[must_use]
    pub const fn has_effects(&self) -> bool {
        !self.effects.is_empty()
    }

    /// Whether everything that was there when it began to lead is committed. Before that, what was committed under earlier
    /// leaders is not known to be: nobody is shown anything. Nor is one in office that is not in sync itself, as the owner that
    /// has started again is not until another is chosen: it may have nothing.
    #[must_use]
    pub fn is_in_office(&self) -> bool {
        self.high_watermark >= self.epoch_start && self.set.isr.contains(&self.node)
    }

    /// Whether something that is appended now can be committed.
    ///
    /// # Errors
    /// Too few replicas are in sync.
    pub fn check_sufficient(&self) -> Result<(), NotEnoughReplicas> {
        if self.set.is_sufficient() {
            return Ok(());
        }
        Err(NotEnoughReplicas { insync: self.set.isr.len(), needed: self.set.min_insync })
    }

    /// Its epoch.
    #[must_use]
    pub const fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// Where its log starts.
    #[must_use]
    pub const fn log_start(&self) -> Offset {
        self.log_start
    }

    /// Where its log ends, synced.
    #[must_use]
    pub const fn end(&self) -> Offset {
        self.end
    }

    /// Where what followers are sent ends.
    #[must_use]
    pub const fn tail(&self) -> Offset {
        self.tail
    }

    /// What lies below is committed.
    #[must_use]
    pub const fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// The changes of cursors up to here are committed.
    #[must_use]
    pub const fn cursors_committed(&self) -> u64 {
        self.cursors_committed
    }

    /// Who keeps the partition, as far as the metadata have said.
    #[must_use]
    pub const fn replicas(&self) -> &ReplicaSet {
        &self.set
    }

    /// Whether the log holds what a leader of an earlier epoch stored below `end`. If it does, that is committed, as everything
    /// is that a leader in office began with; if not, no log will ever hold it again. `None` if this one can't say, or not yet.
    #[must_use]
    pub fn holds(&self, epoch: LeaderEpoch, end: Offset) -> Option<bool> {
        if epoch >= self.epoch || !self.is_in_office() {
            return None;
        }
        let is_held = match self.lineage.end_of(epoch, self.end) {
            Some(here) => here.epoch == epoch && here.end >= end,
            None if self.log_start < end => false,
            None => return None,
        };
        (is_held || self.is_followed_by_all()).then_some(is_held)
    }

    /// Whether nobody can be elected who has not followed this log: what differs from it is gone. With too few in sync,
    /// somebody who was in sync before may be.
    fn is_followed_by_all(&self) -> bool {
        let follows = |node: &u64| {
            let progress = self.followers.get(node);
            progress.is_some_and(|progress| progress.end.is_some() && !progress.has_left)
        };
        self.set.is_sufficient() && self.set.isr.iter().all(|node| *node == self.node || follows(node))
    }

    /// Where a follower's log ends, and up to which change it has the cursors; nothing if it does not follow.
    #[must_use]
    pub fn follower(&self, node: u64) -> Option<(Offset, u64)> {
        let progress = self.followers.get(&node)?;
        Some((progress.end?, progress.cursors))
    }

    /// How many messages each follower is behind, and for how long it has been; all of the log for one that was not heard of.
    pub fn lags(&self, now: Monotonic) -> impl Iterator<Item = (u64, u64, Duration)> + '_ {
        self.followers.iter().map(move |(&node, progress)| {
            let messages = self.end.since(progress.end.unwrap_or(self.log_start));
            let behind = if self.is_level(progress) { Duration::ZERO } else { now.since(progress.caught_up_at) };
            (node, messages, behind)
        })
    }

    /// Whether the log of a follower that is at `position` is a beginning of this one.
    fn compare(&self, position: FetchPosition) -> FetchVerdict {
        let FetchPosition { end, last_epoch, .. } = position;
        if end < self.log_start {
            return FetchVerdict::Behind(self.log_start);
        }
        let Some(last_epoch) = last_epoch else {
            // It has no batch, and so none that differs: retention has let go of all that it had, which was committed and
            // is here. It goes on where it is, and does not take back what it has promised.
            let is_here = end <= self.tail;
            return if is_here { FetchVerdict::Follows } else { FetchVerdict::Behind(self.log_start) };
        };
        match self.lineage.end_of(last_epoch, self.tail) {
            None => FetchVerdict::Behind(self.log_start),
            Some(here) if here.epoch == last_epoch && here.end >= end => FetchVerdict::Follows,
            Some(EpochEnd { epoch, end }) => FetchVerdict::Diverged(EpochEnd { epoch, end }),
        }
    }

    fn note_progress(&mut self, now: Monotonic, node: u64, position: FetchPosition) {
        let end = self.end;
        let Some(progress) = self.followers.get_mut(&node) else { return };
        if position.end >= end {
            progress.caught_up_at = now;
        } else if let Some((at, _)) = progress.fetched.filter(|&(_, there)| position.end >= there) {
            // It has all that was there when it fetched last (KIP-16).
            progress.caught_up_at = progress.caught_up_at.max(at);
        }
        progress.has_left = false;
        progress.end = Some(position.end);
        progress.cursors = position.cursors;
        progress.fetched = Some((now, end));
    }

    /// Whether a follower has everything there is. As long as nothing more comes it need not say so again.
    fn is_level(&self, progress: &Progress) -> bool {
        progress.end.is_some_and(|end| end >= self.end) && progress.cursors >= self.cursors
    }

    /// Something comes that no follower has: those that had everything are behind from now on.
    fn note_level(&mut self, now: Monotonic) {
        let (end, cursors) = (self.end, self.cursors);
        for progress in self.followers.values_mut() {
            if progress.end.is_some_and(|known| known >= end) && progress.cursors >= cursors {
                progress.caught_up_at = now;
            }
        }
    }

    /// Keeps track of the other replicas, and of no one else.
    fn know_replicas(&mut self, now: Monotonic) {
        let Self { set, followers, node, .. } = self;
        followers.retain(|known, _| set.replicas.contains(known));
        for &replica in set.replicas.iter().filter(|replica| **replica != *node) {
            let unknown = Progress { run: 0, end: None, cursors: 0, caught_up_at: now, fetched: None, has_left: false };
            followers.entry(replica).or_insert(unknown);
        }
    }
}

#[cfg(test)]
mod tests;
