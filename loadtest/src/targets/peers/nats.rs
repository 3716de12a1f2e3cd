//! NATS `JetStream`: a stream in a file store, each message acknowledged; a pull consumer that keeps a request open.

use std::fmt;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::{Config, StorageType};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::ReadyChunks;

use crate::account::{Account, Delivered};
use crate::clock::Clock;
use crate::connections::SubscriptionPlace;
use crate::limits::{BATCH_MAX, CONNECT_TIME_MAX, CONSUMER_POLL, DRAIN_MAX, IN_FLIGHT_MAX};
use crate::server::ServerInfo;
use crate::stamp::Stamp;
use crate::targets::{Outcome, Step, TargetError};

use super::publisher::outcome;
use super::{MadeHere, Prepared, failed};

pub(super) async fn connect(url: &str) -> Result<jetstream::Context, TargetError> {
    let options = async_nats::ConnectOptions::new().connection_timeout(CONNECT_TIME_MAX);
    let client = options.connect(url).await.map_err(failed)?;
    // How many are in flight, and how long an answer may take, is for the run to say.
    let context = jetstream::ContextBuilder::new().max_ack_inflight(IN_FLIGHT_MAX * BATCH_MAX).ack_timeout(DRAIN_MAX);
    Ok(context.build(client))
}

pub(super) async fn publish(
    context: &jetstream::Context,
    topic: &str,
    payloads: Vec<Bytes>,
) -> Result<Outcome, TargetError> {
    let mut acks = Vec::with_capacity(payloads.len());
    for payload in payloads {
        acks.push(context.publish(topic.to_owned(), payload).await.map_err(failed)?);
    }
    let mut refused = Vec::new();
    for (index, ack) in (0..).zip(acks) {
        if let Err(error) = ack.await {
            refused.push((index, format!("{:?}", error.kind()).to_ascii_lowercase()));
        }
    }
    Ok(outcome(refused))
}

pub(super) async fn prepare(url: &str, topic: &str, subscription: Option<&str>) -> Result<Prepared, TargetError> {
    let context = connect(url).await?;
    let name = stream_name(topic);
    let is_new = context.get_stream(&name).await.is_err();
    let config = Config {
        name: name.clone(),
        subjects: vec![topic.to_owned()],
        storage: StorageType::File,
        ..Config::default()
    };
    let stream = context.get_or_create_stream(config).await.map_err(failed)?;
    if let Some(name) = subscription {
        let config = pull::Config {
            durable_name: Some(name.to_owned()),
            deliver_policy: DeliverPolicy::New,
            ack_policy: AckPolicy::Explicit,
            max_ack_pending: i64::try_from(IN_FLIGHT_MAX * BATCH_MAX).unwrap_or(i64::MAX),
            ..pull::Config::default()
        };
        let _: PullConsumer = stream.create_consumer(config).await.map_err(failed)?;
    }
    let version = context.client().server_info().version;
    // When a file store is synced is not told to clients: the server's `sync_interval`, two minutes if nothing is said.
    let durability = Some("file store, synced by the server's sync_interval".to_owned());
    let server = ServerInfo { product: "NATS JetStream".to_owned(), version: Some(version), durability };
    Ok(Prepared { server, is_new })
}

pub(super) async fn remove(url: &str, made: &MadeHere) -> Result<(), TargetError> {
    let context = connect(url).await?;
    match made {
        MadeHere::Topic(topic) => context.delete_stream(stream_name(topic)).await.map(|_| ()).map_err(failed),
        MadeHere::Subscription { topic, name } => {
            let stream = context.get_stream(stream_name(topic)).await.map_err(failed)?;
            stream.delete_consumer(name).await.map(|_| ()).map_err(failed)
        }
    }
}

/// Streams have no dots in their names.
fn stream_name(topic: &str) -> String {
    topic.replace('.', "_")
}

/// One connection that consumes.
pub struct JetStreamConsumer {
    messages: ReadyChunks<pull::Stream>,
    number: u32,
}

impl JetStreamConsumer {
    pub(super) async fn connect(
        url: &str,
        topic: &str,
        place: &SubscriptionPlace,
        batch: usize,
    ) -> Result<Self, TargetError> {
        /// How long an open request lasts before it is made anew.
        const REQUEST_EXPIRES: Duration = Duration::from_secs(30);
        let context = connect(url).await?;
        let consumer: PullConsumer =
            context.get_consumer_from_stream(&place.name, stream_name(topic)).await.map_err(failed)?;
        let stream = consumer.stream().max_messages_per_batch(batch).expires(REQUEST_EXPIRES);
        let messages = stream.messages().await.map_err(failed)?.ready_chunks(batch);
        Ok(Self { messages, number: place.number })
    }

    pub(super) async fn step<C: Clock>(&mut self, clock: &C, account: &Account) -> Result<Step, TargetError> {
        let Ok(messages) = tokio::time::timeout(CONSUMER_POLL, self.messages.next()).await else {
            return Ok(Step::Continue);
        };
        let messages = messages.ok_or(TargetError::Closed { reason: None })?;
        let got = clock.now();
        let mut delivered = Vec::with_capacity(messages.len());
        for message in messages {
            let message = message.map_err(failed)?;
            let offset = message.info().map_or(0, |info| info.stream_sequence);
            delivered.push(Delivered {
                stamp: Stamp::decode(&message.payload),
                partition: 0,
                offset,
                payload_bytes: u64::try_from(message.payload.len()).unwrap_or(u64::MAX),
            });
            message.ack().await.map_err(|error| TargetError::protocol(error.to_string()))?;
        }
        account.end_to_end(&delivered, got);
        account.delivered(self.number, &delivered, got);
        Ok(Step::Continue)
    }
}

impl fmt::Debug for JetStreamConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JetStreamConsumer").field("number", &self.number).finish_non_exhaustive()
    }
}
