//! Moves for order's sake: off nodes that are to be emptied, and to nodes that have few. A few at a time, since whoever
//! uses a partition waits while it moves.

use std::collections::BTreeMap;

use shard_core::model::{Monotonic, TopicPartition};

use super::{
    Evening, Leading,
    balance::{Shift, even_out, is_uneven},
    draft::Draft,
    reassign::{Reassigner, Spread, Step, placed},
};
use crate::{
    limits,
    metadata::{NodeId, Partition, PartitionTarget},
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
        let moved = if is_shared { self.plan_owners(now, draft) } else { self.plan_replicas(now, draft) };
        if moved {
            self.planned = Some(now);
        } else {
            self.calm = self.is_settled_whole(now).then_some(version);
        }
    }

    /// Every node reaches the messages: partitions go from node to node as they are. Whether any does.
    fn plan_owners(&mut self, now: Monotonic, draft: &mut Draft<'_>) -> bool {
        let mut moves = drain(draft);
        if moves.is_empty() {
            moves = self.even_out(now, draft);
        }
        let any = !moves.is_empty();
        for (named, partition, owner) in moves {
            draft.give(named, &partition, owner);
        }
        any
    }

    /// Messages lie with those that keep them, so that those come first. Whether anything moves.
    fn plan_replicas(&mut self, now: Monotonic, draft: &mut Draft<'_>) -> bool {
        let is_asked = self.evening == Evening::Asked;
        let steps_max = limits::PLANNED_MOVES_MAX.min(draft.room());
        let is_settled = |node: NodeId| is_asked || self.is_settled(now, node);
        let mut reassigner = Reassigner::new(draft.state(), is_settled);
        let mut is_under_way = false;
        let mut steps: Vec<Step> = Vec::new();
        for placed in placed(draft.state()) {
            is_under_way |= !placed.surplus().is_empty();
            let next = reassigner.next(placed).or_else(|| {
                let owner = preferred(draft, placed.partition).filter(|owner| is_settled(*owner));
                owner.map(PartitionTarget::Owner)
            });
            steps.extend(next.map(|to| (placed.named, placed.partition.clone(), to)));
            if steps.len() >= steps_max {
                break;
            }
        }
        if steps.is_empty() && is_asked {
            steps = Spread::steps(&mut reassigner, steps_max);
            if steps.is_empty() && !is_under_way {
                self.evening = Evening::No;
            }
        }
        for (named, partition, to) in &steps {
            draft.change(*named, partition, to.clone());
        }
        !steps.is_empty()
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
}

/// The node that is to own a partition and does not, if it is in sync and may have it.
fn preferred(draft: &Draft<'_>, partition: &Partition) -> Option<NodeId> {
    let first = partition.replicas.first().copied().filter(|first| partition.owner != Some(*first))?;
    let is_led = partition.owner.is_some_and(|owner| draft.state().is_live(owner));
    (is_led && partition.isr.contains(&first) && draft.takes_partitions(first)).then_some(first)
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
fn drain(draft: &Draft<'_>) -> Vec<Move> {
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
        let best = takers.iter().copied().min_by_key(|node| (owned.get(node).copied(), *node))?;
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
