//! Messages pulled from one partition after the other, as one JSON list.

use gateway_api::Code;
use shard::{Claim, ConsumerId, PartitionSubscription, PullRequest};
use shard_core::format::record::Record;

use super::{
    batch_json::{Leased, append_leased},
    partition_failures::PartitionFailures,
};
use crate::{
    context::Context,
    error::{self, Failure},
    message_json::MessageForm,
    traces::{self, TracedMessage},
};

/// What a pull may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PullBounds {
    /// How many messages.
    pub(crate) messages: u32,
    /// How many bytes, of batches and of JSON; one batch is taken however large.
    pub(crate) bytes: usize,
    /// Who holds the leases.
    pub(crate) consumer: ConsumerId,
    /// Why it may, where partitions are assigned.
    pub(crate) claim: Option<Claim>,
    /// How messages are written.
    pub(crate) form: MessageForm,
}

/// What a pull has so far.
#[derive(Debug)]
pub(crate) struct PullPage {
    /// JSON that ends in an open list with the messages.
    pub(crate) json: Vec<u8>,
    /// How many messages there are.
    pub(crate) count: u32,
    /// Those that name traces that are recorded.
    pub(crate) traced: Vec<TracedMessage>,
    bounds: PullBounds,
}

impl PullPage {
    /// An empty page; `opening` is JSON up to and with the bracket that opens the list.
    pub(crate) const fn new(opening: Vec<u8>, bounds: PullBounds) -> Self {
        Self { json: opening, count: 0, traced: Vec::new(), bounds }
    }

    /// Pulls from one partition after the other until the page is full.
    ///
    /// # Errors
    /// The first failure, if no partition gave a message: what is leased must be delivered. A closed partition is a
    /// failure only if all are closed: it holds up none of the others.
    pub(crate) async fn fill(
        &mut self,
        context: &Context,
        topic: &str,
        cursors: &[PartitionSubscription],
    ) -> Result<(), Failure> {
        let mut failures = PartitionFailures::default();
        for cursor in cursors {
            let bytes_left = self.bounds.bytes.saturating_sub(self.json.len());
            if self.count >= self.bounds.messages || bytes_left == 0 {
                break;
            }
            failures.note(self.pull(context, topic, *cursor, bytes_left).await);
        }
        if self.count > 0 { Ok(()) } else { failures.into_result() }
    }

    async fn pull(
        &mut self,
        context: &Context,
        topic: &str,
        cursor: PartitionSubscription,
        bytes_max: usize,
    ) -> Result<(), Failure> {
        let messages_max = self.bounds.messages - self.count;
        let PullBounds { consumer, claim, form, .. } = self.bounds;
        let request = PullRequest { messages_max, bytes_max, ack_deadline: None, consumer, claim };
        let pulled = context.shards.pull(cursor, request).await.map_err(|error| error::of_subscription(&error))?;
        let (before, traced_before) = (self.json.len(), self.traced.len());
        let notes = context.shards.tracer().is_on();
        let given = |message, record: &Record<'_>| {
            if notes {
                traces::note(&mut self.traced, (cursor, message), record);
            }
        };
        match append_leased(&mut self.json, &Leased { topic, cursor, pulled: &pulled, form }, given) {
            Ok(count) => {
                self.count += u32::try_from(count).unwrap_or(u32::MAX);
                Ok(())
            }
            Err(error) => {
                self.json.truncate(before);
                self.traced.truncate(traced_before);
                Err(error::of_code(Code::DataCorrupt, format!("partition {}: {error}", cursor.partition)))
            }
        }
    }
}
