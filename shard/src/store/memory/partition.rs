//! One partition in the memory store: its batches in a queue.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use shard_core::{
    format::record_batch::RecordBatch,
    log::{LogExtent, Reached, Retention},
    model::{Offset, OffsetRange, Timestamp, TopicPartition},
};

use super::Shared;
use crate::store::{AppendFault, CursorsStored, MessageStore, ReadFault, StoreError};

/// A partition of a memory store.
#[derive(Clone, Debug)]
pub struct MemoryPartition {
    inner: Rc<Inner>,
}

/// What all handles of a partition share; what it holds is given back with the last of them.
#[derive(Debug)]
struct Inner {
    shared: Rc<Shared>,
    partition: TopicPartition,
    log: RefCell<Log>,
}

#[derive(Debug)]
struct Log {
    extent: LogExtent,
    batches: VecDeque<RecordBatch>,
    bytes: u64,
}

impl MemoryPartition {
    pub(super) fn new(shared: Rc<Shared>, partition: TopicPartition, extent: LogExtent) -> Self {
        let log = Log { extent, batches: VecDeque::new(), bytes: 0 };
        Self { inner: Rc::new(Inner { shared, partition, log: RefCell::new(log) }) }
    }
}

impl MessageStore for MemoryPartition {
    async fn append(&self, batches: Vec<RecordBatch>, _durable: bool) -> Result<Reached, AppendFault> {
        let shared = &self.inner.shared;
        let added: u64 = batches.iter().map(length).sum();
        let (bytes, bytes_max) = (shared.bytes.get(), shared.config.bytes_max);
        if bytes.saturating_add(added) > bytes_max {
            let reason = format!("the memory store holds {bytes} bytes, {added} more are too many for {bytes_max}");
            return Err(AppendFault::Rejected { reason });
        }
        let mut log = self.inner.log.borrow_mut();
        for batch in batches {
            assert!(batch.offsets().start == log.extent.end, "batches follow what was added");
            log.extent.end = batch.offsets().end;
            log.extent.newest = log.extent.newest.max(batch.header().last_timestamp());
            log.batches.push_back(batch);
        }
        log.bytes += added;
        shared.bytes.set(bytes + added);
        Ok(Reached::Memory)
    }

    async fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn read(&self, wanted: OffsetRange, bytes_max: usize) -> Result<Vec<RecordBatch>, ReadFault> {
        let log = self.inner.log.borrow();
        let LogExtent { start, end, .. } = log.extent;
        if wanted.start < start {
            return Err(ReadFault::Expired { offset: wanted.start, start });
        }
        if wanted.start > end {
            return Err(ReadFault::PastEnd { offset: wanted.start, end });
        }
        let first = log.batches.partition_point(|batch| batch.offsets().end <= wanted.start);
        let (mut found, mut bytes) = (Vec::new(), 0);
        for batch in log.batches.range(first..).take_while(|batch| batch.offsets().start < wanted.end) {
            bytes += batch.bytes().len();
            if !found.is_empty() && bytes > bytes_max {
                break;
            }
            found.push(batch.clone());
        }
        Ok(found)
    }

    async fn find_time(&self, at: Timestamp, end: Offset) -> Result<Offset, ReadFault> {
        let log = self.inner.log.borrow();
        let below = log.batches.iter().take_while(|batch| batch.offsets().start < end);
        let found =
            below.filter(|batch| batch.header().last_timestamp() >= at).map(|batch| batch.offsets().start).next();
        Ok(found.unwrap_or(end))
    }

    fn scheduled_from(&self, from: Offset, _at: Timestamp) -> Offset {
        let log = self.inner.log.borrow();
        let first = log.batches.partition_point(|batch| batch.offsets().end <= from);
        let found = log.batches.range(first..).find(|batch| batch.header().scheduled);
        found.map_or(log.extent.end, |batch| batch.offsets().start).max(from)
    }

    fn plain_to(&self, from: Offset) -> Offset {
        let log = self.inner.log.borrow();
        let first = log.batches.partition_point(|batch| batch.offsets().end <= from);
        let found = log.batches.range(first..).find(|batch| !batch.header().is_plain());
        found.map_or(log.extent.end, |batch| batch.offsets().start).max(from)
    }

    async fn truncate(&self, to: Offset) -> Result<Offset, StoreError> {
        let mut log = self.inner.log.borrow_mut();
        let start = log.extent.start;
        if to < start {
            return Err(StoreError::new(format!("the log starts at offset {start}, it can't be cut to {to}")));
        }
        while let Some(last) = log.batches.pop_back_if(|last| last.offsets().end > to) {
            log.extent.end = last.offsets().start;
            self.inner.give_back(&mut log, &last);
        }
        Ok(log.extent.end)
    }

    async fn restart(&self, start: Offset) -> Result<(), StoreError> {
        let mut log = self.inner.log.borrow_mut();
        while let Some(last) = log.batches.pop_back() {
            self.inner.give_back(&mut log, &last);
        }
        log.extent = LogExtent { start, end: start, ..log.extent };
        Ok(())
    }

    async fn retain(&self, now: Timestamp, keep: Retention) -> Result<Offset, StoreError> {
        let mut log = self.inner.log.borrow_mut();
        while let Some(oldest) = log.batches.front() {
            let ages_from = oldest.latest_deliver_at().max(Some(oldest.header().last_timestamp()));
            let expired = ages_from.is_some_and(|from| keep.has_passed(from, now));
            let surplus = keep.bytes.is_some_and(|kept| log.bytes - length(oldest) >= kept);
            if !expired && !surplus {
                break;
            }
            if let Some(oldest) = log.batches.pop_front() {
                log.extent.start = oldest.offsets().end;
                self.inner.give_back(&mut log, &oldest);
            }
        }
        Ok(log.extent.start)
    }

    /// Nothing survives, so cursors are where they are used and nowhere else.
    async fn append_cursors(&self, _entries: Vec<u8>) -> Result<CursorsStored, StoreError> {
        Ok(CursorsStored::default())
    }

    async fn replace_cursors(&self, _entries: Vec<u8>) -> Result<CursorsStored, StoreError> {
        Ok(CursorsStored::default())
    }

    async fn close(&self) -> Result<(), StoreError> {
        let LogExtent { end, newest, .. } = self.inner.log.borrow().extent;
        self.inner.shared.ends.borrow_mut().insert(self.inner.partition, (end, newest));
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.inner.log.borrow().bytes
    }
}

impl Inner {
    fn give_back(&self, log: &mut Log, batch: &RecordBatch) {
        log.bytes -= length(batch);
        self.shared.bytes.set(self.shared.bytes.get() - length(batch));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.bytes.set(self.shared.bytes.get() - self.log.borrow().bytes);
    }
}

fn length(batch: &RecordBatch) -> u64 {
    u64::try_from(batch.bytes().len()).expect("a length fits in 64 bits")
}
