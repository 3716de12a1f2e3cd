//! Errors as clients see them: problem documents (RFC 9457) with stable codes.

mod code;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::code::Code;

/// The content type of a problem.
pub const PROBLEM_CONTENT_TYPE: &str = "application/problem+json";

/// What `type` starts with; the code follows.
const TYPE_PREFIX: &str = "urn:pubsubring:problem:";

/// Why a request failed: the body of every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// A URI for the kind of problem.
    #[serde(rename = "type")]
    pub problem_type: String,
    /// The kind of problem, for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The kind of problem, for programs.
    pub code: Code,
    /// What happened this time, for people.
    #[serde(default)]
    pub detail: String,
    /// The request's id, as in `Pubsub-Request-Id`.
    #[serde(default)]
    pub instance: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Whether the request took effect.
    pub outcome: Outcome,
    /// What is wrong with which part of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The sequence that the producer has to go on with, where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_sequence: Option<u32>,
    /// After how long the same request may succeed, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// Whether a failed request took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing has changed.
    NotApplied,
    /// It has taken effect all the same.
    Applied,
    /// It may have taken effect.
    Unknown,
}

/// What is wrong with one field, of one message where a request has many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FieldError {
    /// The message's place in the request, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// The field.
    pub field: String,
    /// What is wrong with it.
    pub code: Code,
    /// The same for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Problem {
    /// A problem as its code has it: status, title and retryable follow from the code, the outcome is "not applied"
    /// unless the code is for what is not known.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let outcome = if code == Code::Timeout { Outcome::Unknown } else { Outcome::NotApplied };
        Self {
            problem_type: format!("{TYPE_PREFIX}{code}"),
            title: code.title().to_owned(),
            status: code.status(),
            code,
            detail: detail.into(),
            instance: String::new(),
            retryable: code.retryable(),
            outcome,
            errors: Vec::new(),
            expected_sequence: None,
            retry_after_ms: None,
        }
    }

    /// An invalid argument, by the name of its field.
    #[must_use]
    pub fn invalid_field(field: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let error = FieldError {
            index: None,
            field: field.to_owned(),
            code: Code::InvalidArgument,
            detail: Some(detail.clone()),
        };
        Self::new(Code::InvalidArgument, format!("`{field}`: {detail}")).with_errors(vec![error])
    }

    /// With another outcome.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// With the sequence that a producer has to go on with.
    #[must_use]
    pub fn with_expected_sequence(mut self, sequence: u32) -> Self {
        self.expected_sequence = Some(sequence);
        self
    }

    /// With the time after which the same request may succeed.
    #[must_use]
    pub fn with_retry_after_ms(mut self, retry_after_ms: u64) -> Self {
        self.retry_after_ms = Some(retry_after_ms);
        self
    }

    /// With the request's id.
    #[must_use]
    pub fn with_instance(mut self, request_id: impl Into<String>) -> Self {
        self.instance = request_id.into();
        self
    }

    /// With what is wrong with which field.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.detail.is_empty() { &self.title } else { &self.detail };
        write!(f, "{what} ({})", self.code)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_has_the_fields_that_clients_rely_on() {
        let error = FieldError { index: Some(3), field: "priority".into(), code: Code::InvalidArgument, detail: None };
        let problem = Problem::new(Code::InvalidArgument, "priority 12 is above 9")
            .with_instance("req-1")
            .with_errors(vec![error]);
        let expected = json!({
            "type": "urn:pubsubring:problem:invalid_argument",
            "title": "Invalid argument",
            "status": 400,
            "code": "invalid_argument",
            "detail": "priority 12 is above 9",
            "instance": "req-1",
            "retryable": false,
            "outcome": "not_applied",
            "errors": [{"index": 3, "field": "priority", "code": "invalid_argument"}],
        });
        assert_eq!(serde_json::to_value(&problem).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Problem>(expected).unwrap(), problem);
    }

    #[test]
    fn a_timeout_says_that_the_outcome_is_unknown() {
        assert_eq!(Problem::new(Code::Timeout, "").outcome, Outcome::Unknown);
    }

    #[test]
    fn an_invalid_field_is_named_in_the_detail_and_in_the_list() {
        let problem = Problem::invalid_field("partitions", "must be at least 1");
        assert_eq!(problem.detail, "`partitions`: must be at least 1");
        assert_eq!(problem.errors.first().map(|error| error.field.as_str()), Some("partitions"));
    }
}
