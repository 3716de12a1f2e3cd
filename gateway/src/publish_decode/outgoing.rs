//! One message to publish, whichever way it came: as JSON, or as the body of a request.

use base64::{DecodeSliceError, Engine, engine::general_purpose::STANDARD};
use gateway_api::{
    Code, PublishMessage,
    publish::{Payload, PayloadError},
};

use shard_core::model::Timestamp;

use super::rules::Fault;

/// A message as its publisher stated it.
#[derive(Clone, Debug)]
pub struct Outgoing<'m> {
    /// What it carries.
    pub payload: PayloadSource<'m>,
    /// Its id, if the publisher gives one.
    pub id: Option<&'m str>,
    /// Its key.
    pub key: Option<&'m str>,
    /// What the payload is; follows from where it was if not given.
    pub content_type: Option<&'m str>,
    /// Names and values.
    pub attributes: Vec<(&'m str, &'m str)>,
    /// From 0 to 9.
    pub priority: Option<u8>,
    /// How long it may be delivered, from its publishing on, in milliseconds.
    pub ttl_ms: Option<u64>,
    /// From when on.
    pub hold: Hold,
    /// The partition it must go to.
    pub partition: Option<u32>,
}

/// From when on a message may be delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hold {
    /// At once.
    #[default]
    None,
    /// So many milliseconds after it is taken.
    For(u64),
    /// At this time; at once if it has passed.
    Until(Timestamp),
}

/// A payload as it was sent.
#[derive(Clone, Copy, Debug)]
pub enum PayloadSource<'m> {
    /// Base64, from `data`.
    Base64(&'m str),
    /// Text, from `text`.
    Text(&'m str),
    /// JSON as it was written, from `json`.
    Json(&'m str),
    /// The bytes of a body.
    Bytes(&'m [u8]),
}

impl<'m> Outgoing<'m> {
    /// A message of a JSON request.
    ///
    /// # Errors
    /// A payload that is missing or there twice, and everything this version doesn't do.
    pub(super) fn of(message: &'m PublishMessage<'_>) -> Result<Self, Fault> {
        let hold = match (message.delay_ms, message.deliver_at) {
            (None, None) => Hold::None,
            (Some(delay_ms), None) => Hold::For(delay_ms),
            (None, Some(at)) => Hold::Until(Timestamp::from_millis(at.unix_ms())),
            (Some(_), Some(_)) => {
                let detail = "a message has a `delay_ms` or a `deliver_at`, not both";
                return Err(Fault::new("delay_ms", Code::InvalidArgument, detail));
            }
        };
        let payload = match message.payload() {
            Ok(Payload::Data(text)) => PayloadSource::Base64(text),
            Ok(Payload::Text(text)) => PayloadSource::Text(text),
            Ok(Payload::Json(json)) => PayloadSource::Json(json.get()),
            Err(error @ (PayloadError::Missing | PayloadError::Several)) => {
                return Err(Fault::new("data", Code::InvalidArgument, error.to_string()));
            }
        };
        Ok(Self {
            payload,
            id: message.id.as_deref(),
            key: message.key.as_deref(),
            content_type: message.content_type.as_deref(),
            attributes: message.attributes.iter().collect(),
            priority: message.priority,
            ttl_ms: message.ttl_ms,
            hold,
            partition: message.partition,
        })
    }
}

impl PayloadSource<'_> {
    /// The length as it was sent.
    pub(super) const fn encoded_len(&self) -> usize {
        match self {
            Self::Base64(text) | Self::Text(text) | Self::Json(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// The length of the payload itself; for base64 that is bad, about that.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Base64(text) => {
                let padding = text.bytes().rev().take(2).take_while(|byte| *byte == b'=').count();
                (text.len() / 4 * 3).saturating_sub(padding)
            }
            Self::Text(_) | Self::Json(_) | Self::Bytes(_) => self.encoded_len(),
        }
    }

    /// The content type of a message that states none.
    pub(super) const fn content_type(&self) -> &'static str {
        match self {
            Self::Base64(_) | Self::Bytes(_) => "application/octet-stream",
            Self::Text(_) => "text/plain; charset=utf-8",
            Self::Json(_) => "application/json",
        }
    }

    /// The field it came in.
    pub(super) const fn field(&self) -> &'static str {
        match self {
            Self::Base64(_) => "data",
            Self::Text(_) => "text",
            Self::Json(_) => "json",
            Self::Bytes(_) => "body",
        }
    }

    /// Appends the payload's bytes.
    ///
    /// # Errors
    /// Base64 that can't be decoded.
    pub(super) fn append(&self, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self {
            Self::Base64(text) => append_base64(text, out)
                .map_err(|error| Fault::new("data", Code::InvalidBase64, format!("not base64 with padding: {error}"))),
            Self::Text(text) | Self::Json(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(())
            }
            Self::Bytes(bytes) => {
                out.extend_from_slice(bytes);
                Ok(())
            }
        }
    }
}

/// Decodes to the end of `out`; what a failed decode leaves there is cut off by the caller.
fn append_base64(text: &str, out: &mut Vec<u8>) -> Result<(), DecodeSliceError> {
    let start = out.len();
    let length_max = base64::decoded_len_estimate(text.len());
    // The decoder sets aside what it needs and no more: a batch that grows so would be moved with each message.
    out.reserve(length_max);
    if base64_simd::STANDARD.decode_append(text, out).is_ok() {
        return Ok(());
    }
    // The fast one does not say what is wrong, and where.
    out.resize(start + length_max, 0);
    let written = STANDARD.decode_slice(text, out.get_mut(start..).unwrap_or_default())?;
    out.truncate(start + written);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_fast_decoder_takes_what_the_other_takes(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            at in any::<usize>(),
            with in "[=A-Za-z0-9+/_é -]",
        ) {
            let good = STANDARD.encode(&bytes);
            let (before, after) = good.split_at(at % (good.len() + 1));
            let replaced = format!("{before}{with}{}", after.get(1..).unwrap_or_default());
            for text in [&good, before, &replaced, &format!("{before}{with}{after}")] {
                let mut fast = b"kept".to_vec();
                let fast = base64_simd::STANDARD.decode_append(text, &mut fast).ok().map(|()| fast.split_off(4));
                prop_assert_eq!(fast, STANDARD.decode(text).ok(), "{}", text);
            }
        }
    }
}
