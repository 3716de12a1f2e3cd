//! Acks, nacks, extensions and seeks: applied at once, answered when durable.

use shard_core::{
    format::record_batch::RecordBatch,
    model::{Offset, OffsetRange},
};

use super::Shard;
use crate::{
    partition::{Partition, Slot, WaitingAck},
    request::{
        AckAction, AckOutcome, Claim, CursorStatus, LeaseId, PartitionSubscription, PartitionUnavailable, ReadError,
        Reply, SeekTo, SubscriptionError,
    },
    store::MessageStore as _,
};

impl Shard {
    pub(super) fn acknowledge(
        &mut self,
        cursor: PartitionSubscription,
        action: AckAction,
        leases: &[(Offset, LeaseId)],
        reply: Reply<Vec<AckOutcome>, SubscriptionError>,
    ) {
        let (request, now) = (self.new_request(), self.clock.monotonic());
        let applied = self.open_with_room(cursor).and_then(|open| {
            let dispatcher = &mut open.configured(cursor.subscription)?.dispatcher;
            // A lease whose time is over is not live, even if no tick has said so yet.
            dispatcher.on_deadline(now);
            let one = |&(offset, lease): &(Offset, LeaseId)| match action {
                AckAction::Ack => dispatcher.ack(offset, lease),
                AckAction::Nack { delay } => dispatcher.nack(now, offset, lease, delay),
                AckAction::Reject => dispatcher.reject(now, offset, lease),
                AckAction::Extend { deadline } => dispatcher.extend(now, offset, lease, deadline),
            };
            let outcomes: Vec<_> = leases.iter().map(one).collect();
            open.record_changes(cursor.subscription);
            Ok((open, outcomes))
        });
        match applied {
            Err(error) => drop(reply.send(Err(error))),
            Ok((open, outcomes)) if action == AckAction::Ack => {
                let acked = outcomes.iter().filter(|outcome| **outcome == AckOutcome::Applied).count();
                open.journaled.insert(request, WaitingAck::Outcomes(outcomes, reply));
                open.journal.release_when_durable(request);
                self.metrics.messages_acked.add(super::widen(acked));
            }
            // A lost nack or extension costs a redelivery at another time, nothing else.
            Ok((_, outcomes)) => drop(reply.send(Ok(outcomes))),
        }
    }

    pub(super) fn ack_up_to(
        &mut self,
        cursor: PartitionSubscription,
        (up_to, claim): (Offset, Option<Claim>),
        reply: Reply<(), SubscriptionError>,
    ) {
        self.change_cursor(cursor, reply, |open, subscription| {
            let high_watermark = open.log.high_watermark();
            let dispatcher = &mut open.configured(subscription)?.dispatcher;
            dispatcher.check_commit(claim)?;
            dispatcher.ack_up_to(up_to, high_watermark);
            Ok(())
        });
    }

    pub(super) fn seek(&mut self, cursor: PartitionSubscription, to: SeekTo, reply: Reply<(), SubscriptionError>) {
        let readable = match self.open(cursor.partition) {
            Ok(open) => open.log.readable(),
            Err(error) => return drop(reply.send(Err(error.into()))),
        };
        let to = match to {
            SeekTo::Earliest => readable.start,
            SeekTo::Latest => readable.end,
            SeekTo::Offset(offset) if offset < readable.start => {
                let expired = ReadError::Expired { offset, start: readable.start };
                return drop(reply.send(Err(expired.into())));
            }
            SeekTo::Offset(offset) if offset > readable.end => {
                let past_end = ReadError::PastEnd { offset, end: readable.end };
                return drop(reply.send(Err(past_end.into())));
            }
            SeekTo::Offset(offset) => offset,
            SeekTo::Timestamp(at) => {
                let (located, mailbox) = (self.locate(cursor.partition, at), self.mailbox.clone());
                glommio::spawn_local(async move {
                    let to = located.await;
                    mailbox.push(crate::event::ShardEvent::SeekLocated { cursor, to, reply });
                })
                .detach();
                return;
            }
        };
        self.seek_to(cursor, to, reply);
    }

