//! Appends to one partition on its owner: assigns offsets, groups what is stored together, releases acknowledgements.

use std::collections::VecDeque;

use super::{
    config::{Acks, AppendConfig, FlushPolicy},
    dedup::{Admission, AppendPoint, Dedup, ProducerRefusal, Repeats},
    effect::{AppendEffect, AppendEvent, Fate, Placed, Reached},
};
use crate::{
    format::record_batch::{RecordBatch, UnassignedBatch},
    limits,
    model::{LeaderEpoch, Monotonic, Offset, OffsetRange, RequestId, Timestamp},
};

mod committing;
mod flight;

use committing::Uncommitted;
use flight::{Flight, Pending, Waiting};

/// The appends to one partition: what waits for the store, what is in it, and who is to be answered.
///
/// One append to the store is in flight at a time; what arrives meanwhile shares the next. Where and how the store
/// keeps the batches is none of its business.
#[derive(Debug)]
pub struct Appender {
    epoch: LeaderEpoch,
    config: AppendConfig,
    log_start: Offset,
    log_end: Offset,
    /// Everything below is in the store.
    stored_end: Offset,
    /// Everything below is as safe as the store can make it.
    synced_end: Offset,
    high_watermark: Offset,
    newest: Timestamp,
    dedup: Dedup,
    /// How safe what lies below `synced_end` is, and what lies above.
    safe: Reached,
    stored: Reached,
    /// When publishers hear of what they publish, if they do not say it themselves.
    acks: Acks,
    pending: VecDeque<Pending>,
    /// Appends that are stored here and wait until others have stored them too; `None` where there are no others.
    uncommitted: Option<Uncommitted>,
    /// Bytes accepted and not stored, those in flight included.
    unflushed_bytes: u64,
    flight: Option<Flight>,
    sync_due: Option<Monotonic>,
    /// The end of what a sync in flight covers.
    syncing: Option<Offset>,
    failed: Option<String>,
    /// Why the store did not take the last append that it refused.
    rejected: Option<String>,
    stopping: bool,
    effects: VecDeque<AppendEffect>,
}

/// What a store holds of a log when it is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogExtent {
    /// The offset of the first record still there, or the end if there is none.
    pub start: Offset,
    /// The next offset to be assigned.
    pub end: Offset,
    /// No record was taken later: the next one is not taken earlier.
    pub newest: Timestamp,
}

/// Why an append was refused. Nothing was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum AppendError {
    #[error("{unflushed_bytes} bytes wait for the store, the limit is {unflushed_bytes_max}")]
    Backpressure { unflushed_bytes: u64, unflushed_bytes_max: u64 },
    #[error("the log failed: {reason}")]
    Failed { reason: String },
    #[error("the log is being closed")]
    Stopping,
    #[error("{0}")]
    Producer(#[from] ProducerRefusal),
}

impl Appender {
    /// Goes on behind what the store holds, for the log's owner in `epoch`.
    #[must_use]
    pub fn open(epoch: LeaderEpoch, config: AppendConfig, extent: LogExtent) -> Self {
        Self {
            epoch,
            config,
            log_start: extent.start,
            log_end: extent.end,
            stored_end: extent.end,
            synced_end: extent.end,
            high_watermark: extent.end,
            newest: extent.newest,
            dedup: Dedup::new(config.dedup, [0; 16]),
            safe: Reached::Memory,
            stored: Reached::Memory,
            acks: Acks::default(),
            pending: VecDeque::new(),
            uncommitted: None,
            unflushed_bytes: 0,
            flight: None,
            sync_due: None,
            syncing: None,
            failed: None,
            rejected: None,
            stopping: false,
            effects: VecDeque::new(),
        }
    }

    /// Recognises what `dedup` knows of the log when it is published again, and says then that it is as safe as `safe`.
    #[must_use]
    pub fn remembering(self, dedup: Dedup, safe: Reached) -> Self {
        Self { dedup, safe, stored: safe, ..self }
    }

    /// Gives away what is known of the log, once that has failed: what is there by then is to be learned.
    pub fn take_dedup(&mut self) -> Dedup {
        std::mem::take(&mut self.dedup)
    }

