//! One record of a batch: a fixed prefix, then its variable fields, the payload last.
//!
//! ```text
//!  0 u32 length of the record, this prefix included     12 u8  id length
//!  4 u8  flags: 1 key, 2 id is a UUID, 4 TTL, 8 deliver-at   13 u8  content type length (0: application/octet-stream)
//!  5 u8  priority                                       14 u16 key length
//!  6 u16 number of attributes                           16 u32 attributes length
//!  8 u32 milliseconds since the batch's base timestamp  20 u32 payload length
//! 24 [u64 TTL ms] [i64 deliver-at ms] id, content type, key, attributes, payload
//! ```
//! An attribute is a `u16` name length, a `u16` value length, the name and the value.

use std::fmt;

use crate::{
    limits,
    model::{Offset, Timestamp},
};

/// The content type of a record that states none.
pub const CONTENT_TYPE_DEFAULT: &str = "application/octet-stream";

const PREFIX_BYTES: usize = 24;
const FLAG_KEY: u8 = 1;
const FLAG_UUID: u8 = 2;
const FLAG_TTL: u8 = 4;
const FLAG_DELIVER_AT: u8 = 8;
const FLAGS_KNOWN: u8 = FLAG_KEY | FLAG_UUID | FLAG_TTL | FLAG_DELIVER_AT;

/// What names a message: the publisher's text, or the UUID the broker gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageId<'a> {
    /// The 16 bytes of a UUID.
    Uuid([u8; 16]),
    /// 1 to 128 visible ASCII characters.
    Text(&'a str),
}

/// All of a record but its payload and its place, as a publisher states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead<'a> {
    /// What names the message.
    pub id: MessageId<'a>,
    /// The ordering and partitioning key.
    pub key: Option<&'a str>,
    /// The media type of the payload.
    pub content_type: &'a str,
    /// 0 to 9, 9 first.
    pub priority: u8,
    /// How long after publishing the message may be delivered.
    pub ttl_ms: Option<u64>,
    /// When the message may first be delivered.
    pub deliver_at: Option<Timestamp>,
}

/// One record as it lies in a batch; borrows the batch's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its position in the partition.
    pub offset: Offset,
    /// When the broker took it.
    pub timestamp: Timestamp,
    /// What the publisher stated of it.
    pub head: RecordHead<'a>,
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// Its payload, opaque.
    pub payload: &'a [u8],
}

/// The attributes of a record, in the publisher's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes<'a> {
    count: u16,
    encoded: &'a [u8],
}

/// Why a record can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum RecordError {
    #[error("the record ends after {available} bytes, its fields need {needed}")]
    Truncated { needed: usize, available: usize },
    #[error("the record's lengths add up to {fields} bytes, it states {stated}")]
    LengthMismatch { stated: usize, fields: usize },
    #[error("the record has unknown flags {flags:#04x}")]
    UnknownFlags { flags: u8 },
    #[error("the record's {field} breaks its rule")]
    Field { field: &'static str },
}

/// As clients see it.
impl fmt::Display for MessageId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Uuid(bytes) => bytes.iter().enumerate().try_for_each(|(at, byte)| {
                let hyphen = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
                write!(f, "{hyphen}{byte:02x}")
            }),
        }
    }
}

impl RecordHead<'_> {
    /// Whether it says when, or before which others, the message is to be delivered.
    #[must_use]
    pub const fn is_marked(&self) -> bool {
        self.priority != limits::PRIORITY_DEFAULT || self.ttl_ms.is_some() || self.deliver_at.is_some()
    }
}

impl<'a> Attributes<'a> {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> u16 {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Name and value of each.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut reader = Reader { rest: self.encoded };
        // `Record::decode` has walked them once already, so an error can't come here.
        std::iter::from_fn(move || if reader.rest.is_empty() { None } else { reader.attribute().ok() })
    }
}

