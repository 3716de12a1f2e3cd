//! Appends to one partition on its owner: assigns offsets, groups what is stored together, releases acknowledgements.

use std::collections::VecDeque;

use super::{
    config::{AppendConfig, FlushPolicy},
    effect::{AppendEffect, AppendEvent, Fate, Reached},
};
use crate::{
    format::record_batch::{RecordBatch, UnassignedBatch},
    limits,
    model::{LeaderEpoch, Monotonic, Offset, OffsetRange, RequestId, Timestamp},
};

mod flight;

use flight::{Flight, Pending};

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
    pending: VecDeque<Pending>,
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
}

impl Appender {
    /// Goes on behind what the store holds, for the log's owner in `epoch`.
    #[must_use]
    pub const fn open(epoch: LeaderEpoch, config: AppendConfig, extent: LogExtent) -> Self {
        Self {
            epoch,
            config,
            log_start: extent.start,
            log_end: extent.end,
            stored_end: extent.end,
            synced_end: extent.end,
            high_watermark: extent.end,
            newest: extent.newest,
            pending: VecDeque::new(),
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

    /// Goes on behind what the store holds now, after it had failed and was opened again.
    ///
    /// # Panics
    /// If it had not failed, or the store has lost what consumers were shown.
    pub fn reopen(&mut self, extent: LogExtent) {
        assert!(self.failed.is_some() && self.flight.is_none(), "a log that goes on need not be opened");
        assert!(extent.end >= self.high_watermark, "a store that has lost messages is not opened");
        let effects = std::mem::take(&mut self.effects);
        *self = Self { effects, ..Self::open(self.epoch, self.config, extent) };
        self.effects.push_back(AppendEffect::HighWatermark(extent.end));
    }

    /// Accepts one batch; `Acknowledge` or `Refuse` follows.
    ///
    /// # Errors
    /// Nothing was accepted.
    pub fn append(
        &mut self,
        now: Timestamp,
        request: RequestId,
        batch: UnassignedBatch,
    ) -> Result<Offset, AppendError> {
        if let Some(reason) = &self.failed {
            return Err(AppendError::Failed { reason: reason.clone() });
        }
        if self.stopping {
            return Err(AppendError::Stopping);
        }
        let (unflushed_bytes, unflushed_bytes_max) = (self.unflushed_bytes, self.config.unflushed_bytes_max);
        if unflushed_bytes > 0 && unflushed_bytes + widen(batch.len()) > unflushed_bytes_max {
            return Err(AppendError::Backpressure { unflushed_bytes, unflushed_bytes_max });
        }
        // Times of a log never go back, also when the clock does.
        self.newest = self.newest.max(now);
        let base = self.log_end;
        let batch = batch.assign(base, self.epoch, self.newest);
        self.log_end = batch.offsets().end;
        self.unflushed_bytes += widen(batch.bytes().len());
        self.pending.push_back(Pending { request, batch });
        Ok(base)
    }

    /// Takes the end of something that an effect started.
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
        settled && self.flight.is_none() && self.syncing.is_none() && self.effects.is_empty()
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
        self.effects.push_back(AppendEffect::Append { batches, durable });
        self.flight = Some(flight);
    }

    fn on_appended(&mut self, now: Monotonic, reached: Reached) {
        let Some(flight) = self.flight.take() else { return };
        self.stored_end = flight.end;
        self.unflushed_bytes -= flight.bytes;
        if flight.durable {
            self.synced_end = self.stored_end;
        } else if let FlushPolicy::Interval(interval) = self.config.flush {
            self.sync_due.get_or_insert(now.plus(interval));
        }
        self.high_watermark = self.stored_end;
        if self.stopping {
            self.sync_rest();
        }
        self.effects.extend(flight.acknowledgements(reached));
        self.effects.push_back(AppendEffect::HighWatermark(self.high_watermark));
    }

    /// Takes back the offsets of what the store did not take: nobody has heard of them.
    fn on_rejected(&mut self, reason: String) {
        self.rejected = Some(reason);
        self.refuse_waiting(Fate::NotStored);
        self.log_end = self.stored_end;
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
    }

    /// Refuses everyone; `fate` is that of the batches in flight, the others never left.
    fn refuse_waiting(&mut self, fate: Fate) {
        let in_flight = self.flight.take().into_iter().flat_map(Flight::into_requests);
        self.effects.extend(in_flight.map(|request| AppendEffect::Refuse { request, fate }));
        let waiting = self.pending.drain(..).map(|pending| pending.request);
        self.effects.extend(waiting.map(|request| AppendEffect::Refuse { request, fate: Fate::NotStored }));
        self.unflushed_bytes = 0;
    }
}

fn widen(length: usize) -> u64 {
    u64::try_from(length).expect("a length fits in 64 bits")
}

#[cfg(test)]
mod tests;
