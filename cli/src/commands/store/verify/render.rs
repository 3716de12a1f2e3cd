//! A verification for people: a line for each partition, then each damage, then what else is to be known.

use super::super::start::Start;
use super::report::{PartitionReport, State, VerifyReport};
use crate::output::{Render, Table};

impl Render for VerifyReport {
    fn table(&self) -> Table {
        let headings =
            ["TOPIC", "PARTITION", "SEGMENTS", "BYTES", "RECORDS", "START", "END", "STATE", "THE NEXT START"];
        let mut table = Table::columns(&headings);
        for partition in &self.partitions {
            table.row(row(partition, self.start_refused.is_some()));
        }
        if self.partitions.iter().any(|partition| !partition.damage.is_empty()) {
            let headings = ["TOPIC", "PARTITION", "SEGMENT", "POSITION", "LOST OFFSETS", "DAMAGE"];
            table = self.partitions.iter().fold(table.then(&headings), add_damage);
        }
        let notes = self.notes();
        if !notes.is_empty() {
            table = table.then(&["WHERE", "NOTE"]);
            for (place, note) in &notes {
                table.row([place, note]);
            }
        }
        table
    }
}

impl VerifyReport {
    fn notes(&self) -> Vec<(String, String)> {
        let torn = self.durable_ends.iter().filter_map(|file| Some((file.file.clone(), file.error.as_ref()?)));
        let mut notes: Vec<_> = torn.map(|(file, error)| (file, format!("not whole: {error}"))).collect();
        for shard in &self.forgotten_shards {
            let note = "neither of the two files is whole: a torn tail can't be told from damage";
            notes.push((format!("durable-ends.{shard}"), note.to_owned()));
        }
        for partition in &self.partitions {
            let place = format!("{}/{}", partition.topic_id, partition.partition);
            notes.extend(notes_of(partition).into_iter().map(|note| (place.clone(), note)));
        }
        notes
    }
}

fn row(partition: &PartitionReport, refused: bool) -> [String; 9] {
    let state = match partition.state {
        State::Whole => "whole",
        State::TornTail => "torn tail",
        State::Damaged => "damaged",
    };
    [
        partition.topic_id.to_string(),
        partition.partition.to_string(),
        partition.segments.to_string(),
        partition.bytes.to_string(),
        partition.records.to_string(),
        partition.log_start.to_string(),
        partition.log_end.to_string(),
        state.to_owned(),
        if refused { "does not come to it".to_owned() } else { in_words(&partition.start) },
    ]
}

/// What a start does, as a verb.
fn in_words(start: &Start) -> String {
    match start {
        Start::Opens => "opens".to_owned(),
        Start::CutsTail { segment, position, offset, bytes, reason } => format!(
            "cuts {bytes} bytes of a torn tail at position {position} of segment {segment} (offset {offset}): {reason}"
        ),
        Start::StaysClosed { reason, .. } => format!("stays closed: {reason}"),
    }
}

fn add_damage(mut table: Table, partition: &PartitionReport) -> Table {
    for damage in &partition.damage {
        let lost = damage.lost_start..damage.lost_end;
        table.row([
            partition.topic_id.to_string(),
            partition.partition.to_string(),
            damage.segment.to_string(),
            damage.position.to_string(),
            if lost.is_empty() { "-".to_owned() } else { format!("{}..{}", lost.start, lost.end) },
            damage.reason.clone(),
        ]);
    }
    table
}

fn notes_of(partition: &PartitionReport) -> Vec<String> {
    let mut notes = Vec::new();
    if partition.is_missing {
        notes
            .push("the directory is missing; nothing is lost if the topic was deleted just before the stop".to_owned());
    }
    let listed = u64::try_from(partition.damage.len()).unwrap_or(u64::MAX);
    if let Some(more @ 1..) = partition.damaged.checked_sub(listed) {
        notes.push(format!("{more} more places are damaged"));
    }
    if partition.damaged > 0 && !matches!(partition.start, Start::StaysClosed { .. }) {
        notes.push(
            "a start does not read the damaged place; who reads the lost offsets is told `data_corrupt`".to_owned(),
        );
    }
    for index in &partition.indexes {
        let what = if index.rebuilt {
            "will be rebuilt"
        } else {
            "leads astray: the first read that notices finds its way without it and removes the .index file"
        };
        notes.push(format!("the index of segment {} {what}: {}", index.segment, index.reason));
    }
    notes
        .extend(partition.torn_journal.as_ref().map(|torn| format!("goes on without what was never answered: {torn}")));
    notes.extend(partition.damaged_journal.as_ref().map(|error| format!("its cursors can't be read: {error}")));
    notes.extend(partition.removes.iter().map(|file| format!("a start removes {file}, which is of no use any more")));
    notes
}

