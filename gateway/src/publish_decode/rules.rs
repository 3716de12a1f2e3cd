//! What a message must be like to be taken. Each rule names the field that breaks it.

use std::borrow::Cow;

use gateway_api::{Code, error::FieldError, limits};
use shard_core::limits::{CONTENT_TYPE_BYTES_MAX, KEY_BYTES_MAX};

use super::{
    PublishTarget,
    outgoing::{Hold, Outgoing, PayloadSource},
};

/// How deep in a request the payload of a `json` field lies: the body, the list, the message.
const JSON_PAYLOAD_DEPTH: usize = 3;

/// The first thing that is wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {detail}")]
pub(super) struct Fault {
    field: Cow<'static, str>,
    code: Code,
    detail: Cow<'static, str>,
}

impl Fault {
    pub(super) fn new(field: impl Into<Cow<'static, str>>, code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), code, detail: detail.into() }
    }

    /// The same, of an attribute: says which one.
    fn within(self, attribute: &str) -> Self {
        Self { detail: format!("attribute `{attribute}`: {}", self.detail).into(), ..self }
    }

    /// The fault of the message at that place of its request.
    pub(super) fn at(self, index: Option<usize>) -> FieldError {
        let index = index.and_then(|index| u64::try_from(index).ok());
        FieldError { index, field: self.field.into_owned(), code: self.code, detail: Some(self.detail.into_owned()) }
    }
}

/// Whether a call may have so many messages.
pub(super) fn check_count(messages: usize) -> Result<(), Fault> {
    if messages == 0 {
        return Err(Fault::new("messages", Code::InvalidArgument, "there is no message"));
    }
    if messages > limits::BATCH_MESSAGES_MAX {
        let detail = format!("a call has at most {} messages", limits::BATCH_MESSAGES_MAX);
        return Err(Fault::new("messages", Code::TooMany, detail));
    }
    Ok(())
}

/// Checks everything of a message but whether its base64 decodes.
pub(super) fn check(message: &Outgoing<'_>, target: &PublishTarget<'_>) -> Result<(), Fault> {
    if let Some(id) = message.id {
        check_id(id)?;
    }
    if let Some(key) = message.key {
        check_text("key", key, KEY_BYTES_MAX)?;
    }
    if let Some(content_type) = message.content_type {
        check_content_type(content_type)?;
    }
    check_attributes(&message.attributes)?;
    if message.priority.is_some_and(|priority| priority > limits::PRIORITY_MAX) {
        return Err(invalid("priority", "a priority is from 0 to 9"));
    }
    if message.ttl_ms.is_some_and(|ttl_ms| ttl_ms == 0 || ttl_ms > limits::TTL_MS_MAX) {
        return Err(invalid("ttl_ms", format!("a time to live is from 1 to {} ms", limits::TTL_MS_MAX)));
    }
    if let Hold::For(delay_ms) = message.hold
        && delay_ms > limits::DELAY_MS_MAX
    {
        return Err(invalid("delay_ms", format!("a delay is at most {} ms", limits::DELAY_MS_MAX)));
    }
    if message.partition.is_some_and(|partition| partition >= target.partitions) {
        return Err(invalid("partition", format!("the topic has partitions 0 to {}", target.partitions - 1)));
    }
    if let PayloadSource::Json(json) = message.payload
        && depth(json) + JSON_PAYLOAD_DEPTH > limits::JSON_DEPTH_MAX
    {
        let detail = format!("nested deeper than {}", limits::JSON_DEPTH_MAX);
        return Err(Fault::new("json", Code::InvalidJson, detail));
    }
    check_size(message, target.message_bytes_max)
}

fn check_id(id: &str) -> Result<(), Fault> {
    let visible = id.bytes().all(|byte| byte.is_ascii_graphic());
    if id.is_empty() || id.len() > limits::MESSAGE_ID_LENGTH_MAX || !visible {
        return Err(invalid("id", "an id is 1 to 128 visible ASCII characters"));
    }
    Ok(())
}

fn check_content_type(content_type: &str) -> Result<(), Fault> {
    let printable = content_type.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if content_type.trim().is_empty() || content_type.len() > CONTENT_TYPE_BYTES_MAX || !printable {
        return Err(invalid("content_type", "a content type is 1 to 255 printable ASCII characters"));
    }
    Ok(())
}

fn check_attributes(attributes: &[(&str, &str)]) -> Result<(), Fault> {
    if attributes.len() > limits::ATTRIBUTES_MAX {
        let detail = format!("a message has at most {} attributes", limits::ATTRIBUTES_MAX);
        return Err(Fault::new("attributes", Code::TooMany, detail));
    }
    for (index, (name, value)) in attributes.iter().enumerate() {
        let before = attributes.get(..index).unwrap_or_default();
        if name.is_empty() {
            return Err(invalid("attributes", "an attribute needs a name"));
        }
        if before.iter().any(|(earlier, _)| earlier == name) {
            return Err(invalid("attributes", format!("attribute `{name}` is there twice")));
        }
        check_text("attributes", name, limits::ATTRIBUTE_BYTES_MAX)?;
        check_text("attributes", value, limits::ATTRIBUTE_BYTES_MAX - name.len())
            .map_err(|fault| fault.within(name))?;
    }
    Ok(())
}

/// Text that may reach a header some day: a control character there could start a header of its own.
fn check_text(field: &'static str, text: &str, bytes_max: usize) -> Result<(), Fault> {
    if text.len() > bytes_max {
        return Err(invalid(field, format!("{} bytes, at most {bytes_max} are taken", text.len())));
    }
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(invalid(field, "control characters are not taken"));
    }
    Ok(())
}

fn check_size(message: &Outgoing<'_>, bytes_max: usize) -> Result<(), Fault> {
    let attributes: usize = message.attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
    let bytes = message.payload.len() + message.key.map_or(0, str::len) + attributes;
    if bytes > bytes_max {
        let detail = format!("payload, key and attributes have {bytes} bytes, the topic takes {bytes_max}");
        return Err(Fault::new(message.payload.field(), Code::MessageTooLarge, detail));
    }
    Ok(())
}

fn invalid(field: &'static str, detail: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(field, Code::InvalidArgument, detail)
}

/// How deep a valid JSON text is nested: 0 for a number, 1 for `[]`.
fn depth(json: &str) -> usize {
    let mut deepest = 0;
    let mut open = 0_usize;
    let mut rest = json.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'[' | b'{' => {
                open += 1;
                deepest = deepest.max(open);
            }
            b']' | b'}' => open = open.saturating_sub(1),
            b'"' => rest = behind_string(tail),
            _ => {}
        }
    }
    deepest
}

/// What follows the string whose opening quote was just read.
fn behind_string(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        match rest.get(at..) {
            Some([b'"', tail @ ..]) => return tail,
            // A backslash takes the next character with it.
            Some([_, _, tail @ ..]) => rest = tail,
            _ => break,
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        let cases = [
            ("1", 0),
            ("[]", 1),
            (r#"{"a":[1,{"b":2}],"c":[[]]}"#, 3),
            (r#"["[[[[", "\"[[", "\\", [1]]"#, 2),
            (r#"["\\\"[[[", {}]"#, 2),
        ];
        for (json, expected) in cases {
            assert_eq!(depth(json), expected, "{json}");
        }
        assert_eq!(depth(&"[".repeat(100_000)), 100_000);
    }
}
