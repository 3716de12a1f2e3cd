//! Looking through the log of a partition, a bounded part at a time, for what no cursor leads to: dead letters of a
//! subscription, and messages that wait for their time.

use std::{collections::BTreeSet, sync::Arc};

use super::{PartitionSubscription, PublishError};
use crate::{
    delivery::{LetterOwner, ScheduledMessage},
    format::record_batch::RecordBatch,
    model::{Offset, TopicId, TopicPartition},
};

/// Which dead letters are looked for.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct LetterQuery {
    /// The partition of the dead-letter topic, and the subscription that gave up on them.
    pub place: PartitionSubscription,
    /// The same subscription as its letters name it.
    pub owner: Arc<LetterOwner>,
    /// From where on; what has gone from there is passed over.
    pub from: Offset,
    /// How many at most.
    pub count_max: usize,
}

/// Dead letters, and where there may be more.
#[derive(Clone, Debug, Default, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Letters {
    /// The batches that hold them; they hold other messages too.
    #[rkyv(with = rkyv::with::Skip)]
    pub batches: Vec<RecordBatch>,
    /// The letters, in order.
    pub letters: Vec<Offset>,
    /// Where to go on looking; `None` at the end.
    pub next: Option<Offset>,
}

/// Which dead letters are to be sent back.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct RedriveQuery {
    /// Where they are looked for.
    pub letters: LetterQuery,
    /// Those of messages with these ids; all if none are given.
    pub ids: Option<Arc<BTreeSet<String>>>,
    /// The topic that they go back to.
    pub topic: TopicId,
    /// How many partitions it has.
    pub partitions: u32,
}

/// What became of letters that were to be sent back.
#[derive(Clone, Debug, Default, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Redriven {
    /// So many are in their topic again, and no letters any more.
    pub letters: usize,
    /// Why others are letters still.
    pub failure: Option<PublishError>,
    /// Where to go on looking; `None` at the end.
    pub next: Option<Offset>,
}

/// Which scheduled messages are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct ScheduledQuery {
    /// Where.
    pub partition: TopicPartition,
    /// From where on; what has gone from there is passed over.
    pub from: Offset,
    /// How many at most.
    pub count_max: usize,
}

/// Scheduled messages, and where there may be more.
#[derive(Clone, Debug, Default, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Scheduled {
    /// The messages, in the order of the log.
    pub messages: Vec<ScheduledMessage>,
    /// Where to go on looking; `None` at the end.
    pub next: Option<Offset>,
}

/// Which scheduled messages are to be cancelled.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct CancelQuery {
    /// Where.
    pub partition: TopicPartition,
    /// Those with this id.
    pub id: String,
    /// From where on.
    pub from: Offset,
    /// Whether only the message at `from` is meant.
    pub one: bool,
}

/// How many messages were cancelled, and where there may be more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Cancelled {
    /// So many will not be delivered any more.
    pub messages: usize,
    /// Where to go on looking; `None` at the end.
    pub next: Option<Offset>,
}