impl RecordHead<'_> {
    /// Appends a record to `out`; `payload` appends the payload bytes, so that they are copied only once.
    ///
    /// # Errors
    /// Those of `payload`; `out` then ends where it began.
    ///
    /// # Panics
    /// On a field over its limit, which the caller has refused before.
    pub fn encode<E>(
        &self,
        timestamp_delta: u32,
        attributes: &[(&str, &str)],
        out: &mut Vec<u8>,
        payload: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = out.len();
        out.extend_from_slice(&[0; PREFIX_BYTES]);
        let mut flags = 0;
        if let Some(ttl_ms) = self.ttl_ms {
            flags |= FLAG_TTL;
            out.extend_from_slice(&ttl_ms.to_le_bytes());
        }
        if let Some(deliver_at) = self.deliver_at {
            flags |= FLAG_DELIVER_AT;
            out.extend_from_slice(&deliver_at.as_millis().to_le_bytes());
        }
        let id_bytes = match &self.id {
            MessageId::Uuid(uuid) => {
                flags |= FLAG_UUID;
                uuid.as_slice()
            }
            MessageId::Text(text) => text.as_bytes(),
        };
        out.extend_from_slice(id_bytes);
        let content_type = if self.content_type == CONTENT_TYPE_DEFAULT { "" } else { self.content_type };
        out.extend_from_slice(content_type.as_bytes());
        if let Some(key) = self.key {
            flags |= FLAG_KEY;
            out.extend_from_slice(key.as_bytes());
        }
        let attributes_start = out.len();
        for (name, value) in attributes {
            out.extend_from_slice(&narrow::<u16>(name.len()).to_le_bytes());
            out.extend_from_slice(&narrow::<u16>(value.len()).to_le_bytes());
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(value.as_bytes());
        }
        let payload_start = out.len();
        if let Err(error) = payload(out) {
            out.truncate(start);
            return Err(error);
        }
        let length = narrow::<u32>(out.len() - start);
        let payload_length = narrow::<u32>(out.len() - payload_start);
        let mut prefix = Prefix { out, at: start };
        prefix.put(&length.to_le_bytes());
        prefix.put(&[flags, self.priority]);
        prefix.put(&narrow::<u16>(attributes.len()).to_le_bytes());
        prefix.put(&timestamp_delta.to_le_bytes());
        prefix.put(&[narrow::<u8>(id_bytes.len()), narrow::<u8>(content_type.len())]);
        prefix.put(&narrow::<u16>(self.key.map_or(0, str::len)).to_le_bytes());
        prefix.put(&narrow::<u32>(payload_start - attributes_start).to_le_bytes());
        prefix.put(&payload_length.to_le_bytes());
        Ok(())
    }
}

impl<'a> Record<'a> {
    /// Reads the record at the start of `bytes`, and says how many bytes it takes.
    ///
    /// # Errors
    /// Says what is wrong with it; any bytes are safe to give.
    pub fn decode(bytes: &'a [u8], offset: Offset, base: Timestamp) -> Result<(Self, usize), RecordError> {
        let mut prefix = Reader { rest: bytes };
        let length = widen(prefix.u32()?);
        let [flags, priority] = prefix.array()?;
        let attribute_count = prefix.u16()?;
        let timestamp_delta = prefix.u32()?;
        let [id_length, content_type_length] = prefix.array()?;
        let key_length = prefix.u16()?;
        let attributes_length = widen(prefix.u32()?);
        let payload_length = widen(prefix.u32()?);
        if flags & !FLAGS_KNOWN != 0 {
            return Err(RecordError::UnknownFlags { flags });
        }
        let body_length = length
            .checked_sub(PREFIX_BYTES)
            .ok_or(RecordError::LengthMismatch { stated: length, fields: PREFIX_BYTES })?;
        let mut body = Reader { rest: prefix.take(body_length)? };
        let ttl_ms = if flags & FLAG_TTL == 0 { None } else { Some(body.u64()?) };
        let deliver_at =
            if flags & FLAG_DELIVER_AT == 0 { None } else { Some(Timestamp::from_millis(body.u64()?.cast_signed())) };
        let id = message_id(flags, body.take(usize::from(id_length))?)?;
        let content_type = match body.text(usize::from(content_type_length), "content type")? {
            "" => CONTENT_TYPE_DEFAULT,
            stated => stated,
        };
        let key = body.text(usize::from(key_length), "key")?;
        let attributes = attributes(attribute_count, body.take(attributes_length)?)?;
        let payload = body.take(payload_length)?;
        if !body.rest.is_empty() {
            return Err(RecordError::LengthMismatch { stated: length, fields: length - body.rest.len() });
        }
        if priority > limits::PRIORITY_MAX {
            return Err(RecordError::Field { field: "priority" });
        }
        let key = (flags & FLAG_KEY != 0).then_some(key);
        let head = RecordHead { id, key, content_type, priority, ttl_ms, deliver_at };
        let timestamp = base.plus_millis(i64::from(timestamp_delta));
        Ok((Self { offset, timestamp, head, attributes, payload }, length))
    }
}

