//! One HTTP/1.1 keep-alive connection that sends requests as they are and reads answers with a known length.
//!
//! A general client builds a request and a response object for each call. Sending prepared bytes does about 1.3 times as
//! many small exchanges on a core (docs/performance.md), which matters to a generator that shares the server's machine.

use std::ops::Range;

use crate::server::Server;
use crate::targets::{TargetError, scan, wire::Wire};

const HEADERS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 32 << 10;

/// One connection.
#[derive(Debug)]
pub struct HttpConnection {
    wire: Wire,
    /// Length of the answer that was handed out last, to be dropped before the next.
    consumed: usize,
}

/// An answer, as long as the connection is left alone.
#[derive(Debug, PartialEq, Eq)]
pub struct HttpAnswer<'a> {
    /// The status code.
    pub status: u16,
    /// The whole body.
    pub body: &'a [u8],
}

impl HttpConnection {
    /// Connects.
    ///
    /// # Errors
    ///
    /// As [`Wire::connect`].
    pub async fn connect(server: &Server) -> Result<Self, TargetError> {
        Ok(Self { wire: Wire::connect(server).await?, consumed: 0 })
    }

    /// Sends one request, as it is.
    ///
    /// # Errors
    ///
    /// When the connection is lost.
    pub async fn send(&mut self, request: &[u8]) -> Result<(), TargetError> {
        self.wire.output().extend_from_slice(request);
        self.wire.flush().await
    }

    /// The answer to the request that was sent last. It may be dropped and called again until it has returned one.
    ///
    /// # Errors
    ///
    /// When the connection is lost, or the answer's length is not given as `Content-Length`.
    pub async fn receive(&mut self) -> Result<HttpAnswer<'_>, TargetError> {
        self.wire.consume(std::mem::take(&mut self.consumed));
        let mut needed = 1;
        let head = loop {
            if self.wire.input().len() >= needed
                && let Some(head) = parse(self.wire.input())?
            {
                if self.wire.input().len() >= head.body.end {
                    break head;
                }
                needed = head.body.end;
            }
            self.wire.fill().await?;
        };
        self.consumed = head.body.end;
        Ok(HttpAnswer { status: head.status, body: self.wire.piece(head.body) })
    }

    /// The connection once the head of a successful answer has come whose body is in chunks, from its first byte on.
    ///
    /// # Errors
    ///
    /// When the connection is lost or the answer is another.
    pub async fn into_chunks(mut self) -> Result<Wire, TargetError> {
        let head = loop {
            if let Some(head) = parse_head(self.wire.input())? {
                break head;
            }
            self.wire.fill().await?;
        };
        if head.chunked && head.status == 200 {
            self.wire.consume(head.bytes);
            return Ok(self.wire);
        }
        let answer = self.receive().await?;
        Err(TargetError::protocol(format!("the server does not stream: {}", answer.error_code())))
    }

    /// The connection for another protocol, after an answer with status 101.
    #[must_use]
    pub fn into_wire(mut self) -> Wire {
        self.wire.consume(self.consumed);
        self.wire
    }
}

impl HttpAnswer<'_> {
    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The error's code: the problem's own, else `http_` and the status.
    #[must_use]
    pub fn error_code(&self) -> String {
        scan::error_code(self.body).unwrap_or_else(|| format!("http_{}", self.status))
    }
}

/// The head of a request with a body.
#[must_use]
pub fn post_head(server: &Server, path: &str, content_type: &str, body_bytes: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\n{}Content-Type: {content_type}\r\nContent-Length: {body_bytes}\r\n\r\n",
        server.headers()
    )
}

struct AnswerHead {
    status: u16,
    body: Range<usize>,
}

/// A head, whatever body it announces.
struct Head {
    status: u16,
    bytes: usize,
    length: Option<usize>,
    chunked: bool,
}

/// `None` as long as the head is not complete.
fn parse(input: &[u8]) -> Result<Option<AnswerHead>, TargetError> {
    let Some(head) = parse_head(input)? else { return Ok(None) };
    let length = match (head.status, head.length) {
        (101 | 204 | 304, _) => 0,
        (_, Some(length)) => length,
        (_, None) => return Err(TargetError::protocol("a response without Content-Length")),
    };
    let end = head.bytes.checked_add(length).ok_or_else(|| TargetError::protocol("Content-Length out of range"))?;
    Ok(Some(AnswerHead { status: head.status, body: head.bytes..end }))
}

fn parse_head(input: &[u8]) -> Result<Option<Head>, TargetError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let bytes = match response.parse(input) {
        Ok(httparse::Status::Complete(bytes)) => bytes,
        Ok(httparse::Status::Partial) if input.len() <= HEAD_BYTES_MAX => return Ok(None),
        Ok(httparse::Status::Partial) => return Err(TargetError::protocol("an endless response head")),
        Err(error) => return Err(TargetError::protocol(format!("not an HTTP response: {error}"))),
    };
    let status = response.code.unwrap_or(0);
    let chunked = response.headers.iter().any(|header| {
        header.name.eq_ignore_ascii_case("transfer-encoding") && header.value.eq_ignore_ascii_case(b"chunked")
    });
    Ok(Some(Head { status, bytes, length: content_length(response.headers)?, chunked }))
}

fn content_length(headers: &[httparse::Header<'_>]) -> Result<Option<usize>, TargetError> {
    let Some(header) = headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length")) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(header.value).unwrap_or_default().trim();
    text.parse().map(Some).map_err(|_| TargetError::protocol(format!("Content-Length `{text}`")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

    #[test]
    fn an_answer_is_complete_with_its_last_byte() {
        for cut in 0..ANSWER.len() - 2 {
            assert!(parse(&ANSWER[..cut]).unwrap().is_none(), "{cut}");
        }
        let head = parse(ANSWER).unwrap().unwrap();
        assert_eq!((head.status, &ANSWER[head.body]), (200, &b"{}"[..]));
    }

    #[test]
    fn an_answer_without_a_length_is_refused() {
        assert!(parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n").is_err());
        assert!(parse(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().is_some());
    }

    #[test]
    fn an_error_is_named_by_its_problem_code() {
        let body = br#"{"type":"about:blank","code":"overloaded","retryable":true}"#;
        assert_eq!(HttpAnswer { status: 503, body }.error_code(), "overloaded");
        assert_eq!(HttpAnswer { status: 502, body: b"<html>" }.error_code(), "http_502");
    }

    proptest! {
        #[test]
        fn arbitrary_answers_do_not_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
