//! Keeps appends off a disk that is nearly full, so that what must go on has the rest.

use std::{
    cell::Cell,
    path::{Path, PathBuf},
};

use shard_core::log::SpaceBudget;

use super::file_error::FileError;
use crate::blocking::off_the_shard;

/// The room on the disk, as one shard knows it.
#[derive(Debug)]
pub(super) struct Space {
    directory: PathBuf,
    reserve: u64,
    budget: Cell<SpaceBudget>,
    /// Whether the last append that asked was refused; told once.
    full: Cell<bool>,
    /// Whether the last write found no room although there should have been some; told once.
    surprised: Cell<bool>,
}

impl Space {
    pub(super) fn new(directory: &Path, reserve: u64, shards: usize) -> Self {
        let writers = u64::try_from(shards).unwrap_or(u64::MAX);
        let budget = Cell::new(SpaceBudget::new(reserve, writers));
        Self { directory: directory.to_owned(), reserve, budget, full: Cell::new(false), surprised: Cell::new(false) }
    }

    /// Sets `bytes` aside for a write.
    ///
    /// # Errors
    /// There is no room for it beside the reserve; says so, for people.
    pub(super) async fn take(&self, bytes: u64) -> Result<(), String> {
        if self.take_known(bytes) {
            return Ok(());
        }
        // If the disk can't be asked, the write itself will tell.
        let Some(available) = self.refill(bytes).await else { return Ok(()) };
        let taken = self.take_known(bytes);
        if self.full.replace(!taken) == taken {
            self.tell(available, taken);
        }
        if taken {
            Ok(())
        } else {
            Err(format!("the disk has {available} bytes left, of which {} are kept", self.reserve))
        }
    }

    /// Sets `bytes` aside for what may as well not be written.
    pub(super) async fn take_spare(&self, bytes: u64) -> bool {
        self.take_known(bytes) || (self.refill(bytes).await.is_some() && self.take_known(bytes))
    }

    /// Asks the disk how much room it has, to take `bytes` of it.
    async fn refill(&self, bytes: u64) -> Option<u64> {
        let directory = self.directory.clone();
        let disk = match off_the_shard(move || rustix::fs::statvfs(&directory)).await {
            Ok(disk) => disk,
            Err(error) => {
                tracing::warn!(%error, "the room on the disk can't be asked for");
                return None;
            }
        };
        let available = disk.f_bavail.saturating_mul(disk.f_frsize);
        let mut budget = self.budget.get();
        budget.refill(available, bytes);
        self.budget.set(budget);
        Some(available)
    }

    /// Sets `bytes` aside if that is possible without asking.
    fn take_known(&self, bytes: u64) -> bool {
        let mut budget = self.budget.get();
        let taken = budget.take(bytes);
        self.budget.set(budget);
        taken
    }

    /// A write found no room after all: others have taken it, or a quota says so. The disk is asked before the next one.
    pub(super) fn on_no_room(&self, error: &FileError) {
        let mut budget = self.budget.get();
        budget.forget();
        self.budget.set(budget);
        if !self.surprised.replace(true) {
            tracing::error!(%error, "the disk has no room in spite of the reserve: what finds none is refused");
        }
    }

    /// A write found room.
    pub(super) fn on_written(&self) {
        if self.surprised.replace(false) {
            tracing::info!("the disk has room again");
        }
    }

    fn tell(&self, available: u64, has_room: bool) {
        let reserve = self.reserve;
        if has_room {
            tracing::info!(available, "the disk has room again: messages are taken");
        } else {
            tracing::error!(available, reserve, "the disk is nearly full: no messages are taken until there is room");
        }
    }
}
