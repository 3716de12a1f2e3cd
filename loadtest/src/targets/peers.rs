//! The servers that users would take instead, each spoken to by the client that its own users take.
//!
//! They get the same schedule, account and stamps as the broker; only how a batch is published and how messages are consumed
//! is here.

mod nats;
mod publisher;
mod rabbitmq;
mod redis_streams;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::runtime::{Builder, Runtime};

use crate::account::Account;
use crate::any_setup::Made;
use crate::clock::Clock;
use crate::connections::{Source, SubscriptionPlace};
use crate::host::HostError;
use crate::server::ServerInfo;
use crate::targets::{Consumer, Step, StreamIdentity, TargetError};
use crate::workload::{ConsumePlan, Kind, PublishPlan, Target, Workload};

pub use publisher::PeerPublisher;

/// A peer's address.
#[derive(Clone, Debug)]
pub struct Peer {
    target: Target,
    url: String,
    authority: String,
    /// Numbers the consumers, whose offsets are their own where a peer has none.
    consumers: Arc<AtomicU32>,
}

/// Why a peer could not be prepared. What was made before stays.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum PeerError {
    #[error("cannot start: {0}")]
    Runtime(#[source] std::io::Error),
    #[error("{peer} at {authority}: {reason}")]
    Refused { peer: &'static str, authority: String, reason: String },
}

/// Administers a peer before and after a run.
#[derive(Debug)]
pub struct PeerSetup {
    runtime: Runtime,
    peer: Peer,
    /// What was made for this run alone: its topic, or its subscription.
    made: Vec<MadeHere>,
}

/// What a run leaves unless it is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum MadeHere {
    Topic(String),
    Subscription { topic: String, name: String },
}

/// A consuming connection to a peer.
#[derive(Debug)]
#[expect(missing_docs, reason = "one variant for each peer")]
pub enum PeerConsumer {
    Redis(redis_streams::StreamConsumer),
    Nats(nats::JetStreamConsumer),
    RabbitMq(rabbitmq::QueueConsumer),
}

impl Peer {
    /// At this address, or at its usual one.
    ///
    /// # Errors
    ///
    /// When the address has not the peer's scheme.
    pub fn new(target: Target, address: Option<&str>) -> Result<Self, HostError> {
        let (scheme, port) = match target {
            Target::RedisStreams => ("redis", 6_379),
            Target::NatsJetstream => ("nats", 4_222),
            Target::RabbitMq => ("amqp", 5_672),
            Target::Pubsub => ("http", 8_081),
        };
        let url = address.map_or_else(|| format!("{scheme}://127.0.0.1:{port}"), str::to_owned);
        let Some(rest) = url.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://")) else {
            let reason = format!("the address of {} begins with {scheme}://", target.name());
            return Err(HostError::Address { address: url, reason });
        };
        let host = rest.rsplit('@').next().unwrap_or_default().split('/').next().unwrap_or_default();
        let has_port = host.rsplit(':').next().is_some_and(|end| end.parse::<u16>().is_ok());
        let authority = if has_port { host.to_owned() } else { format!("{host}:{port}") };
        Ok(Self { target, url, authority, consumers: Arc::default() })
    }

    /// `HOST:PORT`.
    #[must_use]
    pub fn authority(&self) -> String {
        self.authority.clone()
    }

    /// Opens a publishing connection.
    ///
    /// # Errors
    ///
    /// When the connection is not made.
    pub async fn publisher(
        &self,
        topic: &str,
        identity: StreamIdentity,
        plan: &PublishPlan,
    ) -> Result<PeerPublisher, TargetError> {
        let client = match self.target {
            Target::RedisStreams => {
                publisher::Client::Redis(redis_streams::connect(&self.url).await?, topic.to_owned())
            }
            Target::NatsJetstream => publisher::Client::Nats(nats::connect(&self.url).await?, topic.to_owned()),
            Target::RabbitMq => {
                publisher::Client::RabbitMq(rabbitmq::confirming_channel(&self.url).await?, topic.to_owned())
            }
            Target::Pubsub => return Err(TargetError::protocol("the broker is no peer")),
        };
        Ok(PeerPublisher::new(client, identity, plan))
    }

    /// Opens a consuming connection.
    ///
    /// # Errors
    ///
    /// When the connection is not made.
    pub async fn consumer(
        &self,
        source: &Source,
        topic: &str,
        plan: &ConsumePlan,
    ) -> Result<PeerConsumer, TargetError> {
        let Source::Subscription(place) = source else {
            return Err(TargetError::protocol("a peer has no partitions to read"));
        };
        let number = self.consumers.fetch_add(1, Ordering::Relaxed);
        match self.target {
            Target::RedisStreams => {
                let consumer = redis_streams::StreamConsumer::connect(&self.url, topic, place, (number, plan.batch));
                consumer.await.map(PeerConsumer::Redis)
            }
            Target::NatsJetstream => {
                nats::JetStreamConsumer::connect(&self.url, topic, place, plan.batch).await.map(PeerConsumer::Nats)
            }
            Target::RabbitMq => {
                let consumer = rabbitmq::QueueConsumer::connect(&self.url, topic, place, (number, plan.batch));
                consumer.await.map(PeerConsumer::RabbitMq)
            }
            Target::Pubsub => Err(TargetError::protocol("the broker is no peer")),
        }
    }
}

