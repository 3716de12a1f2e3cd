//! What the scripts answer: a list of strings, the first of which says what happened.

use super::{EntryId, entry_id::number};
use crate::model::{LeaderEpoch, Offset, OffsetRange, Timestamp};

/// A script wrote what it was asked to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Just now.
    Now,
    /// At an earlier try whose answer got lost.
    Before,
}

/// Why Redis did nothing of what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum Refusal {
    #[error("the partition was opened by another, in epoch {current}")]
    Fenced { current: LeaderEpoch },
    #[error("the partition, or that it was opened by this owner, is gone from Redis")]
    Missing,
    #[error("{listed} entries should be in Redis, there are {found}")]
    Incomplete { listed: u64, found: u64 },
    #[error("the log ends at {stored_end} in Redis, not where it was left")]
    Elsewhere { stored_end: u64 },
    #[error("the partition was opened by another at the same time")]
    Overtaken,
    #[error("the partition was written by a newer version, in format {version}")]
    Version { version: String },
}

/// What a partition has in Redis when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedPartition {
    /// The offsets of the log.
    pub offsets: OffsetRange,
    /// The bytes of all batches that were ever appended.
    pub position: u64,
    /// Of these, the bytes of batches that are gone.
    pub start_position: u64,
    /// The id of the log's last entry; `None` if it is empty.
    pub last: Option<EntryId>,
    /// The latest timestamp that the log has had, as long as it is the same stream.
    pub latest: Timestamp,
    /// The number of the next write to the cursor journal.
    pub cursor_sequence: u64,
    /// How many entries the cursor journal has.
    pub cursor_entries: u64,
}

/// An answer that no script of this version gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a script answered {answer:?}")]
pub struct AnswerError {
    answer: String,
}

/// Reads the answer of a script that writes: `done`, `before`, or a refusal.
///
/// # Errors
/// For what no script answers.
pub fn read_written<T: AsRef<[u8]>>(answer: &[T]) -> Result<Result<Written, Refusal>, AnswerError> {
    match split(answer) {
        (b"done", _) => Ok(Ok(Written::Now)),
        (b"before", _) => Ok(Ok(Written::Before)),
        _ => read_refusal(answer).map(Err),
    }
}

/// Reads the answer of the script that opens a partition, and checks that what it found fits together.
///
/// # Errors
/// For what no script answers.
pub fn read_opened<T: AsRef<[u8]>>(answer: &[T]) -> Result<Result<OpenedPartition, Refusal>, AnswerError> {
    let (b"opened", fields) = split(answer) else { return read_refusal(answer).map(Err) };
    read_state(fields).ok_or_else(|| unknown(answer))
}

/// Reads the answer of the script that tells the id of the log's last entry; `None` if there is no entry.
///
/// # Errors
/// For what no script answers.
pub fn read_tail<T: AsRef<[u8]>>(answer: &[T]) -> Result<Result<Option<EntryId>, Refusal>, AnswerError> {
    match split(answer) {
        (b"tail", [last_id]) => Ok(Ok(optional_id(last_id.as_ref()).map_err(|()| unknown(answer))?)),
        _ => read_refusal(answer).map(Err),
    }
}

/// An entry of a log, without its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peeked {
    /// Its id.
    pub id: EntryId,
    /// How many bytes were ever appended before it.
    pub position: u64,
    /// How many it has.
    pub length: u64,
}

/// Reads the answer of the script that looks at one entry; `None` if there is none.
///
/// # Errors
/// For what no script answers.
pub fn read_peeked<T: AsRef<[u8]>>(answer: &[T]) -> Result<Option<Peeked>, AnswerError> {
    let read = |[id, position, length]: &[T; 3]| {
        let (position, length) = (number(position.as_ref())?, number(length.as_ref())?);
        Some(Peeked { id: EntryId::parse(id.as_ref())?, position, length })
    };
    match answer {
        [] => Ok(None),
        _ => <&[T; 3]>::try_from(answer).ok().and_then(read).map(Some).ok_or_else(|| unknown(answer)),
    }
}

