//! What a publisher sent becomes one batch per partition; or, if anything is wrong with any of it, a list of faults.
//!
//! A good request is parsed once, and each payload is decoded straight into its batch. Only when that fails is the
//! request looked at again, message by message, to say precisely what is wrong: bad requests may be slow, good ones not.

mod encoded;
mod faults;
mod outgoing;
mod plan;
mod rules;
mod stream;

use gateway_api::{Code, PublishMessage, error::FieldError, publish::Retry};

pub use encoded::plan_encoded;
pub use outgoing::{Hold, Outgoing, PayloadSource};
pub use plan::{PlannedBatch, PlannedMessage, PublishPlan};

use crate::{message_ids::MessageIds, partitioner::Partitioner};
use plan::PlanBuilder;
use shard_core::format::record_batch::Codec;

/// What is asked of the messages of one call, and how they are stored.
#[derive(Clone, Copy, Debug)]
pub struct PublishTarget<'a> {
    /// How many partitions the topic has.
    pub partitions: u32,
    /// Payload, key and attributes of a message together.
    pub message_bytes_max: usize,
    /// How batches are compressed.
    pub codec: Codec,
    /// Where messages go that state nothing; modulo the number of partitions.
    pub turn: u32,
    /// The time now, for the ids of messages that have none.
    pub now_millis: u64,
    /// What makes it safe to send the call again.
    pub retry: Retry<'a>,
    /// What messages are told of the trace that they are part of.
    pub trace: MessageTrace<'a>,
}

/// The trace that the messages of a call are part of.
#[derive(Clone, Copy, Debug, Default)]
pub struct MessageTrace<'a> {
    /// `traceparent`, and `tracestate` if there is one, for messages that name no trace themselves.
    pub given: Option<(&'a str, Option<&'a str>)>,
    /// Whether the traces are noted that messages name themselves.
    pub notes: bool,
}

impl<'a> PublishTarget<'a> {
    /// The same for messages that are part of a trace.
    #[must_use]
    pub const fn traced(self, trace: MessageTrace<'a>) -> Self {
        Self { trace, ..self }
    }
}

/// Why nothing of a call was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct PublishRefused {
    /// The first fault's code.
    pub code: Code,
    /// The first fault.
    pub detail: String,
    /// The faults of the messages, at most one each and at most
    /// [`PROBLEM_ERRORS_MAX`](gateway_api::limits::PROBLEM_ERRORS_MAX).
    pub errors: Vec<FieldError>,
}

/// Reads the body of a batch publish: `{"messages":[…]}`.
///
/// # Errors
/// Says what is wrong with which message.
pub fn decode_request(
    body: &[u8],
    target: &PublishTarget<'_>,
    ids: &mut MessageIds,
) -> Result<PublishPlan, PublishRefused> {
    let mut builder = PlanBuilder::new(target, ids, body.len());
    match stream::read_request(body, |message| builder.add(&Outgoing::of(&message)?)) {
        Ok(()) => builder.finish(),
        Err(error) => Err(faults::of_request(body, target, &error)),
    }
}

/// Takes messages that were parsed already.
///
/// # Errors
/// Says what is wrong with which message.
pub fn plan_messages(
    messages: &[PublishMessage<'_>],
    target: &PublishTarget<'_>,
    ids: &mut MessageIds,
) -> Result<PublishPlan, PublishRefused> {
    let mut builder = PlanBuilder::new(target, ids, messages.len());
    let mut added = rules::check_count(messages.len());
    for message in messages {
        added = added.and_then(|()| Outgoing::of(message)).and_then(|outgoing| builder.add(&outgoing));
    }
    match added {
        Ok(()) => builder.finish(),
        Err(fault) => Err(faults::of_messages(messages, target, &fault)),
    }
}

/// Takes messages that did not come as JSON of ours.
///
/// # Errors
/// Says what is wrong with the first that is wrong.
pub fn plan_outgoing(
    messages: &[Outgoing<'_>],
    target: &PublishTarget<'_>,
    ids: &mut MessageIds,
) -> Result<PublishPlan, PublishRefused> {
    let mut builder = PlanBuilder::new(target, ids, messages.iter().map(|message| message.payload.encoded_len()).sum());
    rules::check_count(messages.len()).map_err(|fault| PublishRefused::from(fault.at(None)))?;
    for (index, message) in messages.iter().enumerate() {
        builder.add(message).map_err(|fault| PublishRefused::from(fault.at(Some(index))))?;
    }
    builder.finish()
}

/// Takes a single message.
///
/// # Errors
/// Says what is wrong with it.
pub fn plan_one(
    message: &Outgoing<'_>,
    target: &PublishTarget<'_>,
    ids: &mut MessageIds,
) -> Result<PublishPlan, PublishRefused> {
    let mut builder = PlanBuilder::new(target, ids, message.payload.encoded_len());
    builder.add(message).map_err(|fault| PublishRefused::from(fault.at(None)))?;
    builder.finish()
}

impl PublishTarget<'_> {
    fn partitioner(&self) -> Partitioner {
        Partitioner::new(self.partitions, self.turn)
    }
}

impl From<FieldError> for PublishRefused {
    fn from(error: FieldError) -> Self {
        let detail = error.detail.clone().unwrap_or_default();
        Self { code: error.code, detail, errors: vec![error] }
    }
}

#[cfg(test)]
mod tests;
