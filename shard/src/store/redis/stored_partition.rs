//! One partition in the Redis store, as the contract has it.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use async_lock::Mutex;
use bytes::Bytes;
use shard_core::{
    format::{durable_ends::DurableEnd, record_batch::RecordBatch},
    log::{DeliveryTimes, Reached, Retention},
    model::{LeaderEpoch, Offset, OffsetRange, Timestamp, TopicPartition},
    redis::{JournalSize, Outcome, PageError, Peeked, Persistence, Refusal},
};

use super::{
    CursorJournal, LogReader, LogWriter, OnLoss, ReadError, RedisPartition, WriteError,
    late_batches::LateBatches,
    shard_store::{Shared, acknowledged},
    truncate,
};
use crate::store::{AppendFault, CursorsStored, MessageStore, ReadFault, StoreError};

/// A partition of a Redis store.
#[derive(Clone, Debug)]
pub struct StoredPartition {
    inner: Rc<Inner>,
}

/// Which opening of which partition a handle is of.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) partition: TopicPartition,
    pub(super) epoch: LeaderEpoch,
    /// Whether the partition was not opened again, or deleted, since.
    pub(super) is_latest: Rc<Cell<bool>>,
    /// Where the partition notes how far it is acknowledged.
    pub(super) point: Rc<Cell<DurableEnd>>,
}

/// What all handles of an opening share. No borrow lives across an await.
#[derive(Debug)]
struct Inner {
    shared: Rc<Shared>,
    opening: Opening,
    writer: Mutex<LogWriter>,
    cursors: Mutex<CursorJournal>,
    journal: Cell<JournalSize>,
    reader: RefCell<LogReader>,
    bytes: Cell<u64>,
    /// The oldest batch, once retention has looked at it.
    oldest: Cell<Option<(Offset, Peeked)>>,
    /// What keeps what was there when it was opened, and what was appended since.
    late_before: RefCell<LateBatches>,
    late_since: RefCell<DeliveryTimes>,
}

impl StoredPartition {
    pub(super) fn new(shared: Rc<Shared>, opening: Opening, opened: RedisPartition, journal: JournalSize) -> Self {
        let inner = Inner {
            shared,
            opening,
            writer: Mutex::new(opened.log),
            cursors: Mutex::new(opened.cursors),
            journal: Cell::new(journal),
            reader: RefCell::new(opened.reader),
            bytes: Cell::new(opened.bytes),
            oldest: Cell::new(None),
            late_before: RefCell::new(LateBatches::of(opened.offsets)),
            late_since: RefCell::new(DeliveryTimes::default()),
        };
        Self { inner: Rc::new(inner) }
    }
}

impl MessageStore for StoredPartition {
    async fn append(&self, batches: Vec<RecordBatch>, _durable: bool) -> Result<Reached, AppendFault> {
        let inner = &self.inner;
        let added: u64 = batches.iter().map(length).sum();
        let mut writer = inner.writer.lock().await;
        match writer.append(&batches).await {
            Ok(appended) => {
                inner.bytes.set(inner.bytes.get() + added);
                let mut late = inner.late_since.borrow_mut();
                for batch in &batches {
                    late.note(batch);
                }
                inner.note(writer.offsets());
                Ok(match appended.persistence {
                    Persistence::Fsync => Reached::RedisFsync,
                    Persistence::Buffered => Reached::RedisBuffered,
                })
            }
            Err(error) if inner.is_superseded(&error) => Err(AppendFault::Superseded { reason: error.to_string() }),
            Err(error) if writer.is_closed() => Err(AppendFault::Failed(StoreError::transient(error))),
            Err(error) => Err(AppendFault::Rejected { reason: error.to_string() }),
        }
    }

    /// An append is as safe as this Redis makes it when it returns.
    async fn sync(&self) -> Result<(), StoreError> {
        let closed = self.inner.writer.lock().await.is_closed();
        if closed { Err(StoreError::transient(WriteError::Closed)) } else { Ok(()) }
    }

    async fn read(&self, wanted: OffsetRange, bytes_max: usize) -> Result<Vec<RecordBatch>, ReadFault> {
        let reader = self.inner.reader();
        if wanted.is_empty() && reader.offsets().contains(wanted.start) {
            return Ok(Vec::new());
        }
        let read = reader.read(wanted.start, bytes_max).await;
        let mut batches = read.map_err(|error| self.inner.read_fault(wanted.start, error))?;
        batches.retain(|batch| batch.offsets().start < wanted.end);
        Ok(batches)
    }

