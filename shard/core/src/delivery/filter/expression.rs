//! A filter as a tree: what it asks of a message, and how it is written.

use std::fmt::{self, Display as _};

use super::{FilterSubject, lexer};

/// What is asked of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// Any of them; there are at least two.
    Any(Box<[Expression]>),
    /// All of them; there are at least two.
    All(Box<[Expression]>),
    Not(Box<Expression>),
    /// The message has such an attribute.
    Present(Box<str>),
    /// The field is there and has this text.
    Is(Field, Box<str>),
    /// The field is there and begins with this text.
    Begins(Field, Box<str>),
    /// The field is there and has one of these texts.
    IsOneOf(Field, Box<[Box<str>]>),
    Priority(Comparison, u8),
}

/// A text of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Key,
    Attribute(Box<str>),
}

/// How two numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Expression {
    pub(super) fn matches(&self, subject: &FilterSubject<'_>) -> bool {
        match self {
            Self::Any(parts) => parts.iter().any(|part| part.matches(subject)),
            Self::All(parts) => parts.iter().all(|part| part.matches(subject)),
            Self::Not(part) => !part.matches(subject),
            Self::Present(name) => attribute(subject, name).is_some(),
            Self::Is(field, text) => field.of(subject).is_some_and(|value| value == &**text),
            Self::Begins(field, text) => field.of(subject).is_some_and(|value| value.starts_with(&**text)),
            Self::IsOneOf(field, texts) => {
                field.of(subject).is_some_and(|value| texts.iter().any(|text| value == &**text))
            }
            Self::Priority(comparison, number) => comparison.holds(subject.priority, *number),
        }
    }

    /// Writes a part of a larger expression, in parentheses if it binds less tightly than that.
    fn write_part(&self, f: &mut fmt::Formatter<'_>, in_parentheses: bool) -> fmt::Result {
        if in_parentheses { write!(f, "({self})") } else { self.fmt(f) }
    }
}

impl Field {
    fn of<'s>(&self, subject: &FilterSubject<'s>) -> Option<&'s str> {
        match self {
            Self::Key => subject.key,
            Self::Attribute(name) => attribute(subject, name),
        }
    }
}

impl Comparison {
    pub(super) const ALL: [Self; 6] =
        [Self::Equal, Self::Unequal, Self::Less, Self::AtMost, Self::Greater, Self::AtLeast];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }

    const fn holds(self, left: u8, right: u8) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Unequal => left != right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Greater => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any(parts) => joined(f, parts, " OR ", |part| matches!(part, Self::Any(_))),
            Self::All(parts) => joined(f, parts, " AND ", |part| matches!(part, Self::Any(_) | Self::All(_))),
            Self::Not(part) => {
                f.write_str("NOT ")?;
                part.write_part(f, matches!(**part, Self::Any(_) | Self::All(_)))
            }
            Self::Present(name) => write!(f, "attributes:{}", Name(name)),
            Self::Is(field, text) => write!(f, "{field} = {}", Quoted(text)),
            Self::Begins(field, text) => write!(f, "hasPrefix({field}, {})", Quoted(text)),
            Self::IsOneOf(field, texts) => {
                write!(f, "{field} IN (")?;
                for (index, text) in texts.iter().enumerate() {
                    write!(f, "{}{}", if index == 0 { "" } else { ", " }, Quoted(text))?;
                }
                f.write_str(")")
            }
            Self::Priority(comparison, number) => write!(f, "priority {} {number}", comparison.as_str()),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("key"),
            Self::Attribute(name) => write!(f, "attributes.{}", Name(name)),
        }
    }
}

/// An attribute's name: quoted where it has to be.
struct Name<'n>(&'n str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if lexer::is_word(self.0) { f.write_str(self.0) } else { Quoted(self.0).fmt(f) }
    }
}

/// A text in quotes.
struct Quoted<'t>(&'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for character in self.0.chars() {
            if matches!(character, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{character}")?;
        }
        f.write_str("\"")
    }
}

fn joined(
    f: &mut fmt::Formatter<'_>,
    parts: &[Expression],
    word: &str,
    needs_parentheses: impl Fn(&Expression) -> bool,
) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { word })?;
        part.write_part(f, needs_parentheses(part))?;
    }
    Ok(())
}

fn attribute<'s>(subject: &FilterSubject<'s>, wanted: &str) -> Option<&'s str> {
    subject.attributes.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value)
}
