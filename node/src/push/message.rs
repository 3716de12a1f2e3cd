//! A leased message, taken out of its batch: all that a request needs, and nothing that keeps the batch in memory.

use bytes::Bytes;
use shard::{AckAction, LeasedMessage, PartitionSubscription, Pulled};
use shard_core::{
    format::{
        record::{MessageId, Record},
        record_batch::BatchError,
    },
    trace::{TRACEPARENT, TraceContext, context_of},
};
use uuid::Uuid;

use super::port::Settlement;

/// A message to push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PushMessage {
    /// Where it was leased.
    pub(super) cursor: PartitionSubscription,
    /// Its place and its lease.
    pub(super) leased: LeasedMessage,
    /// Its id.
    pub(super) id: String,
    /// Its key.
    pub(super) key: Option<String>,
    /// The media type of the payload.
    pub(super) content_type: String,
    /// Names and values.
    pub(super) attributes: Vec<(String, String)>,
    /// Its payload.
    pub(super) payload: Bytes,
}

impl PushMessage {
    fn new(cursor: PartitionSubscription, leased: LeasedMessage, record: &Record<'_>) -> Self {
        Self {
            cursor,
            leased,
            id: match record.head.id {
                MessageId::Uuid(bytes) => Uuid::from_bytes(bytes).hyphenated().to_string(),
                MessageId::Text(text) => text.to_owned(),
            },
            key: record.head.key.map(str::to_owned),
            content_type: record.head.content_type.to_owned(),
            attributes: record.attributes.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            payload: Bytes::copy_from_slice(record.payload),
        }
    }

    /// What becomes of it.
    pub(super) const fn settlement(&self, action: AckAction) -> Settlement {
        Settlement { cursor: self.cursor, offset: self.leased.offset, lease: self.leased.lease, action }
    }

    /// The trace that it names.
    pub(super) fn trace(&self) -> Option<TraceContext> {
        context_of(self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// Has it name another span, which whoever gets it is to go on from.
    pub(super) fn name_trace(&mut self, context: TraceContext) {
        self.attributes.retain(|(name, _)| name != TRACEPARENT);
        self.attributes.push((TRACEPARENT.to_owned(), context.to_string()));
    }

    /// How much memory it takes, about.
    pub(super) fn bytes(&self) -> usize {
        let attributes: usize = self.attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.payload.len() + attributes
    }
}

/// The messages leased on a partition, in the order of delivery.
///
/// # Errors
/// A batch that can't be read: its messages come again after their deadline.
pub(super) fn leased_messages(cursor: PartitionSubscription, pulled: &Pulled) -> Result<Vec<PushMessage>, BatchError> {
    let mut messages = Vec::with_capacity(pulled.leased.len());
    // Where the order of delivery is not that of the log, batches are walked again.
    for run in pulled.leased.chunk_by(|one, next| one.offset < next.offset) {
        let mut wanted = run.iter().peekable();
        for batch in &pulled.batches {
            if wanted.peek().is_none_or(|message| message.offset >= batch.offsets().end) {
                continue;
            }
            batch.for_each_record(|record| {
                while wanted.next_if(|message| message.offset < record.offset).is_some() {}
                if let Some(leased) = wanted.next_if(|message| message.offset == record.offset) {
                    messages.push(PushMessage::new(cursor, *leased, &record));
                }
            })?;
        }
    }
    Ok(messages)
}
