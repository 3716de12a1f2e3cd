//! Publishes over HTTP: one prepared request at a time on one connection.

use std::time::Duration;

use crate::server::Server;
use crate::targets::http_connection::HttpConnection;
use crate::targets::{Answer, Outcome, Publisher, StreamIdentity, TargetError, scan};
use crate::template::Template;

/// One publishing connection.
#[derive(Debug)]
pub struct HttpPublisher {
    connection: HttpConnection,
    identity: StreamIdentity,
    request: Template,
    ticket: u64,
}

impl HttpPublisher {
    /// Connects; `request` is what it will send, made by `http_single` or `http_batch`.
    ///
    /// # Errors
    ///
    /// When the connection is not made.
    pub async fn connect(server: &Server, identity: StreamIdentity, request: Template) -> Result<Self, TargetError> {
        let connection = HttpConnection::connect(server).await?;
        Ok(Self { connection, identity, request, ticket: 0 })
    }
}

impl Publisher for HttpPublisher {
    async fn send(&mut self, ticket: u64, intended: Duration) -> Result<(), TargetError> {
        self.ticket = ticket;
        self.request.fill(ticket, self.identity.first_stamp(ticket, intended));
        self.connection.send(self.request.bytes()).await
    }

    async fn receive(&mut self) -> Result<Answer, TargetError> {
        let answer = self.connection.receive().await?;
        let outcome = if answer.is_success() {
            scan::publish_outcome(answer.body)
        } else {
            Outcome::Refused(answer.error_code())
        };
        Ok(Answer { ticket: self.ticket, outcome })
    }
}
