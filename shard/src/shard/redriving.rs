//! Dead letters that go back to where they came from: they are letters no more once they are in their topic again.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use shard_core::{
    delivery::{FoundLetters, SentBack},
    model::TopicPartition,
};

use super::{
    Shard,
    searching::{Part, find_letters, unreadable},
};
use crate::{
    event::ShardEvent,
    partition::WaitingAck,
    request::{PublishTerms, Reply, SubscriptionError},
    search::{RedriveEnd, RedriveQuery, Redriven, SearchAnswer},
};

impl Shard {
    /// Sends what is found on its way.
    pub(super) fn send_back(&mut self, query: &RedriveQuery, part: &Part, reply: Reply<Redriven, SubscriptionError>) {
        let (place, from) = (query.letters.place, query.letters.from);
        // What can't be struck off afterwards is not sent.
        let room = self.open_with_room(place);
        let found = room.and_then(|open| {
            let found = find_letters(open, (&query.letters, query.ids.as_deref()), &part.batches, false)?;
            let sent = SentBack::of(&part.batches, &found.letters, place.subscription, query.partitions);
            let sent = sent.map_err(|error| unreadable(from, &error))?;
            open.marks.set_out(place.subscription, &found.letters);
            Ok((found, sent))
        });
        let (FoundLetters { others, looked_to, .. }, batches) = match found {
            Ok(found) => found,
            Err(error) => return drop(reply.send(Err(error))),
        };
        let (handle, mailbox, next) = (self.handle.clone(), self.mailbox.clone(), part.next(looked_to));
        let topic = query.topic;
        glommio::spawn_local(async move {
            let publishes = batches.into_iter().map(|SentBack { letters, partition, batch }| {
                let target = TopicPartition::new(topic, partition);
                let publish = handle.publish_for(target, batch, PublishTerms::MOVED);
                async move { (letters, publish.await) }
            });
            let sent = join_all(publishes).await;
            let end = RedriveEnd { place, from, looked_to, others, sent, next, reply };
            mailbox.push(ShardEvent::SentBack(Box::new(end)));
        })
        .detach();
    }

    /// Letters have arrived, or not: those that have are struck off. A crash before that is durable leaves them letters,
    /// beside the messages that they have become.
    pub(super) fn on_sent_back(&mut self, end: RedriveEnd) {
        let RedriveEnd { place, from, looked_to, others, sent, next, reply } = end;
        let request = self.new_request();
        let open = match self.open(place.partition) {
            Ok(open) => open,
            Err(error) => return drop(reply.send(Err(error.into()))),
        };
        let mut redriven = Redriven { next, ..Redriven::default() };
        let mut left: BTreeSet<_> = others.into_iter().collect();
        for (offsets, published) in sent {
            open.marks.end_journey(place.subscription, &offsets);
            match published {
                Ok(_) => redriven.letters += offsets.len(),
                Err(error) => {
                    left.extend(offsets);
                    redriven.failure.get_or_insert(error);
                }
            }
        }
        let done = FoundLetters::done_with(from, looked_to, &left);
        let changes = open.marks.strike(place.subscription, done);
        open.journal.record(place.subscription.redriven(), &changes);
        open.journaled.insert(request, WaitingAck::Searched(SearchAnswer::Redriven(redriven, reply)));
        open.journal.release_when_durable(request);
    }
}
