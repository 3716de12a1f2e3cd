//! Several nodes in one process, over a network that tests cut.

mod history;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use shard_core::model::{SubscriptionName, Timestamp, TopicName};
use tokio::time::{sleep, timeout};

use super::*;
use crate::{
    CallError, CallFuture, Peer, ProposeError,
    metadata::{Command, Consumption, Outcome, SubscriptionConfig, TopicConfig},
};

/// Carries questions between the nodes of a test.
#[derive(Clone, Default)]
struct Wire {
    servers: Arc<Mutex<BTreeMap<String, PeerServer>>>,
    /// From whom nothing comes to whom.
    cut: Arc<Mutex<BTreeSet<(u64, u64)>>>,
}

/// One node's end of the wire.
struct End {
    wire: Wire,
    node: u64,
}

impl Transport for End {
    fn call(&self, peer: Peer, question: Vec<u8>, _deadline: Duration) -> CallFuture {
        let (wire, from) = (self.wire.clone(), self.node);
        Box::pin(async move {
            let to = number(&peer.address);
            if wire.is_cut(from, to) {
                return Err(CallError::Unreachable { reason: "cut".to_owned() });
            }
            let server = wire.servers.lock().unwrap_or_else(PoisonError::into_inner).get(&peer.address).cloned();
            let Some(server) = server else { return Err(CallError::Unreachable { reason: "nobody".to_owned() }) };
            let answer = server.answer(&question).await;
            if wire.is_cut(to, from) { Err(CallError::Lost { reason: "cut".to_owned() }) } else { Ok(answer) }
        })
    }
}

impl Wire {
    fn is_cut(&self, from: u64, to: u64) -> bool {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner).contains(&(from, to))
    }

    /// Cuts a node from all others, both ways.
    fn isolate(&self, node: u64) {
        let pairs = (1..=9).filter(|&other| other != node).flat_map(|other| [(node, other), (other, node)]);
        self.cut.lock().unwrap().extend(pairs);
    }

    fn heal(&self) {
        self.cut.lock().unwrap().clear();
    }

    fn unplug(&self, node: u64) {
        self.servers.lock().unwrap().remove(&address(node));
    }
}

fn address(node: u64) -> String {
    format!("node:{node}")
}

fn number(address: &str) -> u64 {
    address.trim_start_matches("node:").parse().unwrap()
}

/// The metadata of one node; its shards take every state at once.
struct Running {
    handle: MetadataHandle,
    node: MetadataNode,
    shards: JoinHandle<()>,
}

/// Nodes that may run, each with its directory.
struct Cluster {
    root: tempfile::TempDir,
    wire: Wire,
    running: BTreeMap<u64, Running>,
}

impl Cluster {
    /// A cluster of so many nodes, all of them voters.
    async fn of(nodes: u64) -> Self {
        let mut cluster = Self { root: tempfile::tempdir().unwrap(), wire: Wire::default(), running: BTreeMap::new() };
        for node in 1..=nodes {
            cluster.start(node).await.unwrap();
        }
        cluster.until("every node votes", |node| voters(node).len() == usize::try_from(nodes).unwrap()).await;
        cluster
    }

    async fn start(&mut self, node: u64) -> Result<(), StartError> {
        let server = PeerServer::default();
        self.wire.servers.lock().unwrap().insert(address(node), server.clone());
        let plan = ClusterPlan {
            seeds: (1..=3).map(address).collect(),
            init: node == 1,
            transport: Arc::new(End { wire: self.wire.clone(), node }),
            server,
        };
        let directory = self.root.path().join(node.to_string());
        let config = MetadataConfig { shared_store: true, ..MetadataConfig::alone(directory, node, address(node)) };
        let (handle, mut updates, running) = loop {
            // sled lets go of its lock in a thread of its own.
            match start(config.clone(), Some(plan.clone())).await {
                Err(error) if error.to_string().contains("acquire lock") => task::yield_now().await,
                started => break started?,
            }
        };
        let shards = task::spawn(async move {
            while let Some(state) = updates.next().await {
                updates.published(state.version());
            }
        });
        self.running.insert(node, Running { handle, node: running, shards });
        Ok(())
    }

