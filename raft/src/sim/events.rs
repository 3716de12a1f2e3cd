//! What is on its way between the parts of the simulated cluster.

use shard_core::model::{PartitionIndex, SubscriptionId};

use super::{history::ChangeId, operators::Written};
use crate::{
    groups::request::{Answered, Wish},
    metadata::{Command, MemberId, NodeId},
};

/// Who waits for an answer of the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) consumer: usize,
    pub(super) number: u64,
    /// The place of the node that the consumer asked.
    pub(super) by: usize,
}

/// Who hears what became of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiter {
    Nobody,
    /// A node that joins, in this run.
    Joining {
        place: usize,
        boot: u64,
    },
    /// The coordinator on a node, in this run; the number names the proposal.
    Coordinator {
        place: usize,
        boot: u64,
        subscription: SubscriptionId,
        number: u64,
    },
    /// The node by which a client asked for a change, in this run, and the leader that took it.
    Client {
        leader: usize,
        place: usize,
        boot: u64,
        change: ChangeId,
    },
}

/// Something that happens. Nodes are named by their places.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A run of a node looks around.
    Tick { place: usize, boot: u64 },
    /// A killed node starts again.
    Start { place: usize },
    /// Something reaches a node.
    Arrive { place: usize, message: Message },
    /// Commands reach the log, if who proposed them leads still.
    Commit { term: u64, commands: Vec<Command>, waiter: Waiter },
    /// Who leads is looked at.
    Elect,
    /// A publisher publishes.
    Publish { publisher: usize },
    /// A publisher hears that a message is stored.
    Published { partition: PartitionIndex, id: u64 },
    /// A consumer acts.
    Consume { consumer: usize },
    /// A consumer is answered by the coordinator.
    Answer { ticket: Ticket, answer: Answered },
    /// A consumer is given messages.
    Delivered { consumer: usize, member: MemberId, partition: PartitionIndex, end: usize },
    /// A client reads or changes the metadata.
    Operate { operator: usize },
    /// A node brings a change to the leader once more.
    Bring { place: usize, boot: u64, change: ChangeId },
    /// Something goes wrong.
    Fault,
}

/// What a node is told.
#[derive(Clone, Debug)]
pub(super) enum Message {
    Alive {
        node: NodeId,
        epoch: u64,
        applied: u64,
    },
    /// A run of a node ends.
    Gone {
        node: NodeId,
        epoch: u64,
    },
    /// Another node leads, and the log is so long.
    Leads {
        term: u64,
        end: u64,
    },
    /// For the leader: a node wants in.
    Propose {
        commands: Vec<Command>,
        waiter: Waiter,
    },
    /// What a proposal came to, and how long the log is now.
    Proposed {
        waiter: Waiter,
        epoch: u64,
        end: u64,
    },
    /// For the leader: a client wants a change.
    Write {
        change: ChangeId,
        command: Box<Command>,
        by: usize,
        boot: u64,
    },
    /// What a leader says of a change.
    Written {
        change: ChangeId,
        boot: u64,
        written: Written,
    },
    /// For the leader's coordinator.
    Wish {
        wish: Wish,
        ticket: Ticket,
    },
    /// A partition is open in the store from now on.
    Open {
        partition: PartitionIndex,
        leader_epoch: u32,
        boot: u64,
    },
    Store {
        partition: PartitionIndex,
        id: u64,
    },
    Read {
        consumer: usize,
        partition: PartitionIndex,
        member: MemberId,
        generation: u64,
    },
    Commit {
        partition: PartitionIndex,
        member: MemberId,
        generation: u64,
        end: usize,
    },
}
