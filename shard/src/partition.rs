//! All that a shard holds of one partition.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    rc::Rc,
};

use shard_core::{
    delivery::{Dispatcher, JournalWriter},
    log::{Appender, Retention},
    model::{Monotonic, Offset, RequestId, SubscriptionId, TopicPartition},
};

use crate::{
    event::Applying,
    request::{AckOutcome, PartitionUnavailable, PublishError, Published, Reply, SubscriptionError},
    store::AnyPartition,
    waiters::{DeliverableWaiters, WaitingReads},
};

/// A partition of this shard, in whatever state.
#[derive(Debug)]
pub(crate) enum Slot {
    /// Being recovered.
    Opening,
    /// Serving.
    Open(Box<Partition>),
    /// Not serving until the node is started again.
    Closed(String),
}

/// A partition that serves.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) id: TopicPartition,
    pub(crate) store: AnyPartition,
    pub(crate) log: Appender,
    pub(crate) retention: Retention,
    pub(crate) journal: JournalWriter,
    pub(crate) subscriptions: BTreeMap<SubscriptionId, Subscribed>,
    /// Publishers that wait, in the order of their appends.
    pub(crate) publishes: VecDeque<WaitingPublish>,
    /// Consumers that wait for the journal.
    pub(crate) journaled: HashMap<RequestId, WaitingAck>,
    pub(crate) reads: WaitingReads,
    /// The deadline the alarm knows of.
    pub(crate) alarm_at: Option<Monotonic>,
    /// Whether it is already on the list of partitions to be polled.
    pub(crate) touched: bool,
    /// The high watermark that waiting reads were last served to.
    pub(crate) served_to: Offset,
    pub(crate) closing: Closing,
}

/// How far a partition is on its way out of the store, when the node stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Closing {
    #[default]
    No,
    Asked,
    Done,
}

/// A subscription on a partition.
#[derive(Debug)]
pub(crate) struct Subscribed {
    pub(crate) dispatcher: Dispatcher,
    pub(crate) waiters: DeliverableWaiters,
}

/// A publisher that waits for the store.
#[derive(Debug)]
pub(crate) struct WaitingPublish {
    pub(crate) request: RequestId,
    pub(crate) started: Monotonic,
    pub(crate) messages: u64,
    pub(crate) reply: Reply<Published, PublishError>,
}

/// Whoever waits for the journal, and what they are told.
#[derive(Debug)]
pub(crate) enum WaitingAck {
    Outcomes(Vec<AckOutcome>, Reply<Vec<AckOutcome>, SubscriptionError>),
    Done(Reply<(), SubscriptionError>),
    /// Dropped when durable.
    Applying(Rc<Applying>),
}

impl Partition {
    /// When something is due that no event brings.
    pub(crate) fn next_deadline(&self) -> Option<Monotonic> {
        let dispatchers = self.subscriptions.values().filter_map(|subscribed| subscribed.dispatcher.next_deadline());
        dispatchers.chain(self.log.next_deadline()).chain(self.reads.next_deadline()).min()
    }

    /// The subscription, if it is on this partition.
    pub(crate) fn subscribed(&mut self, subscription: SubscriptionId) -> Result<&mut Subscribed, SubscriptionError> {
        self.subscriptions.get_mut(&subscription).ok_or(SubscriptionError::NotHere(subscription))
    }

    /// Takes down what a subscription's dispatcher changed, for the journal.
    pub(crate) fn record_changes(&mut self, subscription: SubscriptionId) {
        if let Some(subscribed) = self.subscriptions.get_mut(&subscription) {
            let changes = subscribed.dispatcher.take_changes();
            if !changes.is_empty() {
                self.journal.record(subscription, &changes);
            }
        }
    }

    /// The store holds nothing below `start` any more.
    pub(crate) fn on_log_start(&mut self, start: Offset) {
        self.log.on_log_start(start);
        for subscribed in self.subscriptions.values_mut() {
            subscribed.dispatcher.on_log_start(start);
        }
    }

    /// Whether everything accepted is safe and nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.log.is_idle() && (self.journal.is_idle() || self.journal.closed().is_some())
    }

    /// Tells all who wait that they wait in vain.
    pub(crate) fn refuse_all(&mut self, error: &PartitionUnavailable) {
        for publish in self.publishes.drain(..) {
            let _ = publish.reply.send(Err(PublishError::StoreFailed { reason: error.to_string() }));
        }
        for waiting in self.reads.take_all() {
            let _ = waiting.reply.send(Err(error.clone().into()));
        }
        for subscribed in self.subscriptions.values_mut() {
            subscribed.waiters.refuse(error);
        }
        self.journaled.clear();
    }
}
