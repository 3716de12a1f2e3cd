//! What was read of a topic as frames: in JSON, made once for all who read the same, or as the batches that are stored.

use std::rc::Rc;

use gateway_api::{Code, frame::batch::MessageBatches};
use shard_core::delivery::Filter;

use super::{
    frames,
    outgoing::{Delivery, Outgoing},
};
use crate::{
    core_state::CoreState,
    encoded_reads::{EncodedRead, ReadPlace},
    error::{self, Failure},
    limits,
    operations::{BatchesEnd, ReadBounds, append_read, whole_batches},
    topic_reader::{PartitionRead, TopicReader},
};

/// Makes frames of JSON.
pub(super) struct TopicFrames<'a> {
    /// Keeps those that others may want.
    pub(super) core: &'a CoreState,
    /// Which messages are wanted; all if none.
    pub(super) filter: Option<&'a Filter>,
}

impl TopicFrames<'_> {
    /// The messages of a read, at most `credit`, up to and with the last one of their list.
    ///
    /// # Errors
    /// A batch that can't be read.
    pub(super) fn encode(
        &self,
        reader: &TopicReader,
        read: &PartitionRead,
        credit: u32,
    ) -> Result<Rc<EncodedRead>, Failure> {
        let place = ReadPlace { partition: reader.partition(read), from: read.reply.from };
        let end = read.reply.batches.last().map_or(place.from, |batch| batch.offsets().end);
        let messages = usize::try_from(credit.min(limits::WEBSOCKET_FRAME_MESSAGES_MAX)).unwrap_or_default();
        let is_for_all = self.filter.is_none() && end > place.from;
        if is_for_all && let Some(found) = self.core.with_encoded_reads(|reads| reads.find(place, messages, end)) {
            return Ok(found);
        }
        let bounds = ReadBounds { messages, bytes: limits::WEBSOCKET_FRAME_BYTES, filter: self.filter };
        let made = Rc::new(encode(reader, read, bounds)?);
        // What only this reader's credit ended is of no use to others.
        if is_for_all && (made.is_full || made.end.next >= end) {
            self.core.with_encoded_reads(|reads| reads.keep(place, &made));
        }
        Ok(made)
    }
}

fn encode(reader: &TopicReader, read: &PartitionRead, bounds: ReadBounds<'_>) -> Result<EncodedRead, Failure> {
    let (reply, source) = (&read.reply, reader.source(read));
    let corrupt = |error: String| {
        error::of_code(Code::DataCorrupt, format!("a batch from offset {} on can't be read: {error}", reply.from))
    };
    let mut json = frames::open_messages("topic", reader.name());
    let end = append_read(&mut json, source, (&reply.batches, reply.from), bounds);
    let end = end.map_err(|error| corrupt(error.to_string()))?;
    let most = usize::try_from(limits::WEBSOCKET_FRAME_MESSAGES_MAX).unwrap_or(usize::MAX);
    let is_full = end.count >= most || json.len() >= bounds.bytes;
    let json = String::from_utf8(json).map_err(|error| corrupt(error.to_string()))?;
    Ok(EncodedRead { json, end, is_full })
}

/// Whole batches, as many as there is credit for and one more; `None` if there are none.
pub(super) fn batches(reader: &mut TopicReader, read: &PartitionRead, credit: u32) -> Option<Delivery> {
    let BatchesEnd { batches, messages, next } = whole_batches(&read.reply, credit.into());
    reader.go_on(read, next);
    let batches = read.reply.batches.get(..batches).filter(|batches| !batches.is_empty())?.to_vec();
    let header = frames::message_batches(&MessageBatches {
        topic: Some(reader.name().to_owned()),
        partition: reader.partition(read).partition.get(),
        from: Some(read.reply.from.get()),
        token: Some(reader.token()),
        ..MessageBatches::default()
    });
    let count = u32::try_from(messages).unwrap_or(u32::MAX);
    Some(Delivery { frame: Outgoing::Batches { header, batches }, count })
}
