//! The cluster and its nodes as the API has them.

use gateway_api::cluster as api;
use raft::{
    ClusterStanding, MemberStanding, RaftRole,
    controller::{Health, NodeState, NodeView, cluster_view, drain_progress, health, moves_to_even},
    metadata::{ClusterState, NodeId},
};

/// The whole cluster, as `answered_by` sees it.
pub(super) fn cluster(state: &ClusterState, standing: &ClusterStanding, answered_by: u64) -> api::Cluster {
    let Health { under_replicated, offline } = health(state);
    api::Cluster {
        cluster_id: state.cluster_id().to_owned(),
        answered_by,
        contact_ms: u64::try_from(standing.silence.as_millis()).unwrap_or(u64::MAX),
        leader: standing.leader.map(NodeId::get),
        term: standing.term,
        last_log_index: standing.last_log_index,
        applied_index: standing.applied_index,
        command_level: state.level(),
        shared_store: state.shared_store().unwrap_or_default(),
        uneven_partitions: count(moves_to_even(state)),
        under_replicated_partitions: count(under_replicated),
        offline_partitions: count(offline),
        nodes: cluster_view(state).into_iter().map(|view| shown(state, standing, view)).collect(),
    }
}

/// One node; `None` if there is none of this number.
pub(super) fn node(state: &ClusterState, standing: &ClusterStanding, id: NodeId) -> Option<api::ClusterNode> {
    let view = cluster_view(state).into_iter().find(|view| view.node.id == id)?;
    Some(shown(state, standing, view))
}

fn shown(state: &ClusterState, standing: &ClusterStanding, view: NodeView) -> api::ClusterNode {
    let NodeView { node, state: stands, owned, replicas } = view;
    let member = standing.members.iter().find(|member| member.node == node.id);
    let drain = node.draining.then(|| {
        let progress = drain_progress(state, node.id);
        api::DrainProgress {
            left: count(progress.left),
            stuck: count(progress.stuck),
            kept: count(progress.kept),
            kept_stuck: count(progress.kept_stuck),
        }
    });
    api::ClusterNode {
        node: node.id.get(),
        address: node.address,
        client_address: node.client_address,
        state: match stands {
            NodeState::Up => api::NodeState::Up,
            NodeState::Draining => api::NodeState::Draining,
            NodeState::Down => api::NodeState::Down,
        },
        role: member.map(role),
        log_index: member.and_then(|member| member.log_index),
        epoch: node.epoch,
        rack: node.rack,
        shards: node.shards,
        owned: count(owned),
        partitions: count(replicas),
        command_level: node.software,
        drain,
    }
}

const fn role(member: &MemberStanding) -> api::NodeRole {
    match member.role {
        RaftRole::Leader => api::NodeRole::Leader,
        RaftRole::Follower => api::NodeRole::Follower,
        RaftRole::Learner => api::NodeRole::Learner,
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use raft::metadata::Command;

    use super::*;

    #[test]
    fn a_node_shows_what_metadata_and_leader_know_of_it() {
        let mut state = ClusterState::default();
        for number in [1, 2] {
            let address = format!("node-{number}:7081");
            state.apply(Command::RegisterNode { node: NodeId::new(number), address }).unwrap();
        }
        state.apply(Command::SetDraining { node: NodeId::new(2), draining: true }).unwrap();
        let leader = MemberStanding { node: NodeId::new(1), role: RaftRole::Leader, log_index: Some(9) };
        let standing =
            ClusterStanding { leader: Some(NodeId::new(1)), members: vec![leader], ..ClusterStanding::default() };
        let shown = cluster(&state, &standing, 2);
        assert_eq!((shown.leader, shown.answered_by, shown.nodes.len()), (Some(1), 2, 2));
        let [first, second] = &shown.nodes[..] else { panic!("{shown:?}") };
        assert_eq!((first.role, first.log_index, first.drain), (Some(api::NodeRole::Leader), Some(9), None));
        assert_eq!((second.role, second.state), (None, api::NodeState::Draining));
        assert_eq!(second.drain, Some(api::DrainProgress::default()));
        assert_eq!(node(&state, &standing, NodeId::new(2)).as_ref(), Some(second));
        assert_eq!(node(&state, &standing, NodeId::new(3)), None);
    }
}
