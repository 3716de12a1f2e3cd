//! From a growing buffer to requests, in whatever pieces the bytes arrive.

use memchr::memchr;

use super::{
    chunked::{ChunkedDecoder, is_token},
    framing::Framing,
    head::read_head,
    refusal::{Refusal, malformed},
    request::Request,
};
use crate::{
    config::GatewayConfig,
    limits::{EMPTY_LINES_MAX, REQUEST_TARGET_BYTES_MAX},
};

/// Finds the requests in the bytes of one connection. The work it does is linear in the bytes it is given.
#[derive(Debug)]
pub struct RequestParser {
    head_bytes_max: usize,
    body_bytes_max: usize,
    inbound: Vec<u8>,
    /// Where the unread part of `inbound` begins.
    start: usize,
    phase: Phase,
    /// The client waits for `100 Continue` and was not told yet.
    continue_due: bool,
    /// Says of a head whether the body behind it is taken while it arrives.
    is_streamed: fn(&Request) -> bool,
}

/// How far the request at hand has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More bytes are needed.
    NeedMore(Need),
    /// The client waits for `100 Continue` before it sends the body; said once, then call again.
    Continue,
    /// The head is there, and the body is to be taken by [`RequestParser::take_piece`] while it arrives.
    Streamed,
    /// The request is whole; the next call begins with the one after it.
    Complete,
    /// The bytes are no request that is taken here; the parser is then of no use.
    Refused(Refusal),
}

/// What more bytes are needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing of a request is there.
    Request,
    /// A part of a head is there.
    Head,
    /// The head is there and a part of the body is missing.
    Body,
}

#[derive(Debug)]
enum Phase {
    /// Lines of the head up to `scanned` bytes behind the start were looked at; the last of them begins at `line`.
    Head {
        scanned: usize,
        line: usize,
        empty_lines: usize,
    },
    /// The body has so many bytes left.
    Fixed {
        remaining: usize,
    },
    Chunked(ChunkedDecoder),
}

const NEXT_HEAD: Phase = Phase::Head { scanned: 0, line: 0, empty_lines: 0 };

impl RequestParser {
    /// A parser for a new connection.
    #[must_use]
    pub fn new(config: &GatewayConfig) -> Self {
        Self {
            head_bytes_max: config.request_head_bytes_max,
            body_bytes_max: config.body_bytes_max,
            inbound: Vec::new(),
            start: 0,
            phase: NEXT_HEAD,
            continue_due: false,
            is_streamed: |_| false,
        }
    }

    /// The same for a connection that takes some bodies while they arrive: those of the heads that `is_streamed` says.
    #[must_use]
    pub fn streaming(mut self, is_streamed: fn(&Request) -> bool) -> Self {
        self.is_streamed = is_streamed;
        self
    }

    /// The buffer to which received bytes are appended.
    pub fn inbound_mut(&mut self) -> &mut Vec<u8> {
        if self.start > 0 {
            self.inbound.drain(..self.start);
            self.start = 0;
        }
        &mut self.inbound
    }

    /// Reads on; `request` is whole once the answer is [`Progress::Complete`], and must be given again until then.
    pub fn advance(&mut self, request: &mut Request) -> Progress {
        let progress = self.try_advance(request).unwrap_or_else(Progress::Refused);
        if self.start == self.inbound.len() {
            self.inbound.clear();
            self.start = 0;
        }
        progress
    }

    /// Appends to `into` what has arrived of a body that is taken while it arrives; true once that was all of it.
    ///
    /// # Errors
    /// The bytes are no body; the parser is then of no use.
    pub fn take_piece(&mut self, into: &mut Vec<u8>) -> Result<bool, Refusal> {
        let is_whole = self.take_body(into)?;
        if is_whole {
            self.phase = NEXT_HEAD;
        }
        Ok(is_whole)
    }

    /// Whether the body of a request is missing in part.
    #[must_use]
    pub fn is_within_body(&self) -> bool {
        !matches!(self.phase, Phase::Head { .. })
    }

    /// Whether the client waits for `100 Continue`; it is then to be told, and will not be waiting any more.
    pub fn take_continue(&mut self) -> bool {
        // A client that did not wait needs no permission (RFC 9110 §10.1.1).
        std::mem::take(&mut self.continue_due) && self.unread_bytes() == 0
    }

    /// The bytes behind the last complete request, for the protocol the connection switches to.
    #[must_use]
    pub fn into_unread(mut self) -> Vec<u8> {
        self.inbound.drain(..self.start);
        self.inbound
    }

    /// How many bytes are waiting behind the last complete request.
    #[must_use]
    pub fn unread_bytes(&self) -> usize {
        self.inbound.len() - self.start
    }

