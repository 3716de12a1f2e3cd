//! Reads a partition's cursor journal back: the newest complete file counts, a torn end is cut, damage is an error.

use std::collections::BTreeMap;

use super::files::{JournalFiles, replace_at, widen};
use crate::{
    delivery::{CursorReplay, CursorState},
    format::cursor_journal::{self, BLOCK_BYTES, EntryError, Group, GroupError, HeaderError, JournalIdentity},
    model::{SubscriptionId, TopicPartition},
};

/// A journal file as it lies in the partition's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalFile<'a> {
    /// The number in its name.
    pub generation: u64,
    /// All of it.
    pub bytes: &'a [u8],
}

/// What a partition's journal files hold.
#[derive(Debug)]
pub struct RecoveredJournal {
    /// Every subscription and where it was.
    pub cursors: BTreeMap<SubscriptionId, CursorState>,
    /// Goes on with the newest file.
    pub files: JournalFiles,
    /// Files that no longer count, to be deleted before anything is written.
    pub obsolete: Vec<u64>,
    /// The end of the newest file, if a crash has left it torn; nothing in it was ever answered.
    pub torn: Option<TornTail>,
}

/// An end that was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// In which file.
    pub generation: u64,
    /// Where it began.
    pub position: u64,
    /// What was there.
    pub found: GroupError,
}

/// Why a journal can't be used: the partition stays closed, and nothing is changed on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum JournalError {
    #[error("cursor journal {generation}, header: {error}")]
    Header { generation: u64, error: HeaderError },
    #[error("cursor journal {generation} is damaged at {position}, before its end: {error}")]
    Group { generation: u64, position: u64, error: GroupError },
    #[error("cursor journal {generation} has group {found} at {position}, where {expected} should be")]
    Sequence { generation: u64, position: u64, expected: u64, found: u64 },
    #[error("cursor journal {generation}, the group at {position}: {error}")]
    Entry { generation: u64, position: u64, error: EntryError },
}

/// A file whose snapshot is whole.
#[derive(Debug)]
struct Replayed {
    cursors: CursorReplay,
    snapshot_bytes: u64,
    end: u64,
    next_sequence: u64,
    torn: Option<TornTail>,
}

/// Reads the journal of `partition` from its files, in any order; with none it is a journal not yet begun.
///
/// A file without a whole header and snapshot is one whose creation a crash has cut short: no other had been deleted
/// for it and nothing had been answered by it. It is passed over, unless something says that it was in use.
///
/// # Errors
/// Says in which file and where a damage lies that is no torn end, or what this version does not know.
pub fn recover(partition: TopicPartition, files: &[JournalFile<'_>]) -> Result<RecoveredJournal, JournalError> {
    let mut newest_first: Vec<_> = files.to_vec();
    newest_first.sort_unstable_by_key(|file| std::cmp::Reverse(file.generation));
    let mut obsolete = Vec::new();
    let mut recovered = None;
    for (index, file) in newest_first.iter().enumerate() {
        let identity = JournalIdentity { partition, generation: file.generation };
        let is_oldest = index + 1 == newest_first.len();
        match recovered {
            None => recovered = replay(identity, file.bytes, is_oldest)?.map(|replayed| (identity, replayed)),
            Some(_) => obsolete.push(file.generation),
        }
        if recovered.is_none() {
            obsolete.push(file.generation);
        }
    }
    let Some((identity, replayed)) = recovered else {
        let files = JournalFiles::create(partition);
        return Ok(RecoveredJournal { cursors: BTreeMap::new(), files, obsolete, torn: None });
    };
    // A torn end is left behind by starting a new file at once: no write ever goes over it.
    let replace_at = if replayed.torn.is_some() { 0 } else { replace_at(replayed.snapshot_bytes) };
    let files = JournalFiles::resume(identity, replayed.end, replayed.next_sequence, replace_at);
    Ok(RecoveredJournal { cursors: replayed.cursors.finish(), files, obsolete, torn: replayed.torn })
}

/// Replays one file; `None` if it was never finished.
fn replay(identity: JournalIdentity, bytes: &[u8], is_oldest: bool) -> Result<Option<Replayed>, JournalError> {
    let generation = identity.generation;
    let header = cursor_journal::check_header(bytes, identity);
    if let Err(error @ (HeaderError::Version { .. } | HeaderError::BlockBytes { .. } | HeaderError::Identity { .. })) =
        header
    {
        return Err(JournalError::Header { generation, error });
    }
    let unfinished = match (header, group_at(bytes, BLOCK_BYTES, identity)) {
        (Ok(()), Ok(group)) if group.sequence == 0 => None,
        (Err(error), _) => Some(JournalError::Header { generation, error }),
        (Ok(()), Err(error)) => Some(JournalError::Group { generation, position: widen(BLOCK_BYTES), error }),
        (Ok(()), Ok(Group { sequence: found, .. })) => {
            Some(JournalError::Sequence { generation, position: widen(BLOCK_BYTES), expected: 0, found })
        }
    };
    match unfinished {
        None => replay_groups(identity, bytes).map(Some),
        // Only the first generation can be unfinished without an older one beside it.
        Some(error) if (is_oldest && generation > 1) || has_group_after(bytes, BLOCK_BYTES, identity) => Err(error),
        Some(_) => Ok(None),
    }
}

fn replay_groups(identity: JournalIdentity, bytes: &[u8]) -> Result<Replayed, JournalError> {
    let generation = identity.generation;
    let mut replayed =
        Replayed { cursors: CursorReplay::default(), snapshot_bytes: 0, end: 0, next_sequence: 0, torn: None };
    let mut at = BLOCK_BYTES;
    while at < bytes.len() {
        let position = widen(at);
        match group_at(bytes, at, identity) {
            Ok(group) if group.sequence == replayed.next_sequence => {
                let taken = replayed.cursors.take(group.entries);
                taken.map_err(|error| JournalError::Entry { generation, position, error })?;
                at = at.saturating_add(group.padded_bytes);
                replayed.next_sequence += 1;
            }
            Ok(Group { sequence: found, .. }) => {
                let expected = replayed.next_sequence;
                return Err(JournalError::Sequence { generation, position, expected, found });
            }
            Err(error) if has_group_after(bytes, at, identity) => {
                return Err(JournalError::Group { generation, position, error });
            }
            Err(found) => {
                let clean = bytes.get(at..).is_some_and(|rest| rest.iter().all(|&byte| byte == 0));
                replayed.torn = (!clean).then_some(TornTail { generation, position, found });
                break;
            }
        }
        if replayed.snapshot_bytes == 0 {
            replayed.snapshot_bytes = widen(at);
        }
    }
    replayed.end = widen(at);
    Ok(replayed)
}

fn group_at(bytes: &[u8], at: usize, identity: JournalIdentity) -> Result<Group<'_>, GroupError> {
    cursor_journal::decode_group(bytes.get(at..).unwrap_or_default(), identity)
}

/// Whether a whole group starts on a block after `at`: then what is at `at` was synced once, since groups are written
/// one after the other.
fn has_group_after(bytes: &[u8], at: usize, identity: JournalIdentity) -> bool {
    (at..bytes.len()).step_by(BLOCK_BYTES).skip(1).any(|at| group_at(bytes, at, identity).is_ok())
}
