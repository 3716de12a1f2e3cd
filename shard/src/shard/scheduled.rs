//! Messages that wait for their time: listed, and cancelled.

use shard_core::{
    delivery::{FoundScheduled, ScheduledSearch},
    model::{Offset, OffsetRange, SubscriptionId, TopicPartition},
};

use super::{
    Shard,
    searching::{Part, unreadable},
};
use crate::{
    clock::Clock,
    partition::WaitingAck,
    request::{PartitionSubscription, Reply, SubscriptionError},
    search::{CancelQuery, Cancelled, Scheduled, ScheduledQuery, SearchAnswer},
};

impl Shard {
    pub(super) fn show_scheduled(
        &mut self,
        query: ScheduledQuery,
        part: &Part,
        reply: Reply<Scheduled, SubscriptionError>,
    ) {
        let (from, count_max) = (query.from, query.count_max);
        let search = ScheduledSearch { id: None, from, count_max, now: Clock::wall() };
        let found = self.find_scheduled(query.partition, &search, part);
        let scheduled = found.map(|FoundScheduled { messages, looked_to }| {
            let next = part.next(looked_to);
            Scheduled { messages, next }
        });
        let _ = reply.send(scheduled);
    }

    /// Cancels what is found. From here on no dispatcher gives it to anybody; the answer waits until that is durable.
    pub(super) fn cancel(&mut self, query: &CancelQuery, part: &Part, reply: Reply<Cancelled, SubscriptionError>) {
        let (partition, from) = (query.partition, query.from);
        let count_max = if query.one { 1 } else { usize::MAX };
        let search = ScheduledSearch { id: Some(&query.id), from, count_max, now: Clock::wall() };
        let mut found = match self.find_scheduled(partition, &search, part) {
            Ok(found) => found,
            Err(error) => return drop(reply.send(Err(error))),
        };
        if query.one {
            found.messages.retain(|message| message.offset == from);
        }
        let next = part.next(found.looked_to).filter(|_| !query.one);
        let cancelled = Cancelled { messages: found.messages.len(), next };
        if found.messages.is_empty() {
            return drop(reply.send(Ok(cancelled)));
        }
        let request = self.new_request();
        let place = PartitionSubscription { partition, subscription: SubscriptionId::CANCELLED };
        match self.open_with_room(place) {
            Ok(open) => {
                let changes = open.marks.cancel(found.messages.iter().map(|message| message.offset));
                open.journal.record(SubscriptionId::CANCELLED, &changes);
                open.subscriptions.for_each(|subscribed| {
                    for message in &found.messages {
                        subscribed.dispatcher.on_cancelled(one(message.offset));
                    }
                });
                let answer = SearchAnswer::Cancelled(cancelled, reply);
                open.journaled.insert(request, WaitingAck::Searched(answer));
                open.journal.release_when_durable(request);
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    fn find_scheduled(
        &mut self,
        partition: TopicPartition,
        search: &ScheduledSearch<'_>,
        part: &Part,
    ) -> Result<FoundScheduled, SubscriptionError> {
        let open = self.open(partition)?;
        let is_cancelled = |offset| open.marks.is_cancelled(offset);
        FoundScheduled::search(&part.batches, search, is_cancelled).map_err(|error| unreadable(search.from, &error))
    }
}

fn one(offset: Offset) -> OffsetRange {
    OffsetRange::new(offset, offset.next())
}