    /// Goes on behind what the store holds now, after it had failed and was opened again.
    ///
    /// # Panics
    /// If it had not failed, or the store has lost what consumers were shown.
    pub fn reopen(&mut self, extent: LogExtent, dedup: Dedup) {
        assert!(self.failed.is_some() && self.flight.is_none(), "a log that goes on need not be opened");
        assert!(self.uncommitted.is_none(), "a replicated log is not opened again while it is led");
        assert!(extent.end >= self.high_watermark, "a store that has lost messages is not opened");
        let effects = std::mem::take(&mut self.effects);
        let opened = Self::open(self.epoch, self.config, extent).remembering(dedup, self.safe);
        *self = Self { acks: self.acks, effects, ..opened };
        self.dedup.configure(self.config.dedup);
        self.effects.push_back(AppendEffect::HighWatermark(extent.end));
    }

    /// Accepts one batch, but for what was there before; `Acknowledge` or `Refuse` follows. Returns where its first
    /// message is, or will be.
    ///
    /// # Errors
    /// Nothing was accepted.
    pub fn append(
        &mut self,
        now: Timestamp,
        request: RequestId,
        batch: UnassignedBatch,
    ) -> Result<Offset, AppendError> {
        self.append_for(now, (request, None), batch)
    }

    /// The same of a publisher that says itself when it wants to hear of it.
    ///
    /// # Errors
    /// Those of [`Self::append`].
    pub fn append_for(
        &mut self,
        now: Timestamp,
        (request, acks): (RequestId, Option<Acks>),
        batch: UnassignedBatch,
    ) -> Result<Offset, AppendError> {
        if let Some(reason) = &self.failed {
            return Err(AppendError::Failed { reason: reason.clone() });
        }
        if self.stopping {
            return Err(AppendError::Stopping);
        }
        let unflushed_bytes = self.unflushed_bytes + self.uncommitted_bytes();
        let unflushed_bytes_max = self.config.unflushed_bytes_max;
        if unflushed_bytes > 0 && unflushed_bytes + widen(batch.len()) > unflushed_bytes_max {
            return Err(AppendError::Backpressure { unflushed_bytes, unflushed_bytes_max });
        }
        // Times of a log never go back, also when the clock does.
        self.newest = self.newest.max(now);
        let at = AppendPoint { now: self.newest, log_end: self.log_end, stored_end: self.stored_end };
        let messages = u64::from(batch.record_count());
        let (base_offset, repeats, batch) = match self.dedup.admit(&batch, at)? {
            Admission::New => (self.log_end, Repeats::None, Some(batch)),
            Admission::Repeated(offset) => (offset, Repeats::All, None),
            Admission::Partly(places) => {
                let repeats = Repeats::Some(places);
                let batch = without_repeats(batch, &repeats);
                (repeats.place(self.log_end, 0).offset, repeats, batch)
            }
        };
        let batch = batch.map(|batch| self.assign(batch));
        let end = match &repeats {
            Repeats::None => self.log_end,
            Repeats::All => base_offset.plus(messages),
            Repeats::Some(places) => places.iter().map(|place| place.offset.next()).max().unwrap_or(self.log_end),
        };
        let waiting = Waiting { request, placed: Placed { base_offset, repeats }, timestamp: self.newest, end, acks };
        let waiting = if self.answers_from_memory(acks) {
            let reached = self.reached(end);
            self.effects.push_back(waiting.acknowledge(reached));
            None
        } else {
            Some(waiting)
        };
        if waiting.is_some() || batch.is_some() {
            self.pending.push_back(Pending { waiting, batch });
        }
        Ok(base_offset)
    }

    /// The batches that were handed to the store last are sent to other replicas before they are stored: a store that does
    /// not take them has failed, since their offsets can't be given to others in this epoch.
    ///
    /// # Panics
    /// If none is on its way to the store.
    pub fn on_sent_ahead(&mut self) {
        self.flight.as_mut().expect("what is sent is on its way to the store").is_ahead = true;
    }

