//! Decides who is out, who owns what, and which commands may be used: on the leader of the metadata, from what nodes say and what the metadata holds.
//! Pure.
//!
//! Nothing here is kept but who was heard of when. What a round wants is proposed; each change holds only if everything is
//! still as it was when it was decided, so a leader that is one no longer does no harm, and what came too late is decided
//! again.

mod balance;
mod draft;
mod hearing;
mod operator;
mod planned;
mod reassign;
mod takeover;
mod upgrade;
mod view;

use std::collections::BTreeMap;

use shard_core::model::Monotonic;

use crate::{
    clock::SessionClock,
    limits,
    metadata::{ClusterState, Command, NodeId},
};
use draft::Draft;
use hearing::Hearing;
use takeover::Orphans;

pub use operator::{MoveRefusal, UncleanRefusal};
pub use view::{
    DrainProgress, Health, NodeCounts, NodeState, NodeView, ReplicaCounts, can_be_led, cluster_view, drain_progress,
    health, moves_to_even, node_counts, replica_counts,
};

/// Watches the nodes, and on the leader keeps every partition with a node that lives.
#[derive(Debug)]
pub struct Controller {
    clock: SessionClock,
    hearing: Hearing,
    leading: Option<Leading>,
}

/// What it knows while it leads.
#[derive(Debug)]
struct Leading {
    term: u64,
    since: Monotonic,
    /// The epoch of each node that lives, and since when it was seen to.
    live: BTreeMap<NodeId, (u64, Monotonic)>,
    /// The metadata from which commands were last decided, and when.
    proposed: Option<(u64, Monotonic)>,
    /// The metadata in which no partition lacked an owner.
    owned: Option<u64>,
    /// When partitions last moved for order's sake.
    planned: Option<Monotonic>,
    /// The metadata in which nothing is to move for order's sake, however much time passes.
    calm: Option<u64>,
    evening: Evening,
    /// Until when the controller does not even out by itself.
    rests_until: Monotonic,
}

/// Whether partitions are being evened out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evening {
    /// They are even enough.
    No,
    /// They were too uneven, and are moved until they are even.
    ByItself,
    /// An operator wants it.
    Asked,
}

impl Controller {
    /// Knows of nobody yet, and does not lead.
    #[must_use]
    pub fn new(now: Monotonic) -> Self {
        Self { clock: SessionClock::starting_at(now), hearing: Hearing::default(), leading: None }
    }

    /// A run of a node said that it is there and has applied the metadata up to `applied`. Every node tells every voter, and
    /// itself, so that a new leader knows who is there.
    pub fn heard(&mut self, now: Monotonic, node: NodeId, epoch: u64, applied: u64) {
        let now = self.clock.advance(now);
        self.hearing.note(now, node, epoch, applied);
    }

    /// A run of a node said that it goes: it counts as silent from now on.
    pub fn gone(&mut self, now: Monotonic, node: NodeId, epoch: u64) {
        let now = self.clock.advance(now);
        self.hearing.note_gone(now, node, epoch);
    }

    /// This node leads the metadata in `term`.
    pub fn leads(&mut self, now: Monotonic, term: u64) {
        let now = self.clock.advance(now);
        if self.leading.as_ref().is_none_or(|leading| leading.term != term) {
            self.leading = Some(Leading::new(term, now));
        }
    }

    /// This node does not lead the metadata any more.
    pub fn follows(&mut self) {
        self.leading = None;
    }

    /// What is to be proposed; nothing if this node does not lead. Call it every [`limits::CONTROLLER_INTERVAL`] on every
    /// node, for the sake of the time that counts, and when the metadata have changed.
    pub fn decide(&mut self, now: Monotonic, state: &ClusterState) -> Vec<Command> {
        let now = self.clock.advance(now);
        let Some(leading) = &mut self.leading else { return Vec::new() };
        self.hearing.keep(state);
        leading.observe(now, state);
        if leading.waits(now, state) {
            return Vec::new();
        }
        let mut changes = self.hearing.changes(now, leading.since, state);
        if changes.is_empty() {
            changes.extend(leading.upgrade(now, state));
        }
        let mut draft = Draft::new(state, changes);
        leading.take_over(&mut draft);
        leading.plan(now, &mut draft);
        let commands = draft.into_commands();
        if !commands.is_empty() {
            leading.proposed = Some((state.version(), now));
        }
        commands
    }
}

impl Leading {
    const fn new(term: u64, now: Monotonic) -> Self {
        Self {
            term,
            since: now,
            live: BTreeMap::new(),
            proposed: None,
            owned: None,
            planned: None,
            calm: None,
            evening: Evening::No,
            rests_until: now,
        }
    }

    fn observe(&mut self, now: Monotonic, state: &ClusterState) {
        let known = |id: NodeId, epoch: u64| self.live.get(&id).filter(|(of, _)| *of == epoch).map(|(_, since)| *since);
        let live = state.nodes().filter(|node| !node.fenced);
        self.live = live.map(|node| (node.id, (node.epoch, known(node.id, node.epoch).unwrap_or(now)))).collect();
    }

    /// Whether what was proposed has yet to change the metadata.
    fn waits(&self, now: Monotonic, state: &ClusterState) -> bool {
        self.proposed
            .is_some_and(|(version, at)| version == state.version() && now.since(at) < limits::CONTROLLER_RETRY)
    }

    fn take_over(&mut self, draft: &mut Draft) {
        let version = draft.state().version();
        let changed = self.owned != Some(version) || draft.has_commands();
        if changed && Orphans::of(draft).take_over(draft) == 0 && !draft.has_commands() {
            self.owned = Some(version);
        }
    }

    /// Whether time alone brings no more moves for order's sake.
    fn is_settled_whole(&self, now: Monotonic) -> bool {
        now >= self.rests_until && self.live.keys().all(|node| self.is_settled(now, *node))
    }

    /// Whether a node has been there for long enough to be given more.
    fn is_settled(&self, now: Monotonic, node: NodeId) -> bool {
        self.live.get(&node).is_some_and(|(_, since)| now.since(*since) >= limits::NODE_SETTLED)
    }
}

#[cfg(test)]
mod tests;
