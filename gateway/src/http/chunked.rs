//! The chunked transfer coding of RFC 9112 §7.1, strict: what a lenient reader would let pass is refused.

use super::{
    percent::hex_digit,
    refusal::{Refusal, malformed},
};
use crate::limits::{CHUNK_EXTENSION_BYTES_MAX, CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX};

/// Removes the chunked coding, however the bytes are cut into pieces. Extensions and trailers are checked and dropped.
#[derive(Debug)]
pub struct ChunkedDecoder {
    state: State,
    body_bytes_max: usize,
    body_bytes: usize,
    line_bytes: usize,
    extension_bytes: usize,
    trailer_bytes: usize,
}

/// What came of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// How many bytes were taken; all of them unless the body is complete.
    pub consumed: usize,
    /// Whether the body is complete; what follows is the next request.
    pub complete: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the hex digits of a chunk's size.
    Size {
        size: u64,
        digits: u8,
    },
    /// Behind the size, up to the end of the line.
    Extension {
        size: u64,
    },
    /// The line has had its CR.
    SizeLineFeed {
        size: u64,
    },
    Data {
        remaining: u64,
    },
    DataReturn,
    DataLineFeed,
    /// At the start of a line of the trailer section.
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLineFeed,
    EndLineFeed,
    Complete,
}

impl ChunkedDecoder {
    /// A decoder of one body that may have so many bytes.
    #[must_use]
    pub fn new(body_bytes_max: usize) -> Self {
        let state = State::Size { size: 0, digits: 0 };
        Self { state, body_bytes_max, body_bytes: 0, line_bytes: 0, extension_bytes: 0, trailer_bytes: 0 }
    }

    /// Takes the next bytes and appends the data among them to `body`.
    ///
    /// # Errors
    /// The coding is broken or too large; the decoder is then of no use.
    pub fn decode(&mut self, input: &[u8], body: &mut Vec<u8>) -> Result<Decoded, Refusal> {
        let mut consumed = 0;
        while self.state != State::Complete {
            let rest = input.get(consumed..).unwrap_or_default();
            let Some(byte) = rest.first() else { break };
            consumed += match self.state {
                State::Data { remaining } => self.take_data(remaining, rest, body),
                State::Size { .. }
                | State::Extension { .. }
                | State::SizeLineFeed { .. }
                | State::DataReturn
                | State::DataLineFeed
                | State::TrailerStart
                | State::TrailerName
                | State::TrailerValue
                | State::TrailerLineFeed
                | State::EndLineFeed
                | State::Complete => {
                    self.state = self.next_state(*byte)?;
                    1
                }
            };
        }
        Ok(Decoded { consumed, complete: self.state == State::Complete })
    }

    fn take_data(&mut self, remaining: u64, rest: &[u8], body: &mut Vec<u8>) -> usize {
        let wanted = usize::try_from(remaining).unwrap_or(usize::MAX).min(rest.len());
        body.extend_from_slice(rest.get(..wanted).unwrap_or_default());
        let remaining = remaining.saturating_sub(wanted as u64);
        self.state = if remaining == 0 { State::DataReturn } else { State::Data { remaining } };
        wanted
    }

    /// What one byte outside of data leads to.
    fn next_state(&mut self, byte: u8) -> Result<State, Refusal> {
        match self.state {
            State::Size { size, digits } => self.in_size(size, digits, byte),
            State::Extension { size } => self.in_extension(size, byte),
            State::SizeLineFeed { size } => {
                expect(byte, b'\n')?;
                self.start_chunk(size)
            }
            State::DataReturn => expect(byte, b'\r').map(|()| State::DataLineFeed),
            State::DataLineFeed => expect(byte, b'\n').map(|()| State::Size { size: 0, digits: 0 }),
            State::TrailerStart | State::TrailerName | State::TrailerValue => self.in_trailer(byte),
            State::TrailerLineFeed => expect(byte, b'\n').map(|()| State::TrailerStart),
            State::EndLineFeed => expect(byte, b'\n').map(|()| State::Complete),
            State::Data { .. } | State::Complete => Ok(self.state),
        }
    }

    fn in_size(&mut self, size: u64, digits: u8, byte: u8) -> Result<State, Refusal> {
        if let Some(digit) = hex_digit(byte) {
            if digits == 16 {
                return Err(malformed("a chunk size has more than 16 digits"));
            }
            return Ok(State::Size { size: size << 4 | u64::from(digit), digits: digits + 1 });
        }
        self.line_bytes = usize::from(digits);
        match byte {
            _ if digits == 0 => Err(malformed("a chunk has no size")),
            b'\r' => Ok(State::SizeLineFeed { size }),
            b';' => self.in_extension(size, byte),
            _ => Err(malformed("a chunk size is not hexadecimal")),
        }
    }

    fn in_extension(&mut self, size: u64, byte: u8) -> Result<State, Refusal> {
        self.line_bytes += 1;
        self.extension_bytes += 1;
        if self.line_bytes > CHUNK_LINE_BYTES_MAX || self.extension_bytes > CHUNK_EXTENSION_BYTES_MAX {
            return Err(malformed("chunk extensions are too long"));
        }
        match byte {
            b'\r' => Ok(State::SizeLineFeed { size }),
            b'\t' | b' '..=b'~' => Ok(State::Extension { size }),
            _ => Err(malformed("a chunk extension is not text")),
        }
    }