    fn try_advance(&mut self, request: &mut Request) -> Result<Progress, Refusal> {
        if matches!(self.phase, Phase::Head { .. }) {
            match self.find_head_end()? {
                Some(end) => {
                    self.take_head(end, request)?;
                    if (self.is_streamed)(request) {
                        return Ok(Progress::Streamed);
                    }
                }
                None if self.unread_bytes() == 0 => return Ok(Progress::NeedMore(Need::Request)),
                None => return Ok(Progress::NeedMore(Need::Head)),
            }
        }
        if self.take_continue() {
            return Ok(Progress::Continue);
        }
        if self.take_body(&mut request.bytes)? {
            self.phase = NEXT_HEAD;
            return Ok(Progress::Complete);
        }
        Ok(Progress::NeedMore(Need::Body))
    }

    /// Looks for the empty line that ends the head; returns where the head ends, counted from `start`.
    fn find_head_end(&mut self) -> Result<Option<usize>, Refusal> {
        let Phase::Head { mut scanned, mut line, mut empty_lines } = self.phase else { return Ok(None) };
        loop {
            let unread = self.inbound.get(self.start..).unwrap_or_default();
            check_first_byte(unread)?;
            let Some(feed) = memchr(b'\n', unread.get(scanned..).unwrap_or_default()) else {
                self.check_head_size(unread.len(), line)?;
                self.phase = Phase::Head { scanned: unread.len(), line, empty_lines };
                return Ok(None);
            };
            let end = scanned + feed + 1;
            self.check_head_size(end, line)?;
            if end < line + 2 || unread.get(end - 2) != Some(&b'\r') {
                return Err(malformed("a line ends in LF without CR"));
            }
            let is_empty = end == line + 2;
            if is_empty && line > 0 {
                return Ok(Some(end));
            }
            (scanned, line) = (end, end);
            if is_empty {
                empty_lines += 1;
                if empty_lines > EMPTY_LINES_MAX {
                    return Err(malformed("empty lines where a request is due"));
                }
                self.start += end;
                (scanned, line) = (0, 0);
            }
        }
    }

    /// Refuses a head of `bytes` so far whose current line begins at `line`: the first line is the target's.
    fn check_head_size(&self, bytes: usize, line: usize) -> Result<(), Refusal> {
        // The longest method and version, generously: what is left is target.
        const REQUEST_LINE_REST: usize = 64;
        if line == 0 && bytes > REQUEST_TARGET_BYTES_MAX.min(self.head_bytes_max) + REQUEST_LINE_REST {
            return Err(Refusal::TargetTooLong { limit: REQUEST_TARGET_BYTES_MAX });
        }
        if bytes > self.head_bytes_max {
            return Err(Refusal::HeadTooLarge { limit: self.head_bytes_max });
        }
        Ok(())
    }

    fn take_head(&mut self, end: usize, request: &mut Request) -> Result<(), Refusal> {
        let head = self.inbound.get(self.start..self.start + end).unwrap_or_default();
        let outcome = read_head(head, request)?;
        self.start += end;
        // Of a body that is taken while it arrives, only a part is ever held.
        let body_bytes_max = if (self.is_streamed)(request) { usize::MAX } else { self.body_bytes_max };
        self.phase = match outcome.framing {
            Framing::Chunked => Phase::Chunked(ChunkedDecoder::new(body_bytes_max)),
            Framing::Fixed(length) => match usize::try_from(length) {
                Ok(remaining) if remaining <= body_bytes_max => Phase::Fixed { remaining },
                _ => return Err(Refusal::BodyTooLarge { limit: body_bytes_max }),
            },
        };
        self.continue_due = outcome.expects_continue && !matches!(self.phase, Phase::Fixed { remaining: 0 });
        Ok(())
    }

    /// Moves what has arrived of the body; true once it is whole.
    fn take_body(&mut self, into: &mut Vec<u8>) -> Result<bool, Refusal> {
        let unread = self.inbound.get(self.start..).unwrap_or_default();
        match &mut self.phase {
            Phase::Head { .. } => Ok(false),
            Phase::Fixed { remaining } => {
                let arrived = unread.get(..*remaining).unwrap_or(unread);
                into.extend_from_slice(arrived);
                self.start += arrived.len();
                *remaining -= arrived.len();
                Ok(*remaining == 0)
            }
            Phase::Chunked(decoder) => {
                let outcome = decoder.decode(unread, into)?;
                self.start += outcome.consumed;
                Ok(outcome.complete)
            }
        }
    }
}

/// What can't begin a method is no HTTP: a TLS hello, say, which would otherwise be waited for until the deadline.
fn check_first_byte(unread: &[u8]) -> Result<(), Refusal> {
    match unread.first() {
        Some(byte) if !is_token(*byte) && !b"\r\n".contains(byte) => Err(malformed("this is not HTTP")),
        _ => Ok(()),
    }
}
