//! What a node's start would do with a partition: the node's own recovery, fed from the same files, with nothing changed.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use shard_core::delivery::{CursorState, JournalFile, recover};
use shard_core::log::{Cut, DamagedLog, KnownLog, LogRecovery, RecoveredLog, RecoveryStep};
use shard_core::model::{Offset, SubscriptionId};

use super::directory::reading;
use super::partition_files::{PartitionFiles, file_name};
use super::progress::Progress;
use crate::error::CliError;

/// What a start does with the partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(super) enum Start {
    /// It is served as it is.
    Opens,
    /// It is served without a tail that was perhaps never finished.
    CutsTail { segment: u64, position: u64, offset: u64, bytes: u64, reason: String },
    /// It is not served.
    StaysClosed { segment: Option<u64>, position: Option<u64>, offset: Option<u64>, reason: String },
}

/// All that a start would do and find.
#[derive(Debug)]
pub(super) struct Prediction {
    pub(super) start: Start,
    /// Files that it removes.
    pub(super) removes: Vec<String>,
    /// Segments whose index it takes at its word, at least in part.
    pub(super) trusted_indexes: Vec<Offset>,
    pub(super) cursors: Cursors,
}

/// What the cursor journal holds.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    pub(super) states: BTreeMap<SubscriptionId, CursorState>,
    /// The end that a crash has left torn; a start goes on without it in a new file.
    pub(super) torn: Option<String>,
    /// Why the journal can't be used.
    pub(super) error: Option<String>,
}

/// What came of the log.
#[derive(Debug, Default)]
struct LogOutcome {
    removes: Vec<String>,
    trusted_indexes: Vec<Offset>,
    recovered: Option<RecoveredLog>,
    closed: Option<Closed>,
}

/// Why the log stays closed.
#[derive(Debug)]
struct Closed {
    place: Option<(Offset, u64, Offset)>,
    reason: String,
}

/// Says what a start would do; `files` are without those that are expired.
pub(super) fn predict(
    files: &PartitionFiles,
    known: KnownLog,
    progress: &mut Progress,
) -> Result<Prediction, CliError> {
    let log = recover_log(files, known, progress)?;
    let (cursors, obsolete) = recover_cursors(files)?;
    let mut removes = files.removed.clone();
    let start = match (&log.closed, &log.recovered, &cursors.error) {
        (Some(closed), ..) => closed.start(),
        (None, _, Some(reason)) => {
            Start::StaysClosed { segment: None, position: None, offset: None, reason: reason.clone() }
        }
        (None, recovered, None) => {
            removes.extend(log.removes);
            removes.extend(obsolete);
            let cut = recovered.as_ref().and_then(|log| Some((log.cut.as_ref()?, log.log_end)));
            cut.map_or(Ok(Start::Opens), |(cut, end)| cut_tail(files, cut, end))?
        }
    };
    Ok(Prediction { start, removes, trusted_indexes: log.trusted_indexes, cursors })
}

/// Reads the journal, and says which of its files a start removes.
pub(super) fn recover_cursors(files: &PartitionFiles) -> Result<(Cursors, Vec<String>), CliError> {
    let contents: Result<Vec<_>, _> =
        files.journals.iter().map(|&generation| Ok::<_, CliError>((generation, files.journal(generation)?))).collect();
    let contents = contents?;
    let journals: Vec<_> =
        contents.iter().map(|(generation, bytes)| JournalFile { generation: *generation, bytes }).collect();
    match recover(files.partition, &journals) {
        Ok(journal) => {
            let torn = journal.torn.map(|torn| {
                format!("cursor journal {} is torn at position {}: {}", torn.generation, torn.position, torn.found)
            });
            let obsolete = journal.obsolete.iter().map(|&generation| file_name(&files.journal_path(generation)));
            Ok((Cursors { states: journal.cursors, torn, error: None }, obsolete.collect()))
        }
        Err(error) => Ok((Cursors { error: Some(error.to_string()), ..Cursors::default() }, Vec::new())),
    }
}

