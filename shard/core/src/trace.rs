//! Distributed traces: the context of the W3C's Trace Context, and which traces are recorded.

mod context;
mod sampler;

pub use context::{SpanId, TraceContext, TraceId, context_of};
pub use sampler::{Ratio, Sampler};

/// A trace and a span of it, one behind the other.
pub type TraceBytes = [u8; TraceContext::BYTES];

/// The name of the header, and of a message's attribute, that says to which trace it belongs.
pub const TRACEPARENT: &str = "traceparent";
/// The name of the one that says what the tracing systems on the way want to know of each other.
pub const TRACESTATE: &str = "tracestate";
/// The attribute of an event of `CloudEvents` that says in which trace it was made.
const EVENT_TRACEPARENT: &str = "ce-traceparent";
