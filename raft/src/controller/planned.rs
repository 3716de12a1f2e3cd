//! Moves for order's sake: off nodes that are to be emptied, and to nodes that have few. A few at a time, since whoever
//! uses a partition waits while it moves.

use std::collections::BTreeMap;

use shard_core::model::{Monotonic, TopicPartition};

use super::{
    Evening, Leading,
    balance::{Shift, even_out, is_uneven},
    draft::Draft,
};
use crate::{
    limits,
    metadata::{NodeId, Partition},
};

impl Leading {
    /// Plans the next moves, if the last are long enough ago and nothing else is to be done.
    pub(super) fn plan(&mut self, now: Monotonic, draft: &mut Draft<'_>) {
        let is_early = self.planned.is_some_and(|at| now.since(at) < limits::PLANNED_MOVES_INTERVAL);
        let version = draft.state().version();
        if is_early || draft.has_commands() || self.owned != Some(version) || self.calm == Some(version) {
            return;
        }
        let is_shared = draft.state().shared_store() == Some(true);
        let mut moves = drain(draft, is_shared);
        if moves.is_empty() {
            moves = if is_shared { self.even_out(now, draft) } else { self.prefer(now, draft) };
        }
        if moves.is_empty() {
            self.calm = self.is_settled_whole(now).then_some(version);
            return;
        }
        self.planned = Some(now);
        for (named, partition, owner) in moves {
            draft.give(named, &partition, owner);
        }
    }

    /// The next moves towards even loads.
    fn even_out(&mut self, now: Monotonic, draft: &Draft<'_>) -> Vec<Move> {
        let is_asked = self.evening == Evening::Asked;
        let takers = draft.takers().into_iter().filter(|node| is_asked || self.is_settled(now, *node));
        let owned: Vec<(NodeId, usize)> = takers.map(|node| (node, draft.owned(node))).collect();
        if self.evening == Evening::No {
            if now < self.rests_until || !is_uneven(&owned, limits::IMBALANCE_PERCENT_MAX) {
                return Vec::new();
            }
            self.evening = Evening::ByItself;
        }
        let moves = pick(draft, even_out(&owned));
        if moves.is_empty() {
            self.evening = Evening::No;
        }
        moves
    }

    /// Partitions go to the node that is to own them, once it is in sync and has been there for a while.
    fn prefer(&mut self, now: Monotonic, draft: &Draft<'_>) -> Vec<Move> {
        let is_asked = self.evening == Evening::Asked;
        if !is_asked && now < self.rests_until {
            return Vec::new();
        }
        let preferred = |partition: &Partition| {
            let first = partition.replicas.first().copied().filter(|first| partition.owner != Some(*first))?;
            let is_well = partition.isr.contains(&first) && draft.takes_partitions(first);
            (is_well && (is_asked || self.is_settled(now, first))).then_some(first)
        };
        let moves = moves(draft, |_, partition| preferred(partition));
        if moves.is_empty() {
            self.evening = Evening::No;
        }
        moves
    }
}

/// A partition as it is, and its next owner.
type Move = (TopicPartition, Partition, NodeId);

/// The first partitions for which there is another owner.
fn moves(draft: &Draft<'_>, mut owner: impl FnMut(TopicPartition, &Partition) -> Option<NodeId>) -> Vec<Move> {
    let partitions = draft.state().topics().flat_map(|topic| topic.placed_partitions());
    let moves = partitions
        .filter_map(|(named, partition)| owner(named, partition).map(|owner| (named, partition.clone(), owner)));
    moves.take(limits::PLANNED_MOVES_MAX.min(draft.room())).collect()
}

/// The next moves off nodes that are to be emptied; none if there is no other node.
fn drain(draft: &Draft<'_>, is_shared: bool) -> Vec<Move> {
    let state = draft.state();
    let is_left = |node: NodeId| state.node(node).is_some_and(|node| node.draining);
    let takers: Vec<NodeId> = draft.takers().into_iter().filter(|node| !is_left(*node)).collect();
    let any_left = state.nodes().any(|node| node.draining && draft.owned(node.id) > 0);
    if takers.is_empty() || !any_left {
        return Vec::new();
    }
    let mut owned: BTreeMap<NodeId, usize> = takers.iter().map(|node| (*node, draft.owned(*node))).collect();
    moves(draft, |_, partition| {
        partition.owner.filter(|owner| is_left(*owner))?;
        let may_own = |node: &NodeId| is_shared || partition.isr.contains(node);
        let best = takers.iter().copied().filter(may_own).min_by_key(|node| (owned.get(node).copied(), *node))?;
        owned.entry(best).and_modify(|count| *count += 1);
        Some(best)
    })
}

/// Partitions for the moves, as they come.
fn pick(draft: &Draft<'_>, mut shifts: Vec<Shift>) -> Vec<Move> {
    if shifts.is_empty() {
        return Vec::new();
    }
    moves(draft, |_, partition| {
        let shift = shifts.iter_mut().find(|shift| partition.owner == Some(shift.from) && shift.count > 0)?;
        shift.count -= 1;
        Some(shift.to)
    })
}
