//! How messages are consumed or read in a run.

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::workload::{Kind, WorkloadError, in_range};

/// How messages are consumed or read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it; the command line's help says more")]
pub struct ConsumePlan {
    pub protocol: ConsumeProtocol,
    pub connections: usize,
    /// Messages of one pull or page, or the credit of a WebSocket.
    pub batch: usize,
    /// An existing subscription; `None` to make one for the run.
    pub subscription: Option<String>,
    /// Subscriptions of each topic, each of which is given all of it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub subscriptions: u32,
}

/// How a consumer gets its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ConsumeProtocol {
    /// Pull and ack, or read pages, in JSON.
    Http,
    /// Read batches as they are stored.
    HttpBatch,
    /// Subscribe with credit.
    #[value(name = "websocket")]
    #[serde(rename = "websocket")]
    WebSocket,
    /// Subscribe with credit; the messages come in batches as they are stored.
    #[value(name = "websocket-batch")]
    #[serde(rename = "websocket-batch")]
    WebSocketBatch,
    /// A peer's own protocol.
    Native,
}

/// Who reads all of a topic in a fan-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it; the command line's help says more")]
pub struct FanOutPlan {
    pub protocol: FanOutProtocol,
    pub readers: usize,
}

/// How a reader is given a topic's messages as they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum FanOutProtocol {
    /// Subscribe to the topic, with more credit than is needed.
    #[value(name = "websocket")]
    #[serde(rename = "websocket")]
    WebSocket,
    /// Server-Sent Events.
    Sse,
}

impl ConsumeProtocol {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::HttpBatch => "http-batch",
            Self::WebSocket => "websocket",
            Self::WebSocketBatch => "websocket-batch",
            Self::Native => "native",
        }
    }
}

impl FanOutProtocol {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Sse => "sse",
        }
    }
}

impl ConsumePlan {
    /// Nothing is consumed.
    #[must_use]
    pub fn none() -> Self {
        Self { protocol: ConsumeProtocol::Http, connections: 1, batch: 1, subscription: None, subscriptions: 1 }
    }

    pub(super) fn check(&self, kind: Kind) -> Result<(), WorkloadError> {
        in_range("consumers", self.connections, 1, limits::CONNECTIONS_MAX)?;
        in_range("consume-batch", self.batch, 1, limits::BATCH_MAX)?;
        in_range("subscriptions", self.subscriptions as usize, 1, limits::SUBSCRIPTIONS_MAX)?;
        let protocol = self.protocol.name();
        match (kind, self.protocol) {
            (Kind::Read, ConsumeProtocol::WebSocket | ConsumeProtocol::WebSocketBatch) => {
                Err(WorkloadError::ProtocolOfKind { protocol, what: "read partitions: http and http-batch are" })
            }
            (Kind::Consume | Kind::EndToEnd, ConsumeProtocol::HttpBatch) => Err(WorkloadError::ProtocolOfKind {
                protocol,
                what: "consume a subscription: http, websocket and websocket-batch are",
            }),
            _ if self.subscriptions > 1 && self.subscription.is_some() => {
                Err(WorkloadError::NotOfKind { kind: "one-subscription", option: "subscriptions" })
            }
            (Kind::Publish | Kind::Consume | Kind::EndToEnd | Kind::Read | Kind::FanOut, _) => Ok(()),
        }
    }
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(number: &u32) -> bool {
    *number == 1
}