    async fn find_time(&self, at: Timestamp, end: Offset) -> Result<Offset, ReadFault> {
        let reader = self.inner.reader();
        let found = reader.find_time(at, end).await;
        found.map_err(|error| self.inner.read_fault(reader.offsets().start, error))
    }

    async fn truncate(&self, to: Offset) -> Result<Offset, StoreError> {
        let inner = &self.inner;
        let start = inner.reader().offsets().start;
        if to < start {
            return Err(StoreError::new(format_args!("the log starts at offset {start}, it can't be cut to {to}")));
        }
        let Opening { partition, epoch, point, .. } = &inner.opening;
        // A cut ends at a batch, perhaps before `to`; that it was acknowledged so far can't be known without it.
        let lower = DurableEnd { durable_end: start, ..point.get() };
        inner.shared.ends.take_back(point, lower).await?;
        let cut = truncate(&inner.shared.link, *partition, *epoch, to).await?;
        let end = cut.offsets.end;
        *inner.writer.lock().await = cut.log;
        *inner.cursors.lock().await = cut.cursors;
        inner.reader.replace(cut.reader);
        inner.bytes.set(cut.bytes);
        inner.late_since.borrow_mut().truncate(end);
        inner.note(cut.offsets);
        Ok(end)
    }

    async fn retain(&self, now: Timestamp, keep: Retention) -> Result<Offset, StoreError> {
        let inner = &self.inner;
        let kept_from = match inner.first_kept(now, keep).await {
            Ok(kept_from) => kept_from,
            Err(error) => {
                tracing::debug!(partition = %inner.opening.partition, %error, "retention waits for Redis");
                return Ok(inner.reader().offsets().start);
            }
        };
        let mut writer = inner.writer.lock().await;
        let start = writer.offsets().start;
        let Some((kept_from, bytes)) = kept_from.filter(|(kept_from, _)| *kept_from > start) else { return Ok(start) };
        match writer.trim(kept_from).await {
            Ok(_) => {}
            // Readers were told; what Redis still has goes in a later round.
            Err(WriteError::Request(error)) => tracing::debug!(%error, "retention waits for Redis"),
            Err(error) => return Err(inner.write_error(&error)),
        }
        inner.bytes.set(inner.bytes.get().saturating_sub(bytes));
        inner.note(writer.offsets());
        Ok(writer.offsets().start)
    }

    async fn append_cursors(&self, entries: Vec<u8>) -> Result<CursorsStored, StoreError> {
        let mut size = self.inner.journal.get();
        size.on_appended(entries.len());
        let mut cursors = self.inner.cursors.lock().await;
        let stored = cursors.append(&[Bytes::from(entries)]).await;
        self.inner.on_cursors(stored, size)
    }

    async fn replace_cursors(&self, entries: Vec<u8>) -> Result<CursorsStored, StoreError> {
        let mut size = JournalSize::default();
        size.on_appended(entries.len());
        let mut cursors = self.inner.cursors.lock().await;
        let stored = cursors.replace(&[Bytes::from(entries)]).await;
        self.inner.on_cursors(stored, size)
    }

    async fn confirm(&self) -> Result<(), StoreError> {
        self.inner.writer.lock().await.confirm().await.map_err(|error| self.inner.write_error(&error))
    }

    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.inner.bytes.get()
    }
}

impl Inner {
    fn reader(&self) -> LogReader {
        self.reader.borrow().clone()
    }

    /// Notes how far the log is acknowledged, for the next checkpoint.
    fn note(&self, offsets: OffsetRange) {
        let Opening { partition, epoch, is_latest, point } = &self.opening;
        if is_latest.get() {
            point.set(acknowledged(*partition, *epoch, offsets));
            self.shared.ends.touch();
        }
    }

    /// Whether another node owns the partition: that refusal is the last one with a certain outcome. An opening of our own
    /// can be in the way too, but has the same epoch.
    fn is_superseded(&self, error: &WriteError) -> bool {
        let WriteError::Refused { refusal: Refusal::Fenced { current }, outcome: Outcome::NotApplied } = error else {
            return false;
        };
        *current > self.opening.epoch
    }

