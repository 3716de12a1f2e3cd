//! One line of the audit log: what it holds, and how it is written.

use std::net::SocketAddr;

use gateway_api::Timestamp;
use serde::Serialize;

use crate::http::request_id::RequestId;

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The request, as its answer names it.
    pub request: RequestId,
    /// Who, if anyone has proved who they are.
    pub principal: Option<String>,
    /// The id of the key that proved it.
    pub key: Option<String>,
    /// From where.
    pub from: Option<SocketAddr>,
    /// What was asked.
    pub action: &'static str,
    /// Of which topic, subscription, principal or key.
    pub on: String,
    /// What was decided.
    pub decision: Decision,
    /// The status of the answer; 0 for a frame.
    pub status: u16,
    /// Why it was refused.
    pub reason: Option<String>,
    /// How many refusals before it were not written, since there were too many.
    pub collapsed: u64,
    /// How many events before it were lost, since the queue was full.
    pub lost: u64,
}

/// What was decided about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It was let through.
    Allowed,
    /// Nobody was proved to have sent it.
    Unauthenticated,
    /// Who sent it may not do this.
    Denied,
    /// What was going on was ended, since it may go on no more.
    Revoked,
}

/// One line.
#[derive(Serialize)]
struct Line<'a> {
    time: Timestamp,
    request: &'a str,
    principal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<SocketAddr>,
    action: &'a str,
    on: &'a str,
    decision: &'a str,
    #[serde(skip_serializing_if = "is_zero_status")]
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "is_zero")]
    collapsed: u64,
    #[serde(skip_serializing_if = "is_zero")]
    lost: u64,
}

impl AuditEvent {
    /// An event of which only this much is known.
    #[must_use]
    pub const fn new(at_ms: u64, request: RequestId, action: &'static str, decision: Decision) -> Self {
        Self {
            at_ms,
            request,
            principal: None,
            key: None,
            from: None,
            action,
            on: String::new(),
            decision,
            status: 0,
            reason: None,
            collapsed: 0,
            lost: 0,
        }
    }

    /// Appends it as one line of JSON.
    pub fn append_line(&self, lines: &mut Vec<u8>) {
        let line = Line {
            time: Timestamp::from_unix_ms(i64::try_from(self.at_ms).unwrap_or(i64::MAX)),
            request: self.request.as_str(),
            principal: self.principal.as_deref(),
            key: self.key.as_deref(),
            from: self.from,
            action: self.action,
            on: &self.on,
            decision: self.decision.as_str(),
            status: self.status,
            reason: self.reason.as_deref(),
            collapsed: self.collapsed,
            lost: self.lost,
        };
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(&mut *lines, &line);
        lines.push(b'\n');
    }
}

impl Decision {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Unauthenticated => "unauthenticated",
            Self::Denied => "denied",
            Self::Revoked => "revoked",
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference to the field")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference to the field")]
const fn is_zero_status(status: &u16) -> bool {
    *status == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64) -> AuditEvent {
        AuditEvent {
            principal: Some("ci".to_owned()),
            key: Some("abcdefgh0123".to_owned()),
            from: Some(([127, 0, 0, 1], 4711).into()),
            on: format!("topic-{number}"),
            status: 204,
            ..AuditEvent::new(1_700_000_000_250, RequestId::default(), "delete_topic", Decision::Allowed)
        }
    }

    #[test]
    fn a_line_says_who_did_what_from_where() {
        let mut lines = Vec::new();
        event(1).append_line(&mut lines);
        let refused = AuditEvent {
            principal: None,
            key: None,
            decision: Decision::Denied,
            reason: Some("a \"reason\"\n".to_owned()),
            collapsed: 7,
            lost: 2,
            ..event(2)
        };
        refused.append_line(&mut lines);
        let text = String::from_utf8(lines).unwrap();
        let expected = "{\"time\":\"2023-11-14T22:13:20.250Z\",\"request\":\"000000000000000000000000\",\
            \"principal\":\"ci\",\"key\":\"abcdefgh0123\",\"from\":\"127.0.0.1:4711\",\"action\":\"delete_topic\",\
            \"on\":\"topic-1\",\"decision\":\"allowed\",\"status\":204}";
        assert_eq!(text.lines().next(), Some(expected));
        let second: serde_json::Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
        assert_eq!((second["collapsed"].as_u64(), second["lost"].as_u64()), (Some(7), Some(2)));
        assert_eq!(text.lines().count(), 2);
    }
}