    /// Whether what is on its way to the store was sent ahead.
    #[must_use]
    pub fn is_ahead(&self) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.is_ahead)
    }

    /// Takes the end of something that an effect started.
    ///
    /// # Panics
    /// If a store takes back what was sent ahead.
    pub fn on_event(&mut self, now: Monotonic, event: AppendEvent) {
        match event {
            AppendEvent::Appended { reached } => self.on_appended(now, reached),
            AppendEvent::Rejected { reason } => self.on_rejected(reason),
            AppendEvent::Synced => self.on_synced(),
            AppendEvent::Failed { reason } => self.fail(reason),
        }
    }

    /// The store holds nothing below `start` any more.
    pub fn on_log_start(&mut self, start: Offset) {
        self.log_start = self.log_start.max(start);
    }

    /// Starts a sync that is due.
    pub fn on_deadline(&mut self, now: Monotonic) {
        if self.next_deadline().is_some_and(|due| due <= now) {
            self.start_sync();
        }
    }

    /// When `on_deadline` has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.sync_due.filter(|_| self.syncing.is_none())
    }

    /// The next thing to do; call until `None`, after all events at hand were given, so that appends share a write.
    pub fn poll_effect(&mut self) -> Option<AppendEffect> {
        if self.effects.is_empty() {
            self.plan_append();
        }
        self.effects.pop_front()
    }

    /// Takes a new configuration from now on.
    pub fn configure(&mut self, config: AppendConfig) {
        self.config = config;
        self.dedup.configure(config.dedup);
    }

    /// Forgets, at `now`, ids that need not be remembered any longer, at most so many; returns how many it were.
    pub fn forget_expired(&mut self, now: Timestamp, count_max: usize) -> usize {
        self.dedup.forget_expired(now.max(self.newest), count_max)
    }

    /// Lets what is known of earlier publishes take so many bytes.
    pub fn set_dedup_bytes_max(&mut self, bytes_max: usize) {
        self.config.dedup.bytes_max = bytes_max;
        self.dedup.set_bytes_max(bytes_max);
    }

    /// What is known of earlier publishes.
    #[must_use]
    pub const fn dedup(&self) -> &Dedup {
        &self.dedup
    }

    /// Refuses appends from now on, and sees to it that those accepted are safe.
    pub fn begin_shutdown(&mut self) {
        self.stopping = true;
        self.sync_rest();
    }

    /// Whether nothing is under way and everything accepted is safe, or never will be.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let settled = self.failed.is_some() || self.synced_end == self.log_end;
        let done = self.pending.is_empty() && self.effects.is_empty() && !self.has_uncommitted();
        settled && done && self.flight.is_none() && self.syncing.is_none()
    }

    /// The offsets consumers see: from the first still there to the high watermark.
    #[must_use]
    pub fn readable(&self) -> OffsetRange {
        OffsetRange::new(self.log_start, self.high_watermark)
    }

    /// The offset below which consumers see messages; it never falls.
    #[must_use]
    pub const fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// The offset below which everything is as safe as the store makes it.
    #[must_use]
    pub const fn synced_end(&self) -> Offset {
        self.synced_end
    }

    /// The next offset to be assigned.
    #[must_use]
    pub const fn log_end(&self) -> Offset {
        self.log_end
    }

    /// Which owner appends.
    #[must_use]
    pub const fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// Why the log takes no appends any more, if so.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Why the store did not take the last append that it refused and may take later ones.
    #[must_use]
    pub fn rejection(&self) -> Option<&str> {
        self.rejected.as_deref()
    }

    fn plan_append(&mut self) {
        if self.flight.is_some() || self.failed.is_some() || self.pending.is_empty() {
            return;
        }
        let durable = self.config.flush == FlushPolicy::Always;
        let (flight, batches) = Flight::take(&mut self.pending, durable);
        if batches.is_empty() {
            // All of it was there before, and nothing is in flight.
            self.on_stored(flight.waiting);
            return;
        }
        self.effects.push_back(AppendEffect::Append { batches, durable });
        self.flight = Some(flight);
    }

    /// Gives a batch its place behind all others.
    fn assign(&mut self, batch: UnassignedBatch) -> RecordBatch {
        let batch = batch.assign(self.log_end, self.epoch, self.newest);
        self.log_end = batch.offsets().end;
        self.unflushed_bytes += widen(batch.bytes().len());
        batch
    }

    fn on_appended(&mut self, now: Monotonic, reached: Reached) {
        let Some(flight) = self.flight.take() else { return };
        self.rejected = None;
        self.stored_end = flight.end;
        self.unflushed_bytes -= flight.bytes;
        self.note_uncommitted(flight.end, flight.bytes);
        self.stored = reached;
        if flight.durable {
            self.synced_end = self.stored_end;
            self.safe = reached;
        } else if let FlushPolicy::Interval(interval) = self.config.flush {
            self.sync_due.get_or_insert(now.plus(interval));
        }
        if self.stopping {
            self.sync_rest();
        }
        self.on_stored(flight.waiting);
        if self.uncommitted.is_none() {
            self.high_watermark = self.stored_end;
            self.effects.push_back(AppendEffect::HighWatermark(self.high_watermark));
        }
    }

    /// Takes back the offsets of what the store did not take: nobody has heard of them but who did not want to wait.
    fn on_rejected(&mut self, reason: String) {
        assert!(!self.is_ahead(), "what others may have is not taken back");
        self.rejected = Some(reason);
        self.refuse_waiting(Fate::NotStored);
        self.log_end = self.stored_end;
        self.dedup.roll_back(self.stored_end);
    }

    fn sync_rest(&mut self) {
        if self.synced_end < self.stored_end {
            self.start_sync();
        }
    }

    fn start_sync(&mut self) {
        if self.syncing.is_none() && self.failed.is_none() {
            self.sync_due = None;
            self.syncing = Some(self.stored_end);
            self.effects.push_back(AppendEffect::Sync);
        }
    }

    fn on_synced(&mut self) {
        if let Some(end) = self.syncing.take() {
            self.synced_end = self.synced_end.max(end);
        }
        if self.stopping {
            self.sync_rest();
        }
    }

    fn fail(&mut self, reason: String) {
        self.syncing = None;
        self.sync_due = None;
        self.failed.get_or_insert(reason);
        self.refuse_waiting(Fate::Unknown);
        // Whether it is there is learned when the log is opened again.
        self.dedup.roll_back(self.stored_end);
    }

    /// Acknowledges appends of which everything is stored.
    fn acknowledge(&mut self, waiting: Vec<Waiting>) {
        for waiting in waiting {
            let reached = self.reached(waiting.end);
            self.effects.push_back(waiting.acknowledge(reached));
        }
    }

    /// How safe everything below `end` is here.
    fn reached(&self, end: Offset) -> Reached {
        if end <= self.synced_end {
            self.safe
        } else if end <= self.stored_end {
            self.stored
        } else {
            Reached::Memory
        }
    }

    /// Refuses everyone who waits for something that is not stored; `fate` is that of the batches in flight, the others
    /// never left.
    fn refuse_waiting(&mut self, fate: Fate) {
        let (in_flight, unheard) =
            self.flight.take().map(|flight| (flight.waiting, flight.unheard)).unwrap_or_default();
        let pending = std::mem::take(&mut self.pending);
        let dropped = unheard + pending.iter().map(Pending::unheard).sum::<u64>();
        if dropped > 0 {
            self.effects.push_back(AppendEffect::Dropped { messages: dropped });
        }
        let pending = pending.into_iter().filter_map(|pending| pending.waiting);
        let refused = in_flight.into_iter().map(|waiting| (waiting, fate)).chain(pending.map(|waiting| {
            // A repeat of what is in flight shares its fate.
            let is_new = waiting.placed.repeats == Repeats::None;
            (waiting, if is_new { Fate::NotStored } else { fate })
        }));
        for (waiting, fate) in refused {
            if waiting.end <= self.stored_end {
                self.on_stored(vec![waiting]);
            } else {
                self.effects.push_back(AppendEffect::Refuse { request: waiting.request, fate });
            }
        }
        self.unflushed_bytes = 0;
    }
}

/// What is new of a batch.
fn without_repeats(batch: UnassignedBatch, repeats: &Repeats) -> Option<UnassignedBatch> {
    let is_repeat = |ordinal| repeats.place(Offset::ZERO, u64::from(ordinal)).repeat;
    batch.without(is_repeat).expect("a batch that was checked or built here can be read")
}

fn widen(length: usize) -> u64 {
    u64::try_from(length).expect("a length fits in 64 bits")
}

#[cfg(test)]
mod tests;
