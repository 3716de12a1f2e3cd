//! Before a subscription delivers, it looks at what there is.

use shard_core::model::{Offset, OffsetRange, SubscriptionId};

use crate::{limits, partition::Partition, request::SubscriptionError, tail_cache::TailCache};

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
