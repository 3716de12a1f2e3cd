//! Stores a planned call: each batch at its partition, all at once, and what became of each.

use futures_util::future::join_all;
use gateway_api::{Code, Problem, publish::Retry, topics as api};
use raft::metadata::{Compression, Topic};
use shard::{PublishError, PublishTerms, Published, tracer::Span};
use shard_core::{format::record_batch::Codec, log::Acks, model::TopicPartition};

use super::{deadline, in_parts, publish_results};
use crate::{
    context::Context,
    core_state,
    error::{self, Failure},
    http::request::Request,
    limits,
    publish_decode::{MessageTrace, PlannedBatch, PlannedMessage, PublishPlan, PublishTarget},
    traces,
};

/// What became of a call.
#[derive(Debug)]
pub(crate) struct PublishReport {
    plan: PublishPlan,
    /// One for each batch of the plan.
    outcomes: Vec<BatchOutcome>,
}

/// What became of the messages that went to one partition: all or nothing.
#[derive(Clone, Debug)]
pub(super) struct BatchOutcome {
    /// The partition's number.
    pub(super) partition: u32,
    /// Where they are, or why they aren't there, or that it is not known.
    pub(super) stored: Result<Published, Failure>,
}

/// What the messages of a call to this topic must be like, now.
pub(crate) fn target<'r>(context: &Context, topic: &Topic, retry: Retry<'r>) -> PublishTarget<'r> {
    let now_millis = core_state::now_millis();
    PublishTarget {
        partitions: topic.config.partitions,
        message_bytes_max: usize::try_from(topic.config.max_message_bytes).unwrap_or(usize::MAX),
        codec: match topic.config.compression {
            Compression::None => Codec::None,
            Compression::Snappy => Codec::Snappy,
            Compression::Lz4 => Codec::Lz4,
        },
        turn: context.core.publish_turn(now_millis),
        now_millis,
        retry,
        trace: MessageTrace::default(),
    }
}

/// When a publisher wants to hear of what it publishes, as it says itself.
pub(crate) fn acks(asked: Option<api::Acks>) -> Option<Acks> {
    asked.map(|asked| match asked {
        api::Acks::Quorum => Acks::Quorum,
        api::Acks::Leader => Acks::Leader,
        api::Acks::Memory => Acks::Memory,
    })
}

/// The same by a parameter of a request.
pub(super) fn acks_of(request: &Request) -> Result<Option<Acks>, Failure> {
    let asked = match request.query("acks") {
        None => None,
        Some("quorum") => Some(api::Acks::Quorum),
        Some("leader") => Some(api::Acks::Leader),
        Some("memory") => Some(api::Acks::Memory),
        Some(other) => return Err(error::invalid("acks", format!("`{other}` is not quorum, leader or memory"))),
    };
    Ok(acks(asked))
}

/// Stores the batches of a plan, as what `span` says. Dropping it takes nothing back.
pub(crate) async fn publish(context: &Context, topic: &Topic, mut plan: PublishPlan, span: Span) -> PublishReport {
    let mut span = traces::with_origins(context, topic, span, plan.origins());
    span.set("messaging.batch.message_count", plan.messages().len());
    let batches = std::mem::take(&mut plan.batches);
    context.core.note_published(batches.iter().map(|planned| planned.batch.len()).sum());
    let terms = PublishTerms { acks: plan.acks, trace: span.context() };
    let mut stores = batches.into_iter().map(|planned| store(context, topic, (planned, terms)));
    let first = stores.next();
    let outcomes = match (first, stores.len()) {
        // Most calls have one batch, which needs no set of futures.
        (Some(only), 0) => vec![only.await],
        (first, _) => join_all(first.into_iter().chain(stores)).await,
    };
    let is_new = |message: &&PlannedMessage| {
        let published = outcomes.get(message.batch).and_then(|outcome: &BatchOutcome| outcome.stored.as_ref().ok());
        published.is_some_and(|published| !published.place(message.ordinal).repeat)
    };
    let count = plan.messages().iter().filter(is_new).count();
    context.metrics.messages_published.add(u64::try_from(count).unwrap_or_default());
    if let Some(failure) = outcomes.iter().find_map(|outcome| outcome.stored.as_ref().err()) {
        span.set("error.type", failure.code.as_str());
        span.fail(failure.code.as_str());
    }
    PublishReport { plan, outcomes }
}

