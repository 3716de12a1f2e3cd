//! The batches that a call becomes, and where in them each message is.

use std::{borrow::Cow, fmt::Write as _, ops::Range};

use gateway_api::{
    Code,
    publish::{ProducerSequence, Retry},
};
use shard_core::{
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Producer, UnassignedBatch},
    },
    limits::{ATTRIBUTES_MAX, PRIORITY_DEFAULT},
    log::Acks,
    model::{PartitionIndex, Timestamp},
    trace::{TRACEPARENT, TRACESTATE, TraceContext, context_of},
};

use super::{
    MessageTrace, PublishRefused, PublishTarget,
    outgoing::{Hold, Outgoing},
    rules::{self, Fault},
};
use crate::{limits, message_ids::MessageIds, partitioner::Partitioner};

/// What a record takes beside its payload, about: prefix, id, content type.
const RECORD_OVERHEAD_BYTES: usize = 72;
/// The most that is set aside for a batch before its size is known.
const BATCH_CAPACITY_MAX: usize = 64 << 10;

/// A message that has one of them knows its trace itself.
const TRACE_ATTRIBUTES: [&str; 2] = [TRACEPARENT, TRACESTATE];

/// A producer's numbers hold for one partition.
const ONE_PARTITION: &str = "a producer's call goes to one partition: state it, or give its messages one key";

/// A call, ready to be stored.
#[derive(Debug, Default)]
pub struct PublishPlan {
    /// One batch for each partition that gets messages.
    pub batches: Vec<PlannedBatch>,
    /// When its publisher wants to hear of it; as the topic says if nothing is said.
    pub acks: Option<Acks>,
    messages: Vec<PlannedMessage>,
    /// The ids that publishers gave, one behind the other.
    given_ids: String,
    /// The traces that messages name themselves, the first of them.
    origins: Vec<TraceContext>,
}

/// The messages of a call that go to one partition.
#[derive(Debug)]
pub struct PlannedBatch {
    /// The partition.
    pub partition: PartitionIndex,
    /// The messages, in the order of the call.
    pub batch: UnassignedBatch,
}

/// Where a message of a call is.
#[derive(Clone, Debug)]
pub struct PlannedMessage {
    /// Its batch, as an index into [`PublishPlan::batches`].
    pub batch: usize,
    /// Its place in the batch, from 0.
    pub ordinal: u64,
    id: PlannedId,
}

#[derive(Clone, Debug)]
enum PlannedId {
    Made([u8; 16]),
    Given(Range<usize>),
}

impl PublishPlan {
    /// Notes the next message of a call that is one batch.
    pub(super) fn note(&mut self, id: MessageId<'_>) {
        let start = self.given_ids.len();
        let id = match id {
            MessageId::Uuid(bytes) => PlannedId::Made(bytes),
            MessageId::Text(text) => {
                self.given_ids.push_str(text);
                PlannedId::Given(start..self.given_ids.len())
            }
        };
        let ordinal = u64::try_from(self.messages.len()).unwrap_or(u64::MAX);
        self.messages.push(PlannedMessage { batch: 0, ordinal, id });
    }

    /// Its messages, in the order of the call.
    #[must_use]
    pub fn messages(&self) -> &[PlannedMessage] {
        &self.messages
    }

    /// The traces that its messages name themselves, as far as they were to be noted.
    #[must_use]
    pub fn origins(&self) -> &[TraceContext] {
        &self.origins
    }

    /// The id of one of its messages.
    #[must_use]
    pub fn id(&self, message: &PlannedMessage) -> MessageId<'_> {
        match &message.id {
            PlannedId::Made(bytes) => MessageId::Uuid(*bytes),
            PlannedId::Given(range) => MessageId::Text(self.given_ids.get(range.clone()).unwrap_or_default()),
        }
    }
}

/// Collects the messages of a call.
pub(super) struct PlanBuilder<'c> {
    target: &'c PublishTarget<'c>,
    partitioner: Partitioner,
    /// What messages that state neither key nor id are placed by, so that a retry meets its first try.
    guard: Option<Cow<'c, str>>,
    ids: &'c mut MessageIds,
    capacity: usize,
    batches: Vec<(PartitionIndex, BatchBuilder)>,
    messages: Vec<PlannedMessage>,
    given_ids: String,
    origins: Vec<TraceContext>,
}

impl<'c> PlanBuilder<'c> {
    /// Starts with nothing; `bytes` is about what all messages take together.
    pub(super) fn new(target: &'c PublishTarget<'c>, ids: &'c mut MessageIds, bytes: usize) -> Self {
        Self {
            target,
            partitioner: target.partitioner(),
            guard: match target.retry {
                Retry::Unguarded => None,
                Retry::Key(key) => Some(Cow::Borrowed(key)),
                Retry::Producer(producer) => Some(Cow::Owned(producer.id.to_string())),
            },
            ids,
            capacity: (bytes + RECORD_OVERHEAD_BYTES).min(BATCH_CAPACITY_MAX),
            batches: Vec::new(),
            messages: Vec::new(),
            given_ids: String::new(),
            origins: Vec::new(),
        }
    }

