//! When a node stands for election. Pure; openraft decides who wins.
//!
//! openraft's own timer is off: a node that was cut off would come back with a higher term and end the term of a leader
//! that everyone else follows. Instead a node first asks whether it would be voted for (Pre-Vote, Ongaro's thesis
//! §9.6), and only a majority of yes makes it stand.

mod driver;

use std::{collections::BTreeSet, time::Duration};

use crate::{limits, type_config::LogId};

pub(crate) use driver::{ElectionDriver, Pulse};

/// What a node knows of the leader, and how its own canvass goes.
#[derive(Debug)]
pub(crate) struct Election {
    /// When the leader, or a candidate that was voted for, was heard of.
    heard_at: Duration,
    /// When it canvasses unless it hears of a leader; drawn anew for each wait, so that nodes do not stand all at once.
    next_at: Duration,
    round: u64,
    granted: BTreeSet<u64>,
    /// Whether the leader hands over to this node.
    is_invited: bool,
}

/// How a node stands in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) node: u64,
    pub(crate) leads: bool,
    pub(crate) voters: BTreeSet<u64>,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Wait.
    Wait,
    /// Ask every other voter whether it would vote for this node.
    Canvass { round: u64 },
    /// Stand for election.
    Stand,
}

impl Election {
    /// A node that has just started gives a leader time to be heard of.
    pub(crate) fn new(now: Duration, draw: u64) -> Self {
        Self { heard_at: now, next_at: now + patience(draw), round: 0, granted: BTreeSet::new(), is_invited: false }
    }

    /// The leader was heard of, or this node has voted for a candidate.
    pub(crate) fn heard(&mut self, now: Duration, draw: u64) {
        self.heard_at = now;
        self.is_invited = false;
        self.begin_wait(now, draw);
    }

    /// The leader hands over to this node: it is the first to stand once the others may vote. They heard of the leader a
    /// little later, perhaps, so it asks again until they may.
    pub(crate) fn invited(&mut self) {
        self.is_invited = true;
        self.next_at = self.heard_at + LEASE;
    }

    /// Time has passed. A canvass that came to nothing is followed by another one after a wait.
    pub(crate) fn tick(&mut self, now: Duration, standing: &Standing, draw: u64) -> Step {
        if standing.leads || !standing.voters.contains(&standing.node) {
            self.heard(now, draw);
            return Step::Wait;
        }
        let sole = standing.voters.len() == 1;
        // A voter by itself waits for nobody, the first time.
        let due = now >= self.next_at || (sole && self.round == 0);
        if !due {
            return Step::Wait;
        }
        self.begin_wait(now, draw);
        if sole {
            return Step::Stand;
        }
        self.granted.insert(standing.node);
        Step::Canvass { round: self.round }
    }

    /// A voter has answered the canvass of a round.
    pub(crate) fn on_answer(&mut self, round: u64, voter: u64, granted: bool, standing: &Standing) -> Step {
        if round != self.round || !granted || standing.leads || !standing.voters.contains(&voter) {
            return Step::Wait;
        }
        self.granted.insert(voter);
        let yes = self.granted.intersection(&standing.voters).count();
        if yes * 2 <= standing.voters.len() {
            return Step::Wait;
        }
        self.round += 1;
        self.granted.clear();
        Step::Stand
    }

    fn begin_wait(&mut self, now: Duration, draw: u64) {
        self.next_at = now + if self.is_invited { INVITED_PAUSE } else { patience(draw) };
        self.round += 1;
        self.granted.clear();
    }

    /// Whether this node would vote for one whose log ends at `theirs`: not while it hears of a leader.
    pub(crate) fn would_vote(&self, now: Duration, leads: bool, theirs: Option<LogId>, ours: Option<LogId>) -> bool {
        !leads && now.saturating_sub(self.heard_at) >= LEASE && theirs >= ours
    }
}

/// For so long after it heard of a leader a node votes for nobody else: openraft's leader lease.
const LEASE: Duration = Duration::from_millis(limits::LEASE_MS);

/// How long a node that is to take over waits until it asks again.
const INVITED_PAUSE: Duration = Duration::from_millis(limits::HEARTBEAT_MS / 4);

/// Somewhere between the shortest and the longest patience.
fn patience(draw: u64) -> Duration {
    let spread = limits::PATIENCE_MS_MAX - limits::PATIENCE_MS_MIN;
    Duration::from_millis(limits::PATIENCE_MS_MIN + draw % (spread + 1))
}

#[cfg(test)]
mod tests;
