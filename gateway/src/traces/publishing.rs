//! The span of a publish, and what its messages are told of it.

use std::borrow::Cow;

use gateway_api::frame::Publish;
use raft::metadata::Topic;
use shard::tracer::{Span, SpanKind};
use shard_core::trace::{TRACEPARENT, TRACESTATE, TraceContext, context_of};

use super::SYSTEM;
use crate::{call::Call, context::Context, limits, publish_decode::MessageTrace};

/// What a request says of the trace that its messages are part of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    /// The request's own span, if it is recorded.
    request: Option<TraceContext>,
    /// What its headers say.
    parent: Option<String>,
    state: Option<String>,
}

/// A publish that is about to be made.
#[derive(Debug)]
pub(crate) struct PublishTrace<'o> {
    /// Is recorded if what it is a part of is.
    pub(crate) span: Span,
    parent: Option<Cow<'o, str>>,
    state: Option<&'o str>,
    notes: bool,
}

impl Origin {
    /// What the headers say, and the request's own span.
    pub(crate) fn of(call: &Call<'_>) -> Self {
        let parent = call.request.header(TRACEPARENT).filter(|parent| TraceContext::parse(parent).is_some());
        // It means nothing without the other.
        let state = parent.and_then(|_| state(call));
        Self { request: call.trace, parent: parent.map(str::to_owned), state }
    }

    /// Begins a publish. Its messages are told of its span; of what came with the request where nothing is recorded.
    pub(crate) fn publish(&self, context: &Context, topic: &Topic) -> PublishTrace<'_> {
        let tracer = context.shards.tracer();
        let span = named(tracer.child(SpanKind::Producer, self.request, || name(topic)), topic);
        let parent = match span.context() {
            Some(context) => Some(Cow::Owned(context.to_string())),
            None => self.parent.as_deref().map(Cow::Borrowed),
        };
        PublishTrace { span, parent, state: self.state.as_deref(), notes: tracer.is_on() }
    }
}

impl PublishTrace<'_> {
    /// A publish over WebSocket, which has no headers: it is part of the first trace that one of its messages names.
    pub(crate) fn of_frame(context: &Context, topic: &Topic, frame: &Publish<'_>) -> Self {
        let tracer = context.shards.tracer();
        if !tracer.is_on() {
            return Self { span: Span::default(), parent: None, state: None, notes: false };
        }
        let named_first = frame.messages.iter().find_map(|message| context_of(message.attributes.iter()));
        let span = named(tracer.begin(SpanKind::Producer, named_first, || name(topic)), topic);
        let parent = span.context().map(|context| Cow::Owned(context.to_string()));
        Self { span, parent, state: None, notes: true }
    }

    /// What its messages are told.
    pub(crate) fn of_messages(&self) -> MessageTrace<'_> {
        MessageTrace { given: self.parent.as_deref().map(|parent| (parent, self.state)), notes: self.notes }
    }
}

/// The span of a publish whose messages name these traces. If the request is not recorded, that of the first trace that is.
pub(crate) fn with_origins(context: &Context, topic: &Topic, span: Span, origins: &[TraceContext]) -> Span {
    let mut span = match origins.iter().find(|origin| origin.is_sampled()) {
        Some(&origin) if !span.is_recorded() => {
            named(context.shards.tracer().begin(SpanKind::Producer, Some(origin), || name(topic)), topic)
        }
        _ => span,
    };
    if let Some(own) = span.context() {
        // Its parent needs no link.
        let others = origins.iter().filter(|origin| origin.trace() != own.trace());
        others.for_each(|&origin| span.link(origin));
    }
    span
}

fn name(topic: &Topic) -> Cow<'static, str> {
    format!("publish {}", topic.name.as_str()).into()
}

fn named(mut span: Span, topic: &Topic) -> Span {
    if span.is_recorded() {
        span.set(SYSTEM.0, SYSTEM.1);
        span.set("messaging.operation.name", "publish");
        span.set("messaging.operation.type", "send");
        span.set("messaging.destination.name", topic.name.as_str().to_owned());
    }
    span
}

/// The header field, put together where it came in several; left out if it is too long or no text.
fn state(call: &Call<'_>) -> Option<String> {
    let mut state = String::new();
    for value in call.request.headers_named(TRACESTATE) {
        let value = std::str::from_utf8(value).ok()?;
        if !state.is_empty() {
            state.push(',');
        }
        state.push_str(value);
        if state.len() > limits::TRACESTATE_BYTES_MAX {
            return None;
        }
    }
    (!state.is_empty()).then_some(state)
}
