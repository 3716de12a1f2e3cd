//! What happens in the simulated cluster, and what its parts tell each other.

use shard_core::{
    log::{Fate, Placed},
    model::{LeaderEpoch, Offset},
    replication::{FetchAnswer, FetchPosition, Fetched, NodeRun},
};

use crate::metadata::{Command, NodeId, TransitionRefusal};

/// Something that happens. Nodes are named by their places, partitions by their numbers.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A run of a node does something.
    Act { place: usize, boot: u64, act: Act },
    /// A node starts again.
    Start { place: usize },
    /// Something reaches a node.
    Arrive { place: usize, message: Message },
    /// Commands reach the log, if who proposed them leads still.
    Commit { term: u64, commands: Vec<Command>, waiter: Waiter },
    /// Who leads is looked at.
    Elect,
    /// A publisher publishes, or tries again.
    Publish { publisher: usize },
    /// A publisher has waited for long enough.
    GiveUp { publisher: usize, attempt: u64 },
    /// A publisher hears what became of an attempt.
    Answered { publisher: usize, attempt: u64, answer: Answer },
    /// A consumer reads a partition.
    Consume { partition: usize },
    /// A consumer was given what lies below.
    Consumed { partition: usize, end: u64 },
    /// Something goes wrong.
    Fault,
}

impl Event {
    /// Whether somebody who looks for a fault wants to read of it.
    pub(super) const fn is_telling(&self) -> bool {
        let is_routine = matches!(
            self,
            Self::Elect
                | Self::Consume { .. }
                | Self::Consumed { .. }
                | Self::Act { act: Act::Tick | Act::Fetch { .. }, .. }
                | Self::Arrive { message: Message::Alive { .. } | Message::Leads { .. } | Message::Read { .. }, .. }
        );
        !is_routine
    }
}

/// What a run of a node does by itself.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// It looks around.
    Tick,
    /// A partition is opened.
    Open { partition: usize, opening: u64 },
    /// A follower fetches, if it has not done so since.
    Fetch { partition: usize, opening: u64, number: u64 },
    /// The disk has done something.
    Done { partition: usize, opening: u64, done: Done },
}

/// What the disk has done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Done {
    /// A leader's batches are safe, which end here.
    Appended(Offset),
    /// They are safe now, though the leader believes so already.
    Late(Offset),
    /// They were not taken.
    Rejected,
    /// Nobody knows what became of them.
    Failed,
    /// A leader's cursor is safe, up to a change.
    Cursors { change: u64, value: u64 },
    /// What a follower was sent is safe.
    Stored,
    /// A follower's log is cut.
    Cut(Offset),
    /// A follower's log begins anew.
    Restarted(Offset),
}

/// What a publisher is told.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Acknowledged(Placed),
    Refused(Fate),
    /// Whoever leads next is to be asked.
    Undecided(Undecided),
}

/// Something that a leader had stored, and not committed when another one took its place.
#[derive(Clone, Debug)]
pub(super) struct Undecided {
    pub(super) epoch: LeaderEpoch,
    pub(super) end: Offset,
    pub(super) placed: Placed,
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
    /// A leader that has said who is in sync; it numbers what it says.
    Leader {
        place: usize,
        partition: usize,
        number: u64,
    },
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
    /// Another node leads the metadata, and their log is so long.
    Leads {
        term: u64,
        end: u64,
    },
    /// For the leader of the metadata.
    Propose {
        commands: Vec<Command>,
        waiter: Waiter,
    },
    /// What a proposal came to, and how long the log is now.
    Proposed {
        waiter: Waiter,
        epoch: u64,
        refusal: Option<TransitionRefusal>,
        end: u64,
    },
    Fetch {
        partition: usize,
        by: usize,
        run: NodeRun,
        position: FetchPosition,
        number: u64,
    },
    Fetched {
        partition: usize,
        number: u64,
        epoch: LeaderEpoch,
        answer: FetchAnswer,
        fetched: Fetched,
        cursor: u64,
    },
    Publish {
        partition: usize,
        publisher: usize,
        attempt: u64,
        by: usize,
    },
    /// What became of an attempt that an earlier leader left undecided?
    Decide {
        partition: usize,
        attempt: u64,
        undecided: Undecided,
    },
    Read {
        partition: usize,
        from: u64,
        by: usize,
    },
    /// A consumer has done with what lies below.
    Consumed {
        partition: usize,
        end: u64,
    },
}