    pub(super) fn on_seek_located(
        &mut self,
        cursor: PartitionSubscription,
        to: Result<Offset, ReadError>,
        reply: Reply<(), SubscriptionError>,
    ) {
        match to {
            Ok(to) => self.seek_to(cursor, to, reply),
            Err(error) => drop(reply.send(Err(error.into()))),
        }
    }

    /// Describes a cursor. The oldest message may have to be read for its age.
    pub(super) fn cursor_status(
        &mut self,
        cursor: PartitionSubscription,
        reply: Reply<CursorStatus, SubscriptionError>,
    ) {
        let found = self.open(cursor.partition).map_err(SubscriptionError::from).and_then(|open| {
            let high_watermark = open.log.high_watermark();
            let status = open.subscribed(cursor.subscription)?.dispatcher.status(high_watermark);
            Ok((status, high_watermark, open.store.clone()))
        });
        let (status, high_watermark, store) = match found {
            Ok(found) => found,
            Err(error) => return drop(reply.send(Err(error))),
        };
        let described = CursorStatus {
            ack_floor: status.ack_floor,
            backlog: status.backlog,
            leased: status.leased,
            oldest_unacked: None,
            redeliveries: status.redeliveries,
            dead_lettered: status.dead_lettered,
            expired: status.expired,
            filtered: status.filtered,
        };
        let published = |batches: &[RecordBatch]| batches.first().map(|batch| batch.header().base_timestamp);
        let Some(first) = status.first_unacked else { return drop(reply.send(Ok(described))) };
        let range = OffsetRange::new(first, high_watermark);
        if let Some(batches) = self.cache.read(cursor.partition, range, 1) {
            return drop(reply.send(Ok(CursorStatus { oldest_unacked: published(&batches), ..described })));
        }
        glommio::spawn_local(async move {
            // What can't be read has no age; reading it for a consumer says why.
            let oldest_unacked = store.read(range, 1).await.ok().and_then(|batches| published(&batches));
            drop(reply.send(Ok(CursorStatus { oldest_unacked, ..described })));
        })
        .detach();
    }

    fn seek_to(&mut self, cursor: PartitionSubscription, to: Offset, reply: Reply<(), SubscriptionError>) {
        self.change_cursor(cursor, reply, |open, subscription| {
            let readable = open.log.readable();
            let to = to.clamp(readable.start, readable.end);
            open.subscribed(subscription)?.dispatcher.seek(to);
            open.pass_over_cancelled(subscription);
            Ok(())
        });
    }

    /// Changes a cursor at once and answers when the change is durable.
    fn change_cursor(
        &mut self,
        cursor: PartitionSubscription,
        reply: Reply<(), SubscriptionError>,
        change: impl FnOnce(&mut Partition, shard_core::model::SubscriptionId) -> Result<(), SubscriptionError>,
    ) {
        let request = self.new_request();
        let changed = self.open_with_room(cursor).and_then(|open| {
            change(open, cursor.subscription)?;
            open.record_changes(cursor.subscription);
            Ok(open)
        });
        match changed {
            Err(error) => drop(reply.send(Err(error))),
            Ok(open) => {
                open.journaled.insert(request, WaitingAck::Done(reply));
                open.journal.release_when_durable(request);
            }
        }
    }

    /// The partition, if its journal can take a change.
    pub(super) fn open_with_room(
        &mut self,
        cursor: PartitionSubscription,
    ) -> Result<&mut Partition, SubscriptionError> {
        self.open(cursor.partition)?;
        match self.partitions.get_mut(&cursor.partition) {
            Some(Slot::Open(open)) => match open.journal.closed() {
                Some(reason) if open.reopening => Err(open.refusal(reason).into()),
                Some(reason) => Err(SubscriptionError::StoreFailed { reason: reason.to_owned() }),
                None if !open.journal.has_room() => Err(PartitionUnavailable::Overloaded.into()),
                None => {
                    open.check_replicas()?;
                    Ok(open)
                }
            },
            Some(Slot::Opening(_) | Slot::Closed(_) | Slot::Assuming(_) | Slot::Following(_)) | None => {
                Err(PartitionUnavailable::NotHere(cursor.partition).into())
            }
        }
    }
}
