//! Messages that nobody can take: written to the dead-letter topic, and acked once they are there.

use std::{convert::Infallible, sync::Arc};

use glommio::timer::sleep;
use shard_core::{
    delivery::{DeadLetter, DeadLetterReason},
    format::{
        record::{Record, RecordHead},
        record_batch::{BatchBuilder, RecordBatch, Relay, UnassignedBatch},
    },
    model::{OffsetRange, PartitionIndex, Timestamp, TopicPartition},
};

use super::Shard;
use crate::{
    clock::Clock,
    command::DeadLetterTarget,
    event::ShardEvent,
    handle::ShardHandle,
    limits,
    partition::Subscribed,
    request::{PartitionSubscription, PublishTerms},
    store::{AnyPartition, MessageStore as _, ReadFault},
};

/// What is on its way to the dead letters.
struct Journey {
    cursor: PartitionSubscription,
    letter: DeadLetter,
    target: Arc<DeadLetterTarget>,
    condemned_at: Timestamp,
}

impl Shard {
    /// Sends off what a dispatcher has condemned, so much at a time.
    pub(super) fn send_dead_letters(
        &self,
        cursor: PartitionSubscription,
        subscribed: &mut Subscribed,
        store: &AnyPartition,
    ) {
        let Some(target) = &subscribed.dead_letters else { return };
        let room = limits::DEAD_LETTERS_UNDER_WAY_MAX - subscribed.letters_under_way;
        for letter in subscribed.dispatcher.take_condemned(room) {
            subscribed.letters_under_way += 1;
            let journey = Journey { cursor, letter, target: Arc::clone(target), condemned_at: Clock::wall() };
            let (store, handle, mailbox) = (store.clone(), self.handle.clone(), self.mailbox.clone());
            glommio::spawn_local(async move {
                let arrived = journey.make(&store, &handle).await;
                mailbox.push(ShardEvent::DeadLetter { cursor, letter, arrived });
            })
            .detach();
        }
    }

    /// A dead letter is where it belongs, or did not get there.
    pub(super) fn on_dead_letter(&mut self, cursor: PartitionSubscription, letter: DeadLetter, arrived: bool) {
        // A partition or subscription that was deleted meanwhile needs no ack.
        let Ok(open) = self.open(cursor.partition) else { return };
        let Ok(subscribed) = open.subscribed(cursor.subscription) else { return };
        subscribed.letters_under_way -= 1;
        let mut acked = 0;
        if arrived {
            acked = u64::from(subscribed.dispatcher.on_dead_lettered(letter.offset));
        } else {
            subscribed.dispatcher.on_dead_letter_failed(letter);
        }
        open.record_changes(cursor.subscription);
        self.metrics.dead_letters.add(acked);
    }
}

impl Journey {
    /// Writes the message to the dead-letter topic; whether it got there. One that did not is not told at once, so that the
    /// next try has a pause before it.
    async fn make(&self, store: &AnyPartition, handle: &ShardHandle) -> bool {
        let offset = self.letter.offset;
        let partitions = self.target.partitions.max(1);
        let index = PartitionIndex::new(self.cursor.partition.partition.get() % partitions);
        let target = TopicPartition::new(self.target.topic, index);
        let failure = match store.read(OffsetRange::new(offset, offset.next()), 1).await {
            // Retention has taken it: there is nothing left to keep.
            Err(ReadFault::Expired { .. } | ReadFault::Lost { .. }) => return true,
            Err(fault) => fault.to_string(),
            Ok(batches) => match batches.first().and_then(|batch| self.letter_of(batch)) {
                None => "the message can't be read".to_owned(),
                Some(batch) => match handle.publish_for(target, batch, PublishTerms::MOVED).await {
                    Ok(_) => return true,
                    Err(error) => error.to_string(),
                },
            },
        };
        tracing::warn!(cursor = ?self.cursor, %offset, failure, "a dead letter waits for its topic");
        sleep(limits::DEAD_LETTER_PAUSE).await;
        false
    }

    /// The message as it is written there: as it was, with attributes that say where it comes from and why.
    fn letter_of(&self, batch: &RecordBatch) -> Option<UnassignedBatch> {
        let mut letter = None;
        let visited = batch.for_each_record(|record| {
            if record.offset == self.letter.offset {
                letter = self.encode(&record);
            }
        });
        visited.ok().and(letter)
    }

    fn encode(&self, record: &Record<'_>) -> Option<UnassignedBatch> {
        let DeadLetter { offset, attempts, reason, .. } = self.letter;
        let reason = match reason {
            DeadLetterReason::MaxAttempts => "max_attempts",
            DeadLetterReason::Rejected => "rejected",
            DeadLetterReason::Expired => "expired",
        };
        let TopicPartition { partition, .. } = self.cursor.partition;
        let numbers = [offset.to_string(), partition.to_string(), attempts.to_string()];
        let [offset, partition, attempts] = numbers.each_ref().map(String::as_str);
        let time = self.condemned_at.as_millis().to_string();
        // Of a letter that comes from a dead-letter topic itself, the latest journey is told.
        let own = [
            ("pubsub-dlq-topic", &*self.target.source_topic),
            ("pubsub-dlq-partition", partition),
            ("pubsub-dlq-offset", offset),
            ("pubsub-dlq-subscription", &*self.target.subscription),
            ("pubsub-dlq-attempts", attempts),
            ("pubsub-dlq-reason", reason),
            ("pubsub-dlq-time", &time),
        ];
        let kept = record.attributes.iter().filter(|(name, _)| own.iter().all(|(taken, _)| taken != name));
        let attributes: Vec<_> = kept.chain(own).collect();
        // It is there to be looked at: its times have passed.
        let head = RecordHead { ttl_ms: None, deliver_at: None, ..record.head };
        let mut builder = BatchBuilder::new(record.payload.len());
        let Ok(()) = builder.push(&head, &attributes, |out| {
            out.extend_from_slice(record.payload);
            Ok::<_, Infallible>(())
        });
        // Whatever its id: another letter may have the same one.
        builder.finish_relayed(Relay::Everyone).ok()
    }
}
