//! Who is to be in sync: proposals to the metadata, one at a time.

use super::{Leader, LeaderEffect, Monotonic, NodeRun, Progress, ProposalEnd};

/// A change of who is in sync that is under way.
#[derive(Clone, Debug)]
pub(super) struct Proposal {
    joining: Vec<u64>,
    isr: Vec<u64>,
    runs: Vec<NodeRun>,
    /// Whether it is known not to be under way any more, though it may hold.
    is_unknown: bool,
    /// Whether what became of it was ever unknown: then it may hold later, whatever becomes of the same made again.
    is_unsure: bool,
}

impl Leader {
    /// A proposal came to an end other than that the metadata have changed.
    ///
    /// One that may hold goes on to count, and is made again: it changes nothing if it held. If it is refused then, the first
    /// may still come to hold, once what it was refused for has passed: so those in sync are proposed as they are, and
    /// once that holds, nothing that was proposed before can.
    pub fn on_proposal_end(&mut self, partition_epoch: u32, end: ProposalEnd) {
        if partition_epoch != self.set.partition_epoch {
            return;
        }
        let Some(proposal) = &mut self.proposal else { return };
        match end {
            ProposalEnd::Refused if proposal.is_unsure && !proposal.joining.is_empty() => {
                proposal.isr.clone_from(&self.set.isr);
                proposal.runs.clear();
                proposal.is_unknown = true;
            }
            ProposalEnd::Refused => {
                self.proposal = None;
                // What it was refused for does not pass from one fetch to the next.
                self.rests = true;
                self.commit();
            }
            ProposalEnd::Unknown => {
                proposal.is_unknown = true;
                proposal.is_unsure = true;
            }
        }
    }

    /// Has those left behind that have not come up with the log for too long, and makes again what may not have been heard.
    /// To be called every second or so.
    pub fn on_tick(&mut self, now: Monotonic) {
        self.rests = false;
        if let Some(proposal) = &mut self.proposal {
            if std::mem::take(&mut proposal.is_unknown) {
                let (isr, joining) = (proposal.isr.clone(), proposal.runs.clone());
                let partition_epoch = self.set.partition_epoch;
                self.effects.push(LeaderEffect::ProposeIsr { partition_epoch, isr, joining });
            }
            return;
        }
        let is_behind = |node: &u64| self.followers.get(node).is_some_and(|progress| self.is_behind(now, progress));
        let (behind, stay): (Vec<u64>, Vec<u64>) = self.set.isr.iter().partition(|node| is_behind(node));
        if !behind.is_empty() && self.set.isr.contains(&self.node) {
            self.propose(stay, Vec::new());
        } else {
            self.expand(now);
        }
    }

    /// Has those join that have everything: all that is committed, and all that was there when this leader began. Who has
    /// not come up with the log for too long does not: it would be left behind again at once, for as long as nothing more
    /// is committed.
    pub(super) fn expand(&mut self, now: Monotonic) {
        if self.proposal.is_some() || self.rests || !self.set.isr.contains(&self.node) {
            return;
        }
        let has_all = |progress: &Progress| {
            let end = progress.end.is_some_and(|end| end >= self.high_watermark && end >= self.epoch_start);
            end && progress.cursors >= self.cursors_committed.max(1) && !self.is_behind(now, progress)
        };
        let ready = self.followers.iter().filter(|(node, progress)| !self.set.isr.contains(node) && has_all(progress));
        let joining: Vec<NodeRun> = ready.map(|(&node, progress)| NodeRun { node, epoch: progress.run }).collect();
        if !joining.is_empty() {
            let isr = self.set.isr.iter().copied().chain(joining.iter().map(|run| run.node)).collect();
            self.propose(isr, joining);
        }
    }

    /// Those that are about to be in sync.
    pub(super) fn joining_nodes(&self) -> impl Iterator<Item = &u64> {
        self.proposal.iter().flat_map(|proposal| &proposal.joining)
    }

    /// Whether a follower has not come up with the log for too long.
    fn is_behind(&self, now: Monotonic, progress: &Progress) -> bool {
        !self.is_level(progress) && now.since(progress.caught_up_at) > self.lag_max
    }

    fn propose(&mut self, isr: Vec<u64>, joining: Vec<NodeRun>) {
        self.proposal = Some(Proposal {
            joining: joining.iter().map(|run| run.node).collect(),
            isr: isr.clone(),
            runs: joining.clone(),
            is_unknown: false,
            is_unsure: false,
        });
        let partition_epoch = self.set.partition_epoch;
        self.effects.push(LeaderEffect::ProposeIsr { partition_epoch, isr, joining });
    }
}
