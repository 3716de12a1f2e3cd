//! All that a shard holds of one partition.

use std::{
    cell::Cell,
    collections::{HashMap, VecDeque},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use shard_core::{
    delivery::{Dispatcher, JournalWriter},
    format::record_batch::{BatchError, RecordBatch, UnassignedBatch},
    limits::DEDUP_BYTES_MAX,
    log::{Acks, AppendError, Appender, Dedup, LogExtent, Retention},
    model::{Monotonic, Offset, RequestId, SubscriptionId, Timestamp, TopicPartition},
};

use crate::{
    append_spans::AppendSpans,
    clock::Clock,
    command::DeadLetterTarget,
    event::Applying,
    limits,
    marks::Marks,
    replication::{Assuming, Following, Leading},
    request::{AckOutcome, PartitionUnavailable, PublishError, Published, Pulled, ReadError, Reply, SubscriptionError},
    search::SearchAnswer,
    store::AnyPartition,
    subscriptions::Subscriptions,
    waiters::{DeliverableWaiters, WaitingReads},
};

/// A partition of this shard, in whatever state.
#[derive(Debug)]
pub(crate) enum Slot {
    /// Being recovered, or waiting for its store; this is why.
    Opening(String),
    /// Serving.
    Open(Box<Partition>),
    /// Led here, and not served before what was committed is known.
    Assuming(Box<Assuming>),
    /// Led by another node, and kept here too.
    Following(Box<Following>),
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
    pub(crate) subscriptions: Subscriptions,
    pub(crate) marks: Marks,
    /// Publishers that wait, in the order of their appends.
    pub(crate) publishes: VecDeque<WaitingPublish>,
    /// How many of them are recorded.
    pub(crate) publishes_traced: usize,
    /// Consumers that wait for the journal.
    pub(crate) journaled: HashMap<RequestId, WaitingAck>,
    pub(crate) reads: WaitingReads,
    /// The deadline the alarm knows of.
    pub(crate) alarm_at: Option<Monotonic>,
    /// Whether it is already on the list of partitions to be polled.
    pub(crate) touched: bool,
    /// The high watermark that waiting reads and consumers were last served to.
    pub(crate) served_to: Offset,
    pub(crate) closing: Closing,
    /// How many messages this shard has appended to the topic.
    pub(crate) appended_to_topic: Rc<Cell<u64>>,
    /// Which opening in the store this is: events of earlier ones mean nothing any more.
    pub(crate) opening: u64,
    /// Whether the store has failed and is being opened again.
    pub(crate) reopening: bool,
    /// There as long as the partition is.
    pub(crate) fate: Rc<Cell<Fate>>,
    /// Set while it is being let go of.
    pub(crate) releasing: Option<Releasing>,
    /// What there is beside, where other nodes keep it too.
    pub(crate) leading: Option<Box<Leading>>,
}

/// What has become of a partition; whoever still works on it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is this node's.
    Here,
    /// It is another node's.
    Released,
    /// Its topic is gone.
    Deleted,
}

/// How a partition is being let go of.
#[derive(Debug)]
pub(crate) struct Releasing {
    /// When what is under way is given up.
    pub(crate) give_up_at: Monotonic,
    /// Goes when it is done.
    pub(crate) applying: Rc<Applying>,
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
    /// Whether the metadata has said how it delivers: before that it delivers nothing.
    pub(crate) configured: bool,
    /// Where messages go that nobody can take.
    pub(crate) dead_letters: Option<Arc<DeadLetterTarget>>,
    /// How many are on their way there.
    pub(crate) letters_under_way: usize,
    pub(crate) waiters: DeliverableWaiters,
    /// Whether a part of the log is being read for it to look at.
    pub(crate) looking: bool,
}

/// A publisher that waits for the store.
#[derive(Debug)]
pub(crate) struct WaitingPublish {
    pub(crate) request: RequestId,
    pub(crate) started: Monotonic,
    pub(crate) messages: u64,
    pub(crate) reply: Reply<Published, PublishError>,
    /// Of one that is recorded.
    pub(crate) spans: Option<Box<AppendSpans>>,
}

