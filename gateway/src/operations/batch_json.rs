//! Batches to the JSON of the messages wanted of them.

use shard::{LeasedMessage, PartitionSubscription, Pulled};
use shard_core::{
    delivery::{Filter, FilterSubject},
    format::{
        record::Record,
        record_batch::{BatchError, RecordBatch},
    },
    model::Offset,
};

use crate::{
    ack_id::AckId,
    message_json::{self, Delivery, MessageForm, Source},
};

/// Messages leased on one partition of a subscription.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leased<'a> {
    /// The name of the subscription's topic.
    pub(crate) topic: &'a str,
    /// Where they were leased.
    pub(crate) cursor: PartitionSubscription,
    /// The messages, and the batches that hold them.
    pub(crate) pulled: &'a Pulled,
    /// How they are written.
    pub(crate) form: MessageForm,
}

/// Appends leased messages, separated by commas; one more comma goes before them if `out` doesn't end in `[`. Shows each to
/// `given`.
///
/// # Errors
/// A batch that can't be read: those before it are there, the others come again after their ack deadline.
pub(crate) fn append_leased(
    out: &mut Vec<u8>,
    leased: &Leased<'_>,
    mut given: impl FnMut(LeasedMessage, &Record<'_>),
) -> Result<usize, BatchError> {
    let Leased { topic, cursor, pulled, form } = *leased;
    let source = Source::new(topic, cursor.partition.partition).in_form(form);
    let mut count = 0;
    // In the order of delivery; where that is not the order of the log, batches are walked again.
    for run in pulled.leased.chunk_by(|one, next| one.offset < next.offset) {
        let mut wanted = run.iter().peekable();
        for batch in &pulled.batches {
            if wanted.peek().is_none_or(|message| message.offset >= batch.offsets().end) {
                continue;
            }
            batch.for_each_record(|record| {
                while wanted.next_if(|message| message.offset < record.offset).is_some() {}
                if let Some(message) = wanted.next_if(|message| message.offset == record.offset) {
                    let ack_id = AckId { cursor, offset: message.offset, lease: message.lease };
                    separate(out);
                    let delivery = Delivery { ack_id, attempt: message.delivery_attempt };
                    message_json::append(out, source, &record, Some(&delivery));
                    given(*message, &record);
                    count += 1;
                }
            })?;
        }
    }
    Ok(count)
}

/// What a read may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadBounds<'a> {
    /// How many messages.
    pub(crate) messages: usize,
    /// How many bytes they may take up where they are written; one message is taken however large.
    pub(crate) bytes: usize,
    /// Which messages; all if none.
    pub(crate) filter: Option<&'a Filter>,
}

/// Where a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadEnd {
    /// How many messages it gave.
    pub(crate) count: usize,
    /// The first offset that it neither gave nor passed over.
    pub(crate) next: Offset,
    /// How many messages it passed over.
    pub(crate) passed_over: u64,
}

/// Appends the messages from `from` on, separated by commas, within `bounds`.
///
/// # Errors
/// A batch that can't be read: what is before it is there.
pub(crate) fn append_read(
    out: &mut Vec<u8>,
    source: Source<'_>,
    place: (&[RecordBatch], Offset),
    bounds: ReadBounds<'_>,
) -> Result<ReadEnd, BatchError> {
    let start = out.len();
    for_each_read(place, bounds, |record| {
        separate(out);
        message_json::append(out, source, record, None);
        out.len() - start
    })
}

