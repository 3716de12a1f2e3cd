//! Verifies what was read of a log: nothing is served that is damaged, and no hole is passed over in silence.

use bytes::Bytes;

use super::{EntryId, Refusal, answer::read_refusal};
use crate::{
    format::record_batch::{BatchError, RecordBatch},
    model::{Offset, OffsetRange},
};

/// Why nothing can be served at an offset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum PageError {
    #[error("offset {offset} is outside of the log, which holds {log}")]
    OutOfRange { offset: Offset, log: OffsetRange },
    #[error("Redis has lost the messages {lost}")]
    Lost { lost: OffsetRange },
    #[error("the entry {entry} in Redis is damaged: {error}")]
    Damaged { entry: EntryId, error: BatchError },
    #[error("the entry {entry} in Redis holds the messages {found}, those from {expected} on should follow")]
    Misplaced { entry: EntryId, found: OffsetRange, expected: Offset },
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the read script answered something else")]
    Answer,
}

/// Takes the answer of the read script for `offset`: `page`, then an id and a batch for each entry. Gives the batch that
/// holds `offset` and those behind it that `log` has; none at its end.
///
/// If a later entry can't be served, those before it are; whoever asks for it next is told.
///
/// # Errors
/// Says why nothing can be served at `offset`.
pub fn read_page(offset: Offset, log: OffsetRange, answer: &[Bytes]) -> Result<Vec<RecordBatch>, PageError> {
    if offset < log.start || log.end < offset {
        return Err(PageError::OutOfRange { offset, log });
    }
    let entries = match answer {
        [status, entries @ ..] if status == "page" => entries,
        _ => return Err(read_refusal(answer).map_or(PageError::Answer, PageError::Refused)),
    };
    let mut batches = Vec::with_capacity(entries.len() / 2);
    let mut expected = offset;
    for entry in entries.chunks_exact(2) {
        if expected >= log.end {
            break;
        }
        match read_entry(expected, batches.is_empty(), entry) {
            Ok(batch) => {
                expected = batch.offsets().end;
                batches.push(batch);
            }
            Err(error) if batches.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    if batches.is_empty() && offset < log.end {
        return Err(PageError::Lost { lost: OffsetRange::new(offset, log.end) });
    }
    Ok(batches)
}

fn read_entry(expected: Offset, first: bool, entry: &[Bytes]) -> Result<RecordBatch, PageError> {
    let [id, bytes] = entry else { return Err(PageError::Answer) };
    let entry = EntryId::parse(id).ok_or(PageError::Answer)?;
    let batch = RecordBatch::parse(bytes.clone()).map_err(|error| PageError::Damaged { entry, error })?;
    if batch.bytes().len() != bytes.len() {
        let error = BatchError::TrailingBytes { bytes: bytes.len() - batch.bytes().len() };
        return Err(PageError::Damaged { entry, error });
    }
    let found = batch.offsets();
    if found.start > expected && entry.end() == found.end {
        return Err(PageError::Lost { lost: OffsetRange::new(expected, found.start) });
    }
    // Only the first batch may begin before what was asked for.
    let follows = if first { found.contains(expected) } else { found.start == expected };
    if !follows || entry.end() != found.end {
        return Err(PageError::Misplaced { entry, found, expected });
    }
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::{
        format::{
            record::{MessageId, RecordHead},
            record_batch::{BatchBuilder, Codec},
        },
        model::{LeaderEpoch, Timestamp},
    };

    fn batch(base: u64, records: u64) -> RecordBatch {
        let head = RecordHead {
            id: MessageId::Text("id"),
            key: None,
            content_type: "text/plain",
            priority: 4,
            ttl_ms: None,
            deliver_at: None,
        };
        let mut builder = BatchBuilder::new(64);
        for _ in 0..records {
            let Ok(()) = builder.push(&head, &[], |out| {
                out.extend_from_slice(b"payload");
                Ok::<_, Infallible>(())
            });
        }
        let unassigned = builder.finish(Codec::None, None).unwrap();
        unassigned.assign(Offset::new(base), LeaderEpoch::new(1), Timestamp::from_millis(5))
    }

    fn entry(batch: &RecordBatch) -> [Bytes; 2] {
        let id = EntryId::new(batch.offsets().end, Timestamp::from_millis(5)).to_string();
        [Bytes::from(id), batch.bytes().clone()]
    }

    fn answer(entries: &[[Bytes; 2]]) -> Vec<Bytes> {
        std::iter::once(Bytes::from("page")).chain(entries.iter().flatten().cloned()).collect()
    }

    fn read(offset: u64, log: OffsetRange, entries: &[[Bytes; 2]]) -> Result<Vec<RecordBatch>, PageError> {
        read_page(Offset::new(offset), log, &answer(entries))
    }

    fn range(start: u64, end: u64) -> OffsetRange {
        OffsetRange::new(Offset::new(start), Offset::new(end))
    }

    #[test]
    fn a_batch_is_served_from_any_offset_in_it() {
        let (one, two) = (batch(10, 5), batch(15, 1));
        for offset in [10, 12, 14] {
            let served = read(offset, range(0, 16), &[entry(&one), entry(&two)]).unwrap();
            assert_eq!(served, [one.clone(), two.clone()]);
        }
    }

    #[test]
    fn what_is_not_acknowledged_yet_is_not_served() {
        let (one, two) = (batch(10, 5), batch(15, 1));
        assert_eq!(read(10, range(0, 15), &[entry(&one), entry(&two)]).unwrap(), [one]);
        assert_eq!(read(15, range(0, 15), &[entry(&two)]).unwrap(), []);
    }

    #[test]
    fn the_end_is_empty_and_outside_is_refused() {
        assert_eq!(read(16, range(3, 16), &[]).unwrap(), []);
        for offset in [2, 17] {
            let refused = read(offset, range(3, 16), &[]).unwrap_err();
            assert_eq!(refused, PageError::OutOfRange { offset: Offset::new(offset), log: range(3, 16) });
        }
    }

    #[test]
    fn a_hole_is_told_with_its_offsets() {
        let lost = |start, end| Err(PageError::Lost { lost: range(start, end) });
        assert_eq!(read(4, range(0, 16), &[entry(&batch(15, 1))]), lost(4, 15));
        assert_eq!(read(4, range(0, 16), &[]), lost(4, 16));
    }

    #[test]
    fn what_lies_before_a_hole_is_served_and_then_the_hole_is_told() {
        let one = batch(10, 2);
        assert_eq!(read(10, range(0, 20), &[entry(&one), entry(&batch(13, 7))]).unwrap(), [one]);
    }

    #[test]
    fn a_damaged_entry_is_not_served() {
        let whole = batch(0, 3);
        let [id, bytes] = entry(&whole);
        for position in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[position] ^= 1;
            assert!(read(0, range(0, 3), &[[id.clone(), Bytes::from(damaged)]]).is_err(), "byte {position}");
        }
        let longer = Bytes::from([&bytes[..], b"x"].concat());
        let refused = read(0, range(0, 3), &[[id, longer]]).unwrap_err();
        assert!(matches!(refused, PageError::Damaged { error: BatchError::TrailingBytes { bytes: 1 }, .. }));
    }

    #[test]
    fn a_batch_under_the_id_of_another_is_not_served() {
        let [_, bytes] = entry(&batch(0, 3));
        let misplaced = read(0, range(0, 4), &[[Bytes::from_static(b"4-5"), bytes]]);
        assert!(matches!(misplaced, Err(PageError::Misplaced { .. })));
        assert!(matches!(read(5, range(0, 9), &[entry(&batch(0, 3))]), Err(PageError::Misplaced { .. })));
    }

    #[test]
    fn an_answer_of_another_shape_is_refused() {
        let log = range(0, 1);
        let refused = |answer: &[&'static str]| {
            let answer: Vec<_> = answer.iter().map(|text| Bytes::from(*text)).collect();
            read_page(Offset::ZERO, log, &answer).unwrap_err()
        };
        assert_eq!(refused(&[]), PageError::Answer);
        assert_eq!(refused(&["tail", "1"]), PageError::Answer);
        assert_eq!(refused(&["page", "x", "y"]), PageError::Answer);
        assert_eq!(refused(&["missing"]), PageError::Refused(Refusal::Missing));
    }
}
