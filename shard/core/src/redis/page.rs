//! Verifies what was read of a log: nothing is served that is damaged, and no hole is passed over in silence.

use bytes::Bytes;

use super::{EntryId, Refusal, answer::read_refusal, entry_id::number};
use crate::{
    format::record_batch::{BatchError, RecordBatch},
    model::{Offset, OffsetRange},
};

/// What one read gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The offsets of the log at that moment.
    pub log: OffsetRange,
    /// The batch that holds the offset asked for, and those behind it; none at the end of the log.
    pub batches: Vec<RecordBatch>,
}

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

/// Takes the answer of the read script for `offset`: `page`, the log's start and end, then an id and a batch for each
/// entry.
///
/// If a later entry can't be served, those before it are; whoever asks for it next is told.
///
/// # Errors
/// Says why nothing can be served at `offset`.
pub fn read_page(offset: Offset, answer: &[Bytes]) -> Result<Page, PageError> {
    let (start, end, entries) = match answer {
        [status, start, end, entries @ ..] if status == "page" => (start, end, entries),
        _ => return Err(read_refusal(answer).map_or(PageError::Answer, PageError::Refused)),
    };
    let bound = |text: &Bytes| number(text).map(Offset::new).ok_or(PageError::Answer);
    let log = OffsetRange::new(bound(start)?, bound(end)?);
    if offset < log.start || log.end < offset {
        return Err(PageError::OutOfRange { offset, log });
    }
    let mut batches = Vec::with_capacity(entries.len() / 2);
    let mut expected = offset;
    for entry in entries.chunks_exact(2) {
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
    Ok(Page { log, batches })
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

    fn answer(start: u64, end: u64, entries: &[[Bytes; 2]]) -> Vec<Bytes> {
        let head = ["page".to_owned(), start.to_string(), end.to_string()].map(Bytes::from);
        head.into_iter().chain(entries.iter().flatten().cloned()).collect()
    }

    fn range(start: u64, end: u64) -> OffsetRange {
        OffsetRange::new(Offset::new(start), Offset::new(end))
    }

    #[test]
    fn a_batch_is_served_from_any_offset_in_it() {
        let (one, two) = (batch(10, 5), batch(15, 1));
        let answer = answer(0, 16, &[entry(&one), entry(&two)]);
        for offset in [10, 12, 14] {
            let page = read_page(Offset::new(offset), &answer).unwrap();
            assert_eq!(page, Page { log: range(0, 16), batches: vec![one.clone(), two.clone()] });
        }
    }

    #[test]
    fn the_end_is_empty_and_outside_is_refused() {
        assert_eq!(read_page(Offset::new(16), &answer(3, 16, &[])).unwrap().batches, []);
        for offset in [2, 17] {
            let refused = read_page(Offset::new(offset), &answer(3, 16, &[])).unwrap_err();
            assert_eq!(refused, PageError::OutOfRange { offset: Offset::new(offset), log: range(3, 16) });
        }
    }

    #[test]
    fn a_hole_is_told_with_its_offsets() {
        let lost = |start, end| Err(PageError::Lost { lost: range(start, end) });
        assert_eq!(read_page(Offset::new(4), &answer(0, 16, &[entry(&batch(15, 1))])), lost(4, 15));
        assert_eq!(read_page(Offset::new(4), &answer(0, 16, &[])), lost(4, 16));
    }

    #[test]
    fn what_lies_before_a_hole_is_served_and_then_the_hole_is_told() {
        let one = batch(10, 2);
        let answer = answer(0, 20, &[entry(&one), entry(&batch(13, 7))]);
        assert_eq!(read_page(Offset::new(10), &answer).unwrap().batches, [one]);
    }

    #[test]
    fn a_damaged_entry_is_not_served() {
        let whole = batch(0, 3);
        let [id, bytes] = entry(&whole);
        for position in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[position] ^= 1;
            let answer = answer(0, 3, &[[id.clone(), Bytes::from(damaged)]]);
            assert!(read_page(Offset::ZERO, &answer).is_err(), "byte {position}");
        }
        let longer = Bytes::from([&bytes[..], b"x"].concat());
        let refused = read_page(Offset::ZERO, &answer(0, 3, &[[id, longer]])).unwrap_err();
        assert!(matches!(refused, PageError::Damaged { error: BatchError::TrailingBytes { bytes: 1 }, .. }));
    }

    #[test]
    fn a_batch_under_the_id_of_another_is_not_served() {
        let [_, bytes] = entry(&batch(0, 3));
        let misplaced = [Bytes::from_static(b"4-5"), bytes];
        assert!(matches!(read_page(Offset::ZERO, &answer(0, 4, &[misplaced])), Err(PageError::Misplaced { .. })));
        let earlier = entry(&batch(0, 3));
        assert!(matches!(read_page(Offset::new(5), &answer(0, 9, &[earlier])), Err(PageError::Misplaced { .. })));
    }

    #[test]
    fn an_answer_of_another_shape_is_refused() {
        assert_eq!(read_page(Offset::ZERO, &[]), Err(PageError::Answer));
        assert_eq!(read_page(Offset::ZERO, &["page", "x", "1"].map(Bytes::from)), Err(PageError::Answer));
        assert_eq!(read_page(Offset::ZERO, &["page", "0", "1", "x", "y"].map(Bytes::from)), Err(PageError::Answer));
        let gone = read_page(Offset::ZERO, &["missing"].map(Bytes::from));
        assert_eq!(gone, Err(PageError::Refused(Refusal::Missing)));
    }
}
