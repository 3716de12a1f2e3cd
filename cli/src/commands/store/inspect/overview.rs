//! One partition in view: its segments and where its subscriptions are.

use serde::Serialize;
use shard_core::log::KnownLog;
use shard_core::model::SubscriptionId;

use super::super::partition_files::PartitionFiles;
use super::super::progress::Progress;
use super::super::start::recover_cursors;
use super::super::survey::{CodecMix, IndexState, SegmentSummary, survey};
use crate::error::CliError;
use crate::output::{Output, Render, Table, or_dash};

/// What there is of a partition.
#[derive(Debug, Serialize)]
struct PartitionView {
    topic_id: u64,
    partition: u32,
    durable_end: u64,
    segments: Vec<SegmentSummary>,
    cursors: Vec<CursorView>,
    /// Why the cursors can't be read.
    cursor_error: Option<String>,
}

/// How far a subscription has come, or what is set apart of the partition.
#[derive(Debug, Serialize)]
struct CursorView {
    kind: CursorKind,
    /// None for cancelled messages.
    subscription_id: Option<u64>,
    /// Everything below it is acked.
    ack_floor: u64,
    /// How many records above the floor are acked,
    acked_above: u64,
    /// in how many ranges.
    acked_ranges: usize,
    /// How many records were delivered and have come back,
    attempted: usize,
    /// and how often the one that did so most.
    attempts_max: u32,
}

/// What a cursor is of.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum CursorKind {
    /// What a subscription has acked.
    Subscription,
    /// What was sent back of the dead letters that a subscription has here.
    RedrivenLetters,
    /// Which scheduled messages were cancelled.
    CancelledMessages,
}

/// Reads a partition through and shows it.
pub(super) fn show(
    files: &PartitionFiles,
    known: KnownLog,
    progress: &mut Progress,
    output: &mut Output<'_>,
) -> Result<(), CliError> {
    let segments = survey(files, known, progress, &mut |_| {})?;
    let (cursors, _) = recover_cursors(files)?;
    let views = cursors.states.iter().map(|(subscription, state)| {
        let snapshot = state.snapshot();
        let (kind, subscription_id) = kind_of(*subscription);
        CursorView {
            kind,
            subscription_id: subscription_id.map(SubscriptionId::get),
            ack_floor: snapshot.floor.get(),
            acked_above: snapshot.acked.iter().map(shard_core::model::OffsetRange::len).sum(),
            acked_ranges: snapshot.acked.len(),
            attempted: snapshot.attempts.len(),
            attempts_max: snapshot.attempts.iter().map(|&(_, attempts)| attempts).max().unwrap_or(0),
        }
    });
    let view = PartitionView {
        topic_id: files.partition.topic.get(),
        partition: files.partition.partition.get(),
        durable_end: known.durable_end.get(),
        segments,
        cursors: views.collect(),
        cursor_error: cursors.error,
    };
    progress.aside(|| output.part(&view))
}

impl Render for PartitionView {
    fn table(&self) -> Table {
        let mut table = Table::fields([
            ("Topic", self.topic_id.to_string()),
            ("Partition", self.partition.to_string()),
            ("Durable up to", self.durable_end.to_string()),
        ]);
        if let Some(error) = &self.cursor_error {
            table.row(["Cursors", error]);
        }
        let headings = ["SEGMENT", "END", "BYTES", "BATCHES", "RECORDS", "FIRST", "LAST", "CODECS", "INDEX", "DAMAGED"];
        table = self.segments.iter().fold(table.then(&headings), add_segment);
        if self.cursors.is_empty() {
            return table;
        }
        let headings = ["SUBSCRIPTION", "ACK FLOOR", "ACKED ABOVE", "RANGES", "ATTEMPTED", "MOST ATTEMPTS"];
        self.cursors.iter().fold(table.then(&headings), add_cursor)
    }
}

