//! A batch with some of its records taken out, before it has a place in a partition.

use super::{BatchBuilder, BatchError, Record, UnassignedBatch};
use crate::model::{LeaderEpoch, Offset, Timestamp};

impl UnassignedBatch {
    /// The same batch without the records for which `is_left_out` says so by their place, from 0; `None` if nothing is
    /// left. The records that stay are copied as they are, and compressed as they were.
    ///
    /// # Errors
    /// Records that can't be read, which a batch that was checked or built here does not have.
    pub fn without(self, mut is_left_out: impl FnMut(u32) -> bool) -> Result<Option<Self>, BatchError> {
        // Only a batch with its place can be read; this one gets its own later.
        let batch = self.assign(Offset::ZERO, LeaderEpoch::default(), Timestamp::default());
        let records = batch.header.records_bytes(&batch.bytes)?;
        let mut rest = records.as_ref();
        let mut kept = BatchBuilder::new(records.len());
        for ordinal in 0..batch.header.record_count {
            let length = kept.copy(rest, ordinal, is_left_out(ordinal))?;
            rest = rest.get(length..).unwrap_or_default();
        }
        if kept.is_empty() {
            return Ok(None);
        }
        kept.finish(batch.header.codec, batch.header.producer).map(Some)
    }
}

impl BatchBuilder {
    /// Looks at the record at the start of `rest` and adds it, unless it is left out; returns its length.
    fn copy(&mut self, rest: &[u8], index: u32, is_left_out: bool) -> Result<usize, BatchError> {
        let (record, length) = Record::decode(rest, Offset::ZERO, Timestamp::default())
            .map_err(|error| BatchError::Record { index, error })?;
        if !is_left_out {
            self.bytes.extend_from_slice(rest.get(..length).unwrap_or_default());
            self.count(&record.head);
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::format::{
        record::{MessageId, RecordHead},
        record_batch::Codec,
    };

    fn build(payloads: &[String], codec: Codec) -> UnassignedBatch {
        let mut builder = BatchBuilder::new(0);
        for payload in payloads {
            let head = RecordHead {
                id: MessageId::Text(payload),
                key: Some("key"),
                content_type: "text/plain",
                priority: if payload.len() < 3 { 4 } else { 9 },
                ttl_ms: None,
                deliver_at: None,
            };
            let Ok(()) = builder.push(&head, &[("name", payload)], |out| {
                out.extend_from_slice(payload.repeat(9).as_bytes());
                Ok::<(), Infallible>(())
            });
        }
        builder.finish(codec, None).unwrap()
    }

    proptest! {
        #[test]
        fn what_stays_is_what_was_built_without_the_rest(
            payloads in prop::collection::vec(("[a-z]{1,9}", any::<bool>()), 1..20),
            codec in prop::sample::select(&[Codec::None, Codec::Snappy, Codec::Lz4][..]),
        ) {
            let all: Vec<_> = payloads.iter().map(|(payload, _)| payload.clone()).collect();
            let kept: Vec<_> =
                payloads.iter().filter(|(_, kept)| *kept).map(|(payload, _)| payload.clone()).collect();
            let out = |ordinal| !payloads[usize::try_from(ordinal).unwrap()].1;
            let without = build(&all, codec).without(out).unwrap();
            let read = |batch: UnassignedBatch| {
                let given: Vec<_> = batch.given_ids().iter().map(|(ordinal, id)| (ordinal, id.to_owned())).collect();
                let batch = batch.assign(Offset::new(5), LeaderEpoch::new(1), Timestamp::default());
                let mut records = Vec::new();
                batch.for_each_record(|record| records.push(format!("{record:?}"))).unwrap();
                (given, *batch.header(), records)
            };
            let expected = (!kept.is_empty()).then(|| read(build(&kept, codec)));
            prop_assert_eq!(without.map(read), expected);
        }
    }
}
