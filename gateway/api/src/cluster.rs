//! The cluster: its nodes, how they stand, and what operators do with them.

use serde::{Deserialize, Serialize};

/// The cluster as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cluster {
    /// Its id: a UUID, drawn when it was founded.
    pub cluster_id: String,
    /// The node that answered.
    pub answered_by: u64,
    /// How many milliseconds ago the node that answered last knew itself to be part of the cluster that decides.
    pub contact_ms: u64,
    /// The node that leads the metadata; `null` while nobody is known to.
    pub leader: Option<u64>,
    /// The Raft term; it rises with each election.
    pub term: u64,
    /// The last entry of the leader's log.
    pub last_log_index: u64,
    /// The last entry that is applied on the node that answered.
    pub applied_index: u64,
    /// The level of commands that all nodes understand; it rises at the end of an upgrade.
    pub command_level: u32,
    /// Whether every node reaches every message, as in Redis: then any node can take a partition over.
    pub shared_store: bool,
    /// How many partitions have to move until all is even.
    pub uneven_partitions: u64,
    /// How many partitions have fewer replicas in sync than their topics want.
    pub under_replicated_partitions: u64,
    /// How many partitions nobody leads, and nobody could who holds all that was acknowledged.
    pub offline_partitions: u64,
    /// Its nodes, by number.
    pub nodes: Vec<ClusterNode>,
}

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClusterNode {
    /// Its number.
    pub node: u64,
    /// Where other nodes reach it.
    pub address: String,
    /// Where clients reach it; empty if it has not said.
    pub client_address: String,
    /// How it is.
    pub state: NodeState,
    /// What it does for the metadata; `null` if it has yet to come to them.
    pub role: Option<NodeRole>,
    /// How far its log is known to reach; `null` if nobody knows.
    pub log_index: Option<u64>,
    /// Rises each time the node starts.
    pub epoch: u64,
    /// Its rack, if it has one.
    pub rack: Option<String>,
    /// Over how many cores it spreads its partitions.
    pub shards: u32,
    /// How many partitions it owns.
    pub owned: u64,
    /// How many partitions it keeps, owned or not.
    pub partitions: u64,
    /// The highest level of commands that its software understands.
    pub command_level: u32,
    /// How far it is emptied, if it is to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<DrainProgress>,
}

/// How a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It is there.
    Up,
    /// It is there, and is to be emptied or is empty.
    Draining,
    /// It is not heard of.
    Down,
}

/// What a node does for the metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NodeRole {
    /// It leads.
    Leader,
    /// It follows, and votes.
    Follower,
    /// It follows, and does not vote, or not yet.
    Learner,
}

/// How far a node is emptied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DrainProgress {
    /// How many partitions it owns still.
    pub left: u64,
    /// How many of them nobody else can take as things are.
    pub stuck: u64,
    /// How many partitions it keeps still, owned or not.
    pub kept: u64,
    /// How many of these no other node can keep in its place as things are.
    pub kept_stuck: u64,
}

/// The body of `POST /v1/cluster/nodes/{node}/drain`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DrainRequest {
    /// Whether the node is to be emptied; `false` undoes it. True if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draining: Option<bool>,
}

/// The body of `POST /v1/topics/{topic}/partitions/{partition}/move`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MoveRequest {
    /// The node that is to own the partition.
    pub node: u64,
}

/// The body of `POST /v1/topics/{topic}/partitions/{partition}/unclean-elect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UncleanElectRequest {
    /// The node that is to own the partition; if left out, the first that is up of those that keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u64>,
    /// Has to be `true`: messages that were acknowledged may be lost.
    pub accept_loss: bool,
}

/// A partition of which what was acknowledged has been given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UncleanElected {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: u32,
    /// The node that owns it, with what it has.
    pub node: u64,
    /// Rises by one with each new owner.
    pub leader_epoch: u32,
    /// Rises by one each time.
    pub incarnation: u32,
}

/// The body of `POST /v1/cluster/leader`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LeaderRequest {
    /// The node that is to lead; if left out, one that has most of the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u64>,
}

/// A partition after it was moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MovedPartition {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: u32,
    /// The node that owns it, or is to.
    pub node: u64,
    /// Rises by one with each new owner.
    pub leader_epoch: u32,
    /// Whether the node has yet to fetch the messages; it owns the partition once it has them all.
    pub pending: bool,
}

/// What became of a node that was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RemovedNode {
    /// Its number, which is never used again.
    pub node: u64,
    /// How many partitions only it had: their messages are given up, and they begin anew on other nodes.
    pub lost_partitions: u64,
    /// The first of them.
    pub lost: Vec<LostPartition>,
}

/// A partition whose messages were given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LostPartition {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: u32,
}
