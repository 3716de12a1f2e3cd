//! Looks through a bounded part of a log for dead letters or scheduled messages, from the cache or from the store.

use std::collections::BTreeSet;

use shard_core::{
    delivery::{FoundLetters, LetterSearch},
    format::record_batch::{BatchError, RecordBatch},
    model::{Offset, OffsetRange, TopicPartition},
};

use super::{Shard, distrusting::note_damage};
use crate::{
    clock::Clock,
    event::ShardEvent,
    limits,
    partition::{Partition, Slot},
    request::{ReadError, Reply, SubscriptionError},
    search::{LetterQuery, Letters, Search},
    store::MessageStore as _,
};

/// Batches that were read for a search, and where the log goes on behind them.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) batches: Vec<RecordBatch>,
    high_watermark: Offset,
}

impl Part {
    /// Where a search that has looked so far is to go on.
    pub(super) fn next(&self, looked_to: Offset) -> Option<Offset> {
        (looked_to < self.high_watermark).then_some(looked_to)
    }
}

impl Shard {
    pub(super) fn search(&mut self, partition: TopicPartition, mut search: Search) {
        if search.is_abandoned() {
            return;
        }
        if let Err(error) = self.open(partition) {
            return search.refuse(error.into());
        }
        let Some(Slot::Open(open)) = self.partitions.get(&partition) else { return };
        let readable = open.log.readable();
        if matches!(&search, Search::Cancel { query, .. } if query.one && query.from < readable.start) {
            return search.find_nothing(None);
        }
        let from = first_of_interest(open, &search, search.from().max(readable.start));
        search.set_from(from);
        if from >= readable.end {
            return search.find_nothing(None);
        }
        let wanted = OffsetRange::new(from, readable.end);
        if let Some(batches) = self.cache.read(partition, wanted, limits::SEARCH_BYTES) {
            return self.on_searched(partition, search, Ok(batches));
        }
        let (store, mailbox) = (open.store.clone(), self.mailbox.clone());
        let place = (partition, open.has_heirs());
        glommio::spawn_local(async move {
            let read = note_damage(&mailbox, place, store.read(wanted, limits::SEARCH_BYTES).await);
            mailbox.push(ShardEvent::Searched { partition, search, read });
        })
        .detach();
    }

    /// The batches are there, or can't be had.
    pub(super) fn on_searched(
        &mut self,
        partition: TopicPartition,
        search: Search,
        read: Result<Vec<RecordBatch>, ReadError>,
    ) {
        if search.is_abandoned() {
            return;
        }
        let high_watermark = match self.open(partition) {
            Ok(open) => open.log.high_watermark(),
            Err(error) => return search.refuse(error.into()),
        };
        let part = match read {
            Ok(batches) => Part { batches, high_watermark },
            Err(ReadError::Lost { lost }) => {
                let next = (lost.end < high_watermark).then_some(lost.end);
                return search.find_nothing(next);
            }
            // Retention was faster: what is left begins later.
            Err(ReadError::Expired { start, .. }) => return search.find_nothing(Some(start)),
            Err(error) => return search.refuse(error.into()),
        };
        match search {
            Search::Letters { query, reply } => self.show_letters(&query, part, reply),
            Search::Redrive { query, reply } => self.send_back(&query, &part, reply),
            Search::Scheduled { query, reply } => self.show_scheduled(query, &part, reply),
            Search::Cancel { query, reply } => self.cancel(&query, &part, reply),
        }
    }

    fn show_letters(&mut self, query: &LetterQuery, part: Part, reply: Reply<Letters, SubscriptionError>) {
        let found = self.open(query.place.partition).map_err(SubscriptionError::from);
        let found = found.and_then(|open| find_letters(open, (query, None), &part.batches, true));
        let letters = found.map(|FoundLetters { letters, looked_to, .. }| {
            let next = part.next(looked_to);
            let mut batches = part.batches;
            let holds = |batch: &RecordBatch| letters.iter().any(|&letter| batch.offsets().contains(letter));
            batches.retain(holds);
            Letters { batches, letters, next }
        });
        let _ = reply.send(letters);
    }
}

/// The letters of a query in some batches. One that is on its way back is one until it has arrived.
pub(super) fn find_letters(
    open: &Partition,
    (query, ids): (&LetterQuery, Option<&BTreeSet<String>>),
    batches: &[RecordBatch],
    with_those_under_way: bool,
) -> Result<FoundLetters, SubscriptionError> {
    let redriven = open.marks.redriven(query.place.subscription);
    let search = LetterSearch { owner: &query.owner, ids, from: query.from, count_max: query.count_max };
    let is_gone = |offset| redriven.is_some_and(|letters| letters.is_gone(offset));
    let is_under_way = |offset| !with_those_under_way && redriven.is_some_and(|letters| letters.is_under_way(offset));
    FoundLetters::search(batches, &search, is_gone, is_under_way).map_err(|error| unreadable(query.from, &error))
}

/// A batch that can't be decoded although its checksum is right.
pub(super) fn unreadable(offset: Offset, error: &BatchError) -> SubscriptionError {
    ReadError::Corrupt { offset, reason: error.to_string() }.into()
}

/// The first offset from `from` on at which there may be something that is looked for.
fn first_of_interest(open: &Partition, search: &Search, from: Offset) -> Offset {
    match search {
        Search::Letters { query: LetterQuery { place, .. }, .. } => {
            open.marks.redriven(place.subscription).map_or(from, |letters| letters.first_left(from))
        }
        Search::Redrive { query, .. } => {
            let letters = open.marks.redriven(query.letters.place.subscription);
            letters.map_or(from, |letters| letters.first_left(from))
        }
        Search::Cancel { query, .. } if query.one => from,
        Search::Scheduled { .. } | Search::Cancel { .. } => open.store.scheduled_from(from, Clock::wall()),
    }
}
