//! A partition that this core follows.

use std::rc::Rc;

use shard_core::{
    model::{Offset, TopicPartition},
    replication::{Follower, FollowerEffect},
};

use super::PeerKey;
use crate::{command::PartitionSettings, event::Applying, store::AnyPartition};

/// What a follower has.
#[derive(Debug)]
pub(crate) struct Following {
    pub(crate) id: TopicPartition,
    pub(crate) store: AnyPartition,
    pub(crate) follower: Follower,
    pub(crate) settings: PartitionSettings,
    /// The node that leads; none while there is none.
    pub(crate) leader: Option<u64>,
    /// How often what was committed has been given up.
    pub(crate) incarnation: u32,
    /// Where it is fetched from.
    pub(crate) source: Option<PeerKey>,
    /// Which opening in the store this is.
    pub(crate) opening: u64,
    /// What the store is doing for the follower.
    pub(crate) work: Work,
    pub(crate) retaining: bool,
    /// The log is to be cut once retention has ended.
    pub(crate) cut: Option<FollowerEffect>,
    /// Whether it is being closed.
    pub(crate) closing: bool,
    /// Goes when it was let go of.
    pub(crate) releasing: Option<Rc<Applying>>,
}

/// What a store is doing for a follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Nothing.
    None,
    /// It stores what was fetched.
    Storing,
    /// It cuts the log: nothing else may be done to that meanwhile.
    Cutting,
    /// It lets go of its files.
    Closing,
}

/// What a store has done for a follower.
#[derive(Debug)]
pub(crate) enum Done {
    /// What was fetched is on the disk; the store may ask for a snapshot of the cursors next.
    Stored { wants_snapshot: bool },
    /// There was no room for what was fetched, or only for the messages, which are stored.
    NoRoom { reason: String, stored: bool },
    /// The log was cut.
    Cut(Offset),
    /// The log begins anew.
    Restarted(Offset),
}

impl Following {
    /// Whether nothing is under way in the store.
    pub(crate) fn is_still(&self) -> bool {
        self.work == Work::None && !self.retaining
    }

    /// Whether retention may look at the log.
    pub(crate) fn can_retain(&self) -> bool {
        let is_at_rest = matches!(self.work, Work::None | Work::Storing);
        is_at_rest && !self.retaining && !self.closing && self.cut.is_none()
    }
}
