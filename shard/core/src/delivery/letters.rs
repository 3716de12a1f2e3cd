//! Dead letters in their topic: whose they are, and what they are like when they are sent back to where they came from.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use crate::{
    format::{
        record::{Attributes, MessageId, Record, RecordHead},
        record_batch::{BatchBuilder, BatchError, RecordBatch, Relay, UnassignedBatch},
    },
    model::{Offset, OffsetRange, PartitionIndex, SubscriptionId},
};

/// What every attribute begins with that tells of a letter's journey.
const JOURNEY: &str = "pubsub-dlq-";
const TOPIC: &str = "pubsub-dlq-topic";
const PARTITION: &str = "pubsub-dlq-partition";
const SUBSCRIPTION: &str = "pubsub-dlq-subscription";

/// Whose letters are looked for: a dead-letter topic may have those of many.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct LetterOwner {
    /// The name of the subscription that gave up on them.
    pub subscription: String,
    /// The name of its topic.
    pub topic: String,
}

/// Which letters are looked for.
#[derive(Clone, Copy, Debug)]
pub struct LetterSearch<'a> {
    /// Whose.
    pub owner: &'a LetterOwner,
    /// Those of these messages; any if none are given.
    pub ids: Option<&'a BTreeSet<String>>,
    /// From where on.
    pub from: Offset,
    /// How many at most.
    pub count_max: usize,
}

/// What a search found in some batches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundLetters {
    /// Those that were looked for, in order.
    pub letters: Vec<Offset>,
    /// Other letters of the same owner that are still there, up to `looked_to`.
    pub others: Vec<Offset>,
    /// Everything from the search's beginning up to here was looked at.
    pub looked_to: Offset,
}

/// Letters on their way back, all to one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentBack {
    /// Which letters.
    pub letters: Vec<Offset>,
    /// The partition of the source topic.
    pub partition: PartitionIndex,
    /// What is appended there, all or nothing.
    pub batch: UnassignedBatch,
}

impl FoundLetters {
    /// Looks for letters in batches that follow each other; `is_gone` tells of those that were sent back already, and
    /// `is_under_way` of those that are on their way.
    ///
    /// # Errors
    /// A batch that can't be read.
    pub fn search(
        batches: &[RecordBatch],
        search: &LetterSearch<'_>,
        is_gone: impl Fn(Offset) -> bool,
        is_under_way: impl Fn(Offset) -> bool,
    ) -> Result<Self, BatchError> {
        let mut found = Self { looked_to: search.from, ..Self::default() };
        for batch in batches {
            // What the broker did not write itself only looks like a letter.
            if batch.header().relay == Some(Relay::Everyone) {
                batch.for_each_record(|record| {
                    let offset = record.offset;
                    let is_full = found.letters.len() >= search.count_max;
                    if offset < search.from || is_full || is_gone(offset) || !search.owner.owns(&record.attributes) {
                        return;
                    }
                    if search.wants(record.head.id) && !is_under_way(offset) {
                        found.letters.push(offset);
                    } else {
                        found.others.push(offset);
                    }
                })?;
            }
            found.looked_to = found.looked_to.max(batch.offsets().end);
            if let Some(last) = found.letters.last().filter(|_| found.letters.len() >= search.count_max) {
                found.looked_to = last.next();
                break;
            }
        }
        Ok(found)
    }

    /// What of the offsets from `from` on need not be looked at again, once all letters but those `left` are gone: a log
    /// does not change, so what is no letter of this owner never will be.
    #[must_use]
    pub fn done_with(from: Offset, to: Offset, left: &BTreeSet<Offset>) -> Vec<OffsetRange> {
        let mut done = Vec::new();
        let mut start = from;
        for &kept in left.range(from..to.max(from)) {
            done.push(OffsetRange::new(start, kept));
            start = kept.next();
        }
        done.push(OffsetRange::new(start, to));
        done.retain(|range| range.start < range.end);
        done
    }
}

impl LetterSearch<'_> {
    fn wants(&self, id: MessageId<'_>) -> bool {
        self.ids.is_none_or(|ids| ids.contains(&id.to_string()))
    }
}

impl LetterOwner {
    fn owns(&self, attributes: &Attributes<'_>) -> bool {
        let is = |wanted, text: &str| attributes.iter().any(|(name, value)| name == wanted && value == text);
        is(SUBSCRIPTION, &self.subscription) && is(TOPIC, &self.topic)
    }
}

impl SentBack {
    /// The messages of `letters`, as they were before they became letters, for `subscription` alone: a batch for each of
    /// the source topic's `partitions` that they go back to.
    ///
    /// # Errors
    /// A batch that can't be read.
    pub fn of(
        batches: &[RecordBatch],
        letters: &[Offset],
        subscription: SubscriptionId,
        partitions: u32,
    ) -> Result<Vec<Self>, BatchError> {
        let mut by_partition: BTreeMap<u32, (Vec<Offset>, BatchBuilder)> = BTreeMap::new();
        for batch in batches {
            batch.for_each_record(|record| {
                if letters.binary_search(&record.offset).is_ok() {
                    let partition = source_partition(&record.attributes) % partitions.max(1);
                    let entry = by_partition.entry(partition);
                    let (sent, builder) = entry.or_insert_with(|| (Vec::new(), BatchBuilder::new(0)));
                    sent.push(record.offset);
                    push_original(builder, &record);
                }
            })?;
        }
        let finish = |(partition, (letters, builder)): (u32, (Vec<Offset>, BatchBuilder))| {
            let batch = builder.finish_relayed(Relay::To(subscription))?;
            Ok(Self { letters, partition: PartitionIndex::new(partition), batch })
        };
        by_partition.into_iter().map(finish).collect()
    }
}

/// Adds the message that a letter was made of. It has no times any more: they had passed, or would let it expire at once.
fn push_original(builder: &mut BatchBuilder, letter: &Record<'_>) {
    let attributes: Vec<_> = letter.attributes.iter().filter(|(name, _)| !name.starts_with(JOURNEY)).collect();
    let head = RecordHead { ttl_ms: None, deliver_at: None, ..letter.head };
    let Ok(()) = builder.push(&head, &attributes, |out| {
        out.extend_from_slice(letter.payload);
        Ok::<_, Infallible>(())
    });
}

fn source_partition(attributes: &Attributes<'_>) -> u32 {
    let stated = attributes.iter().find(|(name, _)| *name == PARTITION);
    stated.and_then(|(_, number)| number.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
