//! The connections of a run: what each is for, and how it is opened, the first time and after a loss.

use std::sync::Arc;
use std::time::Duration;

use crate::account::{Account, Delivered};
use crate::clock::Clock;
use crate::server::Server;
use crate::targets::catch_up_read::{CatchUpReader, ReadPlace};
use crate::targets::consume_pull::PullConsumer;
use crate::targets::consume_websocket::WebSocketConsumer;
use crate::targets::http_publisher::HttpPublisher;
use crate::targets::topic_events::EventReader;
use crate::targets::topic_websocket::WebSocketReader;
use crate::targets::websocket::WebSocketPublisher;
use crate::targets::{Answer, Consumer, Publisher, Reader, Step, StreamIdentity, TargetError, http_batch, http_single};
use crate::workload::{ConsumeProtocol, FanOutProtocol, PublishProtocol, Workload};

/// What a publishing connection is for.
#[derive(Clone, Debug)]
pub struct PublisherPlace {
    /// The server.
    pub server: Arc<Server>,
    /// The run.
    pub workload: Arc<Workload>,
    /// Its part in it.
    pub identity: StreamIdentity,
}

/// What a consuming connection is for.
#[derive(Clone, Debug)]
pub struct ConsumerPlace {
    /// The server.
    pub server: Arc<Server>,
    /// The run.
    pub workload: Arc<Workload>,
    /// Its part in it.
    pub source: Source,
}

/// Where a consuming connection gets its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A subscription.
    Subscription(String),
    /// A partition.
    Partition(ReadPlace),
}

/// A publishing connection of any protocol.
#[derive(Debug)]
#[expect(missing_docs, reason = "one variant for each protocol")]
pub enum AnyPublisher {
    Http(HttpPublisher),
    WebSocket(WebSocketPublisher),
}

impl AnyPublisher {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// When the connection is not made.
    pub async fn connect(place: &PublisherPlace) -> Result<Self, TargetError> {
        let PublisherPlace { server, workload, identity } = place;
        let (topic, plan) = (&workload.topic, &workload.publish);
        let request = match plan.protocol {
            PublishProtocol::Http => http_single::request(server, topic, plan.shape()),
            PublishProtocol::HttpBatch => http_batch::request(server, topic, plan.shape(), plan.batch()),
            PublishProtocol::WebSocket => {
                let connecting = WebSocketPublisher::connect(server, *identity, topic, plan.shape());
                return connecting.await.map(Self::WebSocket);
            }
        };
        HttpPublisher::connect(server, *identity, request).await.map(Self::Http)
    }
}

impl Publisher for AnyPublisher {
    async fn send(&mut self, ticket: u64, intended: Duration) -> Result<(), TargetError> {
        match self {
            Self::Http(publisher) => publisher.send(ticket, intended).await,
            Self::WebSocket(publisher) => publisher.send(ticket, intended).await,
        }
    }

    async fn receive(&mut self) -> Result<Answer, TargetError> {
        match self {
            Self::Http(publisher) => publisher.receive().await,
            Self::WebSocket(publisher) => publisher.receive().await,
        }
    }
}

/// A consuming connection of any protocol.
#[derive(Debug)]
#[expect(missing_docs, reason = "one variant for each way to consume")]
pub enum AnyConsumer {
    Pull(PullConsumer),
    WebSocket(WebSocketConsumer),
    Read(CatchUpReader),
}

impl AnyConsumer {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// When the connection is not made.
    pub async fn connect(place: &ConsumerPlace) -> Result<Self, TargetError> {
        let ConsumerPlace { server, workload, source } = place;
        let plan = &workload.consume;
        match (source, plan.protocol) {
            (Source::Partition(read), _) => {
                CatchUpReader::connect(server, &workload.topic, *read).await.map(Self::Read)
            }
            (Source::Subscription(name), ConsumeProtocol::Http) => {
                PullConsumer::connect(server, name, plan.batch).await.map(Self::Pull)
            }
            (Source::Subscription(name), ConsumeProtocol::WebSocket) => {
                WebSocketConsumer::connect(server, name, plan.batch).await.map(Self::WebSocket)
            }
        }
    }

    /// Notes in `place` how far it has come, before it is opened anew.
    pub fn remember(&self, place: &mut ConsumerPlace) {
        match self {
            Self::Read(reader) => place.source = Source::Partition(reader.place()),
            Self::Pull(_) | Self::WebSocket(_) => {}
        }
    }
}

impl Consumer for AnyConsumer {
    async fn step<C: Clock>(&mut self, clock: &C, account: &Account) -> Result<Step, TargetError> {
        match self {
            Self::Pull(consumer) => consumer.step(clock, account).await,
            Self::WebSocket(consumer) => consumer.step(clock, account).await,
            Self::Read(consumer) => consumer.step(clock, account).await,
        }
    }
}

/// A connection of any protocol that reads a topic.
#[derive(Debug)]
#[expect(missing_docs, reason = "one variant for each protocol")]
pub enum AnyReader {
    WebSocket(WebSocketReader),
    Sse(EventReader),
}

impl AnyReader {
    /// Opens it: what is published after this returns will be read.
    ///
    /// # Errors
    ///
    /// When the connection is not made or the topic can't be read.
    pub async fn connect(server: &Server, topic: &str, protocol: FanOutProtocol) -> Result<Self, TargetError> {
        match protocol {
            FanOutProtocol::WebSocket => WebSocketReader::connect(server, topic).await.map(Self::WebSocket),
            FanOutProtocol::Sse => EventReader::connect(server, topic).await.map(Self::Sse),
        }
    }
}

impl Reader for AnyReader {
    async fn next(&mut self) -> Result<Vec<Delivered>, TargetError> {
        match self {
            Self::WebSocket(reader) => reader.next().await,
            Self::Sse(reader) => reader.next().await,
        }
    }
}
