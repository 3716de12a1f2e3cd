//! The cluster, for those who look after it.

use gateway_api::{
    Code,
    cluster::{
        Cluster, ClusterNode, DrainRequest, LeaderRequest, MoveRequest, MovedPartition, RemovedNode,
        UncleanElectRequest, UncleanElected,
    },
    verify::{Verified, VerifyRequest},
};
use serde_json::json;

use super::{BODY, CHANGE, QUERY};
use crate::describe::{
    operation::{Answer, Content, Operation, Parameter, Tag},
    schemas::Schemas,
};

const NODE: &[Code] = &[Code::NodeNotFound];
const REFUSED: &[Code] = &[Code::TransitionRefused];

fn cluster(description: &'static str) -> Answer {
    Answer::json(200, description, Schemas::answer::<Cluster>)
}

fn one_node(description: &'static str) -> Answer {
    Answer::json(200, description, Schemas::answer::<ClusterNode>)
}

pub(super) fn show() -> Operation {
    let description = "Its nodes, who leads, and how far everyone is. Any node answers, also one that is cut off: `contact_ms` \
        says since when.";
    Operation::new(Tag::Cluster, "Show the cluster", description).answer(cluster("The cluster."))
}

pub(super) fn node() -> Operation {
    Operation::new(Tag::Cluster, "Show a node", "How it stands, and how far it is emptied if it is to be.")
        .answer(one_node("The node."))
        .problems(&[NODE])
}

pub(super) fn drain() -> Operation {
    let description = "Its partitions go to other nodes, some at a time, and it is given no new ones; `drain.left` falls to 0. \
        With `draining` false that ends. Where each node keeps its own messages, what nobody else has stays: `drain.stuck`.";
    let draining = json!({ "type": "boolean", "default": true });
    let examples = [("empty", json!({})), ("do-not", json!({ "draining": false }))];
    Operation::new(Tag::Cluster, "Empty a node", description)
        .parameters([Parameter::query("draining", draining, "The same as in the body, and wins.")])
        .optional_body([Content::json(Schemas::request::<DrainRequest>, examples)])
        .answer(one_node("The node, and how far it is."))
        .problems(&[BODY, CHANGE, NODE])
}

pub(super) fn remove() -> Operation {
    let description = "Its number is never used again. A node goes when it is down, or drained, and has no partitions. `force` \
        removes one that is down with what it has: what only it had is lost, and the answer says what that was.";
    let force = json!({ "type": "boolean", "default": false });
    Operation::new(Tag::Cluster, "Remove a node", description)
        .parameters([Parameter::query("force", force, "Removes a node that is down with what only it has.")])
        .answer(Answer::json(200, "It is gone.", Schemas::answer::<RemovedNode>))
        .problems(&[QUERY, CHANGE, NODE, REFUSED, &[Code::NodeInUse]])
}

pub(super) fn rebalance() -> Operation {
    let description = "Partitions move, some at a time, until no node owns two more than another; `uneven_partitions` falls to 0. \
        A cluster evens out by itself as well, once the differences are large.";
    Operation::new(Tag::Cluster, "Even out", description)
        .answer(cluster("It has begun; so it stands."))
        .problems(&[CHANGE])
}

pub(super) fn leader() -> Operation {
    let description =
        "Lets another node lead the metadata: a named one, or one that has most of the log. Messages go on meanwhile.";
    Operation::new(Tag::Cluster, "Transfer leadership", description)
        .optional_body([Content::json(Schemas::request::<LeaderRequest>, [("to-a-node", json!({ "node": 1 }))])])
        .answer(cluster("Another node leads, or the named one did already."))
        .problems(&[BODY, CHANGE, NODE, REFUSED])
}

pub(super) fn move_partition() -> Operation {
    let description = "Lets a node own a partition. Where each node keeps its own messages, one that lacks some fetches them first \
        (`pending`), in the place of the owner or of the node in the same rack, and owns the partition then. For ten minutes \
        after that, the cluster evens nothing out by itself.";
    let codes = [Code::TopicNotFound, Code::PartitionNotFound];
    Operation::new(Tag::Cluster, "Move a partition", description)
        .body([Content::json(Schemas::request::<MoveRequest>, [("to-a-node", json!({ "node": 1 }))])])
        .answer(Answer::json(200, "It is there, or on its way.", Schemas::answer::<MovedPartition>))
        .problems(&[BODY, CHANGE, NODE, REFUSED, &codes])
}

pub(super) fn elect_unclean() -> Operation {
    let description = "Lets a node own a partition with what it has: **messages that were acknowledged, and that it lacks, are \
        lost**, and offsets may name other messages than before (`incarnation` rises). Only while no node is up that holds \
        everything. The last resort when those nodes are gone for good.";
    let codes = [Code::TopicNotFound, Code::PartitionNotFound];
    let body = json!({ "node": 1, "accept_loss": true });
    Operation::new(Tag::Cluster, "Give up what was acknowledged", description)
        .body([Content::json(Schemas::request::<UncleanElectRequest>, [("of-a-node", body)])])
        .answer(Answer::json(200, "The node owns it.", Schemas::answer::<UncleanElected>))
        .problems(&[BODY, CHANGE, NODE, REFUSED, &codes])
}

pub(super) fn verify() -> Operation {
    let description = "Has each node that keeps a partition read a stretch of its log from its disk, some 8 MiB, and compares \
        checksums; what is committed alone. Ask again from `next_offset` until that is the high watermark. A replica that \
        finds itself damaged is set aside and fetched again from the others.";
    let codes = [Code::TopicNotFound, Code::PartitionNotFound, Code::PartitionUnavailable];
    Operation::new(Tag::Cluster, "Compare replicas", description)
        .body([Content::json(Schemas::request::<VerifyRequest>, [("from-the-start", json!({}))])])
        .answer(Answer::json(200, "How they compare.", Schemas::answer::<Verified>))
        .problems(&[BODY, &codes])
}