async fn store(context: &Context, topic: &Topic, (planned, terms): (PlannedBatch, PublishTerms)) -> BatchOutcome {
    let partition = TopicPartition::new(topic.id, planned.partition);
    let publish = context.shards.publish_for(partition, planned.batch, terms);
    let stored = match deadline::within(limits::PUBLISH_TIMEOUT, publish).await {
        Some(stored) => stored.map_err(|error| failure(&error)),
        None => Err(error::of_code(Code::Timeout, "the store gave no answer in time")),
    };
    BatchOutcome { partition: planned.partition.get(), stored }
}

fn failure(error: &PublishError) -> Failure {
    if matches!(error, PublishError::StoreFailed { .. }) {
        tracing::warn!(%error, "it is not known whether a batch was stored");
    }
    error::of_publish(error)
}

impl PublishReport {
    /// The problem of the call as a whole, if nothing of it is known to be stored.
    pub(crate) fn failure(&self) -> Option<Problem> {
        overall_failure(&self.outcomes)
    }

    /// Appends the results, a JSON list in the order of the call.
    pub(crate) fn append_results(&self, out: &mut Vec<u8>) {
        publish_results::append(out, &self.plan, &self.outcomes);
    }

    /// Appends the results in the order of the call, each a line of JSON.
    pub(super) fn append_lines(&self, out: &mut Vec<u8>) {
        for message in self.plan.messages() {
            publish_results::append_one(out, &self.plan, message, &self.outcomes);
            out.push(b'\n');
        }
    }

    /// Appends the result of the call's only message, a JSON object.
    pub(super) fn append_only_result(&self, out: &mut Vec<u8>) {
        if let Some(message) = self.plan.messages().first() {
            publish_results::append_one(out, &self.plan, message, &self.outcomes);
        }
    }
}

/// The problem of a call all of whose batches failed.
fn overall_failure(outcomes: &[BatchOutcome]) -> Option<Problem> {
    if outcomes.iter().any(|outcome| outcome.stored.is_ok()) {
        return None;
    }
    let gravest = in_parts::gravest(outcomes.iter().filter_map(|outcome| outcome.stored.as_ref().err()));
    gravest.map(|failure| Failure::clone(failure).into_problem())
}

#[cfg(test)]
mod tests {
    use gateway_api::Outcome;
    use shard::{Durability, Repeats};
    use shard_core::model::{Offset, Timestamp};

    use super::*;

    fn stored() -> BatchOutcome {
        let (base_offset, timestamp) = (Offset::ZERO, Timestamp::default());
        let published = Published { base_offset, repeats: Repeats::None, timestamp, durability: Durability::Leader };
        BatchOutcome { partition: 0, stored: Ok(published) }
    }

    fn failed(code: Code) -> BatchOutcome {
        BatchOutcome { partition: 1, stored: Err(error::of_code(code, "")) }
    }

    #[test]
    fn one_success_makes_the_call_a_success() {
        assert!(overall_failure(&[failed(Code::Overloaded), stored(), failed(Code::Timeout)]).is_none());
    }

    #[test]
    fn when_all_failed_the_call_failed() {
        let problem = overall_failure(&[failed(Code::Overloaded), failed(Code::PartitionClosed)]).unwrap();
        assert_eq!((problem.status, problem.outcome), (503, Outcome::NotApplied));
    }

    #[test]
    fn when_one_is_not_known_the_call_is_not_known() {
        let problem = overall_failure(&[failed(Code::Overloaded), failed(Code::Timeout)]).unwrap();
        assert_eq!((problem.status, problem.outcome), (504, Outcome::Unknown));
    }
}
