//! The batches of one segment, or their records, each printed as it is read.

use gateway_api::{Timestamp, base64};
use serde::Serialize;
use shard_core::format::record::{MessageId, Record};
use shard_core::format::record_batch::{Codec, RecordBatch};
use shard_core::log::{KnownLog, LogDamage, LogSurvey, Surveyed};
use shard_core::model::Offset;
use uuid::Uuid;

use super::super::directory::reading;
use super::super::partition_files::PartitionFiles;
use super::super::progress::Progress;
use super::super::survey::survey_segment;
use super::InspectArgs;
use super::columns::Columns;
use crate::error::CliError;
use crate::limits;
use crate::output::{Format, Output, bytes_as_text, or_dash, shortened};

const BATCHES: Columns = Columns(&[
    ("POSITION", 10),
    ("OFFSETS", 21),
    ("EPOCH", 5),
    ("RECORDS", 7),
    ("BYTES", 8),
    ("CODEC", 6),
    ("CHECKSUMS", 9),
    ("FIRST", 24),
    ("LAST", 24),
]);
const RECORDS: Columns =
    Columns(&[("OFFSET", 10), ("TIME", 24), ("BYTES", 8), ("KEY", 16), ("ID", 36), ("PAYLOAD", 0)]);

/// One thing that lies in a segment.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Item<'a> {
    Batch {
        position: u64,
        base_offset: u64,
        end_offset: u64,
        leader_epoch: u32,
        records: u32,
        bytes: usize,
        codec: &'static str,
        first_time: Timestamp,
        last_time: Timestamp,
    },
    Record {
        offset: u64,
        time: Timestamp,
        key: Option<&'a str>,
        id: String,
        /// Of the payload.
        bytes: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<String>,
        #[serde(skip)]
        payload: Option<&'a [u8]>,
    },
    Damage {
        position: u64,
        lost_start: u64,
        lost_end: u64,
        reason: String,
    },
    TornTail {
        position: u64,
        reason: String,
    },
}

/// What is to be listed.
pub(super) struct Listing {
    segment: Offset,
    records: bool,
    payloads: bool,
}

impl Listing {
    pub(super) fn new(args: &InspectArgs, segment: u64) -> Self {
        Self { segment: Offset::new(segment), records: args.records, payloads: args.payloads }
    }

    /// Lists it.
    pub(super) fn run(&self, files: &PartitionFiles, known: KnownLog, output: &mut Output<'_>) -> Result<(), CliError> {
        let Some((base, following)) = files.with_following().find(|(base, _)| *base == self.segment) else {
            let detail = format!("partition {} has no segment {}", files.partition, self.segment);
            return Err(CliError::NotThere { detail });
        };
        // The segments before it are not looked at: what is missing there is no fault of this one.
        let mut survey = LogSurvey::new(files.partition, KnownLog { log_start: None, ..known });
        if output.format() == Format::Table {
            let columns = if self.records { &RECORDS } else { &BATCHES };
            output.raw(columns.heading().as_bytes())?;
        }
        let mut result = Ok(());
        let mut each = |surveyed| {
            if result.is_ok() {
                result = self.print(surveyed, output);
            }
        };
        // The lines themselves show how far it has come.
        let mut progress = Progress::hidden();
        let read = survey_segment(&mut survey, files, (base, following), &mut progress, &mut each);
        read.map_err(reading(&files.segment_path(base)))?;
        result?;
        output.flush()
    }

    fn print(&self, surveyed: Surveyed, output: &mut Output<'_>) -> Result<(), CliError> {
        match surveyed {
            Surveyed::Batch { position, batch } if self.records => self.print_records(position, &batch, output),
            Surveyed::Batch { position, batch } => print(&item_of(position, &batch), output),
            Surveyed::Damage(LogDamage { position, lost, reason, .. }) => {
                let (lost_start, lost_end) = (lost.start.get(), lost.end.get());
                print(&Item::Damage { position, lost_start, lost_end, reason }, output)
            }
            Surveyed::TornTail { position, reason } => print(&Item::TornTail { position, reason }, output),
        }
    }

    fn print_records(&self, position: u64, batch: &RecordBatch, output: &mut Output<'_>) -> Result<(), CliError> {
        let mut result = Ok(());
        let mut shown = 0;
        let read = batch.for_each_record(|record| {
            shown += 1;
            if result.is_ok() {
                result = print(&self.item_of_record(&record), output);
            }
        });
        result?;
        let Err(error) = read else { return Ok(()) };
        let offsets = batch.offsets();
        let (lost_start, lost_end) = (offsets.start.get() + shown, offsets.end.get());
        print(&Item::Damage { position, lost_start, lost_end, reason: error.to_string() }, output)
    }

