//! One response, and its bytes.

use std::borrow::Cow;

use gateway_api::Code;

use super::{
    answer_stream::{AnswerStream, BodyStream},
    cors::Grant,
    request::Version,
    request_id::RequestId,
};

/// The media type of plain JSON.
pub const JSON: &str = "application/json";
/// The media type of RFC 9457 problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// An answer with its whole body, or with what makes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    status: u16,
    content_type: Option<Cow<'static, str>>,
    headers: Vec<(&'static str, Cow<'static, str>)>,
    body: Vec<u8>,
    stream: Option<BodyStream>,
    close: bool,
    failure: Option<Code>,
    subject: Option<String>,
}

/// What the connection adds to a response when it is written.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The id of the request that is answered.
    pub request_id: RequestId,
    /// The time now as an IMF-fixdate; left out when empty.
    pub date: &'a str,
    /// Whether this is the last answer on the connection.
    pub last: bool,
    /// What the client speaks: HTTP/1.0 must be told that the connection stays open, and knows no chunks.
    pub version: Version,
    /// Whether the body is left out: an answer to HEAD.
    pub head_only: bool,
    /// For the page that asked, if it may read the answer.
    pub grant: Option<Grant<'a>>,
}

impl Response {
    /// An answer without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            content_type: None,
            headers: Vec::new(),
            body: Vec::new(),
            stream: None,
            close: false,
            failure: None,
            subject: None,
        }
    }

    /// An answer with a body of that media type.
    #[must_use]
    pub fn new(status: u16, content_type: impl Into<Cow<'static, str>>, body: Vec<u8>) -> Self {
        Self { content_type: Some(content_type.into()), body, ..Self::empty(status) }
    }

    /// An answer whose body is JSON.
    #[must_use]
    pub fn json(status: u16, body: Vec<u8>) -> Self {
        Self::new(status, JSON, body)
    }

    /// An answer whose body is made while it is sent.
    #[must_use]
    pub fn streaming(content_type: &'static str, stream: impl AnswerStream + 'static) -> Self {
        Self { content_type: Some(content_type.into()), stream: Some(BodyStream::new(stream)), ..Self::empty(200) }
    }

    /// Adds a header field; control characters in its value are left out when it is written.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Makes it the last answer on its connection.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    /// Notes what kind of failure it tells of, for the counts; the bytes stay the same.
    #[must_use]
    pub fn failing(mut self, code: Code) -> Self {
        self.failure = Some(code);
        self
    }

    /// What kind of failure it tells of.
    #[must_use]
    pub fn failure(&self) -> Option<Code> {
        self.failure
    }

    /// Notes what it is about where the path does not say, for the audit log; the bytes stay the same.
    #[must_use]
    pub fn concerning(mut self, subject: String) -> Self {
        self.subject = Some(subject);
        self
    }

    /// What it is about, where the path does not say.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of the first header field of that name added by [`Response::with_header`].
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(candidate, _)| candidate.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_ref())
    }

    /// The media type of the body.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether its body is made while it is sent.
    #[must_use]
    pub fn is_streaming(&self) -> bool {
        self.stream.is_some()
    }

    /// What makes its body, once.
    pub fn take_stream(&mut self) -> Option<BodyStream> {
        self.stream.take()
    }

    /// Whether the connection closes behind it.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.close
    }

    /// Appends status line and header section to `out`. The body, which may be large, is the caller's to write.
    pub fn encode_head(&self, out: &mut Vec<u8>, envelope: &Envelope<'_>) {
        out.extend_from_slice(b"HTTP/1.1 ");
        push_number(out, usize::from(self.status));
        out.push(b' ');
        out.extend_from_slice(reason_phrase(self.status).as_bytes());
        push_field(out, "pubsub-request-id", envelope.request_id.as_str());
        if !envelope.date.is_empty() {
            push_field(out, "date", envelope.date);
        }
        if let Some(content_type) = &self.content_type {
            push_field(out, "content-type", content_type);
        }
        for (name, value) in &self.headers {
            push_field(out, name, value);
        }
        if let Some(grant) = &envelope.grant {
            for (name, value) in grant.fields(self.header("allow")) {
                push_field(out, name, &value);
            }
        }
        if self.is_streaming() {
            // Before 1.1, the end of the connection ends it.
            if envelope.version == Version::Http11 {
                push_field(out, "transfer-encoding", "chunked");
            }
        } else if self.has_content() {
            out.extend_from_slice(b"\r\ncontent-length: ");
            push_number(out, self.body.len());
        }
        if envelope.last {
            push_field(out, "connection", "close");
        } else if envelope.version == Version::Http10 {
            push_field(out, "connection", "keep-alive");
        }
        out.extend_from_slice(b"\r\n\r\n");
    }

    /// Appends the whole response to `out`.
    pub fn encode(&self, out: &mut Vec<u8>, envelope: &Envelope<'_>) {
        self.encode_head(out, envelope);
        if !envelope.head_only && self.has_content() {
            out.extend_from_slice(&self.body);
        }
    }

    /// Whether an answer of this status may have content (RFC 9110 §6.4.1).
    #[must_use]
    pub fn has_content(&self) -> bool {
        !matches!(self.status, 100..=199 | 204 | 304)
    }
}

