//! Base64 as the API uses it: padded standard alphabet for payloads, unpadded URL-safe alphabet for tokens.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Payload bytes; base64 in JSON, plain bytes here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data(pub Vec<u8>);

/// Why a text is not base64.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not base64: {reason}")]
pub struct Base64Error {
    reason: String,
}

/// A payload as JSON carries it.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Appends a payload, as JSON carries it, to `out`.
pub fn encode_into(bytes: &[u8], out: &mut String) {
    STANDARD.encode_string(bytes, out);
}

/// The payload that JSON carried.
///
/// # Errors
/// Says what is wrong with the text, and where.
pub fn decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    STANDARD.decode(text).map_err(Base64Error::new)
}

/// Appends the payload that JSON carried to `out`.
///
/// # Errors
/// Says what is wrong with the text, and where; `out` may then hold a part of the payload.
pub fn decode_into(text: &str, out: &mut Vec<u8>) -> Result<(), Base64Error> {
    STANDARD.decode_vec(text, out).map_err(Base64Error::new)
}

/// A token for URLs and headers.
#[must_use]
pub fn encode_token(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of a token.
///
/// # Errors
/// Says what is wrong with the text, and where.
pub fn decode_token(text: &str) -> Result<Vec<u8>, Base64Error> {
    URL_SAFE_NO_PAD.decode(text).map_err(Base64Error::new)
}

impl Base64Error {
    fn new(error: impl fmt::Display) -> Self {
        Self { reason: error.to_string() }
    }
}

impl From<Vec<u8>> for Data {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Data {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(DataVisitor)
    }
}

struct DataVisitor;

impl de::Visitor<'_> for DataVisitor {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("base64")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Data, E> {
        decode(text).map(Data).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn payloads_use_the_standard_alphabet_with_padding() {
        assert_eq!(encode(&[0xfb, 0xff, 0xfe, 0x00]), "+//+AA==");
        assert!(decode("+//+AA").is_err(), "padding is required");
        assert!(decode("-__-AA==").is_err(), "the alphabet for URLs is for tokens");
    }

    #[test]
    fn tokens_need_no_escape_in_a_url() {
        assert_eq!(encode_token(&[0xfb, 0xff, 0xfe, 0x00]), "-__-AA");
        assert!(decode_token("-__-AA==").is_err());
    }

    proptest! {
        #[test]
        fn every_payload_comes_back(bytes: Vec<u8>) {
            prop_assert_eq!(decode(&encode(&bytes)).unwrap(), bytes.clone());
            let mut text = String::new();
            encode_into(&bytes, &mut text);
            let mut decoded = vec![7];
            decode_into(&text, &mut decoded).unwrap();
            prop_assert_eq!(&decoded[1..], &bytes[..]);
            let json = serde_json::to_string(&Data(bytes.clone())).unwrap();
            prop_assert_eq!(serde_json::from_str::<Data>(&json).unwrap().0, bytes.clone());
            prop_assert_eq!(decode_token(&encode_token(&bytes)).unwrap(), bytes);
        }

        #[test]
        fn any_text_decodes_or_is_refused(text: String) {
            let _ = decode(&text);
            let _ = decode_token(&text);
        }
    }
}
