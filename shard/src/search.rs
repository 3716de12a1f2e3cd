//! Looking through the log of a partition, a bounded part at a time, for what no cursor leads to: dead letters of a
//! subscription, and messages that wait for their time.

use std::{collections::BTreeSet, sync::Arc};

use shard_core::{
    delivery::{LetterOwner, ScheduledMessage},
    format::record_batch::RecordBatch,
    model::{Offset, TopicId, TopicPartition},
};

use crate::request::{PartitionSubscription, PublishError, Published, Reply, SubscriptionError};

/// Which dead letters are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letters {
    /// The batches that hold them; they hold other messages too.
    pub batches: Vec<RecordBatch>,
    /// The letters, in order.
    pub letters: Vec<Offset>,
    /// Where to go on looking; `None` at the end.
    pub next: Option<Offset>,
}

/// Which dead letters are to be sent back.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redriven {
    /// So many are in their topic again, and no letters any more.
    pub letters: usize,
    /// Why others are letters still.
    pub failure: Option<PublishError>,
    /// Where to go on looking; `None` at the end.
    pub next: Option<Offset>,
}

/// Which scheduled messages are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduledQuery {
    /// Where.
    pub partition: TopicPartition,
    /// From where on; what has gone from there is passed over.
    pub from: Offset,
    /// How many at most.
    pub count_max: usize,
}

/// Scheduled messages, and where there may be more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scheduled {
    /// The messages, in the order of the log.
    pub messages: Vec<ScheduledMessage>,
    /// Where to go on looking; `None` at the end.
    pub next: Option<Offset>,
}

/// Which scheduled messages are to be cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// So many will not be delivered any more.
    pub messages: usize,
    /// Where to go on looking; `None` at the end.
    pub next: Option<Offset>,
}

/// A search on its way.
#[derive(Debug)]
pub(crate) enum Search {
    Letters { query: LetterQuery, reply: Reply<Letters, SubscriptionError> },
    Redrive { query: RedriveQuery, reply: Reply<Redriven, SubscriptionError> },
    Scheduled { query: ScheduledQuery, reply: Reply<Scheduled, SubscriptionError> },
    Cancel { query: CancelQuery, reply: Reply<Cancelled, SubscriptionError> },
}

/// Whoever waits until what became of a search is durable.
#[derive(Debug)]
pub(crate) enum SearchAnswer {
    Redriven(Redriven, Reply<Redriven, SubscriptionError>),
    Cancelled(Cancelled, Reply<Cancelled, SubscriptionError>),
}

/// The end of an attempt to send letters back.
#[derive(Debug)]
pub(crate) struct RedriveEnd {
    pub(crate) place: PartitionSubscription,
    /// What was looked through.
    pub(crate) from: Offset,
    pub(crate) looked_to: Offset,
    /// Letters in there that were not to be sent.
    pub(crate) others: Vec<Offset>,
    /// What became of those that were, batch by batch.
    pub(crate) sent: Vec<(Vec<Offset>, Result<Published, PublishError>)>,
    pub(crate) next: Option<Offset>,
    pub(crate) reply: Reply<Redriven, SubscriptionError>,
}

impl Search {
    /// From where on it is to look.
    pub(crate) const fn from(&self) -> Offset {
        match self {
            Self::Letters { query, .. } => query.from,
            Self::Redrive { query, .. } => query.letters.from,
            Self::Scheduled { query, .. } => query.from,
            Self::Cancel { query, .. } => query.from,
        }
    }

    /// Has it look from there on instead.
    pub(crate) const fn set_from(&mut self, from: Offset) {
        match self {
            Self::Letters { query, .. } => query.from = from,
            Self::Redrive { query, .. } => query.letters.from = from,
            Self::Scheduled { query, .. } => query.from = from,
            Self::Cancel { query, .. } => query.from = from,
        }
    }

    /// Whoever asked has gone: nothing need be done, and nothing should be.
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Self::Letters { reply, .. } => reply.is_canceled(),
            Self::Redrive { reply, .. } => reply.is_canceled(),
            Self::Scheduled { reply, .. } => reply.is_canceled(),
            Self::Cancel { reply, .. } => reply.is_canceled(),
        }
    }

    /// Answers that nothing was found, and where to go on.
    pub(crate) fn find_nothing(self, next: Option<Offset>) {
        match self {
            Self::Letters { reply, .. } => drop(reply.send(Ok(Letters { next, ..Letters::default() }))),
            Self::Redrive { reply, .. } => drop(reply.send(Ok(Redriven { next, ..Redriven::default() }))),
            Self::Scheduled { reply, .. } => drop(reply.send(Ok(Scheduled { next, ..Scheduled::default() }))),
            Self::Cancel { reply, .. } => drop(reply.send(Ok(Cancelled { next, ..Cancelled::default() }))),
        }
    }

    /// Answers that nothing could be done.
    pub(crate) fn refuse(self, error: SubscriptionError) {
        match self {
            Self::Letters { reply, .. } => drop(reply.send(Err(error))),
            Self::Redrive { reply, .. } => drop(reply.send(Err(error))),
            Self::Scheduled { reply, .. } => drop(reply.send(Err(error))),
            Self::Cancel { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}

impl SearchAnswer {
    /// It is durable.
    pub(crate) fn give(self) {
        match self {
            Self::Redriven(redriven, reply) => drop(reply.send(Ok(redriven))),
            Self::Cancelled(cancelled, reply) => drop(reply.send(Ok(cancelled))),
        }
    }

    /// It may not be there after a restart.
    pub(crate) fn refuse(self, reason: String) {
        let error = SubscriptionError::StoreFailed { reason };
        match self {
            Self::Redriven(_, reply) => drop(reply.send(Err(error))),
            Self::Cancelled(_, reply) => drop(reply.send(Err(error))),
        }
    }
}
