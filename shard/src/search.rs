//! Looking through the log of a partition, a bounded part at a time, for what no cursor leads to: dead letters of a
//! subscription, and messages that wait for their time.

use shard_core::model::Offset;
pub use shard_core::request::{
    CancelQuery, Cancelled, LetterQuery, Letters, RedriveQuery, Redriven, Scheduled, ScheduledQuery,
};

use crate::request::{PartitionSubscription, PublishError, Published, Reply, SubscriptionError};

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
    pub(crate) fn refuse(self, error: SubscriptionError) {
        match self {
            Self::Redriven(_, reply) => drop(reply.send(Err(error))),
            Self::Cancelled(_, reply) => drop(reply.send(Err(error))),
        }
    }
}