/// The reason phrase of a status code.
#[must_use]
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "Status",
    }
}

/// Ends the line before and starts the line of a field. A control character in a value could start a line of its own.
fn push_field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend(value.bytes().filter(|byte| !byte.is_ascii_control()));
}

fn push_number(out: &mut Vec<u8>, number: usize) {
    if number >= 10 {
        push_number(out, number / 10);
    }
    out.push(b'0' + u8::try_from(number % 10).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};

    use super::*;
    use crate::http::answer_stream::Piece;

    fn envelope() -> Envelope<'static> {
        let (request_id, version) = (RequestId::default(), Version::Http11);
        Envelope { request_id, date: "", last: false, version, head_only: false, grant: None }
    }

    fn encoded(response: &Response, envelope: &Envelope<'_>) -> String {
        let mut out = Vec::new();
        response.encode(&mut out, envelope);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn response_bytes_are_exact() {
        let response = Response::json(200, b"{}".to_vec()).with_header("etag", "\"7\"");
        let envelope = Envelope { date: "Sun, 06 Nov 1994 08:49:37 GMT", ..envelope() };
        let expected = "HTTP/1.1 200 OK\r\npubsub-request-id: 000000000000000000000000\r\n\
            date: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-type: application/json\r\netag: \"7\"\r\n\
            content-length: 2\r\n\r\n{}";
        assert_eq!(encoded(&response, &envelope), expected);
    }

    #[test]
    fn head_answers_state_the_length_and_leave_the_body_out() {
        let text = encoded(&Response::json(200, vec![b' '; 1234]), &Envelope { head_only: true, ..envelope() });
        assert!(text.contains("content-length: 1234\r\n"));
        assert!(text.ends_with("\r\n\r\n"));
    }

    #[test]
    fn a_stream_is_chunked_or_ended_by_the_connection() {
        struct Nothing;
        impl AnswerStream for Nothing {
            fn poll_piece(&mut self, _: &mut Context<'_>, _: &mut Vec<u8>) -> Poll<Piece> {
                Poll::Ready(Piece::Last)
            }
            fn stop(&mut self) {}
        }
        let response = Response::streaming("text/event-stream", Nothing);
        let text = encoded(&response, &envelope());
        assert!(text.contains("transfer-encoding: chunked\r\n") && !text.contains("content-length"), "{text}");
        let text = encoded(&response, &Envelope { last: true, version: Version::Http10, ..envelope() });
        assert!(!text.contains("transfer-encoding") && text.contains("connection: close\r\n"), "{text}");
    }

    #[test]
    fn no_content_has_no_length() {
        assert!(!encoded(&Response::empty(204), &envelope()).contains("content-length"));
        assert!(encoded(&Response::empty(200), &envelope()).contains("content-length: 0\r\n"));
    }

    #[test]
    fn a_header_value_cannot_start_a_line() {
        let text = encoded(&Response::empty(200).with_header("x", "a\r\nset-cookie: b"), &envelope());
        assert!(text.contains("x: aset-cookie: b\r\n"));
    }

    #[test]
    fn the_last_answer_says_so() {
        let text = encoded(&Response::empty(200), &Envelope { last: true, version: Version::Http10, ..envelope() });
        assert!(text.contains("connection: close\r\n"));
        assert!(!text.contains("keep-alive"));
    }

    #[test]
    fn keep_alive_is_announced_to_http_1_0() {
        let text = encoded(&Response::empty(200), &Envelope { version: Version::Http10, ..envelope() });
        assert!(text.contains("connection: keep-alive\r\n"));
    }
}
