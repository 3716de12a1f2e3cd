//! CloudEvents 1.0: in by the HTTP binding and the JSON format, out in the JSON format.
//!
//! A message that came as an event has the event's context attributes as attributes of its own, `ce-` before the name,
//! whichever way it came; the content type is `datacontenttype`, the payload the data.

mod incoming;
mod outgoing;

pub(crate) use self::{
    incoming::{Event, in_batch, in_body, in_headers},
    outgoing::append,
};

/// The media type of one event in the JSON format.
pub(crate) const EVENT_JSON: &str = "application/cloudevents+json";
/// The media type of a list of events in the JSON format.
pub(crate) const BATCH_JSON: &str = "application/cloudevents-batch+json";
/// How the media types of all events and batches begin, also in formats that are not known here.
const MEDIA_TYPES: &str = "application/cloudevents";

/// What comes before the names of context attributes, in headers and in messages.
const PREFIX: &str = "ce-";
/// The attributes that every event has.
const REQUIRED: [&str; 4] = ["id", "source", "specversion", "type"];
const SPEC_VERSION: &str = "1.0";

/// The media type without its parameters.
pub(crate) fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// Whether a media type is one of events or batches of them, perhaps in a format that is not known here.
pub(crate) fn is_event_type(media_type: &str) -> bool {
    media_type.get(..MEDIA_TYPES.len()).is_some_and(|start| start.eq_ignore_ascii_case(MEDIA_TYPES))
}

/// Whether a content type is JSON.
fn is_json(content_type: &str) -> bool {
    let media = media_type(content_type).to_ascii_lowercase();
    media.ends_with("/json") || media.ends_with("+json")
}
