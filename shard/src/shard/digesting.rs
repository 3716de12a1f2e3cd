//! Comparing replicas while they run: each reads a stretch of its log from its disk, past all caches, and says a checksum.

use shard_core::{
    limits::DIGEST_BYTES,
    model::{Offset, OffsetRange, TopicPartition},
    request::{DigestQuery, Digester, LogDigest},
};

use super::Shard;
use crate::{
    event::ShardEvent,
    limits,
    partition::Slot,
    request::{PartitionUnavailable, Reply},
    store::{AnyPartition, MessageStore as _, ReadFault},
};

impl Shard {
    /// Says what is here of a stretch of a log. What it finds damaged it mends, as any read does.
    pub(super) fn digest(&mut self, query: DigestQuery, reply: Reply<LogDigest, PartitionUnavailable>) {
        let (store, readable) = match self.readable(query) {
            Ok(found) => found,
            Err(error) => return drop(reply.send(Err(error))),
        };
        let mailbox = self.mailbox.clone();
        glommio::spawn_local(async move {
            let (digest, damage, away) = read_digest(&store, readable, query).await;
            if let Some((offset, reason)) = damage {
                mailbox.push(ShardEvent::DamageFound { partition: query.partition, offset, reason });
            }
            let answer = match away {
                Some(reason) => Err(PartitionUnavailable::StoreAway { partition: query.partition, reason }),
                None => Ok(digest),
            };
            // Whoever asked may have gone.
            let _ = reply.send(answer);
        })
        .detach();
    }

    /// The replica that is here, and what may be read of it.
    fn readable(&self, query: DigestQuery) -> Result<(AnyPartition, OffsetRange), PartitionUnavailable> {
        let partition: TopicPartition = query.partition;
        match self.partitions.get(&partition) {
            Some(Slot::Open(open)) => Ok((open.store.clone(), open.log.readable())),
            // What it was told is committed may be less than the owner knows: it says what it has up to where it is asked.
            Some(Slot::Following(following)) if query.to.is_some() => {
                Ok((following.store.clone(), following.follower.log()))
            }
            Some(Slot::Opening(reason) | Slot::Closed(reason)) => {
                Err(PartitionUnavailable::Closed { partition, reason: reason.clone() })
            }
            Some(Slot::Assuming(_) | Slot::Following(_)) | None => Err(PartitionUnavailable::NotHere(partition)),
        }
    }
}

/// The digest, where there is damage, and why it could not be made if the store is away.
async fn read_digest(
    store: &AnyPartition,
    readable: OffsetRange,
    DigestQuery { from, to, .. }: DigestQuery,
) -> (LogDigest, Option<(Offset, String)>, Option<String>) {
    let end: Offset = to.unwrap_or(readable.end).min(readable.end);
    let mut digester = Digester::new(from);
    let (mut damage, mut away) = (None, None);
    while from >= readable.start && digester.to() < end && (to.is_some() || digester.bytes() < DIGEST_BYTES) {
        let before = digester.to();
        match store.read_stored(OffsetRange::new(before, end), limits::FETCH_PART_BYTES).await {
            Ok(batches) => digester.take(&batches, end),
            Err(ReadFault::Damaged { offset, reason }) => damage = Some((offset, reason)),
            Err(ReadFault::Expired { .. } | ReadFault::PastEnd { .. }) => {}
            Err(fault @ (ReadFault::Lost { .. } | ReadFault::Away { .. })) => away = Some(fault.to_string()),
        }
        // Retention, damage, or a batch that ends elsewhere than it was asked for.
        if digester.to() == before {
            break;
        }
    }
    let told = damage.as_ref().map(|(offset, reason)| format!("offset {offset}: {reason}"));
    (digester.finish(readable, told), damage, away)
}
