//! A span that has ended, as whoever exports it gets it.

use std::{borrow::Cow, time::SystemTime};

use shard_core::trace::{SpanId, TraceContext};

/// A span with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedSpan {
    /// Which span it is.
    pub context: TraceContext,
    /// What it is a part of; nothing if a trace begins with it.
    pub parent: Option<SpanId>,
    /// Whether that is another process's.
    pub is_parent_remote: bool,
    /// Its side of an exchange.
    pub kind: SpanKind,
    /// What was done, in few different words.
    pub name: Cow<'static, str>,
    /// When it began.
    pub start: SystemTime,
    /// When it ended.
    pub end: SystemTime,
    /// What else is known. Never anything of a message's payload or key, and no secret.
    pub attributes: Vec<(&'static str, SpanValue)>,
    /// Spans of other traces that it has to do with.
    pub links: Vec<TraceContext>,
    /// How many more there were.
    pub links_dropped: u32,
    /// Why it failed, if it did.
    pub error: Option<Cow<'static, str>>,
}

/// A span's side of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// It answers a request.
    Server,
    /// It waits for the answer to a request.
    Client,
    /// It hands a message over for others to take.
    Producer,
    /// It takes messages that were handed over.
    Consumer,
    /// It is a part of something within the node.
    Internal,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpanValue {
    /// Words.
    Text(Cow<'static, str>),
    /// A number.
    Integer(i64),
}

impl FinishedSpan {
    pub(super) fn new(
        context: TraceContext,
        parent: Option<TraceContext>,
        kind: SpanKind,
        name: Cow<'static, str>,
    ) -> Self {
        let start = SystemTime::now();
        Self {
            context,
            parent: parent.map(TraceContext::span),
            is_parent_remote: false,
            kind,
            name,
            start,
            end: start,
            attributes: Vec::new(),
            links: Vec::new(),
            links_dropped: 0,
            error: None,
        }
    }
}

impl From<&'static str> for SpanValue {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for SpanValue {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<u16> for SpanValue {
    fn from(number: u16) -> Self {
        Self::Integer(number.into())
    }
}

impl From<u32> for SpanValue {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<u64> for SpanValue {
    fn from(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<usize> for SpanValue {
    fn from(number: usize) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}
