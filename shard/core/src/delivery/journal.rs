//! Makes cursor changes durable: when they are handed to the store, when a snapshot replaces them, who may be answered.

use std::collections::VecDeque;

use super::CursorState;
use crate::{
    format::cursor_journal::{self, CursorChange},
    limits,
    model::{RequestId, SubscriptionId},
};

mod files;
mod recovery;
mod replay;

pub use files::{JournalFiles, JournalWrite};
pub use recovery::{JournalError, JournalFile, RecoveredJournal, TornTail, recover};
pub use replay::CursorReplay;

/// Orders the changes of one partition's cursors on their way to the store, whatever store that is.
///
/// One write is in flight at a time; changes that arrive meanwhile share the next one. When the store says that what it
/// holds has grown well beyond what a snapshot takes, a snapshot replaces it.
///
/// Memory is bounded by the driver's asking `has_room` before it lets a request change a cursor.
#[derive(Debug)]
pub struct JournalWriter {
    /// The store asks for a snapshot.
    replace: bool,
    /// The store had no room for the last write, which may be there or not: a snapshot comes next, when somebody waits for it.
    refused: bool,
    phase: Phase,
    /// Changes that no write has taken yet, encoded.
    pending: Vec<u8>,
    /// Requests that wait for `pending`.
    waiting: VecDeque<RequestId>,
    /// Requests that wait for the write in flight.
    covered: VecDeque<RequestId>,
    answers: VecDeque<JournalEffect>,
}

/// What the driver does for a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalEffect {
    /// Call `replace` with every cursor of the partition, before anything else is recorded.
    TakeSnapshot,
    /// Have the store add these changes to what it holds, durably; then `on_stored`.
    AppendCursors {
        /// Entries of the cursor journal, one behind the other.
        entries: Vec<u8>,
    },
    /// Have the store hold these entries in the place of all it holds, durably; then `on_stored`.
    ReplaceCursors {
        /// Entries of the cursor journal, one behind the other.
        entries: Vec<u8>,
    },
    /// Answer the request: what it changed is durable.
    Release {
        /// Whom to answer.
        request: RequestId,
    },
    /// Refuse the request: it is not known whether what it changed is durable.
    Refuse {
        /// Whom to answer.
        request: RequestId,
        /// What failed.
        reason: String,
    },
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing is in flight.
    Idle,
    /// The driver was asked for a snapshot.
    AwaitingSnapshot,
    /// Something is on its way to the store.
    Storing,
    /// A write failed: nothing is written any more until the partition is opened again.
    Closed { reason: String },
}

impl JournalWriter {
    /// Goes on with what the store holds; `replace` says that the store would rather have a snapshot at once.
    #[must_use]
    pub const fn open(replace: bool) -> Self {
        Self {
            replace,
            refused: false,
            phase: Phase::Idle,
            pending: Vec::new(),
            waiting: VecDeque::new(),
            covered: VecDeque::new(),
            answers: VecDeque::new(),
        }
    }

    /// Takes changes that hold in memory already, to be stored with the next write.
    pub fn record(&mut self, subscription: SubscriptionId, changes: &[CursorChange]) {
        if matches!(self.phase, Phase::Closed { .. }) {
            return;
        }
        for change in changes {
            cursor_journal::encode_entry(subscription, change, &mut self.pending);
        }
    }

    /// Answers `request` once all that was recorded so far is durable: at once if it is.
    ///
    /// A request that needs no durability, a nack or an extension, need not come here.
    pub fn release_when_durable(&mut self, request: RequestId) {
        match &self.phase {
            Phase::Closed { reason } => {
                let reason = reason.clone();
                self.answers.push_back(JournalEffect::Refuse { request, reason });
            }
            _ if !self.pending.is_empty() || (self.refused && self.phase == Phase::Idle) => {
                self.waiting.push_back(request);
            }
            Phase::Storing => self.covered.push_back(request),
            Phase::Idle | Phase::AwaitingSnapshot => self.answers.push_back(JournalEffect::Release { request }),
        }
    }