#[cfg(test)]
mod tests {
    use super::super::report::{DamageReport, IndexReport};
    use super::*;
    use crate::output::{Format, Output};

    fn partition(state: State, start: Start) -> PartitionReport {
        PartitionReport {
            topic_id: 3,
            partition: 0,
            segments: 2,
            bytes: 8_192,
            records: 7,
            log_start: 0,
            log_end: 7,
            durable_end: 7,
            subscriptions: 0,
            state,
            start,
            damaged: 0,
            damage: Vec::new(),
            indexes: Vec::new(),
            torn_journal: None,
            damaged_journal: None,
            removes: Vec::new(),
            is_missing: false,
        }
    }

    fn report(partitions: Vec<PartitionReport>) -> VerifyReport {
        VerifyReport {
            directory: "data".to_owned(),
            whole: false,
            bytes_read: 8_192,
            start_refused: None,
            durable_ends: Vec::new(),
            forgotten_shards: Vec::new(),
            partitions,
        }
    }

    fn printed(format: Format, report: &VerifyReport) -> String {
        let mut bytes = Vec::new();
        Output::new(format, &mut bytes).result(report).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_is_whole_takes_one_line() {
        let table = printed(Format::Table, &report(vec![partition(State::Whole, Start::Opens)]));
        assert_eq!(
            table,
            "TOPIC  PARTITION  SEGMENTS  BYTES  RECORDS  START  END  STATE  THE NEXT START\n\
             3      0          2         8192   7        0      7    whole  opens\n"
        );
    }

    #[test]
    fn a_cut_and_a_closure_say_where_and_why() {
        let (segment, position, offset, reason) = (4, 4_096, 5, "the file ends within a batch".to_owned());
        let cut = in_words(&Start::CutsTail { segment, position, offset, bytes: 213, reason });
        assert_eq!(
            cut,
            "cuts 213 bytes of a torn tail at position 4096 of segment 4 (offset 5): the file ends within a batch"
        );
        let reason = "segment 4 is damaged at position 4096, offset 5: why".to_owned();
        let closed = Start::StaysClosed { segment: Some(4), position: Some(4_096), offset: Some(5), reason };
        assert_eq!(in_words(&closed), "stays closed: segment 4 is damaged at position 4096, offset 5: why");
        let json = serde_json::to_value(closed).unwrap();
        assert_eq!((&json["outcome"], &json["offset"]), (&"stays_closed".into(), &5.into()));
    }

    #[test]
    fn damage_and_notes_have_blocks_of_their_own() {
        let mut damaged = partition(State::Damaged, Start::Opens);
        let reason = "the body's checksum".to_owned();
        damaged.damage = vec![DamageReport { segment: 0, position: 4_096, lost_start: 2, lost_end: 5, reason }];
        damaged.damaged = 3;
        damaged.indexes = vec![IndexReport { segment: 0, reason: "torn".to_owned(), rebuilt: true }];
        let report = report(vec![damaged]);
        let table = printed(Format::Table, &report);
        assert!(
            table.contains("\n3      0          0        4096      2..5          the body's checksum\n"),
            "{table}"
        );
        assert!(table.contains("\n3/0    2 more places are damaged\n"), "{table}");
        assert!(table.contains("\n3/0    the index of segment 0 will be rebuilt: torn\n"), "{table}");
        assert_eq!(report.verdict().unwrap(), "1 of 1 partitions are damaged");
        assert_eq!(report.sentence(), "Partitions: 1 damaged");
    }

    #[test]
    fn a_directory_on_which_no_node_starts_is_not_whole() {
        let mut report = report(vec![partition(State::Whole, Start::Opens)]);
        assert_eq!(report.verdict(), None);
        report.start_refused = Some("durable-ends version 2 is unknown".to_owned());
        assert!(report.verdict().unwrap().contains("version 2 is unknown"));
        assert!(printed(Format::Table, &report).contains("does not come to it"));
    }
}
