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
}

impl Leader {
    /// A proposal came to an end other than that the metadata have changed.
    ///
    /// One that may hold goes on to count, and is made again: it changes nothing if it held.
    pub fn on_proposal_end(&mut self, partition_epoch: u32, end: ProposalEnd) {
        if partition_epoch != self.set.partition_epoch {
            return;
        }
        match (end, &mut self.proposal) {
            (ProposalEnd::Refused, proposal) => {
                *proposal = None;
                self.commit();
            }
            (ProposalEnd::Unknown, Some(proposal)) => proposal.is_unknown = true,
            (ProposalEnd::Unknown, None) => {}
        }
    }

    /// Has those left behind that have not come up with the log for too long, and makes again what may not have been heard.
    /// To be called every second or so.
    pub fn on_tick(&mut self, now: Monotonic) {
        if let Some(proposal) = &mut self.proposal {
            if std::mem::take(&mut proposal.is_unknown) {
                let (isr, joining) = (proposal.isr.clone(), proposal.runs.clone());
                let partition_epoch = self.set.partition_epoch;
                self.effects.push(LeaderEffect::ProposeIsr { partition_epoch, isr, joining });
            }
            return;
        }
        let is_behind = |node: &u64| {
            let progress = self.followers.get(node);
            let is_late = |progress: &Progress| now.since(progress.caught_up_at) > self.lag_max;
            progress.is_some_and(|progress| progress.has_left || (!self.is_level(progress) && is_late(progress)))
        };
        let (behind, stay): (Vec<u64>, Vec<u64>) = self.set.isr.iter().partition(|node| is_behind(node));
        if !behind.is_empty() && self.set.isr.contains(&self.node) {
            self.propose(stay, Vec::new());
        } else {
            self.expand();
        }
    }

    /// Has those join that have everything: all that is committed, and all that was there when this leader began.
    pub(super) fn expand(&mut self) {
        if self.proposal.is_some() || !self.set.isr.contains(&self.node) {
            return;
        }
        let has_all = |progress: &Progress| {
            let end = progress.end.is_some_and(|end| end >= self.high_watermark && end >= self.epoch_start);
            end && progress.cursors >= self.cursors_committed.max(1)
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

    fn propose(&mut self, isr: Vec<u64>, joining: Vec<NodeRun>) {
        self.proposal = Some(Proposal {
            joining: joining.iter().map(|run| run.node).collect(),
            isr: isr.clone(),
            runs: joining.clone(),
            is_unknown: false,
        });
        let partition_epoch = self.set.partition_epoch;
        self.effects.push(LeaderEffect::ProposeIsr { partition_epoch, isr, joining });
    }
}