    /// Adds what the call says of its trace to a message that says nothing of its own and has room for it.
    fn attributes<'m>(&mut self, message: &'m Outgoing<'m>) -> Cow<'m, [(&'m str, &'m str)]>
    where
        'c: 'm,
    {
        let MessageTrace { given, notes } = self.target.trace;
        let own = &message.attributes;
        if notes
            && self.origins.len() < limits::ORIGINS_MAX
            && let Some(origin) = context_of(own.iter().copied())
        {
            self.origins.push(origin);
        }
        match given {
            Some((parent, state))
                if own.len() + 2 <= ATTRIBUTES_MAX && own.iter().all(|(name, _)| !TRACE_ATTRIBUTES.contains(name)) =>
            {
                let added = [Some((TRACEPARENT, parent)), state.map(|state| (TRACESTATE, state))];
                Cow::Owned(own.iter().copied().chain(added.into_iter().flatten()).collect())
            }
            _ => Cow::Borrowed(own),
        }
    }

    /// When a message may be delivered that is held back; a time that has passed is none.
    fn deliver_at(&self, hold: Hold) -> Option<Timestamp> {
        let now = Timestamp::from_millis(i64::try_from(self.target.now_millis).unwrap_or(i64::MAX));
        let at = match hold {
            Hold::None => return None,
            Hold::For(delay_ms) => now.plus_millis(i64::try_from(delay_ms).unwrap_or(i64::MAX)),
            Hold::Until(at) => at,
        };
        (at > now).then_some(at)
    }

    /// Checks a message and adds it to the batch of its partition.
    ///
    /// # Errors
    /// Says what is wrong with the message; the whole call is then refused.
    pub(super) fn add(&mut self, message: &Outgoing<'_>) -> Result<(), Fault> {
        rules::check(message, self.target)?;
        let stated = message.partition.and_then(|partition| self.partitioner.explicit(partition));
        let guard = self.guard.as_deref();
        let partition = stated.unwrap_or_else(|| self.partitioner.choose(message.key, message.id.or(guard)));
        let id = self.take_id(message.id);
        let deliver_at = self.deliver_at(message.hold);
        let attributes = self.attributes(message);
        let (batch, builder) = batch_of(&mut self.batches, self.capacity, partition);
        let record_id = match &id {
            PlannedId::Made(bytes) => MessageId::Uuid(*bytes),
            PlannedId::Given(range) => MessageId::Text(self.given_ids.get(range.clone()).unwrap_or_default()),
        };
        let head = RecordHead {
            id: record_id,
            key: message.key,
            content_type: message.content_type.unwrap_or(message.payload.content_type()),
            priority: message.priority.unwrap_or(PRIORITY_DEFAULT),
            ttl_ms: message.ttl_ms,
            deliver_at,
        };
        let ordinal = u64::from(builder.record_count());
        builder.push(&head, &attributes, |out| message.payload.append(out))?;
        self.messages.push(PlannedMessage { batch, ordinal, id });
        Ok(())
    }

    /// Closes all batches.
    ///
    /// # Errors
    /// A batch over its limits, or a producer whose messages don't go to one partition: nothing of the call can be stored.
    pub(super) fn finish(self) -> Result<PublishPlan, PublishRefused> {
        let producer = match self.target.retry {
            Retry::Producer(ProducerSequence { id, epoch, sequence }) => {
                Some(Producer { id, epoch, first_sequence: sequence })
            }
            Retry::Unguarded | Retry::Key(_) => None,
        };
        if producer.is_some() && self.batches.len() > 1 {
            let fault = Fault::new("partition", Code::InvalidArgument, ONE_PARTITION);
            return Err(fault.at(None).into());
        }
        let mut batches = Vec::with_capacity(self.batches.len());
        for (partition, builder) in self.batches {
            let batch = builder.finish(self.target.codec, producer).map_err(|error| {
                let fault = Fault::new("messages", Code::BodyTooLarge, error.to_string());
                PublishRefused::from(fault.at(None))
            })?;
            batches.push(PlannedBatch { partition, batch });
        }
        Ok(PublishPlan {
            batches,
            acks: None,
            messages: self.messages,
            given_ids: self.given_ids,
            origins: self.origins,
        })
    }

    /// The id of the next message: its own, or what the call's key makes of its place, or a new one.
    fn take_id(&mut self, given: Option<&str>) -> PlannedId {
        let start = self.given_ids.len();
        match (given, self.target.retry) {
            (Some(id), _) => self.given_ids.push_str(id),
            (None, Retry::Key(key)) => {
                // Writing to a string does not fail.
                let _ = write!(self.given_ids, "{key}/{}", self.messages.len());
            }
            (None, Retry::Unguarded | Retry::Producer(_)) => {
                return PlannedId::Made(self.ids.next(self.target.now_millis));
            }
        }
        PlannedId::Given(start..self.given_ids.len())
    }
}

fn batch_of(
    batches: &mut Vec<(PartitionIndex, BatchBuilder)>,
    capacity: usize,
    partition: PartitionIndex,
) -> (usize, &mut BatchBuilder) {
    // Topics have few partitions, and messages that state nothing share one: looking beats a table.
    let found = batches.iter().position(|(candidate, _)| *candidate == partition);
    let at = found.unwrap_or(batches.len());
    if found.is_none() {
        batches.push((partition, BatchBuilder::new(capacity)));
    }
    let (_, builder) = batches.get_mut(at).expect("it was found or has just been added");
    (at, builder)
}
