//! Percent-encoding of RFC 3986, decoded once.

/// How `+` is read: as a space in a query, as itself in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plus {
    /// `+` stands for itself.
    Literal,
    /// `+` stands for a space, as HTML forms and most clients write queries.
    Space,
}

/// Text whose percent-encoding is broken, or that is not UTF-8 once decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("broken percent-encoding, or not UTF-8")]
pub struct PercentError;

/// Appends `encoded` to `out`, decoded.
///
/// # Errors
/// A `%` without two hex digits, or bytes that are not UTF-8. `out` holds what it held before.
pub fn decode_into(out: &mut String, encoded: &str, plus: Plus) -> Result<(), PercentError> {
    if !encoded.bytes().any(|byte| byte == b'%' || (byte == b'+' && plus == Plus::Space)) {
        out.push_str(encoded);
        return Ok(());
    }
    let decoded = decode(encoded, plus)?;
    out.push_str(&String::from_utf8(decoded).map_err(|_| PercentError)?);
    Ok(())
}

fn decode(encoded: &str, plus: Plus) -> Result<Vec<u8>, PercentError> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => match (bytes.next().and_then(hex_digit), bytes.next().and_then(hex_digit)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(PercentError),
            },
            b'+' if plus == Plus::Space => b' ',
            other => other,
        });
    }
    Ok(decoded)
}

/// The value of a hex digit in either case.
#[must_use]
pub fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(encoded: &str, plus: Plus) -> Result<String, PercentError> {
        let mut out = String::new();
        decode_into(&mut out, encoded, plus).map(|()| out)
    }

    #[test]
    fn decoding_happens_once() {
        assert_eq!(decoded("%252e", Plus::Literal).unwrap(), "%2e");
    }

    #[test]
    fn plus_is_a_space_only_in_a_query() {
        assert_eq!(decoded("a+b", Plus::Space).unwrap(), "a b");
        assert_eq!(decoded("a+b", Plus::Literal).unwrap(), "a+b");
    }

    #[test]
    fn broken_escapes_are_refused() {
        for encoded in ["%", "%2", "%zz", "%2g", "a%", "%ff", "%c0%af", "%ed%a0%80"] {
            assert_eq!(decoded(encoded, Plus::Literal), Err(PercentError), "{encoded}");
        }
    }

    proptest! {
        #[test]
        fn any_text_survives_full_escaping(text in any::<String>()) {
            let escaped = text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
            prop_assert_eq!(decoded(&escaped, Plus::Space).unwrap(), text);
        }

        #[test]
        fn any_input_is_decoded_or_refused(text in "[%+a-f0-9 ]{0,20}") {
            let _ = decoded(&text, Plus::Space);
        }
    }
}