/// Reads what `open.lua` tells, in its order.
fn read_state<T: AsRef<[u8]>>(fields: &[T]) -> Option<Result<OpenedPartition, Refusal>> {
    let [numbers @ .., highest_id, last_id] = fields else { return None };
    let numbers: Vec<u64> = numbers.iter().map(|text| number(text.as_ref())).collect::<Option<_>>()?;
    let &[start, end_min, lost_to, start_position, position, cursor_sequence, listed, found] = numbers.as_slice()
    else {
        return None;
    };
    let (highest_id, last_id) = (EntryId::parse(highest_id.as_ref())?, optional_id(last_id.as_ref()).ok()?);
    if listed != found {
        return Some(Err(Refusal::Incomplete { listed, found }));
    }
    let entries_end = last_id.map_or(start, |id| id.end().get());
    // It ended at `end_min` once. After a loss that was accepted, it does so again until something is appended.
    if entries_end < end_min && lost_to != end_min {
        return Some(Err(Refusal::Elsewhere { stored_end: entries_end }));
    }
    Some(Ok(OpenedPartition {
        offsets: OffsetRange::new(Offset::new(start), Offset::new(entries_end.max(end_min))),
        position,
        start_position,
        last: last_id,
        // The stream was made with an entry that holds nothing.
        latest: if highest_id.end() > Offset::ZERO { highest_id.latest() } else { Timestamp::default() },
        cursor_sequence,
        cursor_entries: found,
    }))
}

/// An id, or nothing where there is no entry.
fn optional_id(text: &[u8]) -> Result<Option<EntryId>, ()> {
    if text.is_empty() { Ok(None) } else { EntryId::parse(text).map(Some).ok_or(()) }
}

/// Reads why a script did nothing.
pub(super) fn read_refusal<T: AsRef<[u8]>>(answer: &[T]) -> Result<Refusal, AnswerError> {
    let (status, fields) = split(answer);
    let at = |index: usize| fields.get(index).and_then(|text| number(text.as_ref()));
    let refusal = match status {
        b"fenced" => at(0)
            .and_then(|epoch| u32::try_from(epoch).ok())
            .map(|epoch| Refusal::Fenced { current: LeaderEpoch::new(epoch) }),
        b"missing" => Some(Refusal::Missing),
        b"overtaken" => Some(Refusal::Overtaken),
        b"incomplete" => at(0).zip(at(1)).map(|(listed, found)| Refusal::Incomplete { listed, found }),
        b"elsewhere" => at(0).map(|stored_end| Refusal::Elsewhere { stored_end }),
        b"version" => fields.first().map(|version| Refusal::Version { version: text(version.as_ref()) }),
        _ => None,
    };
    refusal.ok_or_else(|| unknown(answer))
}

fn split<T: AsRef<[u8]>>(answer: &[T]) -> (&[u8], &[T]) {
    answer.split_first().map_or((b"", &[]), |(status, fields)| (status.as_ref(), fields))
}

fn unknown<T: AsRef<[u8]>>(answer: &[T]) -> AnswerError {
    let parts: Vec<_> = answer.iter().take(16).map(|part| text(part.as_ref())).collect();
    AnswerError { answer: parts.join(" ") }
}