/// How an append has changed what a partition remembers of publishes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grown {
    pub(crate) bytes_before: usize,
    pub(crate) bytes_after: usize,
    /// Ids that went before their time.
    pub(crate) forgotten_early: u64,
}

/// Whoever waits for the journal, and what they are told.
#[derive(Debug)]
pub(crate) enum WaitingAck {
    Outcomes(Vec<AckOutcome>, Reply<Vec<AckOutcome>, SubscriptionError>),
    Done(Reply<(), SubscriptionError>),
    /// Messages that are acked before they are delivered.
    Pulled(Box<Pulled>, Reply<Pulled, SubscriptionError>),
    Searched(SearchAnswer),
    /// Dropped when durable.
    Applying(Rc<Applying>),
}

impl WaitingAck {
    /// Says that it is not done, or not known to be.
    pub(crate) fn refuse(self, error: SubscriptionError) {
        match self {
            Self::Outcomes(_, reply) => drop(reply.send(Err(error))),
            Self::Done(reply) => drop(reply.send(Err(error))),
            Self::Pulled(_, reply) => drop(reply.send(Err(error))),
            Self::Searched(answer) => answer.refuse(error),
            Self::Applying(applying) => drop(applying),
        }
    }
}

impl Subscribed {
    /// Has the dispatcher look at a batch.
    pub(crate) fn scan(&mut self, batch: &RecordBatch) -> Result<(), ReadError> {
        let damaged =
            |error: BatchError| ReadError::Corrupt { offset: batch.offsets().start, reason: error.to_string() };
        self.dispatcher.scan(batch).map_err(damaged)
    }

    /// Tells the dispatcher the time of day.
    pub(crate) fn tell_the_time(&mut self) {
        self.dispatcher.on_clock(Clock::wall());
    }

    /// Whether what is delivered is acked by that.
    pub(crate) const fn acks_before_delivery(&self) -> bool {
        self.dispatcher.acks_before_delivery()
    }

    /// When something is due. A time of day is looked at again and again, since the clock may jump.
    pub(crate) fn next_deadline(&self, now: Monotonic) -> Option<Monotonic> {
        let due = self.dispatcher.next_due().map(|due| {
            let left = due.as_millis().saturating_sub(Clock::wall().as_millis());
            let left = Duration::from_millis(u64::try_from(left).unwrap_or_default());
            now.plus(left.min(limits::CLOCK_LOOK_INTERVAL))
        });
        self.dispatcher.next_deadline().into_iter().chain(due).min()
    }
}

impl Partition {
    /// Which opening of which partition events of the store are to speak of.
    pub(crate) const fn place(&self) -> (TopicPartition, u64) {
        (self.id, self.opening)
    }

