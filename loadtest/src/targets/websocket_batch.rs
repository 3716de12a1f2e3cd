//! Publishes over a WebSocket with `pubsub.v1.batch`: each frame carries a batch as it will be stored.

use std::time::Duration;

use gateway_api::frame::batch;

use crate::server::Server;
use crate::targets::acks::acks_member;
use crate::targets::batches::BatchMaker;
use crate::targets::websocket::answer;
use crate::targets::websocket_connection::{Subprotocol, WebSocketConnection};
use crate::targets::{Answer, Publisher, StreamIdentity, TargetError};
use crate::workload::{PublishPlan, RequestSizes};

/// One publishing WebSocket.
#[derive(Debug)]
pub struct BatchPublisher {
    connection: WebSocketConnection,
    identity: StreamIdentity,
    maker: BatchMaker,
    sizes: RequestSizes,
    /// What follows the reference number in each header.
    header_rest: String,
    frame: Vec<u8>,
}

impl BatchPublisher {
    /// Connects.
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
        Ok(Self {
            connection: WebSocketConnection::connect(server, Subprotocol::Batch).await?,
            identity,
            maker: BatchMaker::new(plan.sizes.max(), plan.keys, plan.codec),
            sizes: plan.request_sizes(),
            header_rest: format!(",\"topic\":\"{topic}\"{}}}", acks_member(plan.acks)),
            frame: Vec::new(),
        })
    }
}

impl Publisher for BatchPublisher {
    async fn send(&mut self, ticket: u64, intended: Duration) -> Result<(), TargetError> {
        let which = self.sizes.which(self.identity.stream, ticket);
        let sizes = self.sizes.requests().get(which).map(Vec::as_slice).unwrap_or_default();
        let made = self.maker.make(sizes, self.identity.first_stamp(ticket, intended));
        let made = made.map_err(|error| TargetError::protocol(format!("a batch can't be made: {error}")))?;
        let header = format!("{{\"op\":\"publish\",\"ref\":{ticket}{}", self.header_rest);
        self.frame.clear();
        self.frame.extend_from_slice(&batch::header_length(header.as_bytes()));
        self.frame.extend_from_slice(header.as_bytes());
        self.frame.extend_from_slice(&made);
        self.connection.send(&self.frame).await
    }

    async fn receive(&mut self) -> Result<Answer, TargetError> {
        let frame = self.connection.receive().await?;
        let (header, _) = batch::split(frame).map_err(|error| TargetError::protocol(error.to_string()))?;
        answer(header.as_bytes())
    }
}
