//! Bounds what a Redis server may send, before the parser sees it: a length in a reply is only a claim.
//!
//! The parser of the `redis` crate reserves memory for as many elements as an array claims to have, and buffers as many
//! bytes as a string claims to have. This looks at the same bytes first, keeps none of them, and stops at the first
//! claim that is too large. Only RESP2 is spoken, so the types of RESP3 are refused with everything else.

/// The most that one reply may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyLimits {
    /// All bytes of it.
    pub bytes_max: u64,
    /// Strings, numbers and arrays in it, all levels together.
    pub elements_max: u64,
    /// Arrays within arrays.
    pub depth_max: usize,
    /// The bytes of a line: a status, an error, a number, a length.
    pub line_bytes_max: usize,
}

/// Why a reply is not taken any further. The connection can't be used after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum UnboundedReply {
    #[error("a reply has more than {bytes_max} bytes")]
    Bytes { bytes_max: u64 },
    #[error("a reply has more than {elements_max} elements")]
    Elements { elements_max: u64 },
    #[error("a reply has arrays more than {depth_max} deep")]
    Depth { depth_max: usize },
    #[error("a line of a reply has more than {line_bytes_max} bytes")]
    Line { line_bytes_max: usize },
    #[error("a reply has the byte {byte:#04x} where {expected} should be")]
    Byte { byte: u8, expected: &'static str },
    #[error("a reply claims a length that is no number")]
    Length,
}

/// Follows a stream of replies.
#[derive(Clone, Debug)]
pub struct ReplyGuard {
    limits: ReplyLimits,
    state: State,
    /// Elements still to come in each array that is open, the innermost last.
    open: Vec<u64>,
    /// Bytes of the reply so far, those that were only claimed included.
    bytes: u64,
    /// Elements of the reply so far, those that were only claimed included.
    elements: u64,
    replies: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the first byte of an element.
    Type,
    /// In a line whose text does not matter here.
    Text { bytes: usize },
    /// In the line of a length.
    Length { of: Counted, digits: usize, negative: bool, value: u64 },
    /// Behind a carriage return that ends a line.
    LineEnd(AfterLine),
    /// In a string, so many bytes before its end.
    Payload { left: u64 },
    /// Behind a string.
    PayloadEnd { seen: u8 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    Bytes,
    Elements,
}

/// What the line feed of a line leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AfterLine {
    /// The element is whole.
    Whole,
    /// A string of so many bytes.
    Payload(u64),
    /// An array of so many elements, at least one.
    Array(u64),
}

impl ReplyGuard {
    /// A guard at the start of a connection.
    #[must_use]
    pub const fn new(limits: ReplyLimits) -> Self {
        Self { limits, state: State::Type, open: Vec::new(), bytes: 0, elements: 0, replies: 0 }
    }

