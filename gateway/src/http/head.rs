//! A complete request head: httparse reads the grammar, we hold what it leaves open.

use std::mem::MaybeUninit;

use super::{
    framing::{Framing, FramingFields, is_authority},
    method::Method,
    refusal::{Refusal, malformed},
    request::{Request, Version},
};
use crate::limits::{REQUEST_HEADERS_MAX, REQUEST_TARGET_BYTES_MAX};

/// What the connection must know about a head beside the request itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeadOutcome {
    /// What follows it.
    pub(super) framing: Framing,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(super) expects_continue: bool,
}

/// Reads `head`, which ends with its empty line, into `request`; all lines end in CRLF.
pub(super) fn read_head(head: &[u8], request: &mut Request) -> Result<HeadOutcome, Refusal> {
    let mut uninitialised = [MaybeUninit::uninit(); REQUEST_HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(head, &mut uninitialised) {
        Ok(httparse::Status::Complete(bytes)) if bytes == head.len() => {}
        Ok(httparse::Status::Complete(_) | httparse::Status::Partial) => {
            return Err(malformed("the head does not end where its empty line is"));
        }
        Err(error) => return Err(refusal_of(error, head)),
    }
    if parsed.method == Some("CONNECT") {
        // Others take what follows for the bytes of a tunnel, whatever the target is.
        return Err(malformed("nothing is tunnelled here"));
    }
    request.bytes.clear();
    request.bytes.extend_from_slice(head);
    request.head_bytes = head.len();
    request.decoded = false;
    request.method = Method::from_token(parsed.method.unwrap_or_default());
    request.version = if parsed.version == Some(0) { Version::Http10 } else { Version::Http11 };
    read_target(parsed.path.unwrap_or_default(), request)?;

    let mut fields = FramingFields::default();
    request.headers.clear();
    for header in parsed.headers.iter() {
        fields.observe(header.name, header.value)?;
        let (name, value) = (position(head, header.name.as_bytes()), position(head, header.value));
        request.headers.push(name..name + header.name.len(), value..value + header.value.len());
    }
    let framing = fields.framing(request.version)?;
    request.keep_alive = fields.persists(request.version);
    request.upgrade = fields.offers_upgrade();
    Ok(HeadOutcome { framing, expects_continue: fields.expects_continue && request.version == Version::Http11 })
}

/// Where `part`, a slice of `head`, begins in it.
fn position(head: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr().saturating_sub(head.as_ptr().addr())
}

fn refusal_of(error: httparse::Error, head: &[u8]) -> Refusal {
    match error {
        httparse::Error::TooManyHeaders => Refusal::TooManyHeaders { limit: REQUEST_HEADERS_MAX },
        httparse::Error::Version if names_http_version(head) => Refusal::UnsupportedVersion,
        httparse::Error::Version => malformed("the request line does not end in a version"),
        httparse::Error::HeaderName => malformed("a header field's name"),
        httparse::Error::HeaderValue => malformed("a header field's value"),
        httparse::Error::NewLine => malformed("a line that does not end in CRLF"),
        httparse::Error::Token => malformed("the request line"),
        httparse::Error::Status => malformed("a status line where a request is due"),
    }
}

/// Whether the head would be a request line if it were not for its version of HTTP.
fn names_http_version(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ').skip(2);
    let (Some(version), None) = (words.next(), words.next()) else { return false };
    matches!(version.strip_prefix(b"HTTP/"), Some([major, b'.', minor]) if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// Takes origin form, absolute form and `*` (RFC 9112 §3.2).
fn read_target(text: &str, request: &mut Request) -> Result<(), Refusal> {
    if text.len() > REQUEST_TARGET_BYTES_MAX {
        return Err(Refusal::TargetTooLong { limit: REQUEST_TARGET_BYTES_MAX });
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err(malformed("the request target has characters that a URI has not"));
    }
    let origin_form = match text {
        "*" if request.method == Method::Options => text,
        _ if text.starts_with('/') => text,
        _ => behind_authority(text)?,
    };
    request.target_error = if origin_form.starts_with('?') {
        request.target.read(&format!("/{origin_form}")).err()
    } else {
        request.target.read(if origin_form.is_empty() { "/" } else { origin_form }).err()
    };
    Ok(())
}

/// What follows the authority of an absolute form.
fn behind_authority(text: &str) -> Result<&str, Refusal> {
    let refused = malformed("the request target is neither a path nor an http URI");
    let (scheme, rest) = text.split_once("://").ok_or(refused.clone())?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(refused);
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, origin_form) = rest.split_at(end);
    if authority.is_empty() || !is_authority(authority.as_bytes()) {
        return Err(malformed("the authority of the request target is not a host"));
    }
    Ok(origin_form)
}
