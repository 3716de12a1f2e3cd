//! A small cluster for the tests of commands about nodes and partitions.

use shard_core::model::{Timestamp, TopicId, TopicName};

use crate::metadata::{
    ClusterState, Command, Incarnation, NodeId, Outcome, Partition, PartitionTarget, PartitionTransition, Refusal,
    TopicConfig, TransitionRefusal,
};

pub(super) struct Cluster {
    pub(super) state: ClusterState,
    pub(super) shared_store: bool,
}

pub(super) const fn node(number: u64) -> NodeId {
    NodeId::new(number)
}

pub(super) fn nodes(numbers: &[u64]) -> Vec<NodeId> {
    numbers.iter().copied().map(NodeId::new).collect()
}

impl Cluster {
    /// Nodes 1 to `count`, none of them fenced.
    pub(super) fn new(count: u64, shared_store: bool) -> Self {
        let mut cluster = Self { state: ClusterState::default(), shared_store };
        for number in 1..=count {
            cluster.join(number, 1).unwrap();
            cluster.unfence(number);
        }
        cluster
    }

    /// Applies a command as a log entry of its own.
    pub(super) fn apply(&mut self, command: Command) -> Result<Outcome, Refusal> {
        self.state.advance_to(self.state.version() + 1);
        self.state.apply(command)
    }

    pub(super) fn join(&mut self, number: u64, software: u32) -> Result<Outcome, Refusal> {
        self.apply(Command::JoinNode {
            node: node(number),
            incarnation: Incarnation::new([u8::try_from(number).unwrap(); 16]),
            address: format!("localhost:{number}"),
            client_address: String::new(),
            rack: None,
            shards: 2,
            software,
            shared_store: self.shared_store,
        })
    }

    pub(super) fn epoch(&self, number: u64) -> u64 {
        self.state.node(node(number)).unwrap().epoch
    }

    pub(super) fn fence(&mut self, number: u64) {
        let epoch = self.epoch(number);
        self.apply(Command::FenceNode { node: node(number), epoch }).unwrap();
    }

    pub(super) fn unfence(&mut self, number: u64) {
        let epoch = self.epoch(number);
        self.apply(Command::UnfenceNode { node: node(number), epoch }).unwrap();
    }

    /// A topic "t" with one partition.
    pub(super) fn create_topic(&mut self, replication_factor: u16, min_insync: u16) {
        let config = TopicConfig { partitions: 1, replication_factor, min_insync, ..TopicConfig::default() };
        let created_at = Timestamp::default();
        self.apply(Command::CreateTopic { name: TopicName::new("t").unwrap(), config, created_at }).unwrap();
    }

    pub(super) fn partition(&self) -> &Partition {
        &self.state.topic("t").unwrap().partitions[0]
    }

    /// Has the partition be as no command here makes it at once.
    pub(super) fn partition_mut(&mut self, change: impl FnOnce(&mut Partition)) {
        let mut topic = crate::metadata::Topic::clone(self.state.topic("t").unwrap());
        change(&mut topic.partitions[0]);
        self.state.put_topic(std::sync::Arc::new(topic));
    }

    /// The partition's ISR and ELR, by their numbers.
    pub(super) fn sets(&self) -> (Vec<u64>, Vec<u64>) {
        let numbers = |nodes: &[NodeId]| nodes.iter().map(|node| node.get()).collect();
        (numbers(&self.partition().isr), numbers(&self.partition().elr))
    }

    pub(super) fn owner(&self) -> u64 {
        self.partition().owner.unwrap().get()
    }

    /// A change of the partition from what it is now.
    pub(super) fn transition(&self, to: PartitionTarget) -> PartitionTransition {
        let Partition { leader_epoch, partition_epoch, .. } = *self.partition();
        PartitionTransition { topic: TopicId::new(1), partition: 0, leader_epoch, partition_epoch, to }
    }

    /// Changes the partition; why not, if not.
    pub(super) fn change(&mut self, change: PartitionTransition) -> Result<(), TransitionRefusal> {
        let Ok(Outcome::PartitionsChanged { changed, refused }) =
            self.apply(Command::ChangePartitions { changes: vec![change] })
        else {
            panic!("not of partitions")
        };
        assert_eq!(changed + refused.len(), 1);
        refused.first().map_or(Ok(()), |refused| Err(refused.reason))
    }

    pub(super) fn give_to(&mut self, number: u64) -> Result<(), TransitionRefusal> {
        self.change(self.transition(PartitionTarget::Owner(node(number))))
    }
}
