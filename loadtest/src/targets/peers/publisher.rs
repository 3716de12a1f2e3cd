//! Publishes to a peer: so many requests at a time, answered in whatever order.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use async_nats::jetstream;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use lapin::Channel;
use redis::aio::MultiplexedConnection;

use crate::stamp::{STAMP_BYTES, Stamp};
use crate::targets::{Answer, Outcome, Publisher, StreamIdentity, TargetError};
use crate::template::filler;
use crate::workload::{PublishPlan, RequestSizes};

use super::{nats, rabbitmq, redis_streams};

/// A connection, and the topic that is published to.
#[derive(Clone)]
pub(super) enum Client {
    Redis(MultiplexedConnection, String),
    Nats(jetstream::Context, String),
    RabbitMq(Channel, String),
}

type Request = Pin<Box<dyn Future<Output = Result<Answer, TargetError>>>>;

/// One publishing connection.
pub struct PeerPublisher {
    client: Client,
    identity: StreamIdentity,
    payload: Vec<u8>,
    sizes: RequestSizes,
    /// Bounded by how many the lane has in flight.
    requests: FuturesUnordered<Request>,
}

impl PeerPublisher {
    pub(super) fn new(client: Client, identity: StreamIdentity, plan: &PublishPlan) -> Self {
        Self {
            client,
            identity,
            payload: filler(plan.sizes.max()).collect(),
            sizes: plan.request_sizes(),
            requests: FuturesUnordered::new(),
        }
    }

    fn payloads(&self, ticket: u64, intended: Duration) -> Vec<Bytes> {
        let which = self.sizes.which(self.identity.stream, ticket);
        let first = self.identity.first_stamp(ticket, intended);
        let sizes = self.sizes.requests().get(which).map(Vec::as_slice).unwrap_or_default();
        let stamped = |(sequence, bytes): (u64, &usize)| {
            let mut payload = self.payload.get(..*bytes).unwrap_or_default().to_vec();
            if let Some(place) = payload.first_chunk_mut::<STAMP_BYTES>() {
                *place = Stamp { sequence, ..first }.encode();
            }
            Bytes::from(payload)
        };
        (first.sequence..).zip(sizes).map(stamped).collect()
    }
}

impl Publisher for PeerPublisher {
    async fn send(&mut self, ticket: u64, intended: Duration) -> Result<(), TargetError> {
        let payloads = self.payloads(ticket, intended);
        let client = self.client.clone();
        self.requests.push(Box::pin(async move {
            let outcome = match client {
                Client::Redis(connection, topic) => redis_streams::publish(connection, &topic, &payloads).await?,
                Client::Nats(context, topic) => nats::publish(&context, &topic, payloads).await?,
                Client::RabbitMq(channel, topic) => rabbitmq::publish(&channel, &topic, &payloads).await?,
            };
            Ok(Answer { ticket, outcome })
        }));
        Ok(())
    }

    /// Also what sends: a request is on its way from the first time that this is polled after it.
    async fn receive(&mut self) -> Result<Answer, TargetError> {
        match self.requests.next().await {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

/// The outcome of messages of which these failed.
pub(super) fn outcome(failed: Vec<(u64, String)>) -> Outcome {
    if failed.is_empty() { Outcome::Stored } else { Outcome::PartlyStored(failed) }
}

impl fmt::Debug for PeerPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerPublisher").field("identity", &self.identity).finish_non_exhaustive()
    }
}
