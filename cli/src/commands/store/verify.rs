//! `store verify`: whether all that was stored is as it was written, and what the next start does where it is not.

mod render;
mod report;

use std::time::Instant;

use indicatif::DecimalBytes;
use shard_core::log::{KnownLog, LogDamage, Surveyed};
use shard_core::model::TopicPartition;

use self::report::{DamageReport, IndexReport, PartitionReport, State, VerifyReport};
use super::PlaceArgs;
use super::directory::DataDirectory;
use super::known::Known;
use super::partition_files::PartitionFiles;
use super::progress::Progress;
use super::start::{Prediction, Start, predict};
use super::survey::{IndexState, SegmentSummary, survey};
use crate::error::CliError;
use crate::limits;
use crate::output::Output;

/// Verifies what the arguments name.
pub(super) fn run(place: &PlaceArgs, output: &mut Output<'_>) -> Result<(), CliError> {
    let begun = Instant::now();
    let directory = DataDirectory::open(&place.dir)?;
    let known = Known::read(directory.path())?;
    let partitions = directory.partitions(place, &known)?;
    let mut progress = Progress::new(bytes_of(&directory, &partitions, &known)?);
    let mut reports = Vec::with_capacity(partitions.len());
    for partition in partitions {
        let known = known.logs.of(partition);
        let files = directory.files_of(partition)?.without_expired(known);
        reports.push(verify(&files, known, &mut progress)?);
    }
    let bytes_read = progress.read();
    drop(progress);
    let report = VerifyReport::new(directory.path(), known, reports, bytes_read);
    output.result(&report)?;
    let (bytes, seconds) = (DecimalBytes(bytes_read), begun.elapsed().as_secs_f64());
    output.note(&format!("\n{}; read {bytes} in {seconds:.1} s.", report.sentence()))?;
    report.verdict().map_or(Ok(()), |detail| Err(CliError::Damaged { directory: place.dir.clone(), detail }))
}

/// How much there is to read at least.
fn bytes_of(directory: &DataDirectory, partitions: &[TopicPartition], known: &Known) -> Result<u64, CliError> {
    let mut bytes = 0;
    for &partition in partitions {
        let files = directory.files_of(partition)?.without_expired(known.logs.of(partition));
        bytes += files.segments.iter().map(|&base| files.segment_bytes(base)).sum::<u64>();
    }
    Ok(bytes)
}

fn verify(files: &PartitionFiles, known: KnownLog, progress: &mut Progress) -> Result<PartitionReport, CliError> {
    let prediction = predict(files, known, progress)?;
    let mut damage = Vec::new();
    let mut damaged = 0;
    let summaries = survey(files, known, progress, &mut |surveyed| {
        if let Surveyed::Damage(LogDamage { segment, position, lost, reason }) = surveyed {
            damaged += 1;
            if damage.len() < limits::DAMAGES_LISTED_MAX {
                let (lost_start, lost_end) = (lost.start.get(), lost.end.get());
                damage.push(DamageReport { segment: segment.get(), position, lost_start, lost_end, reason });
            }
        }
    })?;
    let indexes: Vec<_> = summaries.iter().filter_map(|summary| judge_index(summary, &prediction)).collect();
    let sum = |of: fn(&SegmentSummary) -> u64| summaries.iter().map(of).sum();
    let misled = indexes.iter().any(|index| !index.rebuilt);
    let state = match prediction.start {
        Start::StaysClosed { .. } => State::Damaged,
        _ if damaged > 0 || misled => State::Damaged,
        Start::CutsTail { .. } => State::TornTail,
        Start::Opens if prediction.cursors.torn.is_some() => State::TornTail,
        Start::Opens => State::Whole,
    };
    Ok(PartitionReport {
        topic_id: files.partition.topic.get(),
        partition: files.partition.partition.get(),
        segments: files.segments.len(),
        bytes: sum(|summary| summary.bytes),
        records: sum(|summary| summary.records),
        log_start: summaries.first().map_or(0, |first| first.base_offset),
        log_end: summaries.iter().map(|summary| summary.end_offset).max().unwrap_or(0),
        durable_end: known.durable_end.get(),
        subscriptions: prediction.cursors.states.len(),
        state,
        start: prediction.start,
        damaged,
        damage,
        indexes,
        torn_journal: prediction.cursors.torn,
        damaged_journal: prediction.cursors.error,
        removes: prediction.removes,
        is_missing: files.is_missing,
    })
}

/// What is to be said of a segment's index, if anything is.
fn judge_index(summary: &SegmentSummary, prediction: &Prediction) -> Option<IndexReport> {
    let segment = summary.base_offset;
    match &summary.index {
        IndexState::None | IndexState::Whole => None,
        IndexState::Unusable { reason } => Some(IndexReport { segment, reason: reason.clone(), rebuilt: true }),
        IndexState::Astray { reason } => {
            let trusted = prediction.trusted_indexes.iter().any(|base| base.get() == segment);
            Some(IndexReport { segment, reason: reason.clone(), rebuilt: !trusted })
        }
    }
}
