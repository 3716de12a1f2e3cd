//! Publishes over a WebSocket: several JSON frames may wait for their answers, paired by `ref`.

use std::time::Duration;

use gateway_api::topics::Acks;

use crate::server::Server;
use crate::targets::acks::acks_member;
use crate::targets::templates::Templates;
use crate::targets::websocket_connection::{Subprotocol, WebSocketConnection};
use crate::targets::{Answer, Outcome, Publisher, StreamIdentity, TargetError, scan};
use crate::template::{MessageShape, Template};
use crate::workload::PublishPlan;

/// One publishing WebSocket.
#[derive(Debug)]
pub struct WebSocketPublisher {
    connection: WebSocketConnection,
    identity: StreamIdentity,
    frames: Templates,
}

impl WebSocketPublisher {
    /// Connects and prepares the frame.
    ///
    /// # Errors
    ///
    /// When the connection is not made or not upgraded.
    pub async fn connect(
        server: &Server,
        identity: StreamIdentity,
        topic: &str,
        plan: &PublishPlan,
    ) -> Result<Self, TargetError> {
        let connection = WebSocketConnection::connect(server, Subprotocol::Json).await?;
        let frame = |sizes: &[usize]| publish_frame(topic, plan.shape(), plan.acks, sizes);
        Ok(Self { connection, identity, frames: Templates::new(plan.request_sizes(), frame) })
    }
}

impl Publisher for WebSocketPublisher {
    async fn send(&mut self, ticket: u64, intended: Duration) -> Result<(), TargetError> {
        self.connection.send(self.frames.fill(self.identity, ticket, intended)).await
    }

    async fn receive(&mut self) -> Result<Answer, TargetError> {
        let frame = self.connection.receive().await?;
        answer(frame)
    }
}

fn publish_frame(topic: &str, shape: MessageShape, acks: Option<Acks>, sizes: &[usize]) -> Template {
    let mut frame = Template::new(shape.keys);
    frame.push("{\"op\":\"publish\",\"ref\":");
    frame.push_reference();
    frame.push(format!(",\"topic\":\"{topic}\"{},\"messages\":", acks_member(acks)));
    frame.push_messages(shape, sizes);
    frame.push("}");
    frame
}

pub(super) fn answer(frame: &[u8]) -> Result<Answer, TargetError> {
    let ticket = scan::number(frame, b"\"ref\":");
    match (ticket, frame.starts_with(b"{\"op\":\"published\"")) {
        (Some(ticket), true) => Ok(Answer { ticket, outcome: scan::publish_outcome(frame) }),
        (Some(ticket), false) => {
            let code = scan::error_code(frame).unwrap_or_else(|| "unreadable_answer".to_owned());
            Ok(Answer { ticket, outcome: Outcome::Refused(code) })
        }
        (None, _) => {
            let text: String = String::from_utf8_lossy(frame).chars().take(200).collect();
            Err(TargetError::protocol(format!("a frame without `ref`: {text}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::Stamp;
    use crate::template::PayloadEncoding;

    #[test]
    fn the_frame_is_what_the_broker_reads() {
        let shape = MessageShape { encoding: PayloadEncoding::Text, keys: 0 };
        let mut frame = publish_frame("orders", shape, Some(Acks::Quorum), &[48, 48]);
        frame.fill(5, Stamp { run: 1, stream: 1, sequence: 10, intended_micros: 0 });
        let json: serde_json::Value = serde_json::from_slice(frame.bytes()).unwrap();
        assert_eq!((&json["op"], &json["ref"], &json["topic"]), (&"publish".into(), &5.into(), &"orders".into()));
        assert_eq!(json["acks"], "quorum");
        assert_eq!(json["messages"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn answers_are_told_apart() {
        let stored = answer(br#"{"op":"published","ref":5,"results":[{"id":"a","partition":0,"offset":0}]}"#).unwrap();
        assert_eq!(stored, Answer { ticket: 5, outcome: Outcome::Stored });
        let refused = answer(br#"{"op":"error","ref":6,"code":"overloaded","detail":"later"}"#).unwrap();
        assert_eq!(refused, Answer { ticket: 6, outcome: Outcome::Refused("overloaded".to_owned()) });
        assert!(answer(br#"{"op":"error","code":"invalid_argument","detail":"?"}"#).is_err());
    }
}
