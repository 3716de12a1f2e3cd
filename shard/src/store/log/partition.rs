//! One partition in the log store: its segments and its journal, open.

use std::{
    cell::{Cell, RefCell},
    path::Path,
    rc::Rc,
};

use futures_channel::oneshot;
use shard_core::{
    delivery::JournalFiles,
    format::{durable_ends::DurableEnd, record_batch::RecordBatch},
    log::{Lane, Reached, Retention, SegmentEvent, SegmentLog, Step},
    model::{Offset, OffsetRange, Timestamp, TopicPartition},
};

use super::{Shared, dma_file::BlockFile, files::FileKind, journal::Journal, reading::batches_of};
use crate::store::{AppendFault, CursorsStored, MessageStore, ReadFault, StoreError};

/// How far a look for a time reads at once; the index narrows it to less.
const FIND_TIME_BYTES: usize = 8 << 20;

/// A partition of a log store.
#[derive(Clone, Debug)]
pub struct LogPartition {
    pub(super) inner: Rc<Inner>,
}

/// What all handles of a partition share. No borrow lives across an await.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) shared: Rc<Shared>,
    pub(super) id: TopicPartition,
    pub(super) directory: Rc<Path>,
    pub(super) log: RefCell<SegmentLog>,
    /// The segment that is written to, once it is open.
    pub(super) active: RefCell<Option<ActiveSegment>>,
    pub(super) journal: RefCell<Journal>,
    /// Where the partition notes how far it is durable.
    pub(super) point: Rc<Cell<DurableEnd>>,
    /// Operations that wait for another one's event.
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
}

/// The segment at the end of a log, open for writing.
#[derive(Clone, Debug)]
pub(super) struct ActiveSegment {
    pub(super) base: Offset,
    pub(super) file: BlockFile,
    pub(super) durable: bool,
}

impl LogPartition {
    pub(super) fn new(
        shared: Rc<Shared>,
        directory: Rc<Path>,
        (log, point): (SegmentLog, Rc<Cell<DurableEnd>>),
        journal: JournalFiles,
    ) -> Self {
        let id = log.config().partition;
        let inner = Rc::new(Inner {
            shared,
            id,
            directory,
            log: RefCell::new(log),
            active: RefCell::new(None),
            journal: RefCell::new(Journal::new(journal)),
            point,
            waiting: RefCell::new(Vec::new()),
        });
        inner.shared.files.adopt(id, &inner);
        Self { inner }
    }
}

impl MessageStore for LogPartition {
    async fn append(&self, batches: Vec<RecordBatch>, durable: bool) -> Result<Reached, AppendFault> {
        if !self.finds_room(&batches)
            && let Err(reason) = self.inner.shared.space.take(blocks_of(&batches)).await
        {
            return Err(AppendFault::Rejected { reason });
        }
        self.inner.log.borrow_mut().begin_append(&batches, durable);
        match self.inner.run(Lane::Append, &batches).await {
            Ok(()) => Ok(if durable { Reached::Disk } else { Reached::Written }),
            Err(fault) => Err(fault),
        }
    }

    fn finds_room(&self, batches: &[RecordBatch]) -> bool {
        self.inner.log.borrow().finds_room(batches)
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.inner.log.borrow_mut().begin_sync();
        self.inner.run(Lane::Sync, &[]).await.map_err(StoreError::new)
    }

    async fn read(&self, wanted: OffsetRange, bytes_max: usize) -> Result<Vec<RecordBatch>, ReadFault> {
        self.inner.read(wanted, bytes_max).await
    }

    async fn read_stored(&self, wanted: OffsetRange, bytes_max: usize) -> Result<Vec<RecordBatch>, ReadFault> {
        self.inner.find(wanted, bytes_max).await.map(batches_of)
    }

    async fn find_time(&self, at: Timestamp, end: Offset) -> Result<Offset, ReadFault> {
        let mut wanted = OffsetRange::new(self.inner.log.borrow().offset_before(at), end);
        while !wanted.is_empty() {
            // Not kept for whoever goes on: it may be more than a reader is given.
            let batches = self.read_stored(wanted, FIND_TIME_BYTES).await?;
            if let Some(found) = batches.iter().find(|batch| batch.header().last_timestamp() >= at) {
                return Ok(found.offsets().start);
            }
            let Some(last) = batches.last() else { break };
            wanted.start = last.offsets().end;
        }
        Ok(end)
    }

    fn scheduled_from(&self, from: Offset, at: Timestamp) -> Offset {
        self.inner.log.borrow().scheduled_from(from, at)
    }

    fn plain_to(&self, from: Offset) -> Offset {
        self.inner.log.borrow().plain_to(from)
    }

    async fn truncate(&self, to: Offset) -> Result<Offset, StoreError> {
        self.inner.truncate(to).await
    }

