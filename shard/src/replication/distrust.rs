//! Replicas on this node that can't be counted on: what was found of them, and how far that is known.

use futures_channel::oneshot;
use shard_core::model::TopicPartition;

use crate::command::PartitionSettings;

/// A replica of this node can't be counted on to hold what was acknowledged. The control thread has the metadata say so.
#[derive(Debug)]
pub struct ReplicaFault {
    /// The partition.
    pub partition: TopicPartition,
    /// For people.
    pub reason: String,
    /// Told once nobody counts on it: it is neither in sync nor eligible, nor does the node own the partition.
    pub given_up: oneshot::Sender<()>,
}

/// What is known of a replica that can't be counted on.
#[derive(Debug)]
pub(crate) struct Distrusted {
    pub(crate) cause: Cause,
    pub(crate) reason: String,
    pub(crate) stage: Stage,
    /// Whether a handle is being closed that was only opened to see whether it is whole.
    pub(crate) is_closing: bool,
    /// Whom it is to follow once it is whole again; none while the metadata do not say so.
    pub(crate) follow: Option<(Followed, PartitionSettings)>,
}

/// What is wrong with a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The disk has failed: what it says can't be trusted before the node has started again.
    Failed,
    /// The disk answers, and does not have what it was given: others have it.
    Damaged,
}

/// How far it is known, and what is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is to be told to the control thread.
    Unsaid,
    /// That has been told.
    Said,
    /// Nobody counts on the replica any more.
    GivenUp,
    /// It is put aside and begun anew.
    Mending,
}

/// Whom a partition follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Followed {
    pub(crate) epoch: shard_core::model::LeaderEpoch,
    pub(crate) leader: Option<u64>,
    /// How often what was committed has been given up.
    pub(crate) incarnation: u32,
}
