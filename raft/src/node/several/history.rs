//! What clients see of the metadata while leaders are cut off: the check of the simulation, on the real log. E13.

use std::cell::{Cell, RefCell};

use super::*;
use crate::{
    metadata::{ClusterState, PrincipalConfig, PrincipalLimits, PrincipalName},
    sim::history::{Answer, History},
};

const CLIENTS: u64 = 4;
const NAMES: u64 = 3;

/// What the clients have met so far.
#[derive(Default)]
struct Met {
    history: RefCell<History>,
    done: Cell<u64>,
    unknown: Cell<u64>,
    is_over: Cell<bool>,
}

impl Met {
    /// Waits until more changes have been done than there are now.
    async fn until_more_is_done(&self) {
        let before = self.done.get();
        until("changes go on", || self.done.get() > before + 5).await;
    }
}

/// Of principals that are never deleted, the newest revision tells how much of the log a state has.
fn newest_revision(state: &ClusterState) -> u64 {
    state.access().principals_after("").map(|principal| principal.revision).max().unwrap_or_default()
}

/// No two puts are the same, so that each one changes something.
fn put(number: usize, name: u64) -> Command {
    let limits = PrincipalLimits { topics: Some(u64::try_from(number).unwrap() + 1), ..PrincipalLimits::default() };
    Command::PutPrincipal {
        name: PrincipalName::new(&format!("p{name}")).unwrap(),
        config: PrincipalConfig { limits, ..PrincipalConfig::default() },
        expected_revision: None,
        at: Timestamp::default(),
    }
}

/// A client that changes one thing after the other, through one node after the other, and looks there.
async fn change_and_look(cluster: &Cluster, met: &Met, client: u64) {
    for turn in client.. {
        if met.is_over.get() {
            break;
        }
        let node = turn % 3 + 1;
        let change = met.history.borrow_mut().asked(NodeId::new(node));
        let proposed = cluster.node(node).handle.propose(put(change, turn % NAMES)).await;
        let mut history = met.history.borrow_mut();
        match proposed {
            Ok(outcome) => {
                let (Outcome::PrincipalCreated(principal) | Outcome::PrincipalUpdated(principal)) = &outcome else {
                    panic!("no put is like another: {outcome:?}");
                };
                history.taken(change, principal.revision, Ok(outcome.clone()));
                history.answered(change, Answer::Judged(Ok(outcome)));
                met.done.set(met.done.get() + 1);
            }
            Err(ProposeError::NotLeader { .. }) => history.answered(change, Answer::Nowhere),
            Err(ProposeError::Unknown { .. } | ProposeError::NotPublished { .. }) => {
                history.answered(change, Answer::Unknown);
                met.unknown.set(met.unknown.get() + 1);
            }
            Err(error) => panic!("{error}"),
        }
        history.read(NodeId::new(node), newest_revision(&cluster.node(node).handle.state()));
    }
}

/// Cuts one leader after the other off, and ends the clients.
async fn cut_leaders_off(cluster: &Cluster, met: &Met) {
    for _ in 0..3 {
        met.until_more_is_done().await;
        let leader = cluster.await_leader_other_than(0).await;
        cluster.wire.isolate(leader);
        cluster.await_leader_other_than(leader).await;
        met.until_more_is_done().await;
        cluster.wire.heal();
        met.until_more_is_done().await;
    }
    met.is_over.set(true);
}

#[tokio::test]
async fn changes_are_in_one_order_whoever_is_cut_off() {
    let (cluster, met) = (Cluster::of(3).await, Met::default());
    let clients = (0..CLIENTS).map(|client| change_and_look(&cluster, &met, client));
    futures_util::future::join(futures_util::future::join_all(clients), cut_leaders_off(&cluster, &met)).await;
    assert_eq!(met.history.borrow().check(), Ok(()));
    // A put that was done twice would have used two revisions.
    let used = cluster.running.values().map(|node| newest_revision(&node.handle.state())).max().unwrap();
    let (done, unknown) = (met.done.get(), met.unknown.get());
    assert!((done..=done + unknown).contains(&used), "{used} revisions of {done} changes and {unknown} that may hold");
}
