//! Makes cursor changes durable: when a partition's journal is written, when it is compacted, who may be answered.

use std::collections::VecDeque;

use super::CursorState;
use crate::{
    format::cursor_journal::{self, BLOCK_BYTES, CursorChange, GROUP_HEADER_BYTES, JournalIdentity},
    limits,
    model::{RequestId, SubscriptionId, TopicPartition},
};

mod recovery;

pub use recovery::{JournalError, JournalFile, RecoveredJournal, TornTail, recover};

/// Orders the writes of one partition's cursor journal.
///
/// One write is in flight at a time; changes that arrive meanwhile share the next one. When the file has grown well
/// beyond what a snapshot takes, a new generation of it is written, synced, and only then the old one deleted.
///
/// Memory is bounded by the driver's asking `has_room` before it lets a request change a cursor.
#[derive(Debug)]
pub struct JournalWriter {
    partition: TopicPartition,
    /// The generation on disk; 0 before there is a file.
    generation: u64,
    /// Where the next group goes.
    end: u64,
    /// The sequence of the next group.
    next_sequence: u64,
    /// The size of the file that would make a compaction worth it.
    compact_at: u64,
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
    /// Call `compact` with every cursor of the partition, before anything else is recorded.
    TakeSnapshot,
    /// Create the file of this generation with these bytes, sync it, sync its directory; then `on_written`.
    CreateJournal {
        /// The file's number.
        generation: u64,
        /// Whole blocks; zeros at the end are space for later writes.
        bytes: Vec<u8>,
    },
    /// Write these bytes there and sync; then `on_written`.
    Write {
        /// The file's number.
        generation: u64,
        /// On a block boundary.
        position: u64,
        /// Whole blocks.
        bytes: Vec<u8>,
    },
    /// Delete the file of this generation; nobody waits for it, and the next start tries again.
    DeleteJournal {
        /// The file's number.
        generation: u64,
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
    /// A group is being written, so many bytes long.
    Writing { bytes: u64 },
    /// A new generation is being written, so many bytes long without its spare space.
    Creating { bytes: u64 },
    /// A write failed: nothing is written any more until the partition is opened again.
    Closed { reason: String },
}

impl JournalWriter {
    /// A writer for a partition that has no journal file yet; the first change creates it.
    #[must_use]
    pub const fn create(partition: TopicPartition) -> Self {
        Self {
            partition,
            generation: 0,
            end: 0,
            next_sequence: 0,
            compact_at: 0,
            phase: Phase::Idle,
            pending: Vec::new(),
            waiting: VecDeque::new(),
            covered: VecDeque::new(),
            answers: VecDeque::new(),
        }
    }

    /// Takes changes that hold in memory already, to be written with the next group.
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
            _ if !self.pending.is_empty() => self.waiting.push_back(request),
            Phase::Writing { .. } | Phase::Creating { .. } => self.covered.push_back(request),
            Phase::Idle | Phase::AwaitingSnapshot => self.answers.push_back(JournalEffect::Release { request }),
        }
    }

    /// Starts a new generation from the cursors of all subscriptions, every recorded change included.
    ///
    /// # Panics
    /// If `TakeSnapshot` was not the last effect.
    pub fn compact<'a>(&mut self, cursors: impl IntoIterator<Item = (SubscriptionId, &'a CursorState)>) {
        assert!(self.phase == Phase::AwaitingSnapshot, "a snapshot is given when it is asked for");
        let mut entries = Vec::new();
        for (subscription, state) in cursors {
            cursor_journal::encode_entry(subscription, &CursorChange::Snapshot(state.snapshot()), &mut entries);
        }
        let generation = self.generation + 1;
        let identity = JournalIdentity { partition: self.partition, generation };
        let mut bytes = cursor_journal::encode_header(identity);
        cursor_journal::encode_group(identity, 0, &entries, &mut bytes);
        self.phase = Phase::Creating { bytes: widen(bytes.len()) };
        // The snapshot holds what is pending: it need not be written again.
        self.pending.clear();
        self.covered.append(&mut self.waiting);
        bytes.resize(bytes.len().max(spare_until(generation)), 0);
        self.answers.push_back(JournalEffect::CreateJournal { generation, bytes });
    }

    /// The write or the new file is durable.
    ///
    /// # Panics
    /// If none was in flight.
    pub fn on_written(&mut self) {
        match self.phase {
            Phase::Writing { bytes } => {
                self.end += bytes;
                self.next_sequence += 1;
            }
            Phase::Creating { bytes } => {
                if self.generation > 0 {
                    self.answers.push_back(JournalEffect::DeleteJournal { generation: self.generation });
                }
                self.generation += 1;
                self.end = bytes;
                self.next_sequence = 1;
                self.compact_at = compact_at(bytes);
            }
            Phase::Idle | Phase::AwaitingSnapshot | Phase::Closed { .. } => panic!("no journal write is in flight"),
        }
        self.phase = Phase::Idle;
        self.answers.extend(self.covered.drain(..).map(|request| JournalEffect::Release { request }));
    }

    /// A write, a sync or a creation failed: the journal closes, and everyone who waits is refused.
    ///
    /// What is on disk is not known until it has been read again; nothing is retried.
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
        if self.end > self.compact_at || (self.generation == 0 && !self.pending.is_empty()) {
            self.phase = Phase::AwaitingSnapshot;
            return Some(JournalEffect::TakeSnapshot);
        }
        (!self.pending.is_empty()).then(|| self.write())
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
            Phase::Idle | Phase::AwaitingSnapshot | Phase::Writing { .. } | Phase::Creating { .. } => None,
        }
    }

    /// Goes on in a file whose next group is number `next_sequence` and goes to `end`.
    const fn resume(identity: JournalIdentity, end: u64, next_sequence: u64, compact_at: u64) -> Self {
        let mut writer = Self::create(identity.partition);
        writer.generation = identity.generation;
        writer.end = end;
        writer.next_sequence = next_sequence;
        writer.compact_at = compact_at;
        writer
    }

    fn write(&mut self) -> JournalEffect {
        let identity = JournalIdentity { partition: self.partition, generation: self.generation };
        let mut bytes = Vec::new();
        cursor_journal::encode_group(identity, self.next_sequence, &self.pending, &mut bytes);
        self.pending.clear();
        self.covered.append(&mut self.waiting);
        self.phase = Phase::Writing { bytes: widen(bytes.len()) };
        JournalEffect::Write { generation: self.generation, position: self.end, bytes }
    }
}

/// The size from which a file whose header and snapshot have `snapshot_bytes` is compacted.
fn compact_at(snapshot_bytes: u64) -> u64 {
    widen(limits::JOURNAL_COMPACT_BYTES).max(snapshot_bytes.saturating_mul(limits::JOURNAL_COMPACT_FACTOR))
}

/// How large a new file is made, since a write to blocks that were written before is cheaper.
///
/// A partition that has been compacted is a busy one; there may be thousands of others, which get little.
const fn spare_until(generation: u64) -> usize {
    if generation > 1 { limits::JOURNAL_COMPACT_BYTES } else { limits::JOURNAL_SPARE_BYTES }
}

fn widen(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A group needs its header and an entry at least, so a block is never too small for one.
const _: () = assert!(GROUP_HEADER_BYTES < BLOCK_BYTES);

#[cfg(test)]
mod tests;
