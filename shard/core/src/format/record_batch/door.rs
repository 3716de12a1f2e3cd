//! What a batch that a publisher encoded, and perhaps compressed, must be like to be taken: it is stored and delivered byte
//! for byte as it came, so whatever is wrong with it has to be found here.

use super::{BatchError, GivenIds, UnassignedBatch, decode_verified, passed_on::check_ratio};
use crate::{
    format::record::{MessageId, Record, RecordError},
    limits,
};

impl UnassignedBatch {
    /// Takes a batch that a publisher encoded, after checking all of it: checksums, sizes before anything is decompressed,
    /// the number of records, and each record by the rules that any message has to keep, `message_bytes_max` among them.
    ///
    /// `each` is told the id of each record on the way.
    ///
    /// # Errors
    /// Says what is wrong with it; any bytes are safe to give.
    pub fn from_publisher(
        bytes: Vec<u8>,
        message_bytes_max: usize,
        mut each: impl FnMut(MessageId<'_>),
    ) -> Result<Self, BatchError> {
        let header = decode_verified(&bytes)?;
        let behind = bytes.len() - header.batch_length();
        if behind > 0 {
            return Err(BatchError::TrailingBytes { bytes: behind });
        }
        check_ratio(header.uncompressed_length, bytes.len())?;
        if header.relay.is_some() {
            return Err(BatchError::Relayed);
        }
        let (mut refused, mut marked, mut scheduled, mut given_ids) = (None, false, false, GivenIds::default());
        let mut index = 0;
        header.for_each_record(&bytes, |record| {
            if refused.is_none() {
                refused = check(&record, index, message_bytes_max).err();
            }
            if record.timestamp != header.base_timestamp {
                refused.get_or_insert(BatchError::Timestamps);
            }
            marked |= record.head.is_marked();
            scheduled |= record.head.deliver_at.is_some();
            given_ids.note(index, record.head.id);
            each(record.head.id);
            index += 1;
        })?;
        match refused {
            Some(error) => Err(error),
            None if (marked, scheduled) != (header.marked, header.scheduled) => Err(BatchError::Marked),
            // When a record was taken is for the broker to say.
            None if header.last_timestamp_delta != 0 => Err(BatchError::Timestamps),
            None => {
                let (record_count, producer) = (header.record_count, header.producer);
                Ok(Self { bytes, record_count, producer, given_ids })
            }
        }
    }
}

/// Whether a record keeps the rules that its encoding does not ask for.
fn check(record: &Record<'_>, index: u32, bytes_max: usize) -> Result<(), BatchError> {
    let broken = |field| BatchError::Record { index, error: RecordError::Field { field } };
    let content_type = record.head.content_type;
    let printable = content_type.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if content_type.trim().is_empty() || !printable {
        return Err(broken("content type"));
    }
    let key = record.head.key.unwrap_or_default();
    if !is_text(key, limits::KEY_BYTES_MAX) {
        return Err(broken("key"));
    }
    let mut names: Vec<&str> = Vec::with_capacity(usize::from(record.attributes.len()));
    let mut bytes = record.payload.len() + key.len();
    for (name, value) in record.attributes.iter() {
        let fits = name.len() + value.len() <= limits::ATTRIBUTE_BYTES_MAX;
        let is_whole = is_text(name, limits::ATTRIBUTE_BYTES_MAX) && is_text(value, limits::ATTRIBUTE_BYTES_MAX);
        if name.is_empty() || !fits || !is_whole || names.contains(&name) {
            return Err(broken("attributes"));
        }
        names.push(name);
        bytes += name.len() + value.len();
    }
    if bytes > bytes_max { Err(BatchError::MessageTooLarge { index, bytes, bytes_max }) } else { Ok(()) }
}

/// Text that may reach a header some day: a control character there could start a header of its own.
fn is_text(text: &str, bytes_max: usize) -> bool {
    text.len() <= bytes_max && !text.bytes().any(|byte| byte.is_ascii_control())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::super::{
        BatchBuilder, Codec, FLAG_MARKED, FLAG_PRODUCER, FLAG_RELAYED, FLAG_SCHEDULED, HEADER_BYTES, crc32c, put,
        seal_header,
    };
    use super::*;
    use crate::{
        format::record::{MessageId, RecordHead},
        model::Timestamp,
    };

    const BYTES_MAX: usize = 20_000;

    fn head(key: &str) -> RecordHead<'_> {
        RecordHead {
            id: MessageId::Text("id"),
            key: Some(key),
            content_type: "text/plain",
            priority: 4,
            ttl_ms: None,
            deliver_at: None,
        }
    }

    fn built(codec: Codec, head: &RecordHead<'_>, attributes: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = BatchBuilder::new(0);
        for _ in 0..3 {
            let Ok(()) = builder.push(head, attributes, |out| {
                out.resize(out.len() + 10_000, b'x');
                Ok::<(), Infallible>(())
            });
        }
        builder.finish(codec, None).unwrap().bytes
    }

    fn taken(bytes: Vec<u8>) -> Result<(), BatchError> {
        let as_sent = bytes.clone();
        UnassignedBatch::from_publisher(bytes, BYTES_MAX, |_| {})
            .map(|batch| assert_eq!(batch.bytes, as_sent, "not encoded anew"))
    }