/// For people: what is no text is escaped, what is long is cut.
fn text(bytes: &[u8]) -> String {
    bytes.get(..40).unwrap_or(bytes).escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn every_answer_of_a_write_is_read() {
        let cases: &[(&[&str], Result<Written, Refusal>)] = &[
            (&["done"], Ok(Written::Now)),
            (&["before"], Ok(Written::Before)),
            (&["fenced", "9"], Err(Refusal::Fenced { current: LeaderEpoch::new(9) })),
            (&["missing"], Err(Refusal::Missing)),
            (&["overtaken"], Err(Refusal::Overtaken)),
            (&["incomplete", "5", "4"], Err(Refusal::Incomplete { listed: 5, found: 4 })),
            (&["elsewhere", "77"], Err(Refusal::Elsewhere { stored_end: 77 })),
            (&["version", "2"], Err(Refusal::Version { version: "2".to_owned() })),
        ];
        for (answer, expected) in cases {
            assert_eq!(read_written(answer).as_ref(), Ok(expected), "{answer:?}");
        }
    }

    #[test]
    fn what_no_script_answers_is_an_error() {
        for answer in [&[][..], &["ok"], &["fenced"], &["fenced", "x"], &["fenced", "4294967296"], &["elsewhere", "-1"]]
        {
            assert!(read_written(answer).is_err(), "{answer:?}");
        }
        assert!(read_opened(&["opened", "1"]).is_err());
        assert!(read_opened(&["done"]).is_err());
        assert!(read_peeked(&["1-1"]).is_err());
    }

    /// start, lowest end, end of the last loss that was accepted, bytes before the start and before the end, cursor
    /// sequence, cursor entries listed and found, highest id that there was, last id.
    const OPENED: [&str; 11] = ["opened", "3", "9", "0", "100", "500", "7", "4", "4", "9-1900", "9-1700"];

    fn opened(changes: &[(usize, &'static str)]) -> Result<OpenedPartition, Refusal> {
        let mut answer = OPENED;
        for &(index, text) in changes {
            answer[index] = text;
        }
        read_opened(&answer).unwrap()
    }

    #[test]
    fn a_partition_that_fits_together_is_opened() {
        let partition = opened(&[]).unwrap();
        assert_eq!(partition.offsets, OffsetRange::new(Offset::new(3), Offset::new(9)));
        assert_eq!((partition.position, partition.start_position), (500, 100));
        assert_eq!((partition.last, partition.latest.as_millis()), (EntryId::parse(b"9-1700"), 1900));
        assert_eq!((partition.cursor_sequence, partition.cursor_entries), (7, 4));
        assert_eq!(opened(&[(10, "12-1800")]).unwrap().offsets.end, Offset::new(12));
        let empty = opened(&[(1, "9"), (10, "")]).unwrap();
        assert!(empty.offsets.is_empty() && empty.last.is_none());
    }

    #[test]
    fn a_partition_that_lost_something_is_not_opened() {
        assert_eq!(opened(&[(8, "0")]), Err(Refusal::Incomplete { listed: 4, found: 0 }));
        assert_eq!(opened(&[(10, "8-1")]), Err(Refusal::Elsewhere { stored_end: 8 }));
        assert_eq!(opened(&[(10, "")]), Err(Refusal::Elsewhere { stored_end: 3 }));
    }

    #[test]
    fn a_loss_that_was_accepted_is_no_reason() {
        let partition = opened(&[(10, "8-1"), (3, "9")]).unwrap();
        assert_eq!(partition.offsets, OffsetRange::new(Offset::new(3), Offset::new(9)));
        assert!(opened(&[(2, "10"), (10, "8-1"), (3, "9")]).is_err());
    }

    #[test]
    fn the_last_entry_is_told() {
        let id = EntryId::new(Offset::new(5), Timestamp::from_millis(17));
        assert_eq!(read_tail(&["tail", "5-17"]), Ok(Ok(Some(id))));
        assert_eq!(read_tail(&["tail", ""]), Ok(Ok(None)));
        assert_eq!(read_tail(&["missing"]), Ok(Err(Refusal::Missing)));
        assert!(read_tail(&["tail", "5"]).is_err());
    }

    #[test]
    fn an_entry_is_peeked_at() {
        let id = EntryId::new(Offset::new(5), Timestamp::from_millis(17));
        assert_eq!(read_peeked(&["5-17", "400", "30"]), Ok(Some(Peeked { id, position: 400, length: 30 })));
        assert!(read_peeked(&["5-17", "400"]).is_err());
        assert_eq!(read_peeked::<&str>(&[]), Ok(None));
    }
}
