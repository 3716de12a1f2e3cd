//! One complete request.

use super::{
    headers::HeaderFields,
    method::Method,
    request_id::RequestId,
    target::{Target, TargetError},
};

/// The version a request was sent in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: the connection closes after the answer unless the client asks otherwise.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
}

/// A request with its whole body. It is reused for the next request of its connection.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The head as it was sent, then the body with transfer coding removed.
    pub(crate) bytes: Vec<u8>,
    pub(crate) head_bytes: usize,
    pub(crate) method: Method,
    pub(crate) version: Version,
    pub(crate) target: Target,
    pub(crate) target_error: Option<TargetError>,
    pub(crate) headers: HeaderFields,
    pub(crate) keep_alive: bool,
    pub(crate) upgrade: bool,
    /// Its content coding has been undone.
    pub(crate) decoded: bool,
    pub(crate) id: RequestId,
}

impl Request {
    /// Its method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The version it was sent in.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Path and query.
    ///
    /// # Errors
    /// Percent-encoding that can't be decoded.
    pub fn target(&self) -> Result<&Target, TargetError> {
        self.target_error.map_or(Ok(&self.target), Err)
    }

    /// The value of the first query parameter of that name.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.target.query(name)
    }

    /// The query parameters in order, decoded.
    pub fn query_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.target.query_pairs()
    }

    /// The first header field of that name, in any case; `None` also if its value is not UTF-8.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.first(self.head(), name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The header fields in order. Values may be any bytes but control characters.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter(self.head())
    }

    /// The values of the header fields of that name, in any case and in order.
    pub fn headers_named(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.headers.named(self.head(), name)
    }

    /// The media type of the body, as given.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.header("content-type")
    }

    /// The body, transfer coding removed; empty if there was none.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.bytes.get(self.head_bytes..).unwrap_or_default()
    }

    /// Whether the body is as it was before its content coding: it had none, or that was undone.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let coding = self.header("content-encoding");
        self.decoded || coding.is_none_or(|coding| coding.eq_ignore_ascii_case("identity"))
    }

    /// Whether the body is in the gzip coding, once.
    #[must_use]
    pub fn is_gzipped(&self) -> bool {
        let mut codings = self.headers_named("content-encoding");
        let (coding, more) = (codings.next(), codings.next());
        let is_gzip = |value: &[u8]| [&b"gzip"[..], b"x-gzip"].iter().any(|name| value.eq_ignore_ascii_case(name));
        !self.decoded && more.is_none() && coding.is_some_and(is_gzip)
    }

    /// The same request as these bytes have it: its head, and its body without content coding.
    pub(crate) fn uncoded(&self, bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            head_bytes: self.head_bytes,
            method: self.method,
            version: self.version,
            target: self.target.clone(),
            target_error: self.target_error,
            headers: self.headers.clone(),
            keep_alive: self.keep_alive,
            upgrade: self.upgrade,
            decoded: true,
            id: self.id,
        }
    }

    /// How many bytes head and body have.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The id its answer carries.
    #[must_use]
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// Whether the client wants, and the framing allows, another request on this connection.
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// Whether the client offers to switch protocols (`Connection: upgrade`).
    #[must_use]
    pub fn wants_upgrade(&self) -> bool {
        self.upgrade
    }

    /// The head as it was sent.
    pub(crate) fn head(&self) -> &[u8] {
        self.bytes.get(..self.head_bytes).unwrap_or_default()
    }
}
