//! The Raft log and vote of this node, on sled.
//!
//! The order that Raft needs is sled's own: it has one write-ahead log for all trees, so that a flush of an entry makes
//! the vote before it durable too, and one thread flushes. Beside sled, each flush notes how far the log then reached,
//! so that a database that comes back with less is noticed.

use std::{
    error::Error,
    fmt::Debug,
    ops::RangeBounds,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use openraft::{
    AnyError, LogState, OptionalSend, RaftLogReader,
    storage::{LogFlushed, RaftLogStorage},
};

use crate::{
    limits,
    metadata::Incarnation,
    type_config::{Entry, LogId, StorageError, StorageIoError, TypeConfig, Vote},
};

mod entries;
mod facts;
mod flusher;
mod identity;
mod open;
mod reached;
mod sealed;

pub use entries::BadEntry;
pub use identity::IdentityError;
pub use open::OpenLogError;
pub use reached::ReachedError;
pub use sealed::DamagedValue;

pub(crate) use open::owner_of;

use facts::{Facts, ReadFactError};
use flusher::Flusher;

/// The log, the vote, and how far the log is committed and purged.
#[derive(Debug)]
pub(crate) struct LogStore {
    log: sled::Tree,
    facts: Facts,
    flusher: Flusher,
    /// What flushes promise at most of the log, while its end is being taken back.
    promised_end_max: Arc<AtomicU64>,
    incarnation: Incarnation,
}

/// Reads the log beside its writer.
#[derive(Clone, Debug)]
pub(crate) struct LogReader(sled::Tree);

impl LogStore {
    /// The last entry that is gone from the log's beginning.
    ///
    /// # Errors
    /// It can't be read.
    pub(crate) fn purged(&self) -> Result<Option<LogId>, ReadFactError> {
        self.facts.purged()
    }

    /// Which directory this is: a new one has another.
    pub(crate) const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }
}

#[cfg(test)]
impl LogStore {
    /// From now on flushes do nothing, and fail once `broken` is set.
    pub(crate) fn break_flushes(&mut self, broken: std::sync::Arc<std::sync::atomic::AtomicBool>) {
        let flush = move || {
            if broken.load(std::sync::atomic::Ordering::SeqCst) {
                return Err(std::io::Error::other("the disk is gone"));
            }
            Ok(())
        };
        self.flusher = Flusher::start(flush).unwrap();
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = LogReader;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError> {
        let purged = self.purged().map_err(|error| unreadable(&error))?;
        let last = entries::last(&self.log).map_err(|error| unreadable(&error))?;
        let last_log_id = last.map(|entry| entry.log_id).max(purged);
        Ok(LogState { last_purged_log_id: purged, last_log_id })
    }

    async fn get_log_reader(&mut self) -> LogReader {
        LogReader(self.log.clone())
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        self.facts.set_vote(vote).map_err(|error| StorageIoError::write_vote(AnyError::new(&error)))?;
        self.flusher.flush().await.map_err(|error| StorageIoError::write_vote(AnyError::new(&error)))?;
        Ok(())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        Ok(self.facts.vote().map_err(|error| StorageIoError::read_vote(AnyError::new(&error)))?)
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), StorageError> {
        // It needs no flush: a leader finds out again how far its log is committed.
        self.facts.set_committed(committed).map_err(|error| unwritable(&error))
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, StorageError> {
        self.facts.committed().map_err(|error| unreadable(&error))
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<TypeConfig>) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        entries::append(&self.log, entries).map_err(|error| unwritable(&error))?;
        self.flusher.submit(Box::new(move |result| callback.log_io_completed(result)));
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError> {
        // Taken back before anything is deleted: a log that is shorter than promised would look damaged.
        self.promised_end_max.store(log_id.index, Ordering::SeqCst);
        self.flusher.flush().await.map_err(|error| unwritable(&error))?;
        entries::delete_from(&self.log, log_id.index).map_err(|error| unwritable(&error))?;
        self.promised_end_max.store(u64::MAX, Ordering::SeqCst);
        self.flusher.flush().await.map_err(|error| unwritable(&error))
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError> {
        // Noted durably before anything is deleted: a log that begins late without saying so would look damaged.
        self.facts.set_purged(log_id).map_err(|error| unwritable(&error))?;
        self.flusher.flush().await.map_err(|error| unwritable(&error))?;
        entries::delete_through(&self.log, log_id.index).map_err(|error| unwritable(&error))
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<R>(&mut self, range: R) -> Result<Vec<Entry>, StorageError>
    where
        R: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        entries::read(&self.log, &range, usize::MAX).map_err(|error| unreadable(&error))
    }
}

impl RaftLogReader<TypeConfig> for LogReader {
    async fn try_get_log_entries<R>(&mut self, range: R) -> Result<Vec<Entry>, StorageError>
    where
        R: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        entries::read(&self.0, &range, usize::MAX).map_err(|error| unreadable(&error))
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, StorageError> {
        entries::read(&self.0, &(start..end), limits::LOG_READ_BYTES_MAX).map_err(|error| unreadable(&error))
    }
}

fn unreadable(error: &(impl Error + 'static)) -> StorageError {
    StorageIoError::read_logs(AnyError::new(error)).into()
}

fn unwritable(error: &(impl Error + 'static)) -> StorageError {
    StorageIoError::write_logs(AnyError::new(error)).into()
}

#[cfg(test)]
mod tests;
