//! What is published, and how it looks in a batch.

use std::convert::Infallible;

use shard_core::{
    format::{
        record::{MessageId, RecordHead},
        record_batch::{BatchBuilder, Codec, RecordBatch},
    },
    model::{LeaderEpoch, Offset, Timestamp},
};

/// Lets wanted messages through.
pub(crate) const FILTER: &str = r#"attributes.wanted = "yes""#;

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

/// A message, by what matters for its delivery. Times are milliseconds of the wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    /// One of a few.
    pub(crate) key: Option<usize>,
    pub(crate) priority: u8,
    pub(crate) deliver_at: Option<i64>,
    pub(crate) ttl_ms: Option<u64>,
    pub(crate) published: i64,
    /// Whether a filter lets it through, if there is one.
    pub(crate) wanted: bool,
}

impl Message {
    /// When it may not be delivered any more.
    pub(crate) fn expires_at(&self) -> Option<i64> {
        self.ttl_ms.map(|ttl| self.published + i64::try_from(ttl).unwrap())
    }
}

/// The batch that holds `messages` from `base` on.
pub(crate) fn batch(base: u64, messages: &[Message]) -> RecordBatch {
    let mut builder = BatchBuilder::new(64);
    for message in messages {
        let head = RecordHead {
            id: MessageId::Text("id"),
            key: message.key.map(|key| KEYS[key]),
            content_type: "text/plain",
            priority: message.priority,
            ttl_ms: message.ttl_ms,
            deliver_at: message.deliver_at.map(Timestamp::from_millis),
        };
        let wanted = if message.wanted { "yes" } else { "no" };
        let Ok(()) = builder.push(&head, &[("wanted", wanted)], |_| Ok::<_, Infallible>(()));
    }
    let published = Timestamp::from_millis(messages[0].published);
    builder.finish(Codec::None, None).unwrap().assign(Offset::new(base), LeaderEpoch::new(1), published)
}

/// How many keys there are.
pub(crate) const fn key_count() -> u64 {
    4
}
