//! A read answered with batches as they are stored, byte for byte.

use gateway_api::CursorToken;
use shard::ReadReply;
use shard_core::model::{Offset, TopicPartition};

use crate::{context::Context, http::response::Response};

/// The media type of batches as they are stored (`docs/formats.md`).
pub(super) const BATCH_TYPE: &str = "application/vnd.pubsub.batch";

/// Where a read of whole batches ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchesEnd {
    /// How many batches are taken.
    pub(crate) batches: usize,
    /// How many messages they hold from where the read begins.
    pub(crate) messages: u64,
    /// The first offset behind them.
    pub(crate) next: Offset,
}

/// The answer: whole batches, the first of which holds the offset asked for, until there are `limit` messages from there on.
pub(super) fn answer(context: &Context, partition: TopicPartition, reply: &ReadReply, limit: u64) -> Response {
    let end = whole_batches(reply, limit);
    let batches: Vec<&[u8]> = reply.batches.iter().take(end.batches).map(|batch| batch.bytes().as_ref()).collect();
    let body = batches.concat();
    let token = CursorToken::new(partition.topic.get(), vec![(partition.partition.get(), end.next.get())]);
    context.metrics.messages_consumed.add(end.messages);
    Response::new(200, BATCH_TYPE, body)
        .with_header("pubsub-next-offset", end.next.get().to_string())
        .with_header("pubsub-next-cursor", token.map(|token| token.encode()).unwrap_or_default())
        .with_header("pubsub-high-watermark", reply.high_watermark.get().to_string())
}

/// Takes whole batches of a read until they hold `limit` messages or more.
pub(crate) fn whole_batches(reply: &ReadReply, limit: u64) -> BatchesEnd {
    let mut end = BatchesEnd { batches: 0, messages: 0, next: reply.from };
    for batch in &reply.batches {
        if end.messages >= limit {
            break;
        }
        end.batches += 1;
        end.messages += batch.offsets().end.get().saturating_sub(end.next.get());
        end.next = batch.offsets().end;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::batch_json::tests::batches;

    fn ended(from: u64, limit: u64) -> (usize, u64, u64) {
        let reply =
            ReadReply { from: Offset::new(from), batches: batches(10, &[3, 1, 4]), high_watermark: Offset::new(18) };
        let BatchesEnd { batches, messages, next } = whole_batches(&reply, limit);
        (batches, messages, next.get())
    }

    #[test]
    fn batches_are_given_whole_until_there_are_as_many_messages_as_wanted() {
        assert_eq!(ended(10, u64::MAX), (3, 8, 18));
        assert_eq!(ended(12, u64::MAX), (3, 6, 18), "what is before the offset does not count");
        assert_eq!(ended(12, 1), (1, 1, 13));
        assert_eq!(ended(12, 2), (2, 2, 14));
        let nothing = ReadReply { from: Offset::new(18), batches: Vec::new(), high_watermark: Offset::new(18) };
        assert_eq!(whole_batches(&nothing, 1), BatchesEnd { batches: 0, messages: 0, next: Offset::new(18) });
    }
}
