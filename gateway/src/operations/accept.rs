//! What a client takes as an answer (`Accept`, RFC 9110 §12.5.1).

use crate::{
    cloud_events::EVENT_JSON,
    http::{headers::list_members, request::Request},
    message_json::MessageForm,
};

/// Whether the client takes this media type; without a word about it, it takes any.
pub(super) fn takes(request: &Request, media_type: &str) -> bool {
    let Some(accept) = request.header("accept") else { return true };
    let main = media_type.split('/').next().unwrap_or_default();
    list_members(accept).any(|range| {
        let range = refused_not(range);
        range.is_some_and(|range| {
            range == "*/*"
                || range.eq_ignore_ascii_case(media_type)
                || range.strip_suffix("/*").is_some_and(|range| range.eq_ignore_ascii_case(main))
        })
    })
}

/// How the client wants messages written.
pub(super) fn message_form(request: &Request) -> MessageForm {
    if asks_for(request, EVENT_JSON) { MessageForm::CloudEvent } else { MessageForm::Message }
}

/// Whether the client names this media type itself, by which it asks for it.
pub(super) fn asks_for(request: &Request, media_type: &str) -> bool {
    let named =
        |accept| list_members(accept).filter_map(refused_not).any(|range| range.eq_ignore_ascii_case(media_type));
    request.header("accept").is_some_and(named)
}

/// A media range without its parameters; `None` if its weight is 0.
fn refused_not(range: &str) -> Option<&str> {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next()?;
    let refused = parts.any(|parameter| {
        let weight = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="));
        weight.is_some_and(|weight| weight.bytes().all(|byte| b"0.".contains(&byte)))
    });
    (!refused).then_some(media)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::request;

    fn accepting(accept: &str) -> Request {
        request(format!("GET / HTTP/1.1\r\nHost: a\r\n{accept}\r\n").as_bytes())
    }

    #[test]
    fn a_range_takes_what_it_covers() {
        for taken in ["", "Accept: */*\r\n", "Accept: text/*\r\n", "Accept: a/b, Text/Event-Stream; q=0.5\r\n"] {
            assert!(takes(&accepting(taken), "text/event-stream"), "{taken}");
        }
        for refused in ["application/json", "text/event-stream;q=0", "text/event-stream; q=0.000", "text/event"] {
            assert!(!takes(&accepting(&format!("Accept: {refused}\r\n")), "text/event-stream"), "{refused}");
        }
    }

    #[test]
    fn only_what_is_named_is_asked_for() {
        assert!(asks_for(&accepting("Accept: */*, a/b;v=1\r\n"), "a/b"));
        for other in ["", "Accept: */*\r\n", "Accept: a/*\r\n", "Accept: a/b;q=0\r\n"] {
            assert!(!asks_for(&accepting(other), "a/b"), "{other}");
        }
    }
}