    /// Changes header fields and seals what was changed, as a publisher who lies would.
    fn forged(codec: Codec, at: usize, field: &[u8]) -> Result<(), BatchError> {
        let mut bytes = built(codec, &head("k"), &[]);
        put(&mut bytes, at, field);
        let body_crc = crc32c(&[&bytes[40..]]);
        put(&mut bytes, 36, &body_crc.to_le_bytes());
        seal_header(&mut bytes);
        taken(bytes)
    }

    const CODECS: [Codec; 3] = [Codec::None, Codec::Snappy, Codec::Lz4];

    #[test]
    fn a_whole_batch_is_taken_byte_for_byte() {
        for codec in CODECS {
            assert_eq!(taken(built(codec, &head("k"), &[("a", "b")])), Ok(()));
        }
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_refused() {
        for codec in [Codec::Snappy, Codec::Lz4] {
            let bytes = built(codec, &head("k"), &[]);
            for at in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[at] ^= 0x10;
                assert!(taken(changed).is_err(), "byte {at}");
                assert!(taken(bytes[..at].to_vec()).is_err(), "{at} bytes");
            }
        }
    }

    #[test]
    fn what_follows_a_batch_is_refused_with_it() {
        let mut bytes = built(Codec::Lz4, &head("k"), &[]);
        bytes.push(0);
        assert_eq!(taken(bytes), Err(BatchError::TrailingBytes { bytes: 1 }));
    }

    #[test]
    fn a_wrong_number_of_records_is_refused() {
        for codec in CODECS {
            let fewer = forged(codec, 40, &2_u32.to_le_bytes());
            assert!(matches!(fewer, Err(BatchError::TrailingBytes { .. })), "{fewer:?}");
            let more = forged(codec, 40, &4_u32.to_le_bytes());
            assert!(matches!(more, Err(BatchError::Record { index: 3, .. })), "{more:?}");
            assert_eq!(forged(codec, 40, &0_u32.to_le_bytes()), Err(BatchError::RecordCount { count: 0 }));
        }
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_decompressed() {
        for codec in [Codec::Snappy, Codec::Lz4] {
            let stated = 30 << 20;
            let refused = forged(codec, 60, &u32::to_le_bytes(stated));
            assert_eq!(refused, Err(BatchError::Compression { uncompressed_length: stated }));
            let refused = forged(codec, 60, &u32::MAX.to_le_bytes());
            assert!(matches!(refused, Err(BatchError::TooLarge { .. })), "{refused:?}");
        }
    }

    #[test]
    fn a_batch_that_states_times_is_refused() {
        assert_eq!(forged(Codec::Lz4, 56, &7_u32.to_le_bytes()), Err(BatchError::Timestamps));
        // The time of the first record lies 8 bytes behind the header; without compression it can be reached.
        assert_eq!(forged(Codec::None, HEADER_BYTES + 8, &7_u32.to_le_bytes()), Err(BatchError::Timestamps));
    }

    #[test]
    fn a_batch_that_states_what_its_records_do_not_is_refused() {
        let attributes = |flags: u8| forged(Codec::Lz4, 5, &[Codec::Lz4.to_bits() | flags]);
        assert_eq!(attributes(0), Ok(()));
        assert_eq!(attributes(FLAG_MARKED), Err(BatchError::Marked));
        assert_eq!(attributes(FLAG_SCHEDULED), Err(BatchError::Marked));
        assert_eq!(attributes(FLAG_RELAYED), Err(BatchError::Relayed));
        let both = attributes(FLAG_RELAYED | FLAG_PRODUCER);
        assert!(matches!(both, Err(BatchError::Attributes { .. })), "{both:?}");
        let delayed = RecordHead { deliver_at: Some(Timestamp::from_millis(9)), ..head("k") };
        assert_eq!(taken(built(Codec::Lz4, &delayed, &[])), Ok(()));
    }

    #[test]
    fn a_message_that_breaks_a_rule_is_refused_as_it_is_elsewhere() {
        let broken = |field| Err(BatchError::Record { index: 0, error: RecordError::Field { field } });
        let long = "k".repeat(limits::KEY_BYTES_MAX + 1);
        assert_eq!(taken(built(Codec::Lz4, &head("a\r\nb"), &[])), broken("key"));
        assert_eq!(taken(built(Codec::Lz4, &head(&long), &[])), broken("key"));
        let untyped = RecordHead { content_type: "text\nplain", ..head("k") };
        assert_eq!(taken(built(Codec::Lz4, &untyped, &[])), broken("content type"));
        for attributes in
            [[("", "x"), ("b", "y")], [("a", "x"), ("a", "y")], [("a", "x\n"), ("b", "y")], [("a", &long), ("b", "")]]
        {
            assert_eq!(taken(built(Codec::Lz4, &head("k"), &attributes)), broken("attributes"));
        }
        let bytes = built(Codec::Lz4, &head("k"), &[("a", "b")]);
        let refused = UnassignedBatch::from_publisher(bytes, 10_002, |_| {});
        assert_eq!(refused, Err(BatchError::MessageTooLarge { index: 0, bytes: 10_003, bytes_max: 10_002 }));
    }
}
