//! Publishes over HTTP: one prepared request at a time on one connection.

use std::time::Duration;

use crate::server::Server;
use crate::targets::http_connection::HttpConnection;
use crate::targets::templates::Templates;
use crate::targets::{Answer, Outcome, Publisher, StreamIdentity, TargetError, scan};

/// One publishing connection.
#[derive(Debug)]
pub struct HttpPublisher {
    connection: HttpConnection,
    identity: StreamIdentity,
    requests: Templates,
    ticket: u64,
}

impl HttpPublisher {
    /// Connects; `requests` is what it will send, made by `http_single` or `http_batch`.
    ///
    /// # Errors
    ///
    /// When the connection is not made.
    pub async fn connect(server: &Server, identity: StreamIdentity, requests: Templates) -> Result<Self, TargetError> {
        let connection = HttpConnection::connect(server).await?;
        Ok(Self { connection, identity, requests, ticket: 0 })
    }
}

impl Publisher for HttpPublisher {
    async fn send(&mut self, ticket: u64, intended: Duration) -> Result<(), TargetError> {
        self.ticket = ticket;
        self.connection.send(self.requests.fill(self.identity, ticket, intended)).await
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
