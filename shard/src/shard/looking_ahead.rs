//! Before a subscription delivers, it looks at what there is.

use shard_core::{
    format::record_batch::RecordBatch,
    model::{Offset, OffsetRange, SubscriptionId},
};

use super::{Shard, distrusting::note_damage};
use crate::{
    event::ShardEvent,
    limits,
    partition::{Partition, Slot},
    request::{PartitionSubscription, ReadError, SubscriptionError},
    store::MessageStore as _,
    tail_cache::TailCache,
};

/// How far a look ahead has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LookedAt {
    /// Everything there is, or there is no room to look further.
    All,
    /// What the cache has; the rest has to be read.
    CacheEndsAt(Offset),
    /// As much as one turn may.
    Enough,
}

/// Has the dispatcher look at what the cache holds.
pub(super) fn look_ahead(
    open: &mut Partition,
    cache: &TailCache,
    subscription: SubscriptionId,
) -> Result<LookedAt, SubscriptionError> {
    let high_watermark = open.log.high_watermark();
    let mut left = limits::SCAN_RECORDS_PER_TURN;
    let partition = open.id;
    let subscribed = open.subscribed(subscription)?;
    subscribed.tell_the_time();
    while let Some(from) = subscribed.dispatcher.scan_from(high_watermark) {
        let wanted = OffsetRange::new(from, high_watermark);
        let Some(batches) = cache.read(partition, wanted, limits::SCAN_BYTES) else {
            return Ok(LookedAt::CacheEndsAt(from));
        };
        for batch in &batches {
            subscribed.scan(batch)?;
            left = left.saturating_sub(u64::from(batch.header().record_count));
        }
        if left == 0 {
            return Ok(LookedAt::Enough);
        }
    }
    Ok(LookedAt::All)
}

impl Shard {
    /// Has a subscription look at what is stored beyond the cache, a part at a time, if anything there may go before its turn.
    /// What is plain is taken as it is.
    pub(super) fn look_further(&mut self, cursor: PartitionSubscription) {
        let Some(Slot::Open(open)) = self.partitions.get_mut(&cursor.partition) else { return };
        let high_watermark = open.log.high_watermark();
        let Ok(subscribed) = open.subscribed(cursor.subscription) else { return };
        if subscribed.looking || self.looks >= limits::LOOKS_AT_ONCE_MAX {
            return;
        }
        let Some(mut from) = subscribed.dispatcher.scan_from(high_watermark) else { return };
        let plain_unseen = subscribed.dispatcher.takes_plain_unseen();
        let special = open.store.plain_to(from).min(high_watermark);
        let Ok(subscribed) = open.subscribed(cursor.subscription) else { return };
        if plain_unseen {
            subscribed.dispatcher.scan_plain(special);
            from = special;
        }
        // What the cache has is looked at by the pulls themselves.
        let cached = self.cache.read(cursor.partition, OffsetRange::new(from, high_watermark), 1).is_some();
        if special >= high_watermark || cached {
            return;
        }
        subscribed.looking = true;
        self.looks += 1;
        let (store, mailbox) = (open.store.clone(), self.mailbox.clone());
        let place = (cursor.partition, open.has_heirs());
        glommio::spawn_local(async move {
            let wanted = OffsetRange::new(from, high_watermark);
            let read = note_damage(&mailbox, place, store.read(wanted, limits::SCAN_BYTES).await);
            mailbox.push(ShardEvent::LookedAt { cursor, read });
        })
        .detach();
    }

    pub(super) fn on_looked_at(&mut self, cursor: PartitionSubscription, read: Result<Vec<RecordBatch>, ReadError>) {
        self.looks -= 1;
        let Ok(open) = self.open(cursor.partition) else { return };
        let Ok(subscribed) = open.subscribed(cursor.subscription) else { return };
        subscribed.looking = false;
        let before = subscribed.dispatcher.scan_from(Offset::new(u64::MAX));
        // An error is told to the consumer that comes to it; until then there is nothing to look at.
        let Ok(batches) = read else { return };
        subscribed.tell_the_time();
        if batches.iter().try_for_each(|batch| subscribed.scan(batch)).is_err() {
            return;
        }
        let has_advanced = subscribed.dispatcher.scan_from(Offset::new(u64::MAX)) != before;
        open.record_changes(cursor.subscription);
        if has_advanced {
            self.look_further(cursor);
        }
    }
}
