//! The Redis store of one shard: opens partitions over its connection, and writes down on its own disk how far they were
//! acknowledged, so that a Redis that has lost messages is noticed.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    rc::Rc,
    sync::Arc,
};

use bytes::Bytes;
use shard_core::{
    delivery::{CursorReplay, CursorState},
    format::durable_ends::DurableEnd,
    log::LogExtent,
    model::{LeaderEpoch, Offset, OffsetRange, SubscriptionId, TopicPartition},
    redis::{JournalSize, Refusal},
};

use super::{
    Known, OnLoss, OpenError, RedisConfig, RedisLink, RedisPartition, accept_loss, delete, open,
    stored_partition::{Opening, StoredPartition},
};
use crate::{
    limits,
    metrics::ShardMetrics,
    store::{EndsConfig, Found, Opened, ShardStore, StoreError, ends::Ends},
};

/// The settings of one shard's Redis store.
#[derive(Clone, Debug)]
pub struct RedisStoreConfig {
    /// How Redis is reached.
    pub redis: RedisConfig,
    /// What is done about messages that were acknowledged and are gone.
    pub on_loss: OnLoss,
    /// The data directory, and how far the last run knew its partitions to be acknowledged.
    pub ends: EndsConfig,
    /// Where logs end that the log store keeps in the same data directory: no offset of theirs is used again.
    pub first_offsets: Arc<HashMap<TopicPartition, Offset>>,
}

/// The Redis store of one shard.
#[derive(Clone, Debug)]
pub struct RedisStore {
    pub(super) shared: Rc<Shared>,
}

/// What the partitions of a shard share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) link: RedisLink,
    pub(super) on_loss: OnLoss,
    pub(super) ends: Ends,
    pub(super) metrics: Arc<ShardMetrics>,
    first_offsets: Arc<HashMap<TopicPartition, Offset>>,
    /// The latest opening of each partition.
    openings: RefCell<BTreeMap<TopicPartition, LatestOpening>>,
}

#[derive(Debug)]
struct LatestOpening {
    epoch: LeaderEpoch,
    /// Its handles look at this.
    is_latest: Rc<Cell<bool>>,
}

impl RedisStore {
    /// Starts to connect, and writes down what concerns this shard of what all shards of the last run knew.
    ///
    /// # Errors
    /// That could not be written.
    pub async fn start(config: RedisStoreConfig, metrics: Arc<ShardMetrics>) -> Result<Self, StoreError> {
        let shared = Shared {
            ends: Ends::start(&config.ends).await?,
            link: RedisLink::start_counted(config.redis, Arc::clone(&metrics)),
            on_loss: config.on_loss,
            metrics,
            first_offsets: config.first_offsets,
            openings: RefCell::default(),
        };
        Ok(Self { shared: Rc::new(shared) })
    }

    /// Goes on once every shard has started; see `Ends::settle`.
    ///
    /// # Errors
    /// What is known could not be written down.
    pub async fn settle(&self) -> Result<(), StoreError> {
        self.shared.ends.settle().await
    }
}

impl ShardStore for RedisStore {
    type Partition = StoredPartition;

    async fn open(&self, partition: TopicPartition, epoch: LeaderEpoch) -> Result<Opened<StoredPartition>, StoreError> {
        let shared = &self.shared;
        let is_latest = shared.supersede(partition, epoch);
        let known = shared.ends.known(partition);
        let opened = shared.take_over(partition, epoch, known.durable_end).await.map_err(StoreError::from)?;
        let (cursors, journal) = read_cursors(&opened).await?;
        let extent = LogExtent { start: opened.offsets.start, end: opened.offsets.end, newest: opened.latest };
        let point = shared.ends.point(partition, acknowledged(partition, epoch, opened.offsets));
        let found = Found { extent, cursors, replace_cursors: journal.is_large(), cut: Vec::new() };
        let opening = Opening { partition, epoch, is_latest, point };
        Ok(Opened { store: StoredPartition::new(Rc::clone(shared), opening, opened, journal), found })
    }