    /// Ends a node without a word to the others.
    async fn kill(&mut self, node: u64) {
        self.wire.unplug(node);
        let Running { node, shards, .. } = self.running.remove(&node).unwrap();
        node.shutdown().await;
        shards.await.unwrap();
    }

    fn node(&self, node: u64) -> &Running {
        &self.running[&node]
    }

    /// Who leads by its own account, with a majority behind it.
    fn leader(&self) -> Option<u64> {
        self.running.iter().find(|(_, running)| running.node.seat.leader.is_here()).map(|(&node, _)| node)
    }

    async fn await_leader_other_than(&self, than: u64) -> u64 {
        until("another node leads", || self.leader().is_some_and(|leader| leader != than)).await;
        self.leader().unwrap()
    }

    async fn until(&self, what: &str, holds: impl Fn(&Running) -> bool) {
        until(what, || self.running.values().all(&holds)).await;
    }

    async fn create(&self, through: u64, topic: &str) -> Result<Outcome, ProposeError> {
        self.node(through).handle.propose(create_topic(topic)).await
    }

    async fn until_all_know(&self, topic: &str) {
        self.until("every node knows the topic", |node| node.handle.state().topic(topic).is_some()).await;
    }
}

/// Waits for something that has to come; the limit is for a test that fails.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let waited = timeout(Duration::from_secs(30), async {
        while !holds() {
            sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("it did not come to this: {what}"));
}

/// Nobody while that changes: then a majority of those before is needed too, and of two that is both.
fn voters(running: &Running) -> Vec<u64> {
    let metrics = running.node.raft.metrics();
    let metrics = metrics.borrow();
    let is_settled = metrics.membership_config.membership().get_joint_config().len() == 1;
    if is_settled { metrics.membership_config.voter_ids().collect() } else { Vec::new() }
}

fn create_topic(name: &str) -> Command {
    let created_at = Timestamp::from_millis(1);
    Command::CreateTopic { name: TopicName::new(name).unwrap(), config: TopicConfig::default(), created_at }
}