/// Writes over the reserved prefix of a record, field after field.
struct Prefix<'a> {
    out: &'a mut Vec<u8>,
    at: usize,
}

impl Prefix<'_> {
    fn put(&mut self, field: &[u8]) {
        let end = self.at + field.len();
        self.out.get_mut(self.at..end).expect("the prefix is reserved").copy_from_slice(field);
        self.at = end;
    }
}

/// Takes fields off the front of untrusted bytes.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let available = self.rest.len();
        let (taken, rest) =
            self.rest.split_at_checked(count).ok_or(RecordError::Truncated { needed: count, available })?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let available = self.rest.len();
        let (taken, rest) =
            self.rest.split_first_chunk::<N>().ok_or(RecordError::Truncated { needed: N, available })?;
        self.rest = rest;
        Ok(*taken)
    }

    fn u16(&mut self) -> Result<u16, RecordError> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, RecordError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, RecordError> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self, count: usize, field: &'static str) -> Result<&'a str, RecordError> {
        std::str::from_utf8(self.take(count)?).map_err(|_| RecordError::Field { field })
    }

    fn attribute(&mut self) -> Result<(&'a str, &'a str), RecordError> {
        let name_length = usize::from(self.u16()?);
        let value_length = usize::from(self.u16()?);
        Ok((self.text(name_length, "attribute name")?, self.text(value_length, "attribute value")?))
    }
}

fn message_id(flags: u8, bytes: &[u8]) -> Result<MessageId<'_>, RecordError> {
    const BROKEN: RecordError = RecordError::Field { field: "id" };
    if flags & FLAG_UUID != 0 {
        return bytes.try_into().map(MessageId::Uuid).map_err(|_| BROKEN);
    }
    let visible = bytes.iter().all(u8::is_ascii_graphic);
    if bytes.is_empty() || bytes.len() > limits::MESSAGE_ID_BYTES_MAX || !visible {
        return Err(BROKEN);
    }
    std::str::from_utf8(bytes).map(MessageId::Text).map_err(|_| BROKEN)
}

fn attributes(count: u16, encoded: &[u8]) -> Result<Attributes<'_>, RecordError> {
    let mut reader = Reader { rest: encoded };
    for _ in 0..count {
        reader.attribute()?;
    }
    if !reader.rest.is_empty() || usize::from(count) > limits::ATTRIBUTES_MAX + limits::ATTRIBUTES_ADDED_MAX {
        return Err(RecordError::Field { field: "attributes" });
    }
    Ok(Attributes { count, encoded })
}

fn narrow<T: TryFrom<usize>>(length: usize) -> T {
    T::try_from(length).ok().expect("a field's length is within its limit")
}

