//! Reads all of a partition's log, and sums up what is in each segment.

use std::io;

use gateway_api::Timestamp;
use serde::Serialize;
use shard_core::format::record_batch::{BatchHeader, Codec};
use shard_core::log::{IndexCheck, KnownLog, LogDamage, LogSurvey, SurveyStep, Surveyed};
use shard_core::model::{Offset, OffsetRange};

use super::directory::reading;
use super::partition_files::PartitionFiles;
use super::progress::Progress;
use crate::error::CliError;

/// What one segment holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct SegmentSummary {
    pub(super) base_offset: u64,
    /// Behind its last whole batch.
    pub(super) end_offset: u64,
    /// Of the file.
    pub(super) bytes: u64,
    pub(super) batches: u64,
    pub(super) records: u64,
    pub(super) first_time: Option<Timestamp>,
    pub(super) last_time: Option<Timestamp>,
    pub(super) codecs: CodecMix,
    pub(super) index: IndexState,
    /// How many places are damaged.
    pub(super) damaged: u64,
}

/// How many batches are compressed in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct CodecMix {
    pub(super) none: u64,
    pub(super) snappy: u64,
    pub(super) lz4: u64,
}

/// What is to be said of a segment's index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum IndexState {
    /// There is none, which is no fault: the segment is read instead.
    None,
    /// What it says of the segment is so.
    Whole,
    /// It can't be used.
    Unusable { reason: String },
    /// It reads well and is wrong.
    Astray { reason: String },
}

/// Surveys one partition: `each` gets what is met, in order. The summaries follow.
pub(super) fn survey(
    files: &PartitionFiles,
    known: KnownLog,
    progress: &mut Progress,
    each: &mut impl FnMut(Surveyed),
) -> Result<Vec<SegmentSummary>, CliError> {
    let mut survey = LogSurvey::new(files.partition, known);
    let mut summaries = Vec::with_capacity(files.segments.len());
    for (base, following) in files.with_following() {
        let mut summing = Summing::new(files, base);
        let result = survey_segment(&mut survey, files, (base, following), progress, &mut |surveyed| {
            summing.take(&surveyed);
            each(surveyed);
        });
        if let Err(error) = result {
            if error.kind() == io::ErrorKind::PermissionDenied {
                return Err(reading(&files.segment_path(base))(error));
            }
            let lost = OffsetRange::new(survey.log_end(), survey.log_end());
            let damage = LogDamage { segment: base, position: 0, lost, reason: format!("it can't be read: {error}") };
            summing.take(&Surveyed::Damage(damage.clone()));
            each(Surveyed::Damage(damage));
        }
        summaries.push(summing.finish());
    }
    if let Some(damage) = survey.finish() {
        each(Surveyed::Damage(damage));
    }
    Ok(summaries)
}

/// Surveys one segment, whose following one is given with it.
pub(super) fn survey_segment(
    survey: &mut LogSurvey,
    files: &PartitionFiles,
    (base, following): (Offset, Option<Offset>),
    progress: &mut Progress,
    each: &mut impl FnMut(Surveyed),
) -> io::Result<()> {
    let file = files.open(base)?;
    let mut step = survey.begin(base, following, &file.first_block()?, each);
    while let SurveyStep::Read { position, bytes_min } = step {
        let piece = file.read(position, bytes_min)?;
        progress.add(piece.bytes.len());
        step = survey.feed(position, &piece.bytes, piece.at_end, each);
    }
    Ok(())
}

/// A segment that is being summed up.
struct Summing {
    summary: SegmentSummary,
    first: Option<i64>,
    last: Option<i64>,
    index: Option<Result<IndexCheck, String>>,
}

impl Summing {
    fn new(files: &PartitionFiles, base: Offset) -> Self {
        let has_index = files.indexes.contains(&base);
        let index = has_index.then(|| IndexCheck::new(&files.index(base), files.partition, base));
        let summary = SegmentSummary {
            base_offset: base.get(),
            end_offset: base.get(),
            bytes: files.segment_bytes(base),
            batches: 0,
            records: 0,
            first_time: None,
            last_time: None,
            codecs: CodecMix::default(),
            index: IndexState::None,
            damaged: 0,
        };
        Self { summary, first: None, last: None, index }
    }

    fn take(&mut self, surveyed: &Surveyed) {
        match surveyed {
            Surveyed::Batch { position, batch } => self.take_batch(*position, batch.header()),
            Surveyed::Damage(_) => {
                self.summary.damaged += 1;
                if let Some(Ok(index)) = &mut self.index {
                    index.on_damage();
                }
            }
            Surveyed::TornTail { .. } => {}
        }
    }

    fn take_batch(&mut self, position: u64, header: &BatchHeader) {
        let summary = &mut self.summary;
        summary.batches += 1;
        summary.records += u64::from(header.record_count);
        summary.end_offset = header.offsets().end.get();
        let (first, last) = (header.base_timestamp.as_millis(), header.last_timestamp().as_millis());
        self.first = Some(self.first.map_or(first, |earlier| earlier.min(first)));
        self.last = Some(self.last.map_or(last, |earlier| earlier.max(last)));
        match header.codec {
            Codec::None => summary.codecs.none += 1,
            Codec::Snappy => summary.codecs.snappy += 1,
            Codec::Lz4 => summary.codecs.lz4 += 1,
        }
        if let Some(Ok(index)) = &mut self.index {
            index.on_batch(position, header);
        }
    }

    fn finish(self) -> SegmentSummary {
        let index = match self.index {
            None => IndexState::None,
            Some(Err(reason)) => IndexState::Unusable { reason },
            Some(Ok(check)) => check.finish().map_or(IndexState::Whole, |reason| IndexState::Astray { reason }),
        };
        let time = |ms: Option<i64>| ms.map(Timestamp::from_unix_ms);
        SegmentSummary { first_time: time(self.first), last_time: time(self.last), index, ..self.summary }
    }
}