    async fn restart(&self, start: Offset) -> Result<(), StoreError> {
        self.inner.restart(start).await
    }

    async fn retain(&self, now: Timestamp, keep: Retention) -> Result<Offset, StoreError> {
        self.inner.log.borrow_mut().begin_retention(now, keep);
        self.inner.run(Lane::Retention, &[]).await.map_err(StoreError::new)?;
        Ok(self.inner.log.borrow().log_start())
    }

    async fn append_cursors(&self, entries: Vec<u8>) -> Result<CursorsStored, StoreError> {
        self.inner.append_to_journal(&entries).await
    }

    async fn replace_cursors(&self, entries: Vec<u8>) -> Result<CursorsStored, StoreError> {
        self.inner.replace_journal(&entries).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.shared.read_ahead.forget(self.inner.id);
        self.inner.log.borrow_mut().close();
        loop {
            self.inner.start_upkeep();
            if self.inner.log.borrow().is_at_rest() {
                break;
            }
            self.inner.changed().await;
        }
        self.inner.close_files().await;
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.inner.log.borrow().bytes()
    }
}

impl Inner {
    /// Performs what a lane's operation wants, to its end.
    pub(super) async fn run(self: &Rc<Self>, lane: Lane, batches: &[RecordBatch]) -> Result<(), AppendFault> {
        loop {
            let step = self.log.borrow_mut().poll(lane);
            self.start_upkeep();
            match step {
                Step::Do(effect) => {
                    let event = self.perform(effect, batches).await;
                    self.on_event(event);
                }
                Step::Wait => self.changed().await,
                Step::Done => return Ok(()),
                Step::Rejected { reason } => return Err(AppendFault::Rejected { reason }),
                Step::Failed => return Err(AppendFault::Failed(StoreError::new(self.failure()))),
            }
        }
    }

    /// Starts what nobody waits for, each in a task of its own.
    pub(super) fn start_upkeep(self: &Rc<Self>) {
        loop {
            let Step::Do(effect) = self.log.borrow_mut().poll(Lane::Upkeep) else { return };
            let inner = Rc::clone(self);
            glommio::spawn_local(async move {
                let event = inner.perform(effect, &[]).await;
                inner.on_event(event);
                inner.start_upkeep();
            })
            .detach();
        }
    }

    pub(super) fn on_event(&self, event: SegmentEvent) {
        self.log.borrow_mut().on_event(event);
        self.note_point();
        for waiting in self.waiting.borrow_mut().drain(..) {
            // Whoever waited may have gone.
            let _ = waiting.send(());
        }
    }

    /// Notes how far the partition is durable, for the next checkpoint.
    pub(super) fn note_point(&self) {
        let point = self.log.borrow().durable_point();
        if point != self.point.replace(point) {
            self.shared.ends.touch();
        }
    }

    /// Closes the files that are open for writing.
    pub(super) async fn close_files(&self) {
        self.replace_active(None).await;
        self.replace_journal_file(None).await;
    }

    /// Goes on with another segment, or with none, and closes the one before.
    pub(super) async fn replace_active(&self, next: Option<ActiveSegment>) {
        if next.is_none() {
            self.shared.files.forget(self.id, FileKind::Segment);
        }
        let before = self.active.replace(next);
        if let Some(before) = before {
            before.file.close().await;
        }
    }

    /// Goes on with another file of the journal, or with none, and closes the one before.
    pub(super) async fn replace_journal_file(&self, next: Option<BlockFile>) {
        if next.is_none() {
            self.shared.files.forget(self.id, FileKind::Journal);
        }
        let before = self.journal.borrow_mut().replace_file(next);
        if let Some(before) = before {
            before.close().await;
        }
    }

    /// Gives a file away to be closed, if it is open and not in use.
    pub(super) fn take_idle(&self, kind: FileKind) -> Option<BlockFile> {
        match kind {
            FileKind::Segment => {
                let mut active = self.active.borrow_mut();
                let idle = active.as_ref().is_some_and(|active| active.file.is_idle());
                if idle { active.take().map(|active| active.file) } else { None }
            }
            FileKind::Journal => self.journal.borrow_mut().take_idle(),
        }
    }

    /// Waits for the next event of the log.
    async fn changed(&self) {
        let (told, event) = oneshot::channel();
        self.waiting.borrow_mut().push(told);
        // The sender is dropped only with the partition.
        let _ = event.await;
    }

    fn failure(&self) -> String {
        self.log.borrow().failure().unwrap_or("the log failed").to_owned()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.files.release(self.id, self);
    }
}

/// The bytes that batches take in whole blocks.
fn blocks_of(batches: &[RecordBatch]) -> u64 {
    let bytes: usize = batches.iter().map(|batch| batch.bytes().len()).sum();
    u64::try_from(bytes).unwrap_or(u64::MAX).next_multiple_of(shard_core::limits::BLOCK_BYTES)
}
