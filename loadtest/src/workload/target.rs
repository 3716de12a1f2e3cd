//! What is measured: the broker, or one of those that users would take instead.

use serde::{Deserialize, Serialize};

/// The kind of server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// `PubSubRing`.
    #[default]
    Pubsub,
    /// Redis Streams: XADD, XREADGROUP, XACK.
    RedisStreams,
    /// NATS `JetStream`: a stream in a file store, a pull consumer.
    NatsJetstream,
    /// `RabbitMQ`: a quorum queue, publisher confirms.
    #[value(name = "rabbitmq")]
    #[serde(rename = "rabbitmq")]
    RabbitMq,
}

impl Target {
    /// Its name in reports and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pubsub => "pubsub",
            Self::RedisStreams => "redis-streams",
            Self::NatsJetstream => "nats-jetstream",
            Self::RabbitMq => "rabbitmq",
        }
    }

    /// Whether it is another product.
    #[must_use]
    pub fn is_peer(self) -> bool {
        self != Self::Pubsub
    }

    /// Whether it is this product.
    #[must_use]
    pub fn is_pubsub(&self) -> bool {
        !self.is_peer()
    }
}
