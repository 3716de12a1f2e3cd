//! The spans of messages that are handed to a consumer: one in the trace of each message, and one for the pull as a whole.

use std::time::SystemTime;

use raft::metadata::Subscription;
use shard::{LeasedMessage, PartitionSubscription, tracer::SpanKind};
use shard_core::{
    format::record::Record,
    trace::{TraceContext, context_of},
};

use super::SYSTEM;
use crate::{context::Context, limits};

/// A message that names a trace that is recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TracedMessage {
    context: TraceContext,
    cursor: PartitionSubscription,
    leased: LeasedMessage,
}

/// Messages that a consumer gets together.
#[derive(Debug)]
pub(crate) struct Delivered<'a> {
    /// Of which subscription.
    pub(crate) subscription: &'a Subscription,
    /// How many.
    pub(crate) count: u32,
    /// Those that name traces.
    pub(crate) traced: &'a [TracedMessage],
    /// When it was begun to lease them.
    pub(crate) since: SystemTime,
    /// The request that asked for them, if it is recorded.
    pub(crate) request: Option<TraceContext>,
}

/// Notes a message that names a trace that is recorded, if there is room.
pub(crate) fn note(
    traced: &mut Vec<TracedMessage>,
    (cursor, leased): (PartitionSubscription, LeasedMessage),
    record: &Record<'_>,
) {
    if traced.len() >= limits::TRACED_MESSAGES_MAX {
        return;
    }
    if let Some(context) = context_of(record.attributes.iter()).filter(|context| context.is_sampled()) {
        traced.push(TracedMessage { context, cursor, leased });
    }
}

impl Delivered<'_> {
    /// Makes the spans, which end now.
    pub(crate) fn record(&self, context: &Context) {
        let tracer = context.shards.tracer();
        let (topic, subscription) = (self.subscription.topic_name.as_str(), self.subscription.name.as_str());
        let mut receive = tracer.child(SpanKind::Consumer, self.request, || format!("receive {topic}").into());
        receive = receive.since(self.since);
        if receive.is_recorded() {
            receive.set(SYSTEM.0, SYSTEM.1);
            receive.set("messaging.operation.name", "receive");
            receive.set("messaging.operation.type", "receive");
            receive.set("messaging.destination.name", topic.to_owned());
            receive.set("messaging.destination.subscription.name", subscription.to_owned());
            receive.set("messaging.batch.message_count", self.count);
            self.traced.iter().for_each(|message| receive.link(message.context));
        }
        for message in self.traced {
            let name = || format!("deliver {topic}").into();
            let mut deliver = tracer.begin(SpanKind::Consumer, Some(message.context), name).since(self.since);
            deliver.set(SYSTEM.0, SYSTEM.1);
            deliver.set("messaging.operation.name", "deliver");
            deliver.set("messaging.operation.type", "receive");
            deliver.set("messaging.destination.name", topic.to_owned());
            deliver.set("messaging.destination.subscription.name", subscription.to_owned());
            deliver.set("messaging.destination.partition.id", message.cursor.partition.partition.get().to_string());
            deliver.set("pubsub.message.offset", message.leased.offset.get());
            deliver.set("pubsub.delivery_attempt", message.leased.delivery_attempt);
            receive.context().into_iter().for_each(|pull| deliver.link(pull));
        }
    }
}
