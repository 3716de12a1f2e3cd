//! The frames a session sends, as JSON text.

use gateway_api::{
    Problem,
    frame::{Acked, Assigned, ErrorFrame, Pong, ServerFrame, Subscribed, Unsubscribed, batch::MessageBatches},
};
use raft::Membership;
use serde::Serialize;

use crate::{json_write, operations::PublishReport};

/// A frame that is sent seldom enough to be written by serde.
pub(super) fn encode(frame: &ServerFrame) -> Vec<u8> {
    serde_json::to_vec(frame).unwrap_or_default()
}

/// What went wrong with the request of a reference, or with what goes on without one.
pub(super) fn error(reference: Option<u64>, problem: &Problem) -> Vec<u8> {
    let Problem { code, detail, errors, expected_sequence, retry_after_ms, .. } = problem.clone();
    encode(&ServerFrame::Error(ErrorFrame { reference, code, detail, errors, expected_sequence, retry_after_ms }))
}

/// The results of a publish, or why nothing of it is known to be stored.
pub(super) fn published(reference: Option<u64>, report: &PublishReport) -> Vec<u8> {
    if let Some(problem) = report.failure() {
        return error(reference, &problem);
    }
    let mut frame = opening("published", reference);
    frame.extend_from_slice(b",\"results\":");
    report.append_results(&mut frame);
    frame.push(b'}');
    frame
}

/// A subscribe that was taken.
pub(super) fn subscribed(reference: Option<u64>) -> Vec<u8> {
    encode(&ServerFrame::Subscribed(Subscribed { reference, ..Subscribed::default() }))
}

/// A subscribe that made its consumer a member of a group.
pub(super) fn joined(reference: Option<u64>, membership: &Membership) -> Vec<u8> {
    encode(&ServerFrame::Subscribed(Subscribed {
        reference,
        consumer_id: Some(membership.consumer_id.clone()),
        session_timeout_ms: u64::try_from(membership.session_timeout.as_millis()).ok(),
        generation: Some(membership.generation),
        partitions: Some(numbers(membership)),
    }))
}

/// The partitions that a consumer has from now on.
pub(super) fn assigned(subscription: &str, membership: &Membership) -> Vec<u8> {
    let (subscription, generation) = (Some(subscription.to_owned()), membership.generation);
    encode(&ServerFrame::Assigned(Assigned { subscription, generation, partitions: numbers(membership) }))
}

fn numbers(membership: &Membership) -> Vec<u32> {
    membership.partitions.iter().map(|partition| partition.get()).collect()
}

/// An unsubscribe that was done.
pub(super) fn unsubscribed(reference: Option<u64>) -> Vec<u8> {
    encode(&ServerFrame::Unsubscribed(Unsubscribed { reference }))
}

/// What became of acks, nacks or extensions.
pub(super) fn acked(reference: Option<u64>, response: gateway_api::consume::AckResponse) -> Vec<u8> {
    let gateway_api::consume::AckResponse { succeeded, failed } = response;
    encode(&ServerFrame::Acked(Acked { reference, succeeded, failed }))
}

/// The answer to a ping frame.
pub(super) fn pong(reference: Option<u64>) -> Vec<u8> {
    encode(&ServerFrame::Pong(Pong { reference }))
}

/// The start of a frame of messages, up to and with the bracket that opens their list. `source` is `subscription` or
/// `topic`.
pub(super) fn open_messages(source: &str, name: &str) -> Vec<u8> {
    let mut frame = opening("messages", None);
    frame.push(b',');
    json_write::string(&mut frame, source);
    frame.push(b':');
    json_write::string(&mut frame, name);
    frame.extend_from_slice(b",\"messages\":[");
    frame
}

/// The end of a frame of messages, with the token to go on from: one has nothing that JSON escapes.
pub(super) fn close_messages(token: Option<&str>) -> String {
    match token {
        Some(token) => format!("],\"token\":\"{token}\"}}"),
        None => "]}".to_owned(),
    }
}

/// The header of a frame of batches.
pub(super) fn message_batches(messages: &MessageBatches) -> Vec<u8> {
    #[derive(Serialize)]
    struct Header<'a> {
        op: &'static str,
        #[serde(flatten)]
        messages: &'a MessageBatches,
    }
    serde_json::to_vec(&Header { op: "messages", messages }).unwrap_or_default()
}

fn opening(op: &str, reference: Option<u64>) -> Vec<u8> {
    let mut frame = b"{\"op\":".to_vec();
    json_write::string(&mut frame, op);
    if let Some(reference) = reference {
        frame.extend_from_slice(b",\"ref\":");
        json_write::number(&mut frame, reference);
    }
    frame
}

#[cfg(test)]
mod tests {
    use gateway_api::Code;

    use super::*;

    fn parsed(frame: &[u8]) -> ServerFrame {
        ServerFrame::parse(std::str::from_utf8(frame).unwrap()).unwrap()
    }

    #[test]
    fn frames_of_messages_parse() {
        let mut frame = open_messages("topic", "a\"b");
        frame.extend_from_slice(close_messages(Some("token")).as_bytes());
        let ServerFrame::Messages(messages) = parsed(&frame) else { panic!("not messages") };
        assert_eq!((messages.topic.as_deref(), messages.token.as_deref()), (Some("a\"b"), Some("token")));
        let mut frame = open_messages("subscription", "s");
        frame.extend_from_slice(close_messages(None).as_bytes());
        let ServerFrame::Messages(messages) = parsed(&frame) else { panic!("not messages") };
        assert_eq!((messages.subscription.as_deref(), messages.token), (Some("s"), None));
    }

    #[test]
    fn an_error_keeps_the_reference_of_its_request() {
        let ServerFrame::Error(error) = parsed(&error(Some(7), &Problem::new(Code::TopicNotFound, "none"))) else {
            panic!("not an error")
        };
        assert_eq!((error.reference, error.code, error.detail.as_str()), (Some(7), Code::TopicNotFound, "none"));
    }
}