fn widen(length: u32) -> usize {
    usize::try_from(length).expect("usize has at least 32 bits")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn encode(head: &RecordHead<'_>, attributes: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let Ok(()) = head.encode(5, attributes, &mut out, |out| {
            out.extend_from_slice(payload);
            Ok::<(), Infallible>(())
        });
        out
    }

    fn head<'a>(id: MessageId<'a>, key: Option<&'a str>) -> RecordHead<'a> {
        RecordHead { id, key, content_type: "text/plain", priority: 4, ttl_ms: None, deliver_at: None }
    }

    #[test]
    fn a_refused_payload_leaves_nothing_behind() {
        let mut out = b"before".to_vec();
        let refused = head(MessageId::Text("a"), None).encode(0, &[], &mut out, |out| {
            out.extend_from_slice(b"half");
            Err("refused")
        });
        assert_eq!((refused, out.as_slice()), (Err("refused"), b"before".as_slice()));
    }

    #[test]
    fn an_id_reads_as_clients_see_it() {
        assert_eq!(MessageId::Uuid(*b"0123456789abcdef").to_string(), "30313233-3435-3637-3839-616263646566");
        assert_eq!(MessageId::Text("order-17").to_string(), "order-17");
    }

    #[test]
    fn an_empty_key_is_not_a_missing_key() {
        for key in [None, Some(""), Some("k")] {
            let bytes = encode(&head(MessageId::Text("a"), key), &[], b"");
            let (record, _) = Record::decode(&bytes, Offset::ZERO, Timestamp::default()).unwrap();
            assert_eq!(record.head.key, key);
        }
    }

    #[test]
    fn unknown_flags_are_refused() {
        let mut bytes = encode(&head(MessageId::Text("a"), None), &[], b"x");
        bytes[4] |= 0x80;
        let refused = Record::decode(&bytes, Offset::ZERO, Timestamp::default());
        assert_eq!(refused, Err(RecordError::UnknownFlags { flags: 0x80 }));
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(
            uuid in any::<Option<[u8; 16]>>(),
            text in "[!-~]{1,128}",
            key in any::<Option<String>>().prop_filter("short", |key| key.as_ref().is_none_or(|key| key.len() <= 1024)),
            attributes in prop::collection::vec(("[a-z]{1,9}", any::<String>()), 0..9),
            priority in 0..=9u8,
            ttl_ms in any::<Option<u64>>(),
            deliver_at in any::<Option<i64>>(),
            payload in any::<Vec<u8>>(),
        ) {
            let head = RecordHead {
                id: uuid.map_or(MessageId::Text(&text), MessageId::Uuid),
                key: key.as_deref(),
                content_type: CONTENT_TYPE_DEFAULT,
                priority,
                ttl_ms,
                deliver_at: deliver_at.map(Timestamp::from_millis),
            };
            let attributes: Vec<_> = attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let bytes = encode(&head, &attributes, &payload);
            let (record, length) = Record::decode(&bytes, Offset::new(7), Timestamp::from_millis(100)).unwrap();
            prop_assert_eq!(length, bytes.len());
            prop_assert_eq!(record.head, head);
            prop_assert_eq!(record.attributes.iter().collect::<Vec<_>>(), attributes);
            prop_assert_eq!(record.payload, payload.as_slice());
            prop_assert_eq!((record.offset, record.timestamp), (Offset::new(7), Timestamp::from_millis(105)));
        }

        #[test]
        fn any_bytes_are_safe(bytes in any::<Vec<u8>>()) {
            let _ = Record::decode(&bytes, Offset::ZERO, Timestamp::default());
        }

        #[test]
        fn any_change_of_a_length_is_noticed(at in 0..24usize, flip in 1..=255u8) {
            let bytes = encode(&head(MessageId::Text("id"), Some("key")), &[("n", "v")], b"payload");
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            // Flags, priority, counts of milliseconds: still a record; lengths: an error or the same length.
            if let Ok((_, length)) = Record::decode(&changed, Offset::ZERO, Timestamp::default()) {
                prop_assert_eq!(length, bytes.len());
            }
        }
    }
}
