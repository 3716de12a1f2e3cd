//! Appends JSON to a buffer: the few pieces that answers on the hot path are made of.

use base64_simd::STANDARD;

/// Appends `text` as a JSON string, quotes included.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| needs_escape(*byte)) {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain);
        if let Some((byte, tail)) = tail.split_first() {
            escape(out, *byte);
            rest = tail;
        }
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Appends `bytes` as a JSON string of base64 with padding.
pub(crate) fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    // The encoder sets aside what it needs and no more: an answer that grows so would be moved with each message.
    out.reserve(STANDARD.encoded_length(bytes.len()) + 2);
    out.push(b'"');
    STANDARD.encode_append(bytes, out);
    out.push(b'"');
}

/// Appends a number in decimal.
pub(crate) fn number(out: &mut Vec<u8>, number: u64) {
    // 20 digits hold every u64.
    let mut digits = [b'0'; 20];
    let mut rest = number;
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        // The remainder is below 10.
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
}

const fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            out.extend_from_slice(b"\\u00");
            out.push(hex(byte >> 4));
            out.push(hex(byte & 0xf));
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

const fn hex(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"kept:".to_vec();
        write(&mut out);
        String::from_utf8(out).unwrap().strip_prefix("kept:").unwrap().to_owned()
    }

    #[test]
    fn numbers_have_no_leading_zero() {
        for value in [0, 7, 10, 4_096, u64::MAX] {
            assert_eq!(written(|out| number(out, value)), value.to_string());
        }
    }

    proptest! {
        #[test]
        fn strings_parse_back(text in "(?s)[\u{0}-\u{30}\"\\\\a-zé中😀]*") {
            let json = written(|out| string(out, &text));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }

        #[test]
        fn base64_decodes_back(bytes: Vec<u8>) {
            let json = written(|out| base64(out, &bytes));
            let text: String = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(base64::engine::general_purpose::STANDARD.decode(text).unwrap(), bytes);
        }
    }
}
