//! Which change comes next.

use super::*;
use crate::metadata::{Command, Incarnation};

/// A cluster in which these nodes are known, and those of `fenced` not heard of.
fn cluster(nodes: &[u64], fenced: &[u64], removed: &[u64]) -> ClusterState {
    let mut state = ClusterState::default();
    for (version, &node) in (1..).zip(nodes.iter().chain(removed)) {
        state.advance_to(version);
        state.apply(join(node)).unwrap();
        if !fenced.contains(&node) {
            let epoch = state.node(NodeId::new(node)).unwrap().epoch;
            state.apply(Command::UnfenceNode { node: NodeId::new(node), epoch }).unwrap();
        }
    }
    for &node in removed {
        state.apply(Command::RemoveNode { node: NodeId::new(node), force: false }).unwrap();
    }
    state
}

fn join(node: u64) -> Command {
    Command::JoinNode {
        node: NodeId::new(node),
        incarnation: Incarnation::new([u8::try_from(node).unwrap(); 16]),
        address: format!("node-{node}:7000"),
        client_address: String::new(),
        rack: None,
        shards: 1,
        software: limits::COMMAND_LEVEL,
        shared_store: true,
    }
}

fn members(voters: &[u64], learners: &[u64]) -> Members {
    let all = voters.iter().chain(learners);
    Members {
        voters: voters.iter().copied().collect(),
        learners: learners.iter().copied().collect(),
        matching: all.map(|&node| (node, 1_000)).collect(),
        last_log_index: 1_000,
    }
}

#[test]
fn a_new_node_gets_the_log_before_it_gets_a_vote() {
    let state = cluster(&[1, 2], &[], &[]);
    let step = next_step(&state, &members(&[1], &[]));
    assert_eq!(step, Some(Step::AddLearner { node: 2, address: "node-2:7000".to_owned() }));
    assert_eq!(next_step(&state, &members(&[1], &[2])), Some(Step::Promote { node: 2 }));
    assert_eq!(next_step(&state, &members(&[1, 2], &[])), None);
}

#[test]
fn a_learner_that_lags_or_is_not_heard_of_gets_no_vote() {
    let mut lagging = members(&[1], &[2]);
    lagging.matching.insert(2, 1_000 - limits::PROMOTE_LAG_MAX - 1);
    assert_eq!(next_step(&cluster(&[1, 2], &[], &[]), &lagging), None);
    lagging.matching.clear();
    assert_eq!(next_step(&cluster(&[1, 2], &[], &[]), &lagging), None);
    assert_eq!(next_step(&cluster(&[1, 2], &[2], &[]), &members(&[1], &[2])), None);
}

#[test]
fn there_are_only_so_many_voters() {
    let nodes: Vec<u64> = (1..=7).collect();
    let state = cluster(&nodes, &[], &[]);
    assert_eq!(next_step(&state, &members(&nodes[..5], &nodes[5..])), None);
}

#[test]
fn a_removed_node_goes_whichever_member_it_was() {
    let state = cluster(&[1, 2], &[], &[3]);
    assert_eq!(next_step(&state, &members(&[1, 2, 3], &[])), Some(Step::RemoveVoter { node: 3 }));
    assert_eq!(next_step(&state, &members(&[1, 2], &[3])), Some(Step::RemoveLearner { node: 3 }));
    let step = next_step(&cluster(&[1], &[], &[3]), &members(&[3], &[1]));
    assert_eq!(step, Some(Step::Promote { node: 1 }), "the last voter stays until there is another");
}
