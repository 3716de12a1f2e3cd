//! The records out of a batch's bytes, wherever those are.

use std::borrow::Cow;

use super::{BatchError, BatchHeader, Codec, HEADER_BYTES, Record, widen};

impl BatchHeader {
    /// Calls `visit` with each record of the batch that these bytes are, in order.
    pub(super) fn for_each_record(&self, batch: &[u8], mut visit: impl FnMut(Record<'_>)) -> Result<(), BatchError> {
        let records = self.records_bytes(batch)?;
        let mut rest = records.as_ref();
        for index in 0..self.record_count {
            let offset = self.base_offset.plus(u64::from(index));
            let (record, length) = Record::decode(rest, offset, self.base_timestamp)
                .map_err(|error| BatchError::Record { index, error })?;
            visit(record);
            rest = rest.get(length..).unwrap_or_default();
        }
        if rest.is_empty() { Ok(()) } else { Err(BatchError::TrailingBytes { bytes: rest.len() }) }
    }

    /// The records of the batch that these bytes are, decompressed where they are compressed.
    pub(super) fn records_bytes<'b>(&self, batch: &'b [u8]) -> Result<Cow<'b, [u8]>, BatchError> {
        let body = batch.get(HEADER_BYTES..).unwrap_or_default();
        let uncompressed_length = self.uncompressed_length;
        let wrong = BatchError::Compression { uncompressed_length };
        let length = widen(uncompressed_length);
        match self.codec {
            Codec::None if body.len() == length => Ok(Cow::Borrowed(body)),
            Codec::None => Err(wrong),
            Codec::Snappy => {
                if snap::raw::decompress_len(body) != Ok(length) {
                    return Err(wrong);
                }
                snap::raw::Decoder::new().decompress_vec(body).map(Cow::Owned).map_err(|_| wrong)
            }
            Codec::Lz4 => match lz4_flex::block::decompress(body, length) {
                Ok(records) if records.len() == length => Ok(Cow::Owned(records)),
                Ok(_) | Err(_) => Err(wrong),
            },
        }
    }
}
