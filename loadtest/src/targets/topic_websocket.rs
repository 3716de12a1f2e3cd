//! Reads a topic over a WebSocket, without a subscription, with more credit than is spent.

use crate::account::Delivered;
use crate::limits::READER_CREDIT;
use crate::server::Server;
use crate::targets::delivered::Page;
use crate::targets::websocket_connection::{Subprotocol, WebSocketConnection};
use crate::targets::{Reader, TargetError, scan};

/// One WebSocket that reads a topic.
#[derive(Debug)]
pub struct WebSocketReader {
    connection: WebSocketConnection,
    topic: String,
    /// Messages since credit was given back.
    spent: u32,
}

impl WebSocketReader {
    /// Connects and subscribes: what is published after this returns will be read.
    ///
    /// # Errors
    ///
    /// When the connection is not made, not upgraded, or the topic can't be read.
    pub async fn connect(server: &Server, topic: &str) -> Result<Self, TargetError> {
        let mut connection = WebSocketConnection::connect(server, Subprotocol::Json).await?;
        let subscribe = format!(
            "{{\"op\":\"subscribe\",\"ref\":0,\"topic\":\"{topic}\",\"from\":\"latest\",\"credit\":{READER_CREDIT}}}"
        );
        connection.send(subscribe.as_bytes()).await?;
        let answer = connection.receive().await?;
        if !answer.starts_with(b"{\"op\":\"subscribed\"") {
            return Err(refused(answer));
        }
        Ok(Self { connection, topic: topic.to_owned(), spent: 0 })
    }

    async fn give_credit_back(&mut self) -> Result<(), TargetError> {
        let credit = format!("{{\"op\":\"credit\",\"topic\":\"{}\",\"add\":{}}}", self.topic, self.spent);
        self.spent = 0;
        self.connection.send(credit.as_bytes()).await
    }
}

impl Reader for WebSocketReader {
    async fn next(&mut self) -> Result<Vec<Delivered>, TargetError> {
        if self.spent >= READER_CREDIT / 2 {
            self.give_credit_back().await?;
        }
        let frame = self.connection.receive().await?;
        if !frame.starts_with(b"{\"op\":\"messages\"") {
            return Err(refused(frame));
        }
        let delivered = Page::parse(frame)?.delivered();
        self.spent = self.spent.saturating_add(u32::try_from(delivered.len()).unwrap_or(u32::MAX));
        Ok(delivered)
    }
}

fn refused(frame: &[u8]) -> TargetError {
    let code = scan::error_code(frame).unwrap_or_else(|| "unreadable_answer".to_owned());
    TargetError::protocol(format!("the topic can't be read: {code}"))
}
