//! `RabbitMQ`: a quorum queue, persistent messages, publisher confirms; a consumer with a prefetch.

use std::fmt;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::ReadyChunks;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};

use crate::account::{Account, Delivered};
use crate::clock::Clock;
use crate::connections::SubscriptionPlace;
use crate::limits::{CONNECT_TIME_MAX, CONSUMER_POLL};
use crate::server::ServerInfo;
use crate::stamp::Stamp;
use crate::targets::{Outcome, Step, TargetError};

use super::publisher::outcome;
use super::{MadeHere, Prepared, failed};

/// Messages that are on disk when they are confirmed.
const PERSISTENT: u8 = 2;

async fn connect(url: &str) -> Result<Connection, TargetError> {
    let connecting = Connection::connect(url, ConnectionProperties::default());
    match tokio::time::timeout(CONNECT_TIME_MAX, connecting).await {
        Ok(connection) => connection.map_err(failed),
        Err(elapsed) => Err(failed(elapsed)),
    }
}

/// A channel of a connection of its own, on which what is published is confirmed.
pub(super) async fn confirming_channel(url: &str) -> Result<Channel, TargetError> {
    let channel = connect(url).await?.create_channel().await.map_err(failed)?;
    channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(failed)?;
    Ok(channel)
}

pub(super) async fn publish(channel: &Channel, topic: &str, payloads: &[Bytes]) -> Result<Outcome, TargetError> {
    let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
    let mut confirms = Vec::with_capacity(payloads.len());
    for payload in payloads {
        let options = BasicPublishOptions::default();
        let published = channel.basic_publish("".into(), topic.into(), options, payload, properties.clone());
        confirms.push(published.await.map_err(failed)?);
    }
    let mut refused = Vec::new();
    for (index, confirm) in (0..).zip(confirms) {
        match confirm.await.map_err(failed)? {
            Confirmation::Ack(_) => {}
            Confirmation::Nack(_) => refused.push((index, "nack".to_owned())),
            Confirmation::NotRequested => refused.push((index, "not_confirmed".to_owned())),
        }
    }
    Ok(outcome(refused))
}

pub(super) async fn prepare(url: &str, topic: &str) -> Result<Prepared, TargetError> {
    let connection = connect(url).await?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    // Whoever asks for a queue that is not there loses the channel.
    let asking = connection.create_channel().await.map_err(failed)?;
    let is_new = asking.queue_declare(topic.into(), passive, FieldTable::default()).await.is_err();
    let channel = connection.create_channel().await.map_err(failed)?;
    if is_new {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        let declared = channel.queue_declare(topic.into(), QueueDeclareOptions::durable(), arguments);
        declared.await.map_err(failed)?;
    }
    let durability = Some("quorum queue, persistent, confirmed".to_owned());
    Ok(Prepared { server: ServerInfo { product: "RabbitMQ".to_owned(), version: None, durability }, is_new })
}

pub(super) async fn remove(url: &str, made: &MadeHere) -> Result<(), TargetError> {
    // The queue is the subscription: it goes only with its topic.
    let MadeHere::Topic(topic) = made else { return Ok(()) };
    let channel = connect(url).await?.create_channel().await.map_err(failed)?;
    let deleted = channel.queue_delete(topic.as_str().into(), QueueDeleteOptions::default());
    deleted.await.map(|_| ()).map_err(failed)
}

/// One connection that consumes.
pub struct QueueConsumer {
    channel: Channel,
    deliveries: ReadyChunks<lapin::Consumer>,
    subscription: u32,
    number: u32,
}

impl QueueConsumer {
    pub(super) async fn connect(
        url: &str,
        topic: &str,
        place: &SubscriptionPlace,
        (number, batch): (u32, usize),
    ) -> Result<Self, TargetError> {
        let channel = connect(url).await?.create_channel().await.map_err(failed)?;
        let prefetch = u16::try_from(batch).unwrap_or(u16::MAX);
        channel.basic_qos(prefetch, BasicQosOptions::default()).await.map_err(failed)?;
        let options = BasicConsumeOptions::default();
        let name = format!("{}-{number}", place.name);
        let consuming = channel.basic_consume(topic.into(), name.into(), options, FieldTable::default());
        let deliveries = consuming.await.map_err(failed)?.ready_chunks(batch);
        Ok(Self { channel, deliveries, subscription: place.number, number })
    }

    pub(super) async fn step<C: Clock>(&mut self, clock: &C, account: &Account) -> Result<Step, TargetError> {
        let Ok(deliveries) = tokio::time::timeout(CONSUMER_POLL, self.deliveries.next()).await else {
            return Ok(Step::Continue);
        };
        let deliveries = deliveries.ok_or(TargetError::Closed { reason: None })?;
        let got = clock.now();
        let mut delivered = Vec::with_capacity(deliveries.len());
        let mut last = None;
        for delivery in deliveries {
            let delivery = delivery.map_err(failed)?;
            delivered.push(Delivered {
                stamp: Stamp::decode(&delivery.data),
                // A tag is a number of its channel alone: order is compared within a consumer.
                partition: self.number,
                offset: delivery.delivery_tag,
                payload_bytes: u64::try_from(delivery.data.len()).unwrap_or(u64::MAX),
            });
            last = Some(delivery.delivery_tag);
        }
        account.end_to_end(&delivered, got);
        if let Some(tag) = last {
            self.channel.basic_ack(tag, BasicAckOptions { multiple: true }).await.map_err(failed)?;
        }
        account.delivered(self.subscription, &delivered, got);
        Ok(Step::Continue)
    }
}

impl fmt::Debug for QueueConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueConsumer").field("number", &self.number).finish_non_exhaustive()
    }
}