    /// Looks at the next bytes of the stream, cut anywhere.
    ///
    /// # Errors
    /// Says which bound is broken; none of the bytes may then be used.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), UnboundedReply> {
        while let Some((&byte, rest)) = bytes.split_first() {
            if let State::Payload { left } = self.state {
                bytes = self.skip(left, bytes);
                continue;
            }
            self.count_bytes(1)?;
            self.state = self.step(byte)?;
            bytes = rest;
        }
        Ok(())
    }

    /// How many replies were whole so far.
    #[must_use]
    pub const fn replies(&self) -> u64 {
        self.replies
    }

    /// Passes over what is there of a string; its bytes were counted when it claimed them.
    fn skip<'a>(&mut self, left: u64, bytes: &'a [u8]) -> &'a [u8] {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - u64::try_from(here).unwrap_or(left);
        self.state = if left == 0 { State::PayloadEnd { seen: 0 } } else { State::Payload { left } };
        bytes.get(here..).unwrap_or_default()
    }

    fn step(&mut self, byte: u8) -> Result<State, UnboundedReply> {
        match self.state {
            State::Type => self.begin(byte),
            State::Text { bytes } if byte != b'\r' => {
                self.check_line(bytes)?;
                Ok(State::Text { bytes: bytes + 1 })
            }
            State::Text { .. } => Ok(State::LineEnd(AfterLine::Whole)),
            State::Length { of, digits: 1.., negative, value } if byte == b'\r' => self.end_length(of, negative, value),
            State::Length { of, digits, negative, value } => {
                if byte == b'-' && digits == 0 && !negative {
                    return Ok(State::Length { of, digits, negative: true, value });
                }
                if !byte.is_ascii_digit() {
                    return Err(UnboundedReply::Byte { byte, expected: "a digit" });
                }
                self.check_line(digits)?;
                let value = value.checked_mul(10).and_then(|value| value.checked_add(u64::from(byte - b'0')));
                Ok(State::Length { of, digits: digits + 1, negative, value: value.ok_or(UnboundedReply::Length)? })
            }
            State::LineEnd(_) | State::PayloadEnd { seen: 1 } if byte != b'\n' => {
                Err(UnboundedReply::Byte { byte, expected: "a line feed" })
            }
            State::LineEnd(AfterLine::Whole) | State::PayloadEnd { seen: 1 } => Ok(self.end_element()),
            State::LineEnd(AfterLine::Payload(0)) => Ok(State::PayloadEnd { seen: 0 }),
            // Bytes of a string are skipped over before a step is taken.
            State::LineEnd(AfterLine::Payload(left)) | State::Payload { left } => Ok(State::Payload { left }),
            State::LineEnd(AfterLine::Array(elements)) => {
                if self.open.len() == self.limits.depth_max {
                    return Err(UnboundedReply::Depth { depth_max: self.limits.depth_max });
                }
                self.open.push(elements);
                Ok(State::Type)
            }
            State::PayloadEnd { .. } if byte == b'\r' => Ok(State::PayloadEnd { seen: 1 }),
            State::PayloadEnd { .. } => Err(UnboundedReply::Byte { byte, expected: "a carriage return" }),
        }
    }

    fn begin(&mut self, byte: u8) -> Result<State, UnboundedReply> {
        // Those within an array were counted with it.
        if self.open.is_empty() {
            self.count_elements(1)?;
        }
        let length = |of| State::Length { of, digits: 0, negative: false, value: 0 };
        match byte {
            b'+' | b'-' | b':' => Ok(State::Text { bytes: 0 }),
            b'$' => Ok(length(Counted::Bytes)),
            b'*' => Ok(length(Counted::Elements)),
            byte => Err(UnboundedReply::Byte { byte, expected: "a RESP2 type" }),
        }
    }

    fn end_length(&mut self, of: Counted, negative: bool, value: u64) -> Result<State, UnboundedReply> {
        let after = match of {
            // Null, of either kind.
            _ if negative && value == 1 => AfterLine::Whole,
            _ if negative => return Err(UnboundedReply::Length),
            Counted::Bytes => {
                self.count_bytes(value)?;
                AfterLine::Payload(value)
            }
            Counted::Elements if value == 0 => AfterLine::Whole,
            Counted::Elements => {
                self.count_elements(value)?;
                AfterLine::Array(value)
            }
        };
        Ok(State::LineEnd(after))
    }

    /// Closes the element and every array whose last one it was.
    fn end_element(&mut self) -> State {
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return State::Type;
            }
            self.open.pop();
        }
        (self.bytes, self.elements) = (0, 0);
        self.replies = self.replies.wrapping_add(1);
        State::Type
    }

    fn count_bytes(&mut self, more: u64) -> Result<(), UnboundedReply> {
        let bytes_max = self.limits.bytes_max;
        self.bytes = self.bytes.saturating_add(more);
        if self.bytes > bytes_max { Err(UnboundedReply::Bytes { bytes_max }) } else { Ok(()) }
    }

    fn count_elements(&mut self, more: u64) -> Result<(), UnboundedReply> {
        let elements_max = self.limits.elements_max;
        self.elements = self.elements.saturating_add(more);
        if self.elements > elements_max { Err(UnboundedReply::Elements { elements_max }) } else { Ok(()) }
    }

    const fn check_line(&self, bytes: usize) -> Result<(), UnboundedReply> {
        let line_bytes_max = self.limits.line_bytes_max;
        if bytes < line_bytes_max { Ok(()) } else { Err(UnboundedReply::Line { line_bytes_max }) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: ReplyLimits = ReplyLimits { bytes_max: 1000, elements_max: 100, depth_max: 3, line_bytes_max: 40 };

    fn feed(bytes: &[u8]) -> Result<u64, UnboundedReply> {
        let mut guard = ReplyGuard::new(LIMITS);
        guard.feed(bytes)?;
        Ok(guard.replies())
    }

    #[test]
    fn replies_within_their_bounds_pass() {
        let replies =
            b"+OK\r\n-ERR no\r\n:-12\r\n$-1\r\n*-1\r\n*0\r\n$0\r\n\r\n$4\r\n\r\n*1\r\n*2\r\n*1\r\n$1\r\na\r\n:1\r\n";
        assert_eq!(feed(replies), Ok(9));
    }

    /// F51.
    #[test]
    fn a_claim_is_refused_before_what_it_claims_arrives() {
        assert_eq!(feed(b"$1099511627776\r"), Err(UnboundedReply::Bytes { bytes_max: 1000 }));
        assert_eq!(feed(b"*9223372036854775807\r"), Err(UnboundedReply::Elements { elements_max: 100 }));
        assert_eq!(feed(b"*99999999999999999999"), Err(UnboundedReply::Length));
        assert_eq!(feed(b"$-2\r"), Err(UnboundedReply::Length));
        assert_eq!(feed(b"*1\r\n*1\r\n*1\r\n*1\r\n"), Err(UnboundedReply::Depth { depth_max: 3 }));
        assert_eq!(feed(&[b'+'; 50]), Err(UnboundedReply::Line { line_bytes_max: 40 }));
        assert_eq!(
            feed(b"$00000000000000000000000000000000000000001"),
            Err(UnboundedReply::Line { line_bytes_max: 40 })
        );
    }

    #[test]
    fn many_small_claims_add_up() {
        assert_eq!(feed(b"*2\r\n$600\r\n"), Ok(0));
        let two = [b"*2\r\n$600\r\n".as_slice(), &[b'a'; 600], b"\r\n$600\r\n"].concat();
        assert_eq!(feed(&two), Err(UnboundedReply::Bytes { bytes_max: 1000 }));
        assert_eq!(feed(b"*2\r\n*60\r\n"), Ok(0));
        assert_eq!(feed(b"*2\r\n*99\r\n"), Err(UnboundedReply::Elements { elements_max: 100 }));
    }

    #[test]
    fn what_is_no_resp2_is_refused() {
        for bytes in [
            b"HTTP/1.1 400".as_slice(),
            b"%1\r\n",
            b">1\r\n",
            b"$a",
            b"$\r",
            b"$--1",
            b"+a\rb",
            b"$1\r\nab",
            b"$1\r\na\ra",
        ] {
            assert!(matches!(feed(bytes), Err(UnboundedReply::Byte { .. })), "{}", bytes.escape_ascii());
        }
    }

    #[derive(Clone, Debug)]
    enum Reply {
        Line(char, u16),
        Text(Vec<u8>),
        Null,
        Array(Vec<Reply>),
    }

    impl Reply {
        fn write(&self, out: &mut Vec<u8>) {
            match self {
                Self::Line(kind, number) => out.extend_from_slice(format!("{kind}{number}\r\n").as_bytes()),
                Self::Null => out.extend_from_slice(b"$-1\r\n"),
                Self::Text(text) => {
                    out.extend_from_slice(format!("${}\r\n", text.len()).as_bytes());
                    out.extend_from_slice(text);
                    out.extend_from_slice(b"\r\n");
                }
                Self::Array(replies) => {
                    out.extend_from_slice(format!("*{}\r\n", replies.len()).as_bytes());
                    for reply in replies {
                        reply.write(out);
                    }
                }
            }
        }
    }

    fn reply() -> impl Strategy<Value = Reply> {
        let leaf = prop_oneof![
            (prop_oneof![Just('+'), Just('-'), Just(':')], any::<u16>())
                .prop_map(|(kind, number)| Reply::Line(kind, number)),
            proptest::collection::vec(any::<u8>(), 0..20).prop_map(Reply::Text),
            Just(Reply::Null),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| proptest::collection::vec(inner, 0..4).prop_map(Reply::Array))
    }

    proptest! {
            #[test]
            fn every_reply_is_counted_however_the_stream_is_cut(
                replies in proptest::collection::vec(reply(), 0..10),
                piece in 1_usize..20,
            ) {
                let mut stream = Vec::new();
                for reply in &replies {
     reply.write(&mut stream);
    }
                let mut guard = ReplyGuard::new(LIMITS);
                for part in stream.chunks(piece) {
                    prop_assert_eq!(guard.feed(part), Ok(()));
                }
                prop_assert_eq!(guard.replies(), u64::try_from(replies.len()).unwrap());
                prop_assert_eq!(guard.state, State::Type);
            }

            /// F51.
            #[test]
            fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
                let _ = feed(&bytes);
            }

            #[test]
            fn bytes_that_look_like_resp_are_taken_or_refused(bytes in "[-+:$*0-9\r\n]{0,100}") {
                let _ = feed(bytes.as_bytes());
            }
        }
}
