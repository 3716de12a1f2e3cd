//! The connections of a run: what each is for, and how it is opened, the first time and after a loss.

use std::sync::Arc;
use std::time::Duration;

use crate::account::{Account, Delivered};
use crate::clock::Clock;
use crate::host::Host;
use crate::server::Server;
use crate::targets::catch_up_read::{CatchUpReader, PageForm, ReadPlace};
use crate::targets::consume_pull::PullConsumer;
use crate::targets::consume_websocket::WebSocketConsumer;
use crate::targets::http_publisher::HttpPublisher;
#[cfg(feature = "peers")]
use crate::targets::peers::{PeerConsumer, PeerPublisher};
use crate::targets::templates::Templates;
use crate::targets::topic_events::EventReader;
use crate::targets::topic_websocket::WebSocketReader;
use crate::targets::websocket::WebSocketPublisher;
use crate::targets::websocket_batch::BatchPublisher;
use crate::targets::websocket_connection::Subprotocol;
use crate::targets::{Answer, Consumer, Publisher, Reader, Step, StreamIdentity, TargetError, http_batch, http_single};
use crate::workload::{ConsumeProtocol, FanOutProtocol, PublishProtocol, Workload};

/// What a publishing connection is for.
#[derive(Clone, Debug)]
pub struct PublisherPlace {
    /// The server.
    pub host: Arc<Host>,
    /// The run.
    pub workload: Arc<Workload>,
    /// The topic that it publishes to.
    pub topic: String,
    /// Its part in the run.
    pub identity: StreamIdentity,
}

/// What a consuming connection is for.
#[derive(Clone, Debug)]
pub struct ConsumerPlace {
    /// The server.
    pub host: Arc<Host>,
    /// The run.
    pub workload: Arc<Workload>,
    /// Its part in it.
    pub source: Source,
}

/// A subscription of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionPlace {
    /// What it is called.
    pub name: String,
    /// Which of the run's it is: it has the topic of its number modulo the number of topics.
    pub number: u32,
}

/// Where a consuming connection gets its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A subscription.
    Subscription(SubscriptionPlace),
    /// A partition.
    Partition(ReadPlace),
}

/// A publishing connection of any protocol.
#[derive(Debug)]
#[expect(missing_docs, reason = "one variant for each protocol")]
pub enum AnyPublisher {
    Http(HttpPublisher),
    WebSocket(WebSocketPublisher),
    Batch(BatchPublisher),
    #[cfg(feature = "peers")]
    Peer(PeerPublisher),
}

impl AnyPublisher {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// When the connection is not made.
    pub async fn connect(place: &PublisherPlace) -> Result<Self, TargetError> {
        let PublisherPlace { host, workload, topic, identity } = place;
        let plan = &workload.publish;
        let server = match host.as_ref() {
            Host::Broker(server) => server,
            #[cfg(feature = "peers")]
            Host::Peer(peer) => return peer.publisher(topic, *identity, plan).await.map(Self::Peer),
        };
        let (sizes, shape, acks) = (plan.request_sizes(), plan.shape(), plan.acks);
        let requests = match plan.protocol {
            PublishProtocol::Http => Templates::new(sizes, |sizes| {
                http_single::request(server, topic, shape, acks, sizes.first().copied().unwrap_or(0))
            }),
            PublishProtocol::HttpBatch => {
                Templates::new(sizes, |sizes| http_batch::request(server, topic, shape, acks, sizes))
            }
            PublishProtocol::WebSocket => {
                return WebSocketPublisher::connect(server, *identity, topic, plan).await.map(Self::WebSocket);
            }
            PublishProtocol::WebSocketBatch => {
                return BatchPublisher::connect(server, *identity, topic, plan).await.map(Self::Batch);
            }
            PublishProtocol::Native => return Err(TargetError::protocol("the broker has no protocol `native`")),
        };
        HttpPublisher::connect(server, *identity, requests).await.map(Self::Http)
    }
}

impl Publisher for AnyPublisher {
    async fn send(&mut self, ticket: u64, intended: Duration) -> Result<(), TargetError> {
        match self {
            Self::Http(publisher) => publisher.send(ticket, intended).await,
            Self::WebSocket(publisher) => publisher.send(ticket, intended).await,
            Self::Batch(publisher) => publisher.send(ticket, intended).await,
            #[cfg(feature = "peers")]
            Self::Peer(publisher) => publisher.send(ticket, intended).await,
        }
    }

    async fn receive(&mut self) -> Result<Answer, TargetError> {
        match self {
            Self::Http(publisher) => publisher.receive().await,
            Self::WebSocket(publisher) => publisher.receive().await,
            Self::Batch(publisher) => publisher.receive().await,
            #[cfg(feature = "peers")]
            Self::Peer(publisher) => publisher.receive().await,
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
    #[cfg(feature = "peers")]
    Peer(PeerConsumer),
}

impl AnyConsumer {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// When the connection is not made.
    pub async fn connect(place: &ConsumerPlace) -> Result<Self, TargetError> {
        let ConsumerPlace { host, workload, source } = place;
        let plan = &workload.consume;
        let server = match host.as_ref() {
            Host::Broker(server) => server,
            #[cfg(feature = "peers")]
            Host::Peer(peer) => return peer.consumer(source, &workload.topic, plan).await.map(Self::Peer),
        };
        match (source, plan.protocol) {
            (Source::Partition(read), protocol) => {
                let form = if protocol == ConsumeProtocol::HttpBatch { PageForm::Batches } else { PageForm::Json };
                CatchUpReader::connect(server, &workload.topic, *read, form).await.map(Self::Read)
            }
            (Source::Subscription(place), ConsumeProtocol::Http) => {
                PullConsumer::connect(server, place, plan.batch).await.map(Self::Pull)
            }
            (Source::Subscription(place), ConsumeProtocol::WebSocket) => {
                WebSocketConsumer::connect(server, place, plan.batch, Subprotocol::Json).await.map(Self::WebSocket)
            }
            (Source::Subscription(place), ConsumeProtocol::WebSocketBatch) => {
                WebSocketConsumer::connect(server, place, plan.batch, Subprotocol::Batch).await.map(Self::WebSocket)
            }
            (Source::Subscription(_), ConsumeProtocol::HttpBatch | ConsumeProtocol::Native) => {
                Err(TargetError::protocol("no subscription is consumed that way"))
            }
        }
    }

    /// Notes in `place` how far it has come, before it is opened anew.
    pub fn remember(&self, place: &mut ConsumerPlace) {
        match self {
            Self::Read(reader) => place.source = Source::Partition(reader.place()),
            Self::Pull(_) | Self::WebSocket(_) => {}
            #[cfg(feature = "peers")]
            Self::Peer(_) => {}
        }
    }
}

impl Consumer for AnyConsumer {
    async fn step<C: Clock>(&mut self, clock: &C, account: &Account) -> Result<Step, TargetError> {
        match self {
            Self::Pull(consumer) => consumer.step(clock, account).await,
            Self::WebSocket(consumer) => consumer.step(clock, account).await,
            Self::Read(consumer) => consumer.step(clock, account).await,
            #[cfg(feature = "peers")]
            Self::Peer(consumer) => consumer.step(clock, account).await,
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