    fn start_chunk(&mut self, size: u64) -> Result<State, Refusal> {
        if size == 0 {
            return Ok(State::TrailerStart);
        }
        let too_large = Refusal::BodyTooLarge { limit: self.body_bytes_max };
        let sum = usize::try_from(size).ok().and_then(|size| self.body_bytes.checked_add(size));
        match sum {
            Some(sum) if sum <= self.body_bytes_max => self.body_bytes = sum,
            _ => return Err(too_large),
        }
        Ok(State::Data { remaining: size })
    }

    fn in_trailer(&mut self, byte: u8) -> Result<State, Refusal> {
        self.trailer_bytes += 1;
        if self.trailer_bytes > TRAILER_BYTES_MAX {
            return Err(Refusal::HeadTooLarge { limit: TRAILER_BYTES_MAX });
        }
        match (self.state, byte) {
            (State::TrailerStart, b'\r') => Ok(State::EndLineFeed),
            (State::TrailerStart | State::TrailerName, byte) if is_token(byte) => Ok(State::TrailerName),
            (State::TrailerValue, b'\r') => Ok(State::TrailerLineFeed),
            (State::TrailerName, b':') | (State::TrailerValue, b'\t' | b' '..=b'~' | 0x80..) => Ok(State::TrailerValue),
            _ => Err(malformed("a trailer field is malformed")),
        }
    }
}

/// Whether a byte may stand in a token (RFC 9110 §5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn expect(byte: u8, wanted: u8) -> Result<(), Refusal> {
    if byte == wanted { Ok(()) } else { Err(malformed("chunked data is not delimited by CRLF")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(input: &[u8]) -> Result<(Vec<u8>, Decoded), Refusal> {
        let mut body = Vec::new();
        let decoded = ChunkedDecoder::new(1000).decode(input, &mut body)?;
        Ok((body, decoded))
    }

    #[test]
    fn what_follows_the_body_is_not_taken() {
        let (body, decoded) = decode(b"3\r\nabc\r\n0\r\n\r\nGET").unwrap();
        assert_eq!((body.as_slice(), decoded), (&b"abc"[..], Decoded { consumed: 13, complete: true }));
    }

    #[test]
    fn extensions_and_trailers_are_dropped() {
        let (body, decoded) = decode(b"3;a=b;c=\"d e\"\r\nabc\r\n0;x\r\nA: b\r\nC:\r\n\r\n").unwrap();
        assert!(decoded.complete);
        assert_eq!(body, b"abc");
    }

    #[test]
    fn broken_coding_is_refused() {
        let cases: [&[u8]; 20] = [
            b"\r\n",
            b"g\r\n",
            b" 3\r\nabc",
            b"3 \r\nabc",
            b"+3\r\nabc",
            b"-3\r\nabc",
            b"0x3\r\nabc",
            b"3\nabc",
            b"3\rabc",
            b"3\r\nabcd",
            b"3\r\nabc\n",
            b"3\r\nabc\rx",
            b"3;\x00\r\n",
            b"3;a\nb",
            b"0\r\n:\r\n\r\n",
            b"0\r\n a: b\r\n\r\n",
            b"0\r\na b: c\r\n\r\n",
            b"0\r\na\r\n\r\n",
            b"0\r\na: b\n\r\n",
            b"0\r\n\rx",
        ];
        for case in cases {
            let refused = decode(case);
            assert!(
                matches!(refused, Err(Refusal::Malformed { .. })),
                "{:?}: {refused:?}",
                case.escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn sizes_that_overflow_are_refused() {
        assert!(matches!(decode(b"FFFFFFFFFFFFFFFF\r\n"), Err(Refusal::BodyTooLarge { .. })));
        assert!(matches!(decode(b"00000000000000001\r\n"), Err(Refusal::Malformed { .. })));
        assert!(matches!(decode(b"3E9\r\n"), Err(Refusal::BodyTooLarge { limit: 1000 })));
    }

    #[test]
    fn endless_extensions_and_trailers_are_refused() {
        let mut extension = b"1;".to_vec();
        extension.resize(CHUNK_LINE_BYTES_MAX + 10, b'a');
        assert!(matches!(decode(&extension), Err(Refusal::Malformed { .. })));
        let many = b"1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n".repeat(900);
        assert!(matches!(decode(&many), Err(Refusal::Malformed { .. })));
        let mut trailer = b"0\r\na:".to_vec();
        trailer.resize(TRAILER_BYTES_MAX + 10, b'a');
        assert!(matches!(decode(&trailer), Err(Refusal::HeadTooLarge { .. })));
    }

    proptest! {
        #[test]
        fn any_chunking_read_in_any_pieces_gives_the_body(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..10),
            piece in 1_usize..20,
        ) {
            let mut coded = Vec::new();
            for chunk in &chunks {
                coded.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                coded.extend_from_slice(chunk);
                coded.extend_from_slice(b"\r\n");
            }
            coded.extend_from_slice(b"0\r\n\r\n");
            let (mut decoder, mut body, mut complete) = (ChunkedDecoder::new(1000), Vec::new(), false);
            for piece in coded.chunks(piece) {
                prop_assert!(!complete);
                let decoded = decoder.decode(piece, &mut body).unwrap();
                prop_assert_eq!(decoded.consumed, piece.len());
                complete = decoded.complete;
            }
            prop_assert!(complete);
            prop_assert_eq!(body, chunks.concat());
        }

        #[test]
        fn arbitrary_bytes_never_yield_more_than_they_are(input in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut body = Vec::new();
            if let Ok(decoded) = ChunkedDecoder::new(1000).decode(&input, &mut body) {
                prop_assert!(decoded.consumed <= input.len());
                prop_assert!(decoded.complete || decoded.consumed == input.len());
            }
            prop_assert!(body.len() <= input.len());
        }
    }
}