    /// When something is due that no event brings.
    pub(crate) fn next_deadline(&self) -> Option<Monotonic> {
        let deadlines = [self.subscriptions.next_deadline(), self.log.next_deadline(), self.reads.next_deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// The subscription, if it is on this partition.
    pub(crate) fn subscribed(&mut self, subscription: SubscriptionId) -> Result<&mut Subscribed, SubscriptionError> {
        self.subscriptions.get_mut(subscription).ok_or(SubscriptionError::NotHere(subscription))
    }

    /// The subscription, once it is known how it delivers and to whom: before that no ack can be judged.
    pub(crate) fn configured(&mut self, subscription: SubscriptionId) -> Result<&mut Subscribed, SubscriptionError> {
        let partition = self.id;
        let subscribed = self.subscribed(subscription)?;
        if subscribed.configured {
            return Ok(subscribed);
        }
        let reason = "the subscription is about to be opened".to_owned();
        Err(PartitionUnavailable::StoreAway { partition, reason }.into())
    }

    /// Takes down what a subscription's dispatcher changed, for the journal.
    pub(crate) fn record_changes(&mut self, subscription: SubscriptionId) {
        if let Some(subscribed) = self.subscriptions.get_mut(subscription) {
            let changes = subscribed.dispatcher.take_changes();
            if !changes.is_empty() {
                self.journal.record(subscription, &changes);
            }
        }
    }

    /// Accepts a batch; what is remembered of publishes may grow by `spare` bytes.
    pub(crate) fn append(
        &mut self,
        now: Timestamp,
        (request, batch, acks): (RequestId, UnassignedBatch, Option<Acks>),
        spare: usize,
    ) -> Result<Grown, AppendError> {
        let (bytes_before, early_before) = (self.log.dedup().bytes(), self.log.dedup().forgotten_early());
        self.log.set_dedup_bytes_max((bytes_before + spare).min(DEDUP_BYTES_MAX));
        self.log.append_for(now, (request, acks), batch)?;
        let (bytes_after, early_after) = (self.log.dedup().bytes(), self.log.dedup().forgotten_early());
        Ok(Grown { bytes_before, bytes_after, forgotten_early: early_after - early_before })
    }

    /// The appends that wait and are recorded; looks at none where there are none.
    pub(crate) fn traced(&mut self) -> impl Iterator<Item = &mut AppendSpans> {
        let looked_at = if self.publishes_traced > 0 { self.publishes.len() } else { 0 };
        self.publishes.iter_mut().take(looked_at).filter_map(|publish| publish.spans.as_deref_mut())
    }

    /// The store holds nothing below `start` any more. Returns how many messages subscriptions lost by that.
    pub(crate) fn on_log_start(&mut self, start: Offset) -> u64 {
        self.log.on_log_start(start);
        self.marks.on_log_start(start);
        if let Some(leading) = &mut self.leading {
            leading.leader.on_log_start(start);
        }
        let mut fell_out = 0;
        self.subscriptions.for_each(|subscribed| fell_out += subscribed.dispatcher.on_log_start(start));
        fell_out
    }

    /// Has a subscription pass over what was cancelled, as it has begun or was set elsewhere.
    pub(crate) fn pass_over_cancelled(&mut self, subscription: SubscriptionId) {
        if let Some(subscribed) = self.subscriptions.get_mut(subscription) {
            for range in self.marks.cancelled() {
                subscribed.dispatcher.on_cancelled(range);
            }
        }
    }

    /// Goes on with a store that was opened again. Returns how many messages subscriptions lost since they fell out of it.
    pub(crate) fn reopen(&mut self, store: AnyPartition, extent: LogExtent, dedup: Dedup) -> u64 {
        self.store = store;
        self.log.reopen(extent, dedup);
        // What consumers changed meanwhile is in memory alone.
        self.journal = JournalWriter::open(true);
        self.reopening = false;
        self.on_log_start(extent.start)
    }

    /// Why it takes no messages, for those who are refused.
    pub(crate) fn refusal(&self, reason: &str) -> PartitionUnavailable {
        let (partition, reason) = (self.id, reason.to_owned());
        if self.reopening || self.has_heirs() {
            PartitionUnavailable::StoreAway { partition, reason }
        } else {
            PartitionUnavailable::Closed { partition, reason }
        }
    }

    /// Whether another replica takes over if something is wrong here.
    pub(crate) fn has_heirs(&self) -> bool {
        self.leading.as_ref().is_some_and(|leading| leading.leader.replicas().has_heirs())
    }

    /// Whether everything accepted is safe and nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.log.is_idle() && (self.journal.is_idle() || self.journal.closed().is_some())
    }

    /// Tells all who wait that they wait in vain.
    pub(crate) fn refuse_all(&mut self, error: &PartitionUnavailable) {
        self.publishes_traced = 0;
        for publish in self.publishes.drain(..) {
            let _ = publish.reply.send(Err(PublishError::StoreFailed { reason: error.to_string() }));
        }
        self.refuse_waiting(error);
        for (_, ack) in self.journaled.drain() {
            // It may not be there after a restart, or for another owner: it is not known.
            ack.refuse(SubscriptionError::StoreFailed { reason: error.to_string() });
        }
    }

    /// Tells those who wait for something new that they wait in vain.
    pub(crate) fn refuse_waiting(&mut self, error: &PartitionUnavailable) {
        for waiting in self.reads.take_all() {
            let _ = waiting.reply.send(Err(error.clone().into()));
        }
        self.subscriptions.for_each(|subscribed| subscribed.waiters.refuse(error));
    }
}
