//! Consumes a subscription over HTTP: pull, then ack what came.

use crate::account::Account;
use crate::clock::Clock;
use crate::connections::SubscriptionPlace;
use crate::limits::CONSUMER_POLL;
use crate::recorder::Measure;
use crate::server::Server;
use crate::targets::delivered::Page;
use crate::targets::http_connection::{HttpConnection, post_head};
use crate::targets::{Consumer, Step, TargetError};

/// One pulling connection.
#[derive(Debug)]
pub struct PullConsumer {
    connection: HttpConnection,
    server: Server,
    pull_request: String,
    ack_path: String,
    number: u32,
}

impl PullConsumer {
    /// Connects; each pull asks for up to `messages_max`.
    ///
    /// # Errors
    ///
    /// When the connection is not made.
    pub async fn connect(server: &Server, place: &SubscriptionPlace, messages_max: usize) -> Result<Self, TargetError> {
        let body = format!("{{\"max_messages\":{messages_max},\"wait_ms\":{}}}", CONSUMER_POLL.as_millis());
        let subscription = &place.name;
        let path = format!("/v1/subscriptions/{subscription}/pull");
        Ok(Self {
            connection: HttpConnection::connect(server).await?,
            server: server.clone(),
            pull_request: post_head(server, &path, "application/json", body.len()) + &body,
            ack_path: format!("/v1/subscriptions/{subscription}/ack"),
            number: place.number,
        })
    }
}

impl Consumer for PullConsumer {
    async fn step<C: Clock>(&mut self, clock: &C, account: &Account) -> Result<Step, TargetError> {
        let asked = clock.now();
        self.connection.send(self.pull_request.as_bytes()).await?;
        let answer = self.connection.receive().await?;
        let got = clock.now();
        if !answer.is_success() {
            account.refused(&answer.error_code(), got);
            clock.sleep_until(got + CONSUMER_POLL).await;
            return Ok(Step::Continue);
        }
        let page = Page::parse(answer.body)?;
        if page.messages.is_empty() {
            return Ok(Step::Continue);
        }
        account.timed(Measure::Pull, asked, got);
        let delivered = page.delivered();
        let body = format!("{{\"ack_ids\":{}}}", page.ack_ids());
        account.end_to_end(&delivered, got);

        let asked = clock.now();
        let request = post_head(&self.server, &self.ack_path, "application/json", body.len()) + &body;
        self.connection.send(request.as_bytes()).await?;
        let answer = self.connection.receive().await?;
        let confirmed = clock.now();
        if answer.is_success() {
            account.timed(Measure::Ack, asked, confirmed);
        } else {
            account.refused(&answer.error_code(), confirmed);
        }
        // Counted after the ack, so that a run that ends by count leaves nothing leased.
        account.delivered(self.number, &delivered, confirmed);
        Ok(Step::Continue)
    }
}
