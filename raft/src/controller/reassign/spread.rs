//! Replicas and owners are evened out over nodes and racks, where messages lie with the nodes that keep them.

use std::collections::BTreeMap;

use super::{Placed, Reassigner, Step, placed};
use crate::{
    controller::balance::even_out,
    metadata::{NodeId, Partition, PartitionTarget},
};

/// What some nodes have too much of, and others too little.
struct Uneven {
    surplus: BTreeMap<NodeId, usize>,
    lack: BTreeMap<NodeId, usize>,
}

/// The next steps towards even loads.
pub(in crate::controller) struct Spread;

impl Spread {
    /// Some partitions get another replica in the place of one on a node that has too many, or in a rack that has it twice;
    /// when none is left of these, some get another owner.
    pub(in crate::controller) fn steps(reassigner: &mut Reassigner<'_>, steps_max: usize) -> Vec<Step> {
        let steps = replicas(reassigner, steps_max);
        if steps.is_empty() { owners(reassigner, steps_max) } else { steps }
    }

    /// How many such steps are left, of both kinds.
    pub(in crate::controller) fn left(reassigner: &mut Reassigner<'_>) -> usize {
        replicas(reassigner, usize::MAX).len() + owners(reassigner, usize::MAX).len()
    }
}

impl Uneven {
    fn of(counts: &BTreeMap<NodeId, usize>) -> Self {
        let counts: Vec<(NodeId, usize)> = counts.iter().map(|(node, count)| (*node, *count)).collect();
        let (mut surplus, mut lack) = (BTreeMap::new(), BTreeMap::new());
        for shift in even_out(&counts) {
            *surplus.entry(shift.from).or_default() += shift.count;
            *lack.entry(shift.to).or_default() += shift.count;
        }
        Self { surplus, lack }
    }

    fn has_surplus(&self, node: NodeId) -> bool {
        self.surplus.get(&node).is_some_and(|count| *count > 0)
    }

    fn lacking(&self) -> impl Iterator<Item = NodeId> {
        self.lack.iter().filter(|(_, count)| **count > 0).map(|(node, _)| *node)
    }

    fn shift(&mut self, from: NodeId, to: NodeId) {
        for count in [self.surplus.get_mut(&from), self.lack.get_mut(&to)].into_iter().flatten() {
            *count = count.saturating_sub(1);
        }
    }
}

fn replicas(reassigner: &mut Reassigner<'_>, steps_max: usize) -> Vec<Step> {
    let mut uneven = Uneven::of(&reassigner.kept);
    let mut steps = Vec::new();
    for placed in placed(reassigner.state) {
        if steps.len() >= steps_max {
            break;
        }
        let Some(owner) = at_rest(reassigner, placed) else { continue };
        let Some((from, to)) = into_rack(reassigner, placed).or_else(|| exchange(reassigner, placed, &uneven)) else {
            continue;
        };
        if reassigner.admit(placed.partition).is_none() {
            break;
        }
        uneven.shift(from, to);
        let target = reassigner.exchange(placed, (Some(from), to), owner);
        steps.push((placed.named, placed.partition.clone(), target));
    }
    steps
}

/// The owner of a partition that is nowhere on its way.
fn at_rest(reassigner: &Reassigner<'_>, placed: Placed<'_>) -> Option<NodeId> {
    let owner = reassigner.leader(placed.partition)?;
    let is_at_rest = placed.surplus().is_empty()
        && placed.target().len() == placed.wanted
        && placed.target().iter().all(|node| placed.partition.isr.contains(node));
    is_at_rest.then_some(owner)
}

/// A replica in a rack that has another one, and a node in a rack that has none.
fn into_rack(reassigner: &Reassigner<'_>, placed: Placed<'_>) -> Option<(NodeId, NodeId)> {
    let target = placed.target();
    let racks = reassigner.racks(target).len();
    if racks == target.len() {
        return None;
    }
    let to = reassigner.best(placed, None)?;
    let others = |from: NodeId| target.iter().copied().filter(move |node| *node != from);
    let gains = |from: &NodeId| {
        let after: Vec<NodeId> = others(*from).chain([to]).collect();
        reassigner.racks(&after).len() > racks
    };
    let from = target.iter().rev().copied().find(gains)?;
    Some((from, to))
}

/// A replica on a node that has too many, and a node that has too few: not if fewer racks had one then.
fn exchange(reassigner: &Reassigner<'_>, placed: Placed<'_>, uneven: &Uneven) -> Option<(NodeId, NodeId)> {
    let target = placed.target();
    let racks = reassigner.racks(target).len();
    let mut pairs = target.iter().rev().copied().filter(|node| uneven.has_surplus(*node)).flat_map(|from| {
        let free = uneven.lacking().filter(|node| !target.contains(node));
        free.map(move |to| (from, to))
    });
    pairs.find(|(from, to)| {
        let after: Vec<NodeId> = target.iter().copied().filter(|node| node != from).chain([*to]).collect();
        reassigner.racks(&after).len() >= racks
    })
}

fn owners(reassigner: &Reassigner<'_>, steps_max: usize) -> Vec<Step> {
    let mut uneven = Uneven::of(&reassigner.first);
    let mut steps = Vec::new();
    for placed in placed(reassigner.state) {
        if steps.len() >= steps_max {
            break;
        }
        let (target, Partition { replicas, isr, elr, .. }) = (placed.target(), placed.partition);
        let first = target.first().copied().filter(|first| uneven.has_surplus(*first));
        let Some((first, _)) = first.zip(at_rest(reassigner, placed)) else { continue };
        let Some(owner) = uneven.lacking().find(|node| target.contains(node)) else { continue };
        uneven.shift(first, owner);
        let others = replicas.iter().copied().filter(|node| *node != owner);
        let replicas = std::iter::once(owner).chain(others).collect();
        let to = PartitionTarget::Replicas { replicas, isr: isr.clone(), elr: elr.clone(), owner };
        steps.push((placed.named, placed.partition.clone(), to));
    }
    steps
}
