//! What is on its way between the parts of the simulated cluster, and chance.

use std::{collections::BTreeMap, sync::Arc};

use shard_core::model::PartitionIndex;

use crate::{
    groups::{
        coordinator::Proposed,
        request::{Answered, Wish},
    },
    metadata::{ClusterState, GroupChange, MemberId},
};

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) consumer: usize,
    pub(super) number: u64,
}

/// Something that arrives.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// At the coordinator, whichever it is by then.
    Request { wish: Wish, ticket: Ticket },
    /// At the coordinator that proposed, with the state that came of it.
    Proposed { coordinator: u64, proposed: Proposed, state: Arc<ClusterState> },
    /// At the coordinator that it was sent to.
    State { coordinator: u64, state: Arc<ClusterState> },
    /// A paused coordinator goes on.
    Resume { coordinator: u64 },
    /// At a consumer.
    Answer { ticket: Ticket, answer: Answered },
    /// At the metadata, from this coordinator.
    Command { coordinator: u64, changes: Vec<GroupChange> },
    /// At the owner of partitions.
    OwnerState { owner: usize, state: Arc<ClusterState> },
    /// At the owner of a partition: a member acks something.
    Use { partition: PartitionIndex, member: MemberId, generation: u64 },
    /// A consumer acts.
    Tick { consumer: usize },
    /// Something goes wrong.
    Fault,
}

/// What will arrive, by time.
#[derive(Debug, Default)]
pub(super) struct Queue {
    events: BTreeMap<(u64, u64), Event>,
    number: u64,
}

impl Queue {
    pub(super) fn put(&mut self, at: u64, event: Event) {
        self.number += 1;
        self.events.insert((at, self.number), event);
    }

    pub(super) fn next_at(&self) -> Option<u64> {
        self.events.keys().next().map(|(at, _)| *at)
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        self.events.pop_first().map(|(_, event)| event)
    }
}
