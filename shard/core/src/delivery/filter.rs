//! Filters: which messages a consumer wants, by their attributes, key and priority.
//!
//! A filter is compiled once; asking it of a message allocates nothing, and costs at most its conditions times the
//! message's attributes.

mod expression;
mod lexer;
mod parser;

use std::{fmt, str::FromStr};

use crate::{
    format::record::{Attributes, Record},
    limits,
};
use expression::Expression;

/// A compiled filter. It shows as text that compiles to the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    root: Expression,
}

/// What a filter looks at.
#[derive(Clone, Copy, Debug)]
pub struct FilterSubject<'a> {
    /// The message's key.
    pub key: Option<&'a str>,
    /// The message's priority.
    pub priority: u8,
    /// The message's attributes.
    pub attributes: Attributes<'a>,
}

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {reason}")]
pub struct FilterError {
    /// The character where it goes wrong, from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: String,
}

impl Filter {
    /// Compiles a filter.
    ///
    /// # Errors
    /// Says what is wrong where.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        if text.len() > limits::FILTER_BYTES_MAX {
            let reason =
                format!("a filter has at most {} bytes, this one has {}", limits::FILTER_BYTES_MAX, text.len());
            return Err(FilterError { column: 1, reason });
        }
        parser::parse(text).map(|root| Self { root })
    }

    /// Whether the message is wanted.
    #[must_use]
    pub fn matches(&self, subject: &FilterSubject<'_>) -> bool {
        self.root.matches(subject)
    }
}

impl<'a> From<&Record<'a>> for FilterSubject<'a> {
    fn from(record: &Record<'a>) -> Self {
        Self { key: record.head.key, priority: record.head.priority, attributes: record.attributes }
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        Self::parse(text)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

#[cfg(test)]
mod tests;
