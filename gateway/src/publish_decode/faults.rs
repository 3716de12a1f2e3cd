//! What exactly is wrong with a publish request: looked for only once it was refused.

use gateway_api::{Code, PublishMessage, decode::decode, error::FieldError, limits::PROBLEM_ERRORS_MAX};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    PublishRefused, PublishTarget,
    outgoing::Outgoing,
    rules::{self, Fault},
};

/// The request with its messages left as text, so that each is looked at on its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequest<'a> {
    #[serde(borrow)]
    messages: Vec<&'a RawValue>,
}

/// The faults of a body that was refused with `error`.
pub(super) fn of_request(body: &[u8], target: &PublishTarget, error: &serde_json::Error) -> PublishRefused {
    let request = match decode::<RawRequest<'_>>(body) {
        Ok(request) => request,
        Err(error) => {
            let field =
                error.field.map(|field| FieldError { index: error.index, field, code: error.code, detail: None });
            return PublishRefused { code: error.code, detail: error.detail, errors: field.into_iter().collect() };
        }
    };
    if let Err(fault) = rules::check_count(request.messages.len()) {
        return fault.at(None).into();
    }
    let faults = request.messages.iter().enumerate().filter_map(|(index, raw)| of_text(index, raw.get(), target));
    collected(faults).unwrap_or_else(|| PublishRefused {
        code: Code::InvalidArgument,
        detail: error.to_string(),
        errors: Vec::new(),
    })
}

/// The faults of messages that parsed but were refused with `fault`.
pub(super) fn of_messages(messages: &[PublishMessage<'_>], target: &PublishTarget, fault: &Fault) -> PublishRefused {
    if let Err(fault) = rules::check_count(messages.len()) {
        return fault.at(None).into();
    }
    let faults = messages.iter().enumerate().filter_map(|(index, message)| of_message(index, message, target));
    collected(faults).unwrap_or_else(|| fault.clone().at(None).into())
}

fn of_text(index: usize, text: &str, target: &PublishTarget<'_>) -> Option<FieldError> {
    match decode::<PublishMessage<'_>>(text.as_bytes()) {
        Ok(message) => of_message(index, &message, target),
        Err(error) => Some(FieldError {
            index: u64::try_from(index).ok(),
            field: error.field.unwrap_or_default(),
            code: error.code,
            detail: Some(error.detail),
        }),
    }
}

fn of_message(index: usize, message: &PublishMessage<'_>, target: &PublishTarget<'_>) -> Option<FieldError> {
    let checked = Outgoing::of(message).and_then(|outgoing| {
        rules::check(&outgoing, target)?;
        outgoing.payload.append(&mut Vec::new())
    });
    checked.err().map(|fault| fault.at(Some(index)))
}

/// The first faults as one refusal; `None` without any.
fn collected(faults: impl Iterator<Item = FieldError>) -> Option<PublishRefused> {
    let errors: Vec<_> = faults.take(PROBLEM_ERRORS_MAX).collect();
    let first = errors.first()?;
    let at = first.index.unwrap_or_default();
    let detail = format!("message {at}, `{}`: {}", first.field, first.detail.as_deref().unwrap_or_default());
    Some(PublishRefused { code: first.code, detail, errors })
}