fn add_segment(mut table: Table, segment: &SegmentSummary) -> Table {
    table.row([
        segment.base_offset.to_string(),
        segment.end_offset.to_string(),
        segment.bytes.to_string(),
        segment.batches.to_string(),
        segment.records.to_string(),
        or_dash(segment.first_time.map(|time| time.to_string())),
        or_dash(segment.last_time.map(|time| time.to_string())),
        codecs(segment.codecs),
        index(&segment.index),
        segment.damaged.to_string(),
    ]);
    table
}

/// What a journal keeps under an id, and of which subscription.
fn kind_of(id: SubscriptionId) -> (CursorKind, Option<SubscriptionId>) {
    match id.of_redriven() {
        Some(subscription) => (CursorKind::RedrivenLetters, Some(subscription)),
        None if id == SubscriptionId::CANCELLED => (CursorKind::CancelledMessages, None),
        None => (CursorKind::Subscription, Some(id)),
    }
}

fn add_cursor(mut table: Table, cursor: &CursorView) -> Table {
    table.row([
        match (cursor.kind, cursor.subscription_id) {
            (CursorKind::RedrivenLetters, Some(id)) => format!("{id} redriven"),
            (_, Some(id)) => id.to_string(),
            (_, None) => "cancelled".to_owned(),
        },
        cursor.ack_floor.to_string(),
        cursor.acked_above.to_string(),
        cursor.acked_ranges.to_string(),
        cursor.attempted.to_string(),
        cursor.attempts_max.to_string(),
    ]);
    table
}

/// The codecs that are there, with their numbers where there is more than one.
fn codecs(mix: CodecMix) -> String {
    let all = [(mix.none, "none"), (mix.snappy, "snappy"), (mix.lz4, "lz4")];
    let there: Vec<_> = all.iter().filter(|(count, _)| *count > 0).collect();
    match there.as_slice() {
        [] => "-".to_owned(),
        [(_, name)] => (*name).to_owned(),
        several => several.iter().map(|(count, name)| format!("{count} {name}")).collect::<Vec<_>>().join(", "),
    }
}

fn index(state: &IndexState) -> String {
    match state {
        IndexState::None => "none".to_owned(),
        IndexState::Whole => "whole".to_owned(),
        IndexState::Unusable { reason } => format!("unusable: {reason}"),
        IndexState::Astray { reason } => format!("wrong: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;

    fn view() -> PartitionView {
        let segment = SegmentSummary {
            base_offset: 0,
            end_offset: 9,
            bytes: 8_192,
            batches: 3,
            records: 9,
            first_time: Some("2026-11-23T09:30:00.250Z".parse().unwrap()),
            last_time: None,
            codecs: CodecMix { none: 1, snappy: 0, lz4: 2 },
            index: IndexState::Whole,
            damaged: 0,
        };
        let cursor = CursorView {
            kind: CursorKind::Subscription,
            subscription_id: Some(5),
            ack_floor: 3,
            acked_above: 2,
            acked_ranges: 1,
            attempted: 1,
            attempts_max: 4,
        };
        PartitionView {
            topic_id: 1,
            partition: 2,
            durable_end: 9,
            segments: vec![segment],
            cursors: vec![cursor],
            cursor_error: None,
        }
    }

    fn printed(format: Format) -> String {
        let mut bytes = Vec::new();
        Output::new(format, &mut bytes).part(&view()).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_partition_is_shown_with_its_segments_and_cursors() {
        let table = printed(Format::Table);
        assert!(table.starts_with("Topic          1\nPartition      2\n"), "{table}");
        let squeezed: Vec<_> =
            table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert!(
            squeezed.contains(&"0 9 8192 3 9 2026-11-23T09:30:00.250Z - 1 none, 2 lz4 whole 0".to_owned()),
            "{table}"
        );
        assert!(squeezed.contains(&"5 3 2 1 1 4".to_owned()), "{table}");
        assert!(table.ends_with("\n\n"), "the next partition stands apart");
    }

    #[test]
    fn in_json_a_partition_is_a_line() {
        let json = printed(Format::Json);
        assert_eq!(json.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["segments"][0]["codecs"]["lz4"], 2);
        assert_eq!(value["segments"][0]["index"]["state"], "whole");
        assert_eq!(value["cursors"][0]["ack_floor"], 3);
    }
}
