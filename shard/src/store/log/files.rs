//! The files that a shard keeps open for writing: within a budget, whatever the number of its partitions.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::{Rc, Weak},
    sync::Arc,
};

use glommio::sync::{Permit, Semaphore};
use shard_core::{log::OpenFiles, model::TopicPartition};

use super::{dma_file::BlockFile, partition::Inner};
use crate::metrics::ShardMetrics;

/// Which of a partition's files it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FileKind {
    /// The segment that is written to.
    Segment,
    /// The newest cursor journal.
    Journal,
}

/// The files of all partitions of a shard.
///
/// Half of the budget is for files that are kept open, a quarter for operations that use one of them, which can't be
/// closed then, and a quarter for what such an operation opens for itself.
#[derive(Debug)]
pub(super) struct Files {
    open: RefCell<OpenFiles<(TopicPartition, FileKind)>>,
    owners: RefCell<BTreeMap<TopicPartition, Weak<Inner>>>,
    turns: Semaphore,
    turns_max: usize,
    metrics: Arc<ShardMetrics>,
}

impl Files {
    pub(super) fn new(open_files_max: usize, metrics: Arc<ShardMetrics>) -> Self {
        let turns_max = (open_files_max / 4).max(1);
        Self {
            open: RefCell::new(OpenFiles::new(open_files_max / 2)),
            owners: RefCell::default(),
            turns: Semaphore::new(u64::try_from(turns_max).unwrap_or(u64::MAX)),
            turns_max,
            metrics,
        }
    }

    /// Waits until one more operation may use files; it may for as long as it keeps what it is given.
    pub(super) async fn turn(&self) -> Option<Permit<'_>> {
        // It is closed only with the executor.
        self.turns.acquire_permit(1).await.ok()
    }

    /// A partition was opened.
    pub(super) fn adopt(&self, partition: TopicPartition, owner: &Rc<Inner>) {
        self.owners.borrow_mut().insert(partition, Rc::downgrade(owner));
    }

    /// A partition is gone, unless it was opened anew meanwhile.
    pub(super) fn release(&self, partition: TopicPartition, owner: &Inner) {
        let mut owners = self.owners.borrow_mut();
        if owners.get(&partition).is_some_and(|known| std::ptr::eq(known.as_ptr(), owner)) {
            owners.remove(&partition);
            self.forget(partition, FileKind::Segment);
            self.forget(partition, FileKind::Journal);
        }
    }

    /// A file that is open is used.
    pub(super) fn note_use(&self, partition: TopicPartition, kind: FileKind) {
        self.open.borrow_mut().note_use((partition, kind));
    }

    /// A file is about to be opened: closes others, as far as the budget wants it and they are not in use.
    pub(super) async fn make_room(&self, partition: TopicPartition, kind: FileKind) {
        self.note_use(partition, kind);
        while let Some(file) = self.take_idle((partition, kind)) {
            file.close().await;
        }
        self.count();
    }

    /// A file is closed.
    pub(super) fn forget(&self, partition: TopicPartition, kind: FileKind) {
        self.open.borrow_mut().forget((partition, kind));
        self.count();
    }

    /// The file used longest ago of those that nobody uses, if one is to be closed.
    fn take_idle(&self, wanted: (TopicPartition, FileKind)) -> Option<BlockFile> {
        let candidates: Vec<_> = {
            let open = self.open.borrow();
            let others = open.oldest_first().filter(|key| *key != wanted);
            if open.is_over() { others.take(self.turns_max + 1).collect() } else { Vec::new() }
        };
        candidates.into_iter().find_map(|(partition, kind)| {
            let owner = self.owners.borrow().get(&partition).and_then(Weak::upgrade);
            let file = owner.and_then(|owner| owner.take_idle(kind));
            if file.is_some() {
                self.open.borrow_mut().forget((partition, kind));
            }
            file
        })
    }

    fn count(&self) {
        self.metrics.open_files.set(u64::try_from(self.open.borrow().len()).unwrap_or(u64::MAX));
    }
}
