//! How a message is printed on a line: text with the names of its fields in braces.

use std::str::FromStr;

use gateway_api::DeliveredMessage;

use crate::output::{bytes_as_text, printable};

/// The help for `--format`.
pub(super) const HELP: &str = "\
How to print a message, such as '{partition}:{offset} {key} {data}'

Fields: topic, partition, offset, id, key, data (text, or base64 if it is not UTF-8), raw (the payload's bytes as they
are), content_type, attributes, priority, time, attempt, ack_id.
Escapes: \\n, \\t, \\\\, {{ and }}. A line end follows each message, unless the format ends in \\c.";

const DEFAULT: &str = "{time} {partition}:{offset} {key} {data}";

/// A format that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

/// Why a format was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    #[error("there is no field `{name}`; the fields are: {known}")]
    Field { name: String, known: String },
    #[error("a brace is not closed, or not opened; write {{{{ or }}}} for a brace itself")]
    Brace,
    #[error("`\\{escape}` is no escape; there are \\n, \\t, \\\\ and, at the end, \\c")]
    Escape { escape: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(Field),
}

/// A field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Topic,
    Partition,
    Offset,
    Id,
    Key,
    Data,
    Raw,
    ContentType,
    Attributes,
    Priority,
    Time,
    Attempt,
    AckId,
}

const FIELDS: &[(&str, Field)] = &[
    ("topic", Field::Topic),
    ("partition", Field::Partition),
    ("offset", Field::Offset),
    ("id", Field::Id),
    ("key", Field::Key),
    ("data", Field::Data),
    ("raw", Field::Raw),
    ("content_type", Field::ContentType),
    ("attributes", Field::Attributes),
    ("priority", Field::Priority),
    ("time", Field::Time),
    ("attempt", Field::Attempt),
    ("ack_id", Field::AckId),
];

impl Template {
    /// The message in this format.
    pub(super) fn print(&self, message: &DeliveredMessage) -> Vec<u8> {
        let mut line = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => line.extend_from_slice(text.as_bytes()),
                Piece::Field(Field::Raw) => line.extend_from_slice(message.data.as_ref()),
                Piece::Field(field) => line.extend_from_slice(printable(&field.text(message)).as_bytes()),
            }
        }
        line
    }
}

impl Field {
    fn text(self, message: &DeliveredMessage) -> String {
        match self {
            Self::Topic => message.topic.clone(),
            Self::Partition => message.partition.to_string(),
            Self::Offset => message.offset.to_string(),
            Self::Id => message.id.clone(),
            Self::Key => message.key.clone().unwrap_or_else(|| "-".to_owned()),
            Self::Data | Self::Raw => bytes_as_text(message.data.as_ref()),
            Self::ContentType => message.content_type.clone(),
            Self::Attributes => {
                let pairs: Vec<_> = message.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
                pairs.join(",")
            }
            Self::Priority => message.priority.to_string(),
            Self::Time => message.publish_time.to_string(),
            Self::Attempt => message.delivery_attempt.map_or("-".to_owned(), |attempt| attempt.to_string()),
            Self::AckId => message.ack_id.clone().unwrap_or_else(|| "-".to_owned()),
        }
    }
}

impl Default for Template {
    fn default() -> Self {
        // The default is a constant, and a test reads it.
        DEFAULT.parse().unwrap_or(Self { pieces: Vec::new() })
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(format: &str) -> Result<Self, TemplateError> {
        let (format, line_end) = match format.strip_suffix("\\c") {
            Some(format) => (format, ""),
            None => (format, "\n"),
        };
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = format.chars();
        while let Some(character) = rest.next() {
            match character {
                '\\' => text.push(escape(rest.next())?),
                '{' if rest.as_str().starts_with('{') => text.extend(rest.next()),
                '}' if rest.as_str().starts_with('}') => text.extend(rest.next()),
                '{' => {
                    let (name, after) = rest.as_str().split_once('}').ok_or(TemplateError::Brace)?;
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                    pieces.push(Piece::Field(field(name)?));
                    rest = after.chars();
                }
                '}' => return Err(TemplateError::Brace),
                other => text.push(other),
            }
        }
        text.push_str(line_end);
        pieces.push(Piece::Text(text));
        Ok(Self { pieces })
    }
}

fn escape(escaped: Option<char>) -> Result<char, TemplateError> {
    match escaped {
        Some('n') => Ok('\n'),
        Some('t') => Ok('\t'),
        Some('\\') => Ok('\\'),
        other => Err(TemplateError::Escape { escape: other.map(String::from).unwrap_or_default() }),
    }
}

fn field(name: &str) -> Result<Field, TemplateError> {
    let found = FIELDS.iter().find(|(known, _)| *known == name).map(|(_, field)| *field);
    found.ok_or_else(|| {
        let known: Vec<_> = FIELDS.iter().map(|(name, _)| *name).collect();
        TemplateError::Field { name: name.to_owned(), known: known.join(", ") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(data: &str) -> DeliveredMessage {
        let json = format!(
            r#"{{"topic":"t","partition":1,"offset":7,"id":"i","data":"{data}","content_type":"text/plain",
            "attributes":{{"a":"1","b":"2"}},"priority":4,"publish_time":"2026-11-23T09:30:00.250Z"}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    fn printed(format: &str, data: &str) -> Vec<u8> {
        format.parse::<Template>().unwrap().print(&message(data))
    }

    #[test]
    fn the_default_has_time_place_key_and_data() {
        let line = Template::default().print(&message("aGVsbG8="));
        assert_eq!(String::from_utf8(line).unwrap(), "2026-11-23T09:30:00.250Z 1:7 - hello\n");
    }

    #[test]
    fn fields_and_escapes_are_replaced() {
        assert_eq!(printed("{{{attributes}}}\\t{topic}\\\\", "aGVsbG8="), b"{a=1,b=2}\tt\\\n");
    }

    #[test]
    fn data_is_safe_for_a_terminal_and_raw_is_not_touched() {
        // The payload is ESC, `[2J`, and a byte that is not UTF-8 in the second case.
        assert_eq!(printed("{data}", "G1sySg=="), b"\\u{1b}[2J\n");
        assert_eq!(printed("{data}", "Gv8="), b"Gv8=\n");
        assert_eq!(printed("{raw}\\c", "Gv8="), [0x1a, 0xff]);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let error = |format: &str| format.parse::<Template>().unwrap_err().to_string();
        assert!(error("{ofset}").contains("no field `ofset`; the fields are: topic, partition"));
        assert!(error("{offset").contains("brace"));
        assert!(error("offset}").contains("brace"));
        assert!(error("\\x").contains("`\\x` is no escape"));
        assert!(error("a\\").contains("is no escape"));
    }
}
