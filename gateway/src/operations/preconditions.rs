//! Entity tags: a resource's revision, and `If-Match` and `If-None-Match` on it (RFC 9110, sections 13.1.1 and 13.1.2).

use gateway_api::Code;

use crate::{
    error::{self, Failure},
    http::{headers::list_members, request::Request, response::Response},
};

/// The entity tag of a revision.
pub(super) fn etag(revision: u64) -> String {
    format!("\"{revision}\"")
}

/// The revision a change must find, if the client says; refused at once if it isn't `revision`, the one there is.
pub(super) fn expected_revision(request: &Request, revision: u64) -> Result<Option<u64>, Failure> {
    request.header("if-match").map_or(Ok(None), |tags| matched(tags, revision))
}

fn matched(tags: &str, revision: u64) -> Result<Option<u64>, Failure> {
    if tags.trim() == "*" {
        return Ok(None);
    }
    let current = etag(revision);
    if list_members(tags).any(|tag| tag == current) {
        return Ok(Some(revision));
    }
    Err(error::of_code(Code::PreconditionFailed, format!("the entity tag is {current} now")))
}

/// The answer to who has what this entity tag stands for, and says so.
pub(super) fn not_modified(request: &Request, etag: &str) -> Option<Response> {
    let is_known = request.header("if-none-match").is_some_and(|tags| is_among(etag, tags));
    is_known.then(|| Response::empty(304).with_header("etag", etag.to_owned()))
}

/// Whether a tag is among those of `If-None-Match`, which compares them weakly.
fn is_among(etag: &str, tags: &str) -> bool {
    tags.trim() == "*" || list_members(tags).any(|tag| tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_strong_tag_of_the_revision_matches() {
        assert_eq!(matched("\"7\"", 7), Ok(Some(7)));
        assert_eq!(matched("\"6\", \"7\"", 7), Ok(Some(7)));
        assert_eq!(matched(" * ", 7), Ok(None));
        for tags in ["\"6\"", "7", "W/\"7\"", "", "\"77\"", "\"7"] {
            assert_eq!(matched(tags, 7).unwrap_err().code, Code::PreconditionFailed, "{tags}");
        }
    }
}