    /// Replaces what the store holds by the cursors of all subscriptions, every recorded change included.
    ///
    /// # Panics
    /// If `TakeSnapshot` was not the last effect.
    pub fn replace<'a>(&mut self, cursors: impl IntoIterator<Item = (SubscriptionId, &'a CursorState)>) {
        assert!(self.phase == Phase::AwaitingSnapshot, "a snapshot is given when it is asked for");
        let mut entries = Vec::new();
        for (subscription, state) in cursors {
            cursor_journal::encode_entry(subscription, &CursorChange::Snapshot(state.snapshot()), &mut entries);
        }
        // The snapshot holds what is pending: it need not be written again.
        self.pending.clear();
        self.covered.append(&mut self.waiting);
        self.phase = Phase::Storing;
        self.answers.push_back(JournalEffect::ReplaceCursors { entries });
    }

    /// What was in flight is durable; `replace` says that the store would rather have a snapshot next.
    ///
    /// # Panics
    /// If nothing was in flight.
    pub fn on_stored(&mut self, replace: bool) {
        assert!(self.phase == Phase::Storing, "no cursors are on their way to the store");
        self.replace = replace;
        self.refused = false;
        self.phase = Phase::Idle;
        self.answers.extend(self.covered.drain(..).map(|request| JournalEffect::Release { request }));
    }

    /// There was no room for what was in flight: those who wait for it are refused. What it held goes with the next write,
    /// as soon as anybody changes anything.
    ///
    /// # Panics
    /// If nothing was in flight.
    pub fn on_no_room(&mut self, reason: &str) {
        assert!(self.phase == Phase::Storing, "no cursors are on their way to the store");
        self.refused = true;
        self.phase = Phase::Idle;
        let covered = self.covered.drain(..);
        self.answers.extend(covered.map(|request| JournalEffect::Refuse { request, reason: reason.to_owned() }));
    }

    /// A write failed: the journal closes, and everyone who waits is refused.
    ///
    /// What the store holds is not known until it has been read again; nothing is retried.
    pub fn on_failed(&mut self, reason: &str) {
        let waiting = self.covered.drain(..).chain(self.waiting.drain(..));
        self.answers.extend(waiting.map(|request| JournalEffect::Refuse { request, reason: reason.to_owned() }));
        self.pending = Vec::new();
        self.phase = Phase::Closed { reason: reason.to_owned() };
    }

    /// The next thing to do; to be called until `None`, after a group of requests rather than after each.
    #[must_use = "an effect that is not performed stops the journal"]
    pub fn poll_effect(&mut self) -> Option<JournalEffect> {
        if let Some(answer) = self.answers.pop_front() {
            return Some(answer);
        }
        if self.phase != Phase::Idle {
            return None;
        }
        if self.refused && self.pending.is_empty() && self.waiting.is_empty() {
            return None;
        }
        if self.replace || self.refused {
            self.phase = Phase::AwaitingSnapshot;
            return Some(JournalEffect::TakeSnapshot);
        }
        if self.pending.is_empty() {
            return None;
        }
        self.covered.append(&mut self.waiting);
        self.phase = Phase::Storing;
        Some(JournalEffect::AppendCursors { entries: std::mem::take(&mut self.pending) })
    }

    /// Whether a request that changes cursors may be taken; if not, it is refused as overload.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.pending.len() < limits::JOURNAL_PENDING_BYTES_MAX
            && self.waiting.len() + self.covered.len() < limits::JOURNAL_WAITING_MAX
    }

    /// Whether all that was recorded is durable and nothing is in flight.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Idle && self.pending.is_empty() && self.answers.is_empty()
    }

    /// Why nothing is written any more, if a write has failed.
    #[must_use]
    pub fn closed(&self) -> Option<&str> {
        match &self.phase {
            Phase::Closed { reason } => Some(reason),
            Phase::Idle | Phase::AwaitingSnapshot | Phase::Storing => None,
        }
    }
}

#[cfg(test)]
mod tests;