    fn item_of_record<'a>(&self, record: &Record<'a>) -> Item<'a> {
        let id = match record.head.id {
            MessageId::Uuid(bytes) => Uuid::from_bytes(bytes).to_string(),
            MessageId::Text(text) => text.to_owned(),
        };
        let payload = self.payloads.then_some(record.payload);
        Item::Record {
            offset: record.offset.get(),
            time: Timestamp::from_unix_ms(record.timestamp.as_millis()),
            key: record.head.key,
            id,
            bytes: record.payload.len(),
            data: payload.map(base64::encode),
            payload,
        }
    }
}

fn item_of(position: u64, batch: &RecordBatch) -> Item<'static> {
    let header = batch.header();
    let codec = match header.codec {
        Codec::None => "none",
        Codec::Snappy => "snappy",
        Codec::Lz4 => "lz4",
    };
    Item::Batch {
        position,
        base_offset: header.base_offset.get(),
        end_offset: header.offsets().end.get(),
        leader_epoch: header.leader_epoch.get(),
        records: header.record_count,
        bytes: batch.bytes().len(),
        codec,
        first_time: Timestamp::from_unix_ms(header.base_timestamp.as_millis()),
        last_time: Timestamp::from_unix_ms(header.last_timestamp().as_millis()),
    }
}

fn print(item: &Item<'_>, output: &mut Output<'_>) -> Result<(), CliError> {
    if output.format() != Format::Table {
        return output.item(item);
    }
    output.raw(line_of(item).as_bytes())
}

fn line_of(item: &Item<'_>) -> String {
    match item {
        Item::Batch {
            position,
            base_offset,
            end_offset,
            leader_epoch,
            records,
            bytes,
            codec,
            first_time,
            last_time,
        } => BATCHES.line([
            position.to_string(),
            format!("{base_offset}..{end_offset}"),
            leader_epoch.to_string(),
            records.to_string(),
            bytes.to_string(),
            (*codec).to_owned(),
            "ok".to_owned(),
            first_time.to_string(),
            last_time.to_string(),
        ]),
        Item::Record { offset, time, key, id, bytes, payload, .. } => RECORDS.line([
            offset.to_string(),
            time.to_string(),
            bytes.to_string(),
            or_dash(key.map(str::to_owned)),
            id.clone(),
            payload.map_or_else(String::new, |payload| shortened(bytes_as_text(payload), limits::SHOWN_CHARACTERS_MAX)),
        ]),
        Item::Damage { position, lost_start, lost_end, reason } => {
            format!("damage at position {position}, offsets {lost_start}..{lost_end} can't be read: {reason}\n")
        }
        Item::TornTail { position, reason } => format!("a torn tail begins at position {position}: {reason}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-23T09:30:00.250Z";

    fn time() -> Timestamp {
        TIME.parse().unwrap()
    }

    #[test]
    fn a_batch_is_a_line_below_its_headings() {
        let item = Item::Batch {
            position: 4_096,
            base_offset: 10,
            end_offset: 12,
            leader_epoch: 1,
            records: 2,
            bytes: 300,
            codec: "lz4",
            first_time: time(),
            last_time: time(),
        };
        let (heading, line) = (BATCHES.heading(), line_of(&item));
        assert_eq!(heading.find("RECORDS"), line.find("2        300"), "{heading}{line}");
        assert_eq!(
            line,
            format!("4096        10..12                 1      2        300       lz4     ok         {TIME}  {TIME}\n")
        );
        assert_eq!(serde_json::to_value(&item).unwrap()["kind"], "batch");
    }

    #[test]
    fn a_payload_is_shown_only_if_it_is_asked_for() {
        let record = |payload: Option<&'static [u8]>| Item::Record {
            offset: 10,
            time: time(),
            key: Some("k"),
            id: "id".to_owned(),
            bytes: 6,
            data: payload.map(base64::encode),
            payload,
        };
        assert!(!line_of(&record(None)).contains("secret"));
        assert!(serde_json::to_value(record(None)).unwrap().get("data").is_none());
        assert!(line_of(&record(Some(b"secret"))).ends_with("secret\n"));
        assert_eq!(serde_json::to_value(record(Some(b"secret"))).unwrap()["data"], "c2VjcmV0");
    }
}