fn recover_log(files: &PartitionFiles, known: KnownLog, progress: &mut Progress) -> Result<LogOutcome, CliError> {
    let mut outcome = LogOutcome::default();
    let mut recovery = LogRecovery::new(files.partition, known);
    let mut following = files.segments.as_slice();
    while let [base, rest @ ..] = following {
        following = rest;
        let mut at = SegmentAt { files, base: *base, following, progress: &mut *progress, outcome: &mut outcome };
        match at.recover(&mut recovery) {
            Ok(RecoveryStep::Discard) => outcome.removes.push(file_name(&files.segment_path(*base))),
            Ok(_) => {}
            Err(Fault::Damaged(damaged)) => {
                outcome.closed = Some(Closed::by_damage(&damaged));
                return Ok(outcome);
            }
            // Who runs this may read less than the node.
            Err(Fault::Io(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(reading(&files.segment_path(*base))(error));
            }
            Err(Fault::Io(error)) => {
                let reason = format!("{}: {error}", file_name(&files.segment_path(*base)));
                outcome.closed = Some(Closed { place: None, reason });
                return Ok(outcome);
            }
        }
    }
    match recovery.finish() {
        Ok(recovered) => outcome.recovered = Some(recovered),
        Err(damaged) => outcome.closed = Some(Closed::by_damage(&damaged)),
    }
    Ok(outcome)
}

/// One segment of a log that is being recovered.
struct SegmentAt<'a> {
    files: &'a PartitionFiles,
    base: Offset,
    following: &'a [Offset],
    progress: &'a mut Progress,
    outcome: &'a mut LogOutcome,
}

/// Why a segment could not be recovered.
enum Fault {
    Damaged(DamagedLog),
    Io(io::Error),
}

impl SegmentAt<'_> {
    fn recover(&mut self, recovery: &mut LogRecovery) -> Result<RecoveryStep, Fault> {
        let file = self.files.open(self.base)?;
        let mut step = recovery.begin(self.base, self.following.is_empty(), &file.first_block()?)?;
        let index = self.files.index(self.base);
        let sooner = recovery.use_index(&index, file.bytes(), self.following);
        let mut trusts = sooner.is_some();
        step = sooner.unwrap_or(step);
        let mut read_before = false;
        while let RecoveryStep::Read { position, bytes_min } = step {
            // What the index led to was not there, and the segment is read from its first block.
            trusts &= !(read_before && position == shard_core::limits::BLOCK_BYTES);
            read_before = true;
            let piece = file.read(position, bytes_min)?;
            self.progress.add_extra(piece.bytes.len());
            step = recovery.feed(position, piece.bytes, piece.at_end)?;
        }
        if trusts {
            self.outcome.trusted_indexes.push(self.base);
        }
        Ok(step)
    }
}

impl Closed {
    fn by_damage(damaged: &DamagedLog) -> Self {
        let place = Some((damaged.segment, damaged.position, damaged.offset));
        Self { place, reason: damaged.to_string() }
    }

    fn start(&self) -> Start {
        let (segment, position, offset) = self.place.map_or((None, None, None), |(segment, position, offset)| {
            (Some(segment.get()), Some(position), Some(offset.get()))
        });
        Start::StaysClosed { segment, position, offset, reason: self.reason.clone() }
    }
}

impl From<DamagedLog> for Fault {
    fn from(damaged: DamagedLog) -> Self {
        Self::Damaged(damaged)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What is cut off behind the last whole batch; space that was only prepared is none of it.
fn cut_tail(files: &PartitionFiles, cut: &Cut, log_end: Offset) -> Result<Start, CliError> {
    let used_end = files.open(cut.segment).and_then(|file| file.used_end(cut.position));
    let bytes = used_end.map_err(reading(&files.segment_path(cut.segment)))? - cut.position;
    if bytes == 0 && cut.torn.is_none() {
        return Ok(Start::Opens);
    }
    let reason = cut.torn.clone().unwrap_or_else(|| "nothing is written in the block before it".to_owned());
    let (segment, position, offset) = (cut.segment.get(), cut.position, log_end.get());
    Ok(Start::CutsTail { segment, position, offset, bytes, reason })
}
