//! How a request is delimited, by RFC 9112 §6 and §7: strict, since two parsers that differ are a way to smuggle.

use super::{
    headers::list_members,
    refusal::{Refusal, malformed},
    request::Version,
};

/// What follows the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// A body of exactly so many bytes, perhaps none.
    Fixed(u64),
    /// A chunked body.
    Chunked,
}

/// What the header fields say about framing and the connection, gathered one field at a time.
#[derive(Debug, Default)]
pub(super) struct FramingFields {
    content_length: Option<u64>,
    transfer_encoding: Option<TransferCoding>,
    has_host: bool,
    connection: ConnectionOptions,
    /// `Expect: 100-continue`.
    pub(super) expects_continue: bool,
}

/// The options of the Connection field that mean something here.
#[derive(Debug, Default)]
struct ConnectionOptions {
    close: bool,
    keep_alive: bool,
    upgrade: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TransferCoding {
    Chunked,
    /// Something, then chunked.
    Unknown,
}

impl FramingFields {
    /// Takes one field into account.
    pub(super) fn observe(&mut self, name: &str, value: &[u8]) -> Result<(), Refusal> {
        // The length tells most fields apart before any byte is compared.
        match name.len() {
            4 if name.eq_ignore_ascii_case("host") => self.observe_host(value),
            6 if name.eq_ignore_ascii_case("expect") => self.observe_expect(value),
            10 if name.eq_ignore_ascii_case("connection") => self.observe_connection(value),
            14 if name.eq_ignore_ascii_case("content-length") => self.observe_content_length(value),
            17 if name.eq_ignore_ascii_case("transfer-encoding") => self.observe_transfer_encoding(value),
            _ => Ok(()),
        }
    }

    /// Decides once all fields are known.
    pub(super) fn framing(&self, version: Version) -> Result<Framing, Refusal> {
        if version == Version::Http11 && !self.has_host {
            return Err(malformed("HTTP/1.1 needs a Host field"));
        }
        match (self.transfer_encoding, self.content_length) {
            (Some(_), Some(_)) => Err(malformed("Content-Length beside Transfer-Encoding")),
            (Some(_), None) if version == Version::Http10 => Err(malformed("HTTP/1.0 has no Transfer-Encoding")),
            (Some(TransferCoding::Unknown), None) => Err(Refusal::UnsupportedTransferCoding),
            (Some(TransferCoding::Chunked), None) => Ok(Framing::Chunked),
            (None, length) => Ok(Framing::Fixed(length.unwrap_or(0))),
        }
    }

    /// Whether another request may follow.
    pub(super) fn persists(&self, version: Version) -> bool {
        !self.connection.close && (version == Version::Http11 || self.connection.keep_alive)
    }

    /// Whether the client offers to switch protocols.
    pub(super) fn offers_upgrade(&self) -> bool {
        self.connection.upgrade
    }

    fn observe_host(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.has_host {
            return Err(malformed("more than one Host field"));
        }
        self.has_host = true;
        if is_authority(value) { Ok(()) } else { Err(malformed("the Host field is not a host")) }
    }

    fn observe_expect(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(Refusal::UnknownExpectation);
        }
        self.expects_continue = true;
        Ok(())
    }

    fn observe_connection(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let value = std::str::from_utf8(value).map_err(|_| malformed("the Connection field is not text"))?;
        for option in list_members(value) {
            self.connection.close |= option.eq_ignore_ascii_case("close");
            self.connection.keep_alive |= option.eq_ignore_ascii_case("keep-alive");
            self.connection.upgrade |= option.eq_ignore_ascii_case("upgrade");
        }
        Ok(())
    }

    fn observe_content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.content_length.is_some() {
            return Err(malformed("more than one Content-Length field"));
        }
        let length = decimal(value).ok_or(malformed("Content-Length is not a number"))?;
        self.content_length = Some(length);
        Ok(())
    }

    fn observe_transfer_encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.transfer_encoding.is_some() {
            return Err(malformed("more than one Transfer-Encoding field"));
        }
        let value = std::str::from_utf8(value).map_err(|_| malformed("Transfer-Encoding is not text"))?;
        let (before, last) = value.rsplit_once(',').map_or(("", value), |(before, last)| (before, last));
        if !last.trim_matches([' ', '\t']).eq_ignore_ascii_case("chunked") {
            return Err(malformed("Transfer-Encoding does not end in chunked"));
        }
        if list_members(before).any(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return Err(malformed("chunked more than once"));
        }
        let alone = list_members(before).next().is_none();
        self.transfer_encoding = Some(if alone { TransferCoding::Chunked } else { TransferCoding::Unknown });
        Ok(())
    }
}

/// Whether `value` is empty or a host with an optional port (RFC 9110 §7.2); user information is not a host.
pub(super) fn is_authority(value: &[u8]) -> bool {
    let (host, port) = split_port(value);
    let host_is_sound = match host.strip_prefix(b"[") {
        Some(rest) => rest.strip_suffix(b"]").is_some_and(|address| {
            !address.is_empty() && address.iter().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte))
        }),
        None => host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte)),
    };
    host_is_sound && port.is_none_or(|port| port.len() <= 5 && port.iter().all(u8::is_ascii_digit))
}

/// Splits `host:port`; the colons of a bracketed address are not its port's.
fn split_port(authority: &[u8]) -> (&[u8], Option<&[u8]>) {
    let after_bracket = authority.iter().rposition(|byte| *byte == b']').unwrap_or(0);
    match authority.iter().rposition(|byte| *byte == b':') {
        Some(colon) if colon >= after_bracket => {
            (authority.get(..colon).unwrap_or_default(), authority.get(colon + 1..))
        }
        _ => (authority, None),
    }
}

/// Digits alone, and few enough that they can't overflow.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_digits_alone() {
        assert_eq!(decimal(b"0"), Some(0));
        assert_eq!(decimal(b"0042"), Some(42));
        assert_eq!(decimal(b"9999999999999999999"), Some(9_999_999_999_999_999_999));
        for wrong in [&b""[..], b"+5", b"-5", b"0x5", b"5 ", b"5,5", b"5.0", b"1_0", b"99999999999999999999"] {
            assert_eq!(decimal(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn an_authority_is_a_host_with_an_optional_port() {
        for sound in ["", "a", "a.example:8081", "127.0.0.1", "[::1]", "[::1]:80", "a:"] {
            assert!(is_authority(sound.as_bytes()), "{sound}");
        }
        for wrong in ["a b", "user@a", "a/b", "a:b", "[::1", "::1", "[]", "a:123456", "a\"", "a?b", "a#b", "a\\b"] {
            assert!(!is_authority(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn close_wins_over_keep_alive() {
        let mut fields = FramingFields::default();
        fields.observe("Connection", b"keep-alive, close").unwrap();
        assert!(!fields.persists(Version::Http11));
    }
}