    async fn delete(&self, partition: TopicPartition) -> Result<(), StoreError> {
        let opening = self.shared.openings.borrow_mut().remove(&partition);
        if let Some(opening) = &opening {
            opening.is_latest.set(false);
        }
        self.shared.ends.remove(partition);
        // One that this run never opened was ours in an epoch that is not known; nobody has a topic that is deleted.
        let epoch = opening.map_or(LeaderEpoch::new(u32::MAX), |opening| opening.epoch);
        delete(&self.shared.link, partition, epoch).await.map_err(StoreError::from)
    }

    async fn checkpoint(&self) -> Result<(), StoreError> {
        self.shared.ends.checkpoint().await
    }
}

impl Shared {
    /// From here on the handles of earlier openings tell nothing, and those of this one do.
    fn supersede(&self, partition: TopicPartition, epoch: LeaderEpoch) -> Rc<Cell<bool>> {
        let is_latest = Rc::new(Cell::new(true));
        let opening = LatestOpening { epoch, is_latest: Rc::clone(&is_latest) };
        if let Some(earlier) = self.openings.borrow_mut().insert(partition, opening) {
            earlier.is_latest.set(false);
        }
        is_latest
    }

    /// Opens a partition. What Redis has lost is told, and by the settings the log then goes on behind it.
    async fn take_over(
        &self,
        partition: TopicPartition,
        epoch: LeaderEpoch,
        acknowledged_end: Offset,
    ) -> Result<RedisPartition, OpenError> {
        let first = self.first_offsets.get(&partition).copied().unwrap_or_default();
        let mut resume_at = acknowledged_end;
        for _ in 0..limits::REDIS_LOSSES_MAX {
            let error = match open(&self.link, partition, epoch, Known { acknowledged_end, first }).await {
                Err(error) if error.is_loss() && self.on_loss == OnLoss::Continue => error,
                opened => return opened,
            };
            tracing::error!(
                %partition, %error, go_on_at = %resume_at,
                "Redis has lost acknowledged messages; the log goes on behind them, as redis.on_loss says"
            );
            match accept_loss(&self.link, partition, epoch, resume_at).await {
                Ok(()) => self.metrics.losses.add(1),
                // It went further than was known here.
                Err(OpenError::Refused(Refusal::Elsewhere { stored_end })) => resume_at = Offset::new(stored_end),
                Err(error) => return Err(error),
            }
        }
        Err(OpenError::Refused(Refusal::Overtaken))
    }
}

/// What is known of a log that is acknowledged so far.
pub(super) const fn acknowledged(partition: TopicPartition, epoch: LeaderEpoch, offsets: OffsetRange) -> DurableEnd {
    DurableEnd {
        partition,
        leader_epoch: epoch,
        segment: Offset::ZERO,
        position: 0,
        durable_end: offsets.end,
        log_start: offsets.start,
    }
}

/// Replays the cursor journal.
async fn read_cursors(
    opened: &RedisPartition,
) -> Result<(BTreeMap<SubscriptionId, CursorState>, JournalSize), StoreError> {
    let writes: Vec<Bytes> = opened.cursors.load().await.map_err(StoreError::transient)?;
    let mut cursors = CursorReplay::default();
    let mut size = JournalSize::default();
    for entries in writes {
        cursors
            .take(&entries)
            .map_err(|error| StoreError::new(format_args!("the cursor journal in Redis is damaged: {error}")))?;
        size.on_appended(entries.len());
    }
    Ok((cursors.finish(), size))
}

impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        if matches!(error, OpenError::Refused(Refusal::Fenced { .. })) {
            Self::superseded(error)
        } else if error.may_pass() {
            Self::transient(error)
        } else {
            Self::new(error)
        }
    }
}
