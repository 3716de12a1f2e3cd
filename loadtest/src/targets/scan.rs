//! Picks single fields out of answers without parsing all of them.
//!
//! A publish answer repeats nothing that the publisher wrote (the broker makes the ids), so a field's name can't occur
//! inside a value.

use std::borrow::Cow;

use serde::Deserialize;

use crate::targets::Outcome;

/// The number after the first `"name":`; `name` comes with quotes and colon.
#[must_use]
pub fn number(json: &[u8], name: &[u8]) -> Option<u64> {
    let rest = json.get(find(json, name)? + name.len()..)?;
    let digits = rest.iter().skip_while(|byte| **byte == b' ').take_while(|byte| byte.is_ascii_digit());
    let mut value = None;
    for digit in digits {
        value = Some(value.unwrap_or(0_u64).checked_mul(10)?.checked_add(u64::from(digit - b'0'))?);
    }
    value
}

/// The `code` of a problem or an error frame.
#[must_use]
pub fn error_code(json: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Problem<'a> {
        #[serde(borrow)]
        code: Cow<'a, str>,
    }
    serde_json::from_slice::<Problem<'_>>(json).ok().map(|problem| problem.code.into_owned())
}

/// What a successful publish answer says about its messages. Only an answer that mentions an error is parsed.
#[must_use]
pub fn publish_outcome(json: &[u8]) -> Outcome {
    if find(json, b"\"error\"").is_none() {
        return Outcome::Stored;
    }
    let Ok(answer) = serde_json::from_slice::<PublishAnswer<'_>>(json) else {
        return Outcome::Refused("unreadable_answer".to_owned());
    };
    let failed = (0..).zip(answer.results).filter_map(|(index, result)| Some((index, result.error?.code.into_owned())));
    Outcome::PartlyStored(failed.collect())
}

#[derive(Deserialize)]
struct PublishAnswer<'a> {
    #[serde(borrow)]
    results: Vec<PublishResult<'a>>,
}

#[derive(Deserialize)]
struct PublishResult<'a> {
    #[serde(borrow)]
    error: Option<ResultError<'a>>,
}

#[derive(Deserialize)]
struct ResultError<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = wanted.first()?;
    let mut from = 0;
    while let Some(rest) = bytes.get(from..) {
        let at = from + rest.iter().position(|byte| byte == first)?;
        if bytes.get(at..)?.starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_is_found_by_its_name() {
        assert_eq!(number(br#"{"op":"published","ref": 17,"results":[]}"#, b"\"ref\":"), Some(17));
        assert_eq!(number(br#"{"op":"published","ref":"x"}"#, b"\"ref\":"), None);
        assert_eq!(number(br#"{"op":"published"}"#, b"\"ref\":"), None);
        assert_eq!(number(br#"{"ref":99999999999999999999}"#, b"\"ref\":"), None);
    }

    #[test]
    fn failed_messages_are_named_by_index() {
        let stored = br#"{"results":[{"id":"a","partition":0,"offset":1,"duplicate":false,"durability":"leader"}]}"#;
        assert_eq!(publish_outcome(stored), Outcome::Stored);
        let partly =
            br#"{"results":[{"id":"a","partition":0,"offset":1},{"error":{"code":"overloaded","detail":"x"}}]}"#;
        assert_eq!(publish_outcome(partly), Outcome::PartlyStored(vec![(1, "overloaded".to_owned())]));
        assert_eq!(publish_outcome(b"\"error\""), Outcome::Refused("unreadable_answer".to_owned()));
    }

    proptest! {
        #[test]
        fn find_agrees_with_a_naive_search(bytes in prop::collection::vec(b'a'..b'd', 0..60), wanted in prop::collection::vec(b'a'..b'd', 1..5)) {
            let naive = bytes.windows(wanted.len()).position(|window| window == wanted);
            prop_assert_eq!(find(&bytes, &wanted), naive);
        }
    }
}
