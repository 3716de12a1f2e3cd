//! Reads JSON from a client and says what is wrong with it: which code, which field, which message.

use serde::Deserialize;

use crate::error::{Code, FieldError, Problem};
use crate::object::Object;

/// Why a body was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct DecodeError {
    /// The kind of fault.
    pub code: Code,
    /// The message's place in the request, where the fault is in one of many.
    pub index: Option<u64>,
    /// The field, as `attributes.colour`; `None` if the text is no JSON at all.
    pub field: Option<String>,
    /// What is wrong, with line and column.
    pub detail: String,
}

/// Reads a body, which is an object. What is wrong with it is looked for only after it was refused: a good body is parsed once.
///
/// # Errors
/// Says what is wrong, and where.
pub fn decode<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, DecodeError> {
    let read = serde_json::from_slice::<Object<T>>(body);
    read.map(|Object(value)| value).map_err(|error| locate::<T>(body, &error))
}

/// What is wrong with a body that was refused with `error`.
fn locate<'de, T: Deserialize<'de>>(body: &'de [u8], error: &serde_json::Error) -> DecodeError {
    let detail = error.to_string();
    if !error.is_data() {
        return DecodeError { code: Code::InvalidJson, index: None, field: None, detail };
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let Err(located) = serde_path_to_error::deserialize::<_, Object<T>>(&mut json) else {
        return DecodeError { code: Code::InvalidArgument, index: None, field: None, detail };
    };
    let (index, path) = split_path(&located.path().to_string());
    match quoted_after(&detail, "unknown field `").or_else(|| quoted_after(&detail, "missing field `")) {
        Some(name) => {
            let code = if detail.starts_with("unknown") { Code::UnknownField } else { Code::InvalidArgument };
            // The path of an unknown field ends in its name or in `?`, that of a missing one in the object that lacks it.
            let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent);
            let parent = if code == Code::UnknownField || path == name { parent } else { path.as_str() };
            let field = if parent.is_empty() || parent == "?" { name.to_owned() } else { format!("{parent}.{name}") };
            DecodeError { code, index, field: Some(field), detail }
        }
        None => DecodeError { code: Code::InvalidArgument, index, field: (!path.is_empty()).then_some(path), detail },
    }
}

/// Splits `messages[3].priority` into 3 and `priority`.
fn split_path(path: &str) -> (Option<u64>, String) {
    let (list, rest) = path.split_once('[').unwrap_or((path, ""));
    match rest.split_once(']') {
        Some((index, field)) if list == "messages" => (index.parse().ok(), field.trim_start_matches('.').to_owned()),
        _ => (None, if path == "." { String::new() } else { path.to_owned() }),
    }
}

fn quoted_after<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.split_once('`').map(|(name, _)| name)
}

impl From<DecodeError> for Problem {
    fn from(error: DecodeError) -> Self {
        let DecodeError { code, index, field, detail } = error;
        let errors = field.map(|field| FieldError { index, field, code, detail: None });
        Self::new(code, detail).with_errors(errors.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::consume::PullRequest;
    use crate::publish::PublishRequest;
    use crate::subscriptions::SubscriptionSettings;
    use crate::topics::TopicSettings;

    fn fault<T: for<'de> Deserialize<'de> + std::fmt::Debug>(body: &str) -> (Code, Option<u64>, Option<String>) {
        let error = decode::<T>(body.as_bytes()).unwrap_err();
        (error.code, error.index, error.field)
    }

    fn publish_fault(body: &str) -> (Code, Option<u64>, Option<String>) {
        let error = decode::<PublishRequest<'_>>(body.as_bytes()).unwrap_err();
        (error.code, error.index, error.field)
    }

    #[test]
    fn text_that_is_no_json_is_told_from_json_of_another_shape() {
        assert_eq!(fault::<TopicSettings>("{"), (Code::InvalidJson, None, None));
        assert_eq!(fault::<TopicSettings>(r#"{"partitions":"4"}"#).0, Code::InvalidArgument);
    }

    #[test]
    fn an_unknown_field_is_named() {
        let field = Some("partitons".to_owned());
        assert_eq!(fault::<TopicSettings>(r#"{"partitons":4}"#), (Code::UnknownField, None, field));
        let field = Some("backoff.min".to_owned());
        assert_eq!(fault::<SubscriptionSettings>(r#"{"backoff":{"min":4}}"#), (Code::UnknownField, None, field));
        let field = Some("prio".to_owned());
        assert_eq!(publish_fault(r#"{"messages":[{},{"prio":4}]}"#), (Code::UnknownField, Some(1), field));
        assert_eq!(publish_fault(r#"{"message":[]}"#), (Code::UnknownField, None, Some("message".to_owned())));
    }

    #[test]
    fn a_missing_field_is_named() {
        assert_eq!(publish_fault("{}"), (Code::InvalidArgument, None, Some("messages".to_owned())));
        let field = Some("backoff.max_ms".to_owned());
        let body = r#"{"backoff":{"min_ms":4}}"#;
        assert_eq!(fault::<SubscriptionSettings>(body), (Code::InvalidArgument, None, field));
    }

    #[test]
    fn a_wrong_type_is_located() {
        let field = |name: &str| Some(name.to_owned());
        assert_eq!(fault::<TopicSettings>(r#"{"partitions":"4"}"#).2, field("partitions"));
        assert_eq!(fault::<PullRequest>(r#"{"wait_ms":-1}"#).2, field("wait_ms"));
        let body = r#"{"messages":[{"text":"a"},{"text":"b","priority":1000}]}"#;
        assert_eq!(publish_fault(body), (Code::InvalidArgument, Some(1), field("priority")));
        let body = r#"{"messages":[{"text":"a","attributes":{"colour":1}}]}"#;
        assert_eq!(publish_fault(body), (Code::InvalidArgument, Some(0), field("attributes.colour")));
        let body = r#"{"messages":[{"text":"a","deliver_at":"soon"}]}"#;
        assert_eq!(publish_fault(body), (Code::InvalidArgument, Some(0), field("deliver_at")));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_are_refused(bytes: Vec<u8>) {
            let _ = decode::<PublishRequest<'_>>(&bytes);
            let _ = decode::<SubscriptionSettings>(&bytes);
        }
    }
}
