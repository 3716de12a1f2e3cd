//! The spans of one append: all of it on this core, what the store takes of that, and the wait for other replicas.

use shard_core::{
    format::record_batch::UnassignedBatch,
    model::{Offset, TopicPartition},
    trace::TraceContext,
};

use crate::{
    store::AnyPartition,
    tracer::{Span, SpanKind, Tracer},
};

/// How far an append has come that is recorded.
#[derive(Debug)]
pub(crate) struct AppendSpans {
    append: Span,
    stage: Stage,
    /// The log's end with it.
    end: Offset,
}

/// What it waits for.
#[derive(Debug)]
enum Stage {
    /// Until the store takes it.
    Pending,
    /// Until it is stored.
    Storing(#[expect(dead_code, reason = "it is there to be dropped")] Span),
    /// For nothing any more.
    Stored,
    /// Until others have it too.
    Replicating(#[expect(dead_code, reason = "it is there to be dropped")] Span),
}

impl AppendSpans {
    /// Begins, if what it is a part of is recorded.
    pub(crate) fn begin(
        tracer: &Tracer,
        trace: Option<TraceContext>,
        (partition, batch): (TopicPartition, &UnassignedBatch),
    ) -> Option<Box<Self>> {
        let mut append = tracer.child(SpanKind::Internal, trace, || "append".into());
        if !append.is_recorded() {
            return None;
        }
        append.set("messaging.system", "pubsubring");
        append.set("messaging.destination.partition.id", partition.partition.get().to_string());
        append.set("messaging.batch.message_count", batch.record_count());
        append.set("messaging.message.body.size", batch.len());
        Some(Box::new(Self { append, stage: Stage::Pending, end: Offset::ZERO }))
    }

    /// The partition has taken it; its log ends at `end` then.
    pub(crate) const fn accepted(&mut self, end: Offset) {
        self.end = end;
    }

    /// The store begins to take everything below `end`.
    pub(crate) fn on_storing(&mut self, tracer: &Tracer, store: &AnyPartition, (end, bytes): (Offset, usize)) {
        if matches!(self.stage, Stage::Pending) && self.end <= end {
            let (kind, name) = match store {
                AnyPartition::Log(_) => (SpanKind::Internal, "store log"),
                AnyPartition::Memory(_) => (SpanKind::Internal, "store memory"),
                AnyPartition::Redis(_) => (SpanKind::Client, "store redis"),
            };
            let mut span = tracer.child(kind, self.append.context(), || name.into());
            if kind == SpanKind::Client {
                span.set("db.system.name", "redis");
                span.set("db.operation.name", "EVALSHA");
            }
            // Of everyone's batches that are stored together.
            span.set("pubsub.store.bytes", bytes);
            self.stage = Stage::Storing(span);
        }
    }

    /// The store has taken it; now it waits for others, if other nodes keep the partition.
    pub(crate) fn on_stored(&mut self, tracer: &Tracer, is_replicated: bool) {
        if matches!(self.stage, Stage::Storing(_)) {
            self.stage = Stage::Stored;
            if is_replicated {
                let waiting = tracer.child(SpanKind::Internal, self.append.context(), || "replicate".into());
                self.stage = Stage::Replicating(waiting);
            }
        }
    }

    /// It is done: its first message is at `base_offset`.
    pub(crate) fn done(mut self, base_offset: Offset, repeated: u64) {
        self.append.set("pubsub.message.offset", base_offset.get());
        if repeated > 0 {
            self.append.set("pubsub.messages.repeated", repeated);
        }
    }

    /// It came to nothing, or that is not known.
    pub(crate) fn failed(mut self, reason: &'static str) {
        self.append.set("error.type", reason);
        self.append.fail(reason);
    }
}