/// Gives each message from `from` on within `bounds` to `write`, which says how many bytes have been written in all.
///
/// # Errors
/// A batch that can't be read: what is before it was given.
pub(crate) fn for_each_read(
    (batches, from): (&[RecordBatch], Offset),
    bounds: ReadBounds<'_>,
    mut write: impl FnMut(&Record<'_>) -> usize,
) -> Result<ReadEnd, BatchError> {
    let mut end = ReadEnd { count: 0, next: from, passed_over: 0 };
    let mut written = 0;
    for batch in batches {
        batch.for_each_record(|record| {
            let full = end.count >= bounds.messages || (end.count > 0 && written >= bounds.bytes);
            // Once full, `next` stays, and no later record is at it.
            if record.offset != end.next.max(from) || full {
                return;
            }
            end.next = record.offset.next();
            if bounds.filter.is_none_or(|filter| filter.matches(&FilterSubject::from(&record))) {
                written = write(&record);
                end.count += 1;
            } else {
                end.passed_over += 1;
            }
        })?;
    }
    Ok(end)
}

fn separate(out: &mut Vec<u8>) {
    if out.last().is_some_and(|byte| *byte != b'[') {
        out.push(b',');
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::convert::Infallible;

    use gateway_api::DeliveredMessage;
    use shard::LeaseId;
    use shard_core::{
        format::{
            record::{MessageId, RecordHead},
            record_batch::{BatchBuilder, Codec},
        },
        model::{LeaderEpoch, PartitionIndex, SubscriptionId, Timestamp, TopicId, TopicPartition},
    };

    use super::*;

    const SOURCE: Source<'static> = Source::new("t", PartitionIndex::new(1));
    const ALL: ReadBounds<'static> = ReadBounds { messages: usize::MAX, bytes: usize::MAX, filter: None };

    /// Batches of `sizes` records, the first at `base`; a record's payload is its offset.
    pub(in crate::operations) fn batches(base: u64, sizes: &[u64]) -> Vec<RecordBatch> {
        let mut next = base;
        let mut batches = Vec::new();
        for size in sizes {
            let mut builder = BatchBuilder::new(0);
            for offset in next..next + size {
                let head = RecordHead {
                    id: MessageId::Text("m"),
                    key: None,
                    content_type: "a/b",
                    priority: 4,
                    ttl_ms: None,
                    deliver_at: None,
                };
                let Ok(()) = builder.push(&head, &[], |out| {
                    out.extend_from_slice(offset.to_string().as_bytes());
                    Ok::<(), Infallible>(())
                });
            }
            let batch = builder.finish(Codec::None, None).unwrap();
            batches.push(batch.assign(Offset::new(next), LeaderEpoch::new(1), Timestamp::default()));
            next += size;
        }
        batches
    }

    fn parsed(out: &[u8]) -> Vec<DeliveredMessage> {
        serde_json::from_slice(&[out, b"]"].concat()).unwrap()
    }

    fn offsets(out: &[u8]) -> Vec<u64> {
        let messages = parsed(out);
        assert!(messages.iter().all(|message| message.data.0 == message.offset.to_string().as_bytes()));
        messages.iter().map(|message| message.offset).collect()
    }

    fn read(from: u64, bounds: ReadBounds<'_>) -> (Vec<u64>, u64) {
        let mut out = b"[".to_vec();
        let batches = batches(10, &[3, 1, 4]);
        let end = append_read(&mut out, SOURCE, (&batches, Offset::new(from)), bounds).unwrap();
        let given = offsets(&out);
        assert_eq!(given.len(), end.count);
        (given, end.next.get())
    }

    #[test]
    fn a_read_starts_inside_of_a_batch() {
        assert_eq!(read(12, ALL), (vec![12, 13, 14, 15, 16, 17], 18));
        assert_eq!(read(10, ALL).0.len(), 8);
        assert_eq!(read(18, ALL), (vec![], 18));
    }

    #[test]
    fn a_read_ends_at_its_bounds() {
        assert_eq!(read(11, ReadBounds { messages: 3, ..ALL }), (vec![11, 12, 13], 14));
        assert_eq!(read(11, ReadBounds { messages: 0, ..ALL }), (vec![], 11));
        assert_eq!(read(11, ReadBounds { bytes: 1, ..ALL }), (vec![11], 12), "one message, however large");
    }

    #[test]
    fn a_filter_passes_over_what_it_does_not_want_and_the_read_goes_on_behind_it() {
        let none = Filter::parse("priority > 4").unwrap();
        assert_eq!(read(12, ReadBounds { filter: Some(&none), ..ALL }), (vec![], 18));
        let all = Filter::parse("priority = 4").unwrap();
        assert_eq!(read(12, ReadBounds { filter: Some(&all), messages: 2, ..ALL }), (vec![12, 13], 14));
    }

    #[test]
    fn only_leased_messages_are_given_with_their_own_leases() {
        let leased_offsets = [10, 12, 13, 17];
        let lease = |offset| LeaseId { sequence: offset * 2, tag: offset * 3 };
        let message = |offset| LeasedMessage { offset: Offset::new(offset), lease: lease(offset), delivery_attempt: 2 };
        let pulled = Pulled { batches: batches(10, &[3, 1, 2, 2]), leased: leased_offsets.map(message).to_vec() };
        let cursor = PartitionSubscription {
            partition: TopicPartition::new(TopicId::new(5), SOURCE.partition),
            subscription: SubscriptionId::new(6),
        };
        let mut out = b"[".to_vec();
        let count = append_leased(
            &mut out,
            &Leased { topic: "t", cursor, pulled: &pulled, form: MessageForm::Message },
            |_, _| {},
        )
        .unwrap();
        assert_eq!((count, offsets(&out)), (4, leased_offsets.to_vec()));
        for message in parsed(&out) {
            let ack_id = AckId { cursor, offset: Offset::new(message.offset), lease: lease(message.offset) };
            assert_eq!(message.ack_id.as_deref().and_then(AckId::decode), Some(ack_id));
        }
    }
}
