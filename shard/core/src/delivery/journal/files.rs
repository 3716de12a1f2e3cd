//! Lays a partition's cursor journal out in files: groups of entries on fresh blocks, and a new file for each snapshot.

use crate::{
    format::cursor_journal::{self, BLOCK_BYTES, GROUP_HEADER_BYTES, JournalIdentity},
    limits,
    model::TopicPartition,
};

/// Where the next group of one partition's journal goes.
///
/// When a snapshot comes, a new generation of the file is written, synced, and only then the old one deleted.
#[derive(Debug)]
pub struct JournalFiles {
    partition: TopicPartition,
    /// The generation on disk; 0 before there is a file.
    generation: u64,
    /// Where the next group goes.
    end: u64,
    /// The sequence of the next group.
    next_sequence: u64,
    /// The size of the file that would make a snapshot worth it.
    replace_at: u64,
    in_flight: Option<InFlight>,
}

/// What to do with the files, durably; then `JournalFiles::on_written`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalWrite {
    /// Create the file of this generation with these bytes, sync it, sync its directory.
    Create {
        /// The file's number.
        generation: u64,
        /// Whole blocks; zeros at the end are space for later writes.
        bytes: Vec<u8>,
    },
    /// Write these bytes there and sync.
    Write {
        /// The file's number.
        generation: u64,
        /// On a block boundary.
        position: u64,
        /// Whole blocks.
        bytes: Vec<u8>,
    },
}

/// A write under way, so many bytes long without spare space.
#[derive(Clone, Copy, Debug)]
enum InFlight {
    Group { bytes: u64 },
    File { bytes: u64 },
}

impl JournalFiles {
    /// A journal that has no file yet; the first write creates it.
    #[must_use]
    pub const fn create(partition: TopicPartition) -> Self {
        Self { partition, generation: 0, end: 0, next_sequence: 0, replace_at: u64::MAX, in_flight: None }
    }

    /// Adds a group of entries.
    ///
    /// # Panics
    /// While another write is in flight.
    pub fn append(&mut self, entries: &[u8]) -> JournalWrite {
        if self.generation == 0 {
            return self.replace(entries);
        }
        let mut bytes = Vec::new();
        cursor_journal::encode_group(self.identity(self.generation), self.next_sequence, entries, &mut bytes);
        self.start(InFlight::Group { bytes: widen(bytes.len()) });
        JournalWrite::Write { generation: self.generation, position: self.end, bytes }
    }

    /// Begins a new generation with these entries.
    ///
    /// # Panics
    /// While another write is in flight.
    pub fn replace(&mut self, entries: &[u8]) -> JournalWrite {
        let generation = self.generation + 1;
        let identity = self.identity(generation);
        let mut bytes = cursor_journal::encode_header(identity);
        cursor_journal::encode_group(identity, 0, entries, &mut bytes);
        self.start(InFlight::File { bytes: widen(bytes.len()) });
        bytes.resize(bytes.len().max(spare_until(generation)), 0);
        JournalWrite::Create { generation, bytes }
    }

    /// The write in flight is durable; returns the generation whose file is of no use any more. Nobody waits for its
    /// deletion, and the next start tries again.
    ///
    /// # Panics
    /// If none was in flight.
    pub fn on_written(&mut self) -> Option<u64> {
        match self.in_flight.take().expect("a journal write is in flight") {
            InFlight::Group { bytes } => {
                self.end += bytes;
                self.next_sequence += 1;
                None
            }
            InFlight::File { bytes } => {
                let old = self.generation;
                self.generation += 1;
                self.end = bytes;
                self.next_sequence = 1;
                self.replace_at = replace_at(bytes);
                (old > 0).then_some(old)
            }
        }
    }

    /// The write in flight came to nothing, or to something that is not to be counted on: the next one takes its place.
    ///
    /// # Panics
    /// If none was in flight.
    pub fn on_not_written(&mut self) {
        self.in_flight.take().expect("a journal write is in flight");
    }

    /// Whether a snapshot would be worth it.
    #[must_use]
    pub const fn is_large(&self) -> bool {
        self.end > self.replace_at
    }

    /// How much of the file is in use.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.end
    }

    /// Goes on in a file whose next group is number `next_sequence` and goes to `end`.
    pub(super) const fn resume(identity: JournalIdentity, end: u64, next_sequence: u64, replace_at: u64) -> Self {
        let (partition, generation) = (identity.partition, identity.generation);
        Self { partition, generation, end, next_sequence, replace_at, in_flight: None }
    }

    fn start(&mut self, write: InFlight) {
        assert!(self.in_flight.is_none(), "one journal write is in flight at a time");
        self.in_flight = Some(write);
    }

    const fn identity(&self, generation: u64) -> JournalIdentity {
        JournalIdentity { partition: self.partition, generation }
    }
}

/// The size from which a file whose header and snapshot have `snapshot_bytes` is replaced.
pub(super) fn replace_at(snapshot_bytes: u64) -> u64 {
    widen(limits::JOURNAL_COMPACT_BYTES).max(snapshot_bytes.saturating_mul(limits::JOURNAL_COMPACT_FACTOR))
}

/// How large a new file is made, since a write to blocks that were written before is cheaper.
///
/// A partition that has been compacted is a busy one; there may be thousands of others, which get little.
const fn spare_until(generation: u64) -> usize {
    if generation > 1 { limits::JOURNAL_COMPACT_BYTES } else { limits::JOURNAL_SPARE_BYTES }
}

pub(super) fn widen(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A group needs its header and an entry at least, so a block is never too small for one.
const _: () = assert!(GROUP_HEADER_BYTES < BLOCK_BYTES);
