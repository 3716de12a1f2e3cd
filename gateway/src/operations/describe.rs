//! `GET /openapi.json`, `/asyncapi.json`, `/docs` and what the page needs: what the node says of itself.

use gateway_api::Code;

use super::preconditions;
use crate::{
    call::Call,
    describe::{self, Document},
    error::{self, Failure},
    http::{request::Request, response::Response},
};

/// The page runs its own script and speaks with this node; no other page may frame it.
const POLICY: &str = "default-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn openapi(call: Call<'_>) -> Response {
    document(call.request, describe::openapi())
}

pub(super) fn asyncapi(call: Call<'_>) -> Response {
    document(call.request, describe::asyncapi())
}

pub(super) fn home() -> Response {
    Response::empty(302).with_header("location", "/docs")
}

/// A file of the page, or the page itself.
pub(super) fn docs(call: Call<'_>) -> Result<Response, Failure> {
    let missing = || error::of_code(Code::NotFound, "the page has no such file");
    let file = describe::page_file(call.route.item).ok_or_else(missing)?;
    let answer = document(call.request, file);
    Ok(answer.with_header("content-security-policy", POLICY).with_header("referrer-policy", "no-referrer"))
}

fn document(request: &Request, document: &'static Document) -> Response {
    let whole = || {
        let answer = Response::new(200, document.content_type(), document.body().to_vec());
        answer.with_header("etag", document.etag())
    };
    let answer = preconditions::not_modified(request, document.etag()).unwrap_or_else(whole);
    // Kept by clients, but not used without asking: a newer node may say something else.
    answer.with_header("cache-control", "no-cache").with_header("x-content-type-options", "nosniff")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::request;

    #[test]
    fn who_has_the_description_is_not_sent_it_again() {
        let etag = describe::openapi().etag();
        for tags in [etag.to_owned(), format!("W/{etag}"), format!("\"a\", {etag}"), "*".to_owned()] {
            let asked = request(format!("GET / HTTP/1.1\r\nhost: a\r\nif-none-match: {tags}\r\n\r\n").as_bytes());
            let answer = document(&asked, describe::openapi());
            assert_eq!((answer.status(), answer.header("etag")), (304, Some(etag)), "{tags}");
        }
        let asked = request(b"GET / HTTP/1.1\r\nhost: a\r\nif-none-match: \"a\"\r\n\r\n");
        assert_eq!(document(&asked, describe::openapi()).status(), 200);
    }
}