#[tokio::test]
async fn three_nodes_are_one_cluster_whichever_is_asked() {
    let cluster = Cluster::of(3).await;
    for through in 1..=3 {
        let topic = format!("from-{through}");
        assert!(matches!(cluster.create(through, &topic).await, Ok(Outcome::TopicCreated(_))));
        // Whoever was answered sees it at once where it asked.
        assert!(cluster.node(through).handle.state().topic(&topic).is_some());
        cluster.until_all_know(&topic).await;
    }
    let ids: BTreeSet<String> =
        cluster.running.values().map(|node| node.handle.state().cluster_id().to_owned()).collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn when_the_leader_is_gone_the_others_go_on_and_it_comes_back() {
    let mut cluster = Cluster::of(3).await;
    let first = cluster.leader().unwrap();
    cluster.kill(first).await;
    let second = cluster.await_leader_other_than(first).await;
    let third = 6 - first - second;
    assert!(matches!(cluster.create(third, "after").await, Ok(Outcome::TopicCreated(_))));
    cluster.start(first).await.unwrap();
    cluster.until_all_know("after").await;
}

#[tokio::test]
async fn who_is_cut_off_changes_nothing_and_disturbs_nobody_when_it_returns() {
    let cluster = Cluster::of(3).await;
    let leader = cluster.leader().unwrap();
    let lonely = if leader == 1 { 2 } else { 1 };
    let term = cluster.node(leader).node.metrics().term;
    cluster.wire.isolate(lonely);
    let refused = cluster.create(lonely, "lost").await;
    assert!(matches!(refused, Err(ProposeError::NotLeader { .. } | ProposeError::Unknown { .. })), "{refused:?}");
    assert!(matches!(cluster.create(leader, "kept").await, Ok(Outcome::TopicCreated(_))));
    // Long enough for it to have stood for election more than once, had it been allowed to.
    sleep(3 * Duration::from_millis(limits::PATIENCE_MS_MAX)).await;
    cluster.wire.heal();
    cluster.until_all_know("kept").await;
    assert_eq!(cluster.leader(), Some(leader), "the leader is who it was");
    assert_eq!(cluster.node(leader).node.metrics().term, term, "in the term that it was in");
    assert!(cluster.node(leader).handle.state().topic("lost").is_none());
}

#[tokio::test]
async fn a_leader_without_a_majority_says_that_it_does_not_lead() {
    let cluster = Cluster::of(3).await;
    let leader = cluster.leader().unwrap();
    cluster.wire.isolate(leader);
    until("it knows", || !cluster.node(leader).node.seat.leader.is_here()).await;
    let refused = cluster.create(leader, "lost").await;
    assert!(matches!(refused, Err(ProposeError::NotLeader { .. })), "{refused:?}");
    let next = cluster.await_leader_other_than(leader).await;
    assert!(matches!(cluster.create(next, "kept").await, Ok(Outcome::TopicCreated(_))));
    cluster.wire.heal();
    cluster.until_all_know("kept").await;
}

#[tokio::test]
async fn all_of_them_stop_and_start_again() {
    let mut cluster = Cluster::of(3).await;
    cluster.create(2, "kept").await.unwrap();
    for node in 1..=3 {
        cluster.kill(node).await;
    }
    // A majority has to be there before any of them has started: none is waited for alone.
    let Cluster { root, wire, .. } = cluster;
    let starts = (1..=3).map(|node| {
        let (wire, path) = (wire.clone(), root.path().to_owned());
        async move {
            let server = PeerServer::default();
            wire.servers.lock().unwrap().insert(address(node), server.clone());
            let transport = Arc::new(End { wire: wire.clone(), node });
            let plan = ClusterPlan { seeds: (1..=3).map(address).collect(), init: node == 1, transport, server };
            let config = MetadataConfig {
                shared_store: true,
                ..MetadataConfig::alone(path.join(node.to_string()), node, address(node))
            };
            loop {
                match start(config.clone(), Some(plan.clone())).await {
                    Err(error) if error.to_string().contains("acquire lock") => task::yield_now().await,
                    started => break started.unwrap(),
                }
            }
        }
    });
    let started = futures_util::future::join_all(starts).await;
    assert!(started.iter().all(|(handle, ..)| handle.state().topic("kept").is_some()));
}

/// F21.
#[tokio::test]
async fn a_node_with_a_wiped_disk_is_not_the_node_that_it_was() {
    let mut cluster = Cluster::of(3).await;
    let leader = cluster.leader().unwrap();
    let wiped = if leader == 3 { 2 } else { 3 };
    cluster.kill(wiped).await;
    std::fs::remove_dir_all(cluster.root.path().join(wiped.to_string())).unwrap();
    let refused = cluster.start(wiped).await.err().unwrap();
    assert!(matches!(refused, StartError::Refused(Refusal::NodeIdTaken { .. })), "{refused}");
    // Under a number of its own it comes in.
    cluster.start(4).await.unwrap();
    cluster.create(4, "after").await.unwrap();
}

#[tokio::test]
async fn a_removed_node_never_comes_back() {
    let mut cluster = Cluster::of(3).await;
    let leader = cluster.leader().unwrap();
    let gone = if leader == 3 { 2 } else { 3 };
    cluster.kill(gone).await;
    let remove = Command::RemoveNode { node: NodeId::new(gone), force: false };
    let removed = cluster.node(leader).handle.propose(remove).await;
    assert!(removed.is_ok(), "{removed:?}");
    cluster.until("it votes no more", |node| !voters(node).contains(&gone)).await;
    let refused = cluster.start(gone).await.err().unwrap();
    assert!(matches!(refused, StartError::Refused(Refusal::NodeRemoved { .. })), "{refused}");
}

#[tokio::test]
async fn a_new_node_gets_by_a_snapshot_what_is_gone_from_the_log() {
    let mut cluster = Cluster::of(2).await;
    for topic in 0..20 {
        cluster.create(1, &format!("t{topic}")).await.unwrap();
    }
    for node in 1..=2 {
        let raft = &cluster.node(node).node.raft;
        let last = raft.metrics().borrow().last_applied.unwrap();
        raft.trigger().snapshot().await.unwrap();
        until("the snapshot is there", || raft.metrics().borrow().snapshot >= Some(last)).await;
        raft.trigger().purge_log(last.index).await.unwrap();
        until("the log is purged", || raft.metrics().borrow().purged >= Some(last)).await;
    }
    cluster.start(3).await.unwrap();
    assert_eq!(cluster.node(3).handle.state().topics().len(), 20);
    cluster.until("it votes", |node| voters(node).len() == 3).await;
}

#[tokio::test]
async fn a_leader_that_goes_lets_another_one_lead() {
    let cluster = Cluster::of(3).await;
    let leader = cluster.leader().unwrap();
    cluster.node(leader).node.leave().await;
    assert!(!cluster.node(leader).node.seat.leader.raft_leads());
    let next = cluster.await_leader_other_than(leader).await;
    let state = cluster.node(next).handle.state();
    assert!(state.node(NodeId::new(leader)).unwrap().fenced, "it said that it goes");
    assert!(matches!(cluster.create(next, "after").await, Ok(Outcome::TopicCreated(_))));
}

#[tokio::test]
async fn consumers_of_all_nodes_share_a_group_and_a_new_leader_moves_none_of_its_partitions() {
    let mut cluster = Cluster::of(3).await;
    let config = TopicConfig { partitions: 6, ..TopicConfig::default() };
    let (name, created_at) = (TopicName::new("orders").unwrap(), Timestamp::default());
    let create = Command::CreateTopic { name: name.clone(), config, created_at };
    cluster.node(1).handle.propose(create).await.unwrap();
    let config = SubscriptionConfig { consumption: Consumption::Assigned, ..SubscriptionConfig::default() };
    let subscribe = Command::CreateSubscription {
        name: SubscriptionName::new("billing").unwrap(),
        topic: name,
        config,
        created_at,
    };
    let created = cluster.node(2).handle.propose(subscribe).await.unwrap();
    let Outcome::SubscriptionCreated(subscription) = created else { panic!("{created:?}") };
    cluster.until("it is known", |node| node.handle.state().subscription("billing").is_some()).await;
    for node in 1..=3 {
        let joined = cluster.node(node).node.groups().join(subscription.id, Some(format!("c{node}"))).await;
        assert!(joined.is_ok(), "{joined:?}");
    }
    let adopt = async |cluster: &Cluster, node: u64| {
        let groups = cluster.node(node).node.groups();
        groups.live(subscription.id, &format!("c{node}")).await
    };
    // Each has its two once all have let go of what they had to.
    let settled = timeout(Duration::from_secs(30), async {
        loop {
            let mut owned = Vec::new();
            for node in 1..=3 {
                owned.push(adopt(&cluster, node).await.map_or(0, |membership| membership.partitions.len()));
            }
            if owned == [2, 2, 2] {
                break;
            }
        }
    });
    settled.await.unwrap();
    let leader = cluster.leader().unwrap();
    let before = adopt(&cluster, if leader == 1 { 2 } else { 1 }).await.unwrap();
    cluster.kill(leader).await;
    let next = cluster.await_leader_other_than(leader).await;
    let other = 6 - leader - next;
    for node in [next, other] {
        let membership = adopt(&cluster, node).await.unwrap();
        assert_eq!(membership.generation, before.generation, "no rebalance");
        assert_eq!(membership.partitions.len(), 2);
    }
}

#[tokio::test]
async fn any_node_says_how_the_cluster_stands_and_passes_on_what_operators_want() {
    let cluster = Cluster::of(3).await;
    let leader = cluster.leader().unwrap();
    let [one, other] = if leader == 1 { [2, 3] } else { [1, 5 - leader] };
    for asked in 1..=3 {
        let standing = cluster.node(asked).node.operator().describe().await.unwrap();
        assert_eq!(standing.leader, Some(NodeId::new(leader)));
        assert!(standing.members.iter().all(|member| member.log_index.is_some()), "{standing:?}");
        let roles = standing.members.iter().filter(|member| member.role == crate::RaftRole::Follower).count();
        assert_eq!(roles, 2, "{standing:?}");
    }
    let operator = cluster.node(one).node.operator();
    assert_eq!(operator.rebalance().await, Ok(()));
    operator.transfer_leadership(Some(NodeId::new(other))).await.unwrap();
    until("the named one leads", || cluster.leader() == Some(other)).await;
    assert_eq!(operator.transfer_leadership(Some(NodeId::new(other))).await, Ok(()), "it leads already");
    let nobody = crate::OperateRefusal::NodeNotFound { node: NodeId::new(9) };
    assert_eq!(operator.transfer_leadership(Some(NodeId::new(9))).await, Err(nobody.into()));
    operator.transfer_leadership(None).await.unwrap();
    assert_ne!(cluster.await_leader_other_than(other).await, other);
}

#[tokio::test]
async fn a_partition_goes_where_an_operator_wants_it_and_who_asked_sees_that() {
    let cluster = Cluster::of(3).await;
    cluster.create(2, "orders").await.unwrap();
    let all_live = |node: &Running| node.handle.state().nodes().all(|node| !node.fenced);
    cluster.until("all are there", all_live).await;
    for to in [2, 3, 1].map(NodeId::new) {
        let asked = cluster.node(2);
        let state = asked.handle.state();
        let topic = state.topic("orders").unwrap();
        let (named, partition) = topic.placed_partitions().next().unwrap();
        let moved = asked.node.operator().move_partition(named, to).await;
        if partition.owner == Some(to) {
            assert_eq!(moved, Err(crate::OperateRefusal::Unchanged { node: to }.into()));
        } else {
            moved.unwrap();
        }
        let state = asked.handle.state();
        assert_eq!(state.topic("orders").unwrap().partitions[0].owner, Some(to));
        let gone = shard_core::model::TopicPartition::new(named.topic, shard_core::model::PartitionIndex::new(99));
        let refused = asked.node.operator().move_partition(gone, to).await;
        assert_eq!(refused, Err(crate::OperateRefusal::PartitionNotFound.into()));
    }
}

#[tokio::test]
async fn without_a_leader_a_node_says_what_it_knows_and_does_nothing() {
    let cluster = Cluster::of(3).await;
    let leader = cluster.leader().unwrap();
    cluster.wire.isolate(leader);
    until("it knows", || !cluster.node(leader).node.seat.leader.is_here()).await;
    let operator = cluster.node(leader).node.operator();
    assert_eq!(operator.describe().await.unwrap().members.len(), 3);
    assert_eq!(operator.rebalance().await, Err(crate::OperateError::NoLeader));
}

#[tokio::test]
async fn a_node_that_was_removed_while_it_was_cut_off_is_told_by_another() {
    let cluster = Cluster::of(3).await;
    let leader = cluster.leader().unwrap();
    let gone = leader % 3 + 1;
    cluster.wire.isolate(gone);
    let remove = Command::RemoveNode { node: NodeId::new(gone), force: false };
    cluster.node(leader).handle.propose(remove).await.unwrap();
    // From then on it is sent no entries of the log.
    until("it is no member", || !voters(cluster.node(leader)).contains(&gone)).await;
    assert!(!cluster.node(gone).handle.state().is_removed(NodeId::new(gone)));
    cluster.wire.heal();
    let told = timeout(Duration::from_secs(30), cluster.node(gone).node.removed()).await;
    assert!(told.is_ok(), "it was not told");
    let stays = timeout(Duration::from_millis(1), cluster.node(leader).node.removed()).await;
    assert!(stays.is_err(), "who is there is not removed");
}

#[tokio::test]
async fn the_leader_raises_the_level_once_every_node_runs_newer_software() {
    let mut cluster = Cluster::of(3).await;
    let newer = limits::COMMAND_LEVEL + 1;
    for node in 1..=3 {
        cluster.until("the level is as before", |node| node.handle.state().level() == limits::COMMAND_LEVEL).await;
        // As its next run would, with other software.
        let known = cluster.node(node).handle.state().node(NodeId::new(node)).unwrap().clone();
        let join = Command::JoinNode {
            node: known.id,
            incarnation: known.incarnation,
            address: known.address,
            client_address: known.client_address,
            rack: known.rack,
            shards: known.shards,
            software: newer,
            shared_store: true,
        };
        cluster.node(node).handle.propose(join).await.unwrap();
    }
    cluster.until("every node knows the new level", |node| node.handle.state().level() == newer).await;
    let refused = cluster.start(4).await.err().unwrap();
    let too_old = Refusal::SoftwareTooOld { needed: newer, has: limits::COMMAND_LEVEL };
    assert!(matches!(&refused, StartError::Refused(refusal) if *refusal == too_old), "{refused}");
}
