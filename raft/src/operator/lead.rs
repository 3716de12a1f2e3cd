//! What the leader does for operators.

use std::{sync::Arc, time::Duration};

use openraft::LogIdOptionExt as _;
use shard_core::model::{PartitionIndex, TopicId, TopicPartition};

use super::{ClusterStanding, MemberStanding, OperateRefusal, Operated, Operation, RaftRole};
use crate::{
    handover::HandedOver,
    metadata::{ClusterState, Command, NodeId, Outcome},
    peers::{NoLead, Seat},
    type_config::Applied,
};

impl Seat {
    /// Does what an operator wants, if this node leads.
    pub(crate) async fn operate(&self, operation: Operation) -> Result<Operated, NoLead> {
        if !self.leader.is_here() {
            return Err(self.leader.elsewhere());
        }
        match operation {
            Operation::Describe => Ok(Operated::Described(self.standing())),
            Operation::Rebalance => {
                let begun = self.controller.with(|controller, _| controller.rebalance());
                if begun { Ok(Operated::Done { version: 0 }) } else { Err(self.leader.elsewhere()) }
            }
            Operation::Move { topic, partition, to } => {
                let named = TopicPartition::new(TopicId::new(topic), PartitionIndex::new(partition));
                self.move_partition(named, to).await
            }
            Operation::Lead { to } => Ok(self.let_lead(to).await),
            Operation::ElectUnclean { topic, partition, node } => {
                let named = TopicPartition::new(TopicId::new(topic), PartitionIndex::new(partition));
                let state = Arc::clone(&self.applied.borrow());
                let decided = self.controller.with(|controller, _| controller.elect_unclean(&state, named, node));
                self.change_partition(decided.map_err(OperateRefusal::of_unclean)).await
            }
        }
    }

    /// How the cluster stands, as far as this node knows.
    pub(super) fn standing(&self) -> ClusterStanding {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let membership = &metrics.membership_config;
        let last_log_index = metrics.last_log_index.unwrap_or(0);
        let is_voter = |node: u64| membership.voter_ids().any(|voter| voter == node);
        let log_index = |node: u64| {
            let replication = metrics.replication.as_ref()?;
            if node == metrics.id {
                return Some(last_log_index);
            }
            replication.get(&node).map(|matching| matching.index().unwrap_or(0))
        };
        let member = |node: u64| {
            let role = match (metrics.current_leader == Some(node), is_voter(node)) {
                (true, _) => RaftRole::Leader,
                (false, true) => RaftRole::Follower,
                (false, false) => RaftRole::Learner,
            };
            MemberStanding { node: NodeId::new(node), role, log_index: log_index(node) }
        };
        ClusterStanding {
            leader: metrics.current_leader.map(NodeId::new),
            term: metrics.current_term,
            members: membership.nodes().map(|(&node, _)| member(node)).collect(),
            last_log_index,
            applied_index: metrics.last_applied.index().unwrap_or(0),
            silence: Duration::ZERO,
        }
    }

    async fn move_partition(&self, named: TopicPartition, to: NodeId) -> Result<Operated, NoLead> {
        let state = Arc::clone(&self.applied.borrow());
        // The controller would only take it away again.
        if state.node(to).is_some_and(|node| node.draining && !node.fenced) {
            return Ok(Operated::Refused(OperateRefusal::NodeDraining { node: to }));
        }
        let decided = self.controller.with(|controller, now| controller.move_partition(now, &state, named, to));
        self.change_partition(decided.map_err(OperateRefusal::of_move)).await
    }

    /// Writes what the controller has decided of one partition.
    async fn change_partition(&self, decided: Result<Command, Option<OperateRefusal>>) -> Result<Operated, NoLead> {
        let command = match decided {
            Ok(command) => command,
            Err(Some(refusal)) => return Ok(Operated::Refused(refusal)),
            Err(None) => return Err(self.leader.elsewhere()),
        };
        let Applied { version, outcomes } = self.write(vec![command]).await?;
        let changed = |reason: String| Operated::Refused(OperateRefusal::Changed { reason });
        Ok(match outcomes.into_iter().next() {
            Some(Ok(Outcome::PartitionsChanged { refused, .. })) => match refused.first() {
                Some(refused) => changed(refused.reason.to_string()),
                None => Operated::Done { version },
            },
            Some(Err(refusal)) => changed(refusal.to_string()),
            Some(Ok(_)) | None => Operated::Done { version },
        })
    }

    async fn let_lead(&self, to: Option<NodeId>) -> Operated {
        let standing = self.standing();
        let state = Arc::clone(&self.applied.borrow());
        if let Some(refusal) = to.and_then(|node| check_successor(node, &standing, &state)) {
            return Operated::Refused(refusal);
        }
        if to.is_some() && to == standing.leader {
            return Operated::Done { version: 0 };
        }
        match self.hand_over(to).await {
            HandedOver::Done => Operated::Done { version: 0 },
            HandedOver::NobodyToTakeOver => Operated::Refused(OperateRefusal::NobodyToTakeOver),
            HandedOver::Late => Operated::Refused(OperateRefusal::NotTakenOver),
        }
    }
}

/// Why a node can't lead, if so.
fn check_successor(node: NodeId, standing: &ClusterStanding, state: &ClusterState) -> Option<OperateRefusal> {
    let Some(known) = state.node(node) else { return Some(OperateRefusal::NodeNotFound { node }) };
    let votes = standing.members.iter().any(|member| member.node == node && member.role != RaftRole::Learner);
    match (known.fenced, votes) {
        (true, _) => Some(OperateRefusal::NodeDown { node }),
        (false, false) => Some(OperateRefusal::NoVote { node }),
        (false, true) => None,
    }
}