impl Consumer for PeerConsumer {
    async fn step<C: Clock>(&mut self, clock: &C, account: &Account) -> Result<Step, TargetError> {
        match self {
            Self::Redis(consumer) => consumer.step(clock, account).await,
            Self::Nats(consumer) => consumer.step(clock, account).await,
            Self::RabbitMq(consumer) => consumer.step(clock, account).await,
        }
    }
}

impl PeerSetup {
    /// Connects with the first call.
    ///
    /// # Errors
    ///
    /// When the process has no file descriptor left.
    pub fn new(peer: &Peer) -> Result<Self, PeerError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(PeerError::Runtime)?;
        Ok(Self { runtime, peer: peer.clone(), made: Vec::new() })
    }

    /// Makes the topic and the subscription, unless they are there.
    ///
    /// # Errors
    ///
    /// When the peer refuses.
    pub fn prepare(&mut self, workload: &Workload) -> Result<Made, PeerError> {
        let topic = workload.topic.clone();
        let subscribes = matches!(workload.kind, Kind::Consume | Kind::EndToEnd);
        let usual = || format!("loadtest-{}", std::process::id());
        let name = workload.consume.subscription.clone().unwrap_or_else(usual);
        let subscription = subscribes.then_some(name.as_str());
        let Peer { target, url, authority, .. } = &self.peer;
        let prepared = match target {
            Target::RedisStreams => self.runtime.block_on(redis_streams::prepare(url, &topic, subscription)),
            Target::NatsJetstream => self.runtime.block_on(nats::prepare(url, &topic, subscription)),
            Target::RabbitMq => self.runtime.block_on(rabbitmq::prepare(url, &topic)),
            Target::Pubsub => Err(TargetError::protocol("the broker is no peer")),
        };
        let refused = |error: TargetError| PeerError::Refused {
            peer: target.name(),
            authority: authority.clone(),
            reason: error.to_string(),
        };
        let Prepared { mut server, is_new } = prepared.map_err(refused)?;
        if is_new {
            self.made.push(MadeHere::Topic(topic.clone()));
        } else if subscribes && workload.consume.subscription.is_none() {
            self.made.push(MadeHere::Subscription { topic, name: name.clone() });
        }
        server.durability = workload.durability.clone().or(server.durability);
        let sources = subscribes.then_some(Source::Subscription(SubscriptionPlace { name, number: 0 }));
        Ok(Made { sources: sources.into_iter().collect(), server })
    }
}

/// What was found or made at a peer.
struct Prepared {
    server: ServerInfo,
    /// Whether the topic was not there before.
    is_new: bool,
}

impl Drop for PeerSetup {
    /// A failure is no failure of the run.
    fn drop(&mut self) {
        let url = &self.peer.url;
        for made in std::mem::take(&mut self.made) {
            let _ = match self.peer.target {
                Target::RedisStreams => self.runtime.block_on(redis_streams::remove(url, &made)),
                Target::NatsJetstream => self.runtime.block_on(nats::remove(url, &made)),
                Target::RabbitMq => self.runtime.block_on(rabbitmq::remove(url, &made)),
                Target::Pubsub => Ok(()),
            };
        }
    }
}

/// A connection that failed, or could not be made.
fn failed(error: impl std::error::Error + Send + Sync + 'static) -> TargetError {
    TargetError::Failed { source: std::io::Error::other(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(target: Target, address: Option<&str>) -> String {
        Peer::new(target, address).unwrap().authority()
    }

    #[test]
    fn an_address_has_the_peer_s_scheme_and_maybe_a_port() {
        assert_eq!(authority(Target::RedisStreams, None), "127.0.0.1:6379");
        assert_eq!(authority(Target::NatsJetstream, Some("nats://localhost")), "localhost:4222");
        assert_eq!(authority(Target::RabbitMq, Some("amqp://me:secret@h:99/%2f")), "h:99");
        let error = Peer::new(Target::RabbitMq, Some("http://h")).unwrap_err().to_string();
        assert!(error.contains("begins with amqp://"), "{error}");
    }
}
