//! Which pages may read answers: the CORS protocol of the Fetch standard, without I/O.

use std::borrow::Cow;

use super::{chunked::is_token, headers::list_members, method::Method, request::Request};

/// The header fields of answers that a page may read, beside those it always may.
const EXPOSED: &str = "Pubsub-Request-Id, ETag, Retry-After, RateLimit, RateLimit-Policy, Pubsub-Next-Offset, \
                       Pubsub-Next-Cursor, Pubsub-High-Watermark";
/// The header fields that a page may send.
const ALLOWED: &str = "Authorization, Content-Type, Content-Encoding, If-Match, If-None-Match, Idempotency-Key, \
                       Last-Event-ID, Pubsub-Producer-Id, Pubsub-Producer-Epoch, Pubsub-Producer-Seq, Accept";
/// How those begin whose names a publisher chooses.
const ALLOWED_PREFIXES: [&str; 2] = ["pubsub-attr-", "ce-"];
/// For how many seconds a browser need not ask again.
const MAX_AGE_SECONDS: &str = "600";

/// What an answer says to a page of an origin that is let in.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'r> {
    origin: &'r str,
    /// Of a browser that asks what it may send: the header fields it wants to.
    requested: Option<&'r str>,
}

impl<'r> Grant<'r> {
    /// For a page's request; `None` if it is no page's, or that of a page that is not let in.
    #[must_use]
    pub fn of(request: &'r Request, allowed: &[String]) -> Option<Self> {
        let origin = allowed_origin(request, allowed)?;
        let is_preflight =
            request.method() == Method::Options && request.header("access-control-request-method").is_some();
        let requested = || request.header("access-control-request-headers").unwrap_or_default();
        Some(Self { origin, requested: is_preflight.then(requested) })
    }

    /// The header fields that say so; `allow` are the methods of the path, where the answer names them.
    pub(super) fn fields(&self, allow: Option<&'r str>) -> Vec<(&'static str, Cow<'r, str>)> {
        let mut fields =
            vec![("access-control-allow-origin", Cow::Borrowed(self.origin)), ("vary", Cow::Borrowed("Origin"))];
        match (self.requested, allow) {
            (Some(requested), Some(allow)) => fields.extend([
                ("access-control-allow-methods", Cow::Borrowed(allow)),
                ("access-control-allow-headers", Cow::Owned(allowed_headers(requested))),
                ("access-control-max-age", Cow::Borrowed(MAX_AGE_SECONDS)),
            ]),
            (Some(_) | None, _) => fields.push(("access-control-expose-headers", Cow::Borrowed(EXPOSED))),
        }
        fields
    }
}

/// The origin of the page that a request comes from, if it is the node's own or a listed one: any other may be a page that
/// the user merely looked at.
#[must_use]
pub fn allowed_origin<'r>(request: &'r Request, allowed: &[String]) -> Option<&'r str> {
    let mut origins = request.headers_named("origin");
    let (Some(origin), None) = (origins.next(), origins.next()) else { return None };
    let origin = std::str::from_utf8(origin).ok()?;
    let host = request.header("host").unwrap_or_default();
    let is_own = match origin.split_once("://") {
        Some(("http", authority)) => same_host(authority, host, ":80"),
        Some(("https", authority)) => same_host(authority, host, ":443"),
        _ => false,
    };
    (is_own || allowed.iter().any(|candidate| candidate.eq_ignore_ascii_case(origin))).then_some(origin)
}

/// Whether two authorities are the same where a missing port means `port`.
fn same_host(left: &str, right: &str, port: &str) -> bool {
    let bare = |authority: &str| authority.strip_suffix(port).unwrap_or(authority).to_ascii_lowercase();
    !left.is_empty() && bare(left) == bare(right)
}

/// The header fields a page may send, with those among the requested whose names a publisher chooses.
fn allowed_headers(requested: &str) -> String {
    let mut allowed = ALLOWED.to_owned();
    for name in list_members(requested).filter(|name| name.bytes().all(is_token)) {
        let begins_with =
            |prefix: &&str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        if ALLOWED_PREFIXES.iter().any(begins_with) {
            allowed.extend([", ", name]);
        }
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::request;

    fn fields(method: &str, headers: &str, allow: Option<&str>) -> Option<Vec<String>> {
        let text = format!("{method} /v1/topics/t HTTP/1.1\r\nhost: node:8081\r\n{headers}\r\n\r\n");
        let request = request(text.as_bytes());
        let grant = Grant::of(&request, &["https://app.example".to_owned()]);
        let text = |(name, value): &(&str, Cow<'_, str>)| format!("{name}: {value}");
        grant.map(|grant| grant.fields(allow).iter().map(text).collect())
    }

    #[test]
    fn a_page_that_is_let_in_reads_the_answer() {
        for origin in ["https://app.example", "HTTPS://APP.EXAMPLE", "http://node:8081"] {
            let fields = fields("GET", &format!("origin: {origin}"), None).unwrap();
            assert_eq!(fields[0], format!("access-control-allow-origin: {origin}"));
            assert_eq!(fields[1], "vary: Origin");
            assert!(fields[2].starts_with("access-control-expose-headers: Pubsub-Request-Id, ETag"), "{fields:?}");
        }
    }

    #[test]
    fn other_pages_and_other_clients_are_told_nothing() {
        for headers in [
            "x: y",
            "origin: null",
            "origin: https://app.example.evil",
            "origin: http://app.example",
            "origin: https://app.example\r\norigin: https://app.example",
        ] {
            assert_eq!(fields("GET", headers, Some("GET")), None, "{headers}");
        }
    }

    #[test]
    fn a_browser_that_asks_first_is_told_what_it_may_send() {
        let headers = "origin: https://app.example\r\naccess-control-request-method: PUT\r\n\
            access-control-request-headers: Pubsub-Attr-Colour, ce-id, x-other, ce-a b, authorization";
        let fields = fields("OPTIONS", headers, Some("GET, PUT")).unwrap();
        assert_eq!(fields[2], "access-control-allow-methods: GET, PUT");
        assert_eq!(fields[3], format!("access-control-allow-headers: {ALLOWED}, Pubsub-Attr-Colour, ce-id"));
        assert_eq!(fields[4..], ["access-control-max-age: 600"]);
    }

    #[test]
    fn options_alone_and_unknown_paths_grant_no_methods() {
        let origin = "origin: https://app.example";
        let preflight = format!("{origin}\r\naccess-control-request-method: PUT");
        for (headers, allow) in [(origin, Some("GET")), (preflight.as_str(), None)] {
            let fields = fields("OPTIONS", headers, allow).unwrap();
            assert!(fields.iter().all(|field| !field.contains("allow-methods")), "{fields:?}");
        }
    }
}
