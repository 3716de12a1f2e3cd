//! Consumes a subscription over a WebSocket: messages come as long as there is credit, acks go back by frame.

use std::collections::VecDeque;
use std::time::Duration;

use crate::account::Account;
use crate::clock::Clock;
use crate::limits::CONSUMER_POLL;
use crate::recorder::Measure;
use crate::server::Server;
use crate::targets::delivered::Page;
use crate::targets::websocket_connection::WebSocketConnection;
use crate::targets::{Consumer, Step, TargetError, scan};

/// One subscribed WebSocket.
#[derive(Debug)]
pub struct WebSocketConsumer {
    connection: WebSocketConnection,
    subscription: String,
    next_ref: u64,
    /// Acks that wait for their confirmation; bounded by the credit, since each answers at least one message.
    acks: VecDeque<(u64, Duration)>,
}

impl WebSocketConsumer {
    /// Connects and subscribes with this much credit.
    ///
    /// # Errors
    ///
    /// When the connection is not made or not upgraded.
    pub async fn connect(server: &Server, subscription: &str, credit: usize) -> Result<Self, TargetError> {
        let mut connection = WebSocketConnection::connect(server).await?;
        let subscribe =
            format!("{{\"op\":\"subscribe\",\"ref\":0,\"subscription\":\"{subscription}\",\"credit\":{credit}}}");
        connection.send(subscribe.as_bytes()).await?;
        Ok(Self { connection, subscription: subscription.to_owned(), next_ref: 1, acks: VecDeque::new() })
    }

    /// Acknowledges a page's messages and gives their credit back.
    async fn confirm(&mut self, ack_ids: &str, count: usize, now: Duration) -> Result<(), TargetError> {
        let (reference, subscription) = (self.next_ref, &self.subscription);
        self.next_ref += 1;
        self.acks.push_back((reference, now));
        let ack =
            format!("{{\"op\":\"ack\",\"ref\":{reference},\"subscription\":\"{subscription}\",\"ack_ids\":{ack_ids}}}");
        let credit = format!("{{\"op\":\"credit\",\"subscription\":\"{subscription}\",\"add\":{count}}}");
        self.connection.send(ack.as_bytes()).await?;
        self.connection.send(credit.as_bytes()).await
    }
}

impl Consumer for WebSocketConsumer {
    async fn step<C: Clock>(&mut self, clock: &C, account: &Account) -> Result<Step, TargetError> {
        // A quiet subscription must not keep the consumer from seeing that the run is over.
        let Ok(frame) = tokio::time::timeout(CONSUMER_POLL, self.connection.receive()).await else {
            return Ok(Step::Continue);
        };
        let frame = frame?;
        let now = clock.now();
        if frame.starts_with(b"{\"op\":\"messages\"") {
            let page = Page::parse(frame)?;
            let (delivered, ack_ids) = (page.delivered(), page.ack_ids());
            account.end_to_end(&delivered, now);
            account.delivered(&delivered, now);
            self.confirm(&ack_ids, delivered.len(), now).await?;
        } else if frame.starts_with(b"{\"op\":\"error\"") {
            account.refused(&scan::error_code(frame).unwrap_or_else(|| "unreadable_answer".to_owned()));
        } else if let Some(reference) = scan::number(frame, b"\"ref\":")
            && let Some(place) = self.acks.iter().position(|(waiting, _)| *waiting == reference)
            && let Some((_, asked)) = self.acks.remove(place)
        {
            account.timed(Measure::Ack, asked, now);
        }
        Ok(Step::Continue)
    }
}