    fn write_error(&self, error: &WriteError) -> StoreError {
        if self.is_superseded(error) { StoreError::superseded(error) } else { StoreError::transient(error) }
    }

    fn on_cursors(
        &self,
        stored: Result<Persistence, WriteError>,
        size: JournalSize,
    ) -> Result<CursorsStored, StoreError> {
        stored.map_err(|error| self.write_error(&error))?;
        self.journal.set(size);
        self.shared.metrics.journal_writes.add(1);
        Ok(CursorsStored { replace: size.is_large() })
    }

    /// The first batch that is to be kept if it is not the oldest, and how many bytes lie before it.
    async fn first_kept(&self, now: Timestamp, keep: Retention) -> Result<Option<(Offset, u64)>, ReadError> {
        let (reader, bytes) = (self.reader(), self.bytes.get());
        let log = reader.offsets();
        let Some(oldest) = self.oldest(&reader).await? else { return Ok(None) };
        let surplus = keep.bytes.map_or(0, |kept| bytes.saturating_sub(kept));
        let is_young = |entry: Peeked| !keep.has_passed(entry.id.latest(), now);
        let fits = |entry: Peeked| entry.position + entry.length - oldest.position > surplus;
        let by_age = if is_young(oldest) { log.start } else { reader.find(log.end, is_young).await? };
        let by_age = self.first_late((now, keep), OffsetRange::new(log.start, by_age)).await?;
        let by_size = if fits(oldest) { log.start } else { reader.find(log.end, fits).await? };
        let first = by_age.max(by_size);
        if first <= log.start {
            return Ok(None);
        }
        let position = reader.peek(first).await?.map(|entry| entry.position);
        Ok(Some((first, position.map_or(bytes, |position| position - oldest.position))))
    }

    /// The first batch of `old` that is kept since a message in it is delivered late; the end if there is none.
    async fn first_late(&self, (now, keep): (Timestamp, Retention), old: OffsetRange) -> Result<Offset, ReadError> {
        let since = self.late_since.borrow_mut().first_kept(keep, now);
        let to = old.end.min(since.unwrap_or(old.end));
        // Put back also when Redis could not be asked: what was looked at is known.
        let mut before = self.late_before.take();
        let first = before.first_kept(&self.reader(), (now, keep), OffsetRange::new(old.start, to)).await;
        self.late_before.replace(before);
        first
    }

    /// What the oldest batch is; asked of Redis only after the log's start has moved.
    async fn oldest(&self, reader: &LogReader) -> Result<Option<Peeked>, ReadError> {
        let log = reader.offsets();
        if log.is_empty() {
            return Ok(None);
        }
        if let Some((start, oldest)) = self.oldest.get()
            && start == log.start
        {
            return Ok(Some(oldest));
        }
        let oldest = reader.peek(log.start).await?;
        self.oldest.set(oldest.map(|oldest| (log.start, oldest)));
        Ok(oldest)
    }

    fn read_fault(&self, offset: Offset, error: ReadError) -> ReadFault {
        let away = |reason: String| ReadFault::Away { reason };
        if !self.opening.is_latest.get() {
            return away("the partition was opened again, or deleted, meanwhile".to_owned());
        }
        match error {
            ReadError::Page(PageError::OutOfRange { offset, log }) if offset < log.start => {
                ReadFault::Expired { offset, start: log.start }
            }
            ReadError::Page(PageError::OutOfRange { offset, log }) => ReadFault::PastEnd { offset, end: log.end },
            // Redis may get them back only where a person has yet to decide.
            ReadError::Page(PageError::Lost { lost }) if self.shared.on_loss == OnLoss::Continue => {
                ReadFault::Lost { lost }
            }
            ReadError::Page(
                error @ (PageError::Lost { .. } | PageError::Damaged { .. } | PageError::Misplaced { .. }),
            ) => ReadFault::Damaged { offset, reason: error.to_string() },
            error @ (ReadError::Page(PageError::Refused(_) | PageError::Answer)
            | ReadError::Request(_)
            | ReadError::Answer(_)) => away(error.to_string()),
        }
    }
}

fn length(batch: &RecordBatch) -> u64 {
    u64::try_from(batch.bytes().len()).expect("a length fits in 64 bits")
}
