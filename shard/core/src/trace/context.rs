//! Where in which trace something happens: version 00 of the `traceparent` of the W3C's Trace Context.
//!
//! ```text
//! 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
//! version, trace, span, flags: lower-case hex
//! ```

use std::fmt;

use super::{EVENT_TRACEPARENT, TRACEPARENT};

/// The length of a `traceparent` of version 00.
const LENGTH: usize = 55;
/// The flag of a trace that is recorded.
const SAMPLED: u8 = 1;

/// Names a trace; not all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// Names a span of a trace; not all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

/// A span, as whatever follows from it knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: TraceId,
    span: SpanId,
    flags: u8,
}

impl TraceId {
    /// A trace by its bytes; none if they are all zero.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Option<Self> {
        (bytes != [0; 16]).then_some(Self(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl SpanId {
    /// A span by its bytes; none if they are all zero.
    #[must_use]
    pub fn new(bytes: [u8; 8]) -> Option<Self> {
        (bytes != [0; 8]).then_some(Self(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(self) -> [u8; 8] {
        self.0
    }
}

impl TraceContext {
    /// How many bytes name a trace and a span.
    pub const BYTES: usize = 24;

    /// A span of a trace that is recorded, or is not.
    #[must_use]
    pub const fn new(trace: TraceId, span: SpanId, is_sampled: bool) -> Self {
        Self { trace, span, flags: if is_sampled { SAMPLED } else { 0 } }
    }

    /// Reads a `traceparent`. One of a later version is read as far as it is known; whatever else it says is for others.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let fixed: &[u8; LENGTH] = bytes.first_chunk()?;
        let [version] = hex(fixed.get(..2)?)?;
        let is_longer = bytes.len() > LENGTH;
        let goes_on = version > 0 && bytes.get(LENGTH) == Some(&b'-');
        if version == u8::MAX || (is_longer && !goes_on) {
            return None;
        }
        if [2, 35, 52].iter().any(|&at| fixed.get(at) != Some(&b'-')) {
            return None;
        }
        let trace = TraceId::new(hex(fixed.get(3..35)?)?)?;
        let span = SpanId::new(hex(fixed.get(36..52)?)?)?;
        let [flags] = hex(fixed.get(53..)?)?;
        Some(Self { trace, span, flags: flags & SAMPLED })
    }

    /// The span of a recorded trace that [`Self::to_bytes`] has told of; none if bytes that may not be zero are.
    #[must_use]
    pub fn of_recorded(bytes: [u8; Self::BYTES]) -> Option<Self> {
        let (trace, span) = (TraceId::new(*bytes.first_chunk()?)?, SpanId::new(*bytes.last_chunk()?)?);
        Some(Self::new(trace, span, true))
    }

    /// Trace and span, one behind the other.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        for (place, byte) in bytes.iter_mut().zip(self.trace.0.iter().chain(&self.span.0)) {
            *place = *byte;
        }
        bytes
    }

    /// The trace.
    #[must_use]
    pub const fn trace(self) -> TraceId {
        self.trace
    }

    /// The span.
    #[must_use]
    pub const fn span(self) -> SpanId {
        self.span
    }

    /// Whether whoever began the trace has it recorded.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Another span of the same trace.
    #[must_use]
    pub const fn with_span(self, span: SpanId) -> Self {
        Self { span, ..self }
    }
}

/// As a `traceparent` says it.
impl fmt::Display for TraceContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "00-{:?}-{:?}-{:02x}", self.trace, self.span, self.flags)
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", u64::from_be_bytes(self.0))
    }
}

/// The trace that a message names among its attributes: that of whoever sent it, or else that of the event in it.
pub fn context_of<'a>(attributes: impl Iterator<Item = (&'a str, &'a str)>) -> Option<TraceContext> {
    let mut event = None;
    for (name, value) in attributes {
        match name {
            TRACEPARENT => return TraceContext::parse(value),
            EVENT_TRACEPARENT => event = TraceContext::parse(value),
            _ => {}
        }
    }
    event
}

/// The bytes that lower-case hex says.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for &digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            *byte = *byte << 4 | value;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_context_reads_back_what_it_says() {
        let context = TraceContext::parse(TEXT).unwrap();
        assert_eq!(context.to_string(), TEXT);
        assert!(context.is_sampled());
        assert_eq!(context.span().bytes(), [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]);
        let unsampled = TEXT.replace("-01", "-00");
        assert!(!TraceContext::parse(&unsampled).unwrap().is_sampled());
    }

    #[test]
    fn flags_that_are_not_known_are_not_passed_on() {
        assert_eq!(TraceContext::parse(&TEXT.replace("-01", "-ff")).unwrap().to_string(), TEXT);
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = TEXT.replacen("00", "cc", 1);
        assert_eq!(TraceContext::parse(&later).unwrap().to_string(), TEXT);
        assert_eq!(TraceContext::parse(&format!("{later}-what-the-future-holds")).unwrap().to_string(), TEXT);
        assert_eq!(TraceContext::parse(&format!("{later}.")), None);
    }

    #[test]
    fn what_the_standard_forbids_is_no_context() {
        for wrong in [
            String::new(),
            TEXT.to_uppercase(),
            format!("{TEXT}-00"),
            format!("{TEXT} "),
            TEXT.replacen("00", "ff", 1),
            TEXT.replacen('-', "_", 2),
            TEXT.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            TEXT.replace("b7ad6b7169203331", &"0".repeat(16)),
            TEXT.replace("b7ad6b7169203331", "b7ad6b716920333g"),
            TEXT.replace("-01", "-é"),
        ] {
            assert_eq!(TraceContext::parse(&wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_safe(text in "(?s).{0,70}|[0-9a-f-]{50,60}") {
            if let Some(context) = TraceContext::parse(&text) {
                prop_assert_eq!(TraceContext::parse(&context.to_string()), Some(context));
            }
        }

        #[test]
        fn any_context_reads_back(trace in any::<[u8; 16]>(), span in any::<[u8; 8]>(), is_sampled: bool) {
            if let (Some(trace), Some(span)) = (TraceId::new(trace), SpanId::new(span)) {
                let context = TraceContext::new(trace, span, is_sampled);
                prop_assert_eq!(TraceContext::parse(&context.to_string()), Some(context));
                let of_recorded = TraceContext::of_recorded(context.to_bytes());
                prop_assert_eq!(of_recorded, Some(TraceContext::new(trace, span, true)));
            }
        }
    }

    #[test]
    fn a_message_names_its_trace_before_that_of_its_event() {
        let other = TEXT.replace("0af7", "1af7");
        let [own, event] = [("traceparent", TEXT), ("ce-traceparent", other.as_str())];
        let named =
            |attributes: &[(&str, &str)]| context_of(attributes.iter().copied()).map(|context| context.to_string());
        assert_eq!(named(&[event, own]).as_deref(), Some(TEXT));
        assert_eq!(named(&[("a", TEXT), event]).as_deref(), Some(other.as_str()));
        assert_eq!(named(&[event, ("traceparent", "not one")]), None, "what it says itself counts");
        assert_eq!(named(&[]), None);
    }

    #[test]
    fn bytes_of_nothing_are_no_context() {
        assert_eq!(TraceContext::of_recorded([0; TraceContext::BYTES]), None);
        let mut bytes = [1; TraceContext::BYTES];
        bytes[16..].fill(0);
        assert_eq!(TraceContext::of_recorded(bytes), None, "a trace without a span");
    }
}
