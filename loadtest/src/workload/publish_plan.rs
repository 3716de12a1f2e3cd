//! How messages are published in a run.

use std::num::NonZeroU64;
use std::time::Duration;

use gateway_api::topics::Acks;
use serde::{Deserialize, Serialize};

use crate::limits;
use crate::schedule::{Pace, Ramp, Rate};
use crate::template::{MessageShape, PayloadEncoding};
use crate::workload::{RequestSizes, Sizes, WorkloadError, in_range, number_in_range};

/// How messages are published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it; the command line's help says more")]
pub struct PublishPlan {
    pub protocol: PublishProtocol,
    pub connections: usize,
    pub in_flight: usize,
    pub batch: usize,
    #[serde(rename = "message_bytes")]
    pub sizes: Sizes,
    pub encoding: PayloadEncoding,
    pub keys: u64,
    /// Messages a second; `None` in a closed loop. With a ramp or steps, the rate to begin with.
    pub rate: Option<NonZeroU64>,
    /// The rate grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<RampPlan>,
    /// The highest rate is looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<StepPlan>,
    /// When a publish is answered, if not as the topic says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acks: Option<Acks>,
    /// How batches as they are stored are compressed before they are sent.
    #[serde(default, skip_serializing_if = "BatchCodec::is_none")]
    pub codec: BatchCodec,
}

/// How a message gets to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum PublishProtocol {
    /// One message is the body of one request.
    Http,
    /// JSON batches.
    HttpBatch,
    /// JSON frames.
    #[value(name = "websocket")]
    #[serde(rename = "websocket")]
    WebSocket,
    /// Batches as they are stored, in binary frames.
    #[value(name = "websocket-batch")]
    #[serde(rename = "websocket-batch")]
    WebSocketBatch,
    /// A peer's own protocol.
    Native,
}

/// How a batch is compressed by its publisher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum BatchCodec {
    /// Not at all.
    #[default]
    None,
    /// Snappy's raw format.
    Snappy,
    /// LZ4's block format.
    Lz4,
}

/// The rate grows evenly from `rate` to this one, and stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RampPlan {
    pub to: NonZeroU64,
    #[serde(rename = "over_ms", with = "super::millis")]
    pub over: Duration,
}

/// Runs at rates that grow until one is not reached; then between the last two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepPlan {
    /// How much each step is above the one before, in percent.
    pub grow_percent: u32,
    /// No step is above this rate.
    pub max: NonZeroU64,
    /// A step whose p99 is above this has not been reached.
    #[serde(rename = "p99_max_ms", with = "super::millis")]
    pub p99_max: Duration,
}

impl PublishProtocol {
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

    /// Messages of a request where the user does not say.
    #[must_use]
    pub fn batch_default(self) -> usize {
        match self {
            Self::Http | Self::Native => 1,
            Self::HttpBatch | Self::WebSocket | Self::WebSocketBatch => 100,
        }
    }
}

impl BatchCodec {
    /// Whether nothing is compressed.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

impl PublishPlan {
    /// What decides when requests are sent.
    #[must_use]
    pub fn pace(&self) -> Pace {
        let batch = NonZeroU64::new(self.batch() as u64).unwrap_or(NonZeroU64::MIN);
        match (self.rate, self.ramp) {
            (None, _) => Pace::Closed,
            (Some(rate), None) => Pace::Open(Rate::new(rate, batch)),
            (Some(from), Some(RampPlan { to, over })) => Pace::Ramp(Ramp::new(from, to, over, batch)),
        }
    }

    /// Messages in a request.
    #[must_use]
    pub fn batch(&self) -> usize {
        if self.protocol == PublishProtocol::Http { 1 } else { self.batch }
    }

    /// What all messages have in common.
    #[must_use]
    pub fn shape(&self) -> MessageShape {
        MessageShape { encoding: self.encoding, keys: self.keys }
    }

    /// The sizes of the messages of each request.
    #[must_use]
    pub fn request_sizes(&self) -> RequestSizes {
        RequestSizes::new(&self.sizes, self.batch())
    }

    pub(super) fn check(&self) -> Result<(), WorkloadError> {
        in_range("connections", self.connections, 1, limits::CONNECTIONS_MAX)?;
        in_range("in-flight", self.in_flight, 1, limits::IN_FLIGHT_MAX)?;
        in_range("batch", self.batch, 1, limits::BATCH_MAX)?;
        self.sizes.check()?;
        number_in_range("keys", self.keys, 0, limits::KEYS_MAX)?;
        self.check_rate()?;
        let over_http = matches!(self.protocol, PublishProtocol::Http | PublishProtocol::HttpBatch);
        if self.in_flight > 1 && over_http {
            return Err(WorkloadError::InFlightOverHttp { in_flight: self.in_flight });
        }
        if self.batch > 1 && self.protocol == PublishProtocol::Http {
            return Err(WorkloadError::BatchOfSingles { batch: self.batch });
        }
        if !self.codec.is_none() && self.protocol != PublishProtocol::WebSocketBatch {
            return Err(WorkloadError::CodecOfJson);
        }
        let bytes = self.batch().saturating_mul(self.sizes.max());
        if bytes > limits::REQUEST_BYTES_MAX {
            return Err(WorkloadError::RequestTooLarge { bytes, max: limits::REQUEST_BYTES_MAX });
        }
        Ok(())
    }

    fn check_rate(&self) -> Result<(), WorkloadError> {
        let rate_max = limits::MESSAGES_PER_SECOND_MAX;
        let rate = self.rate.map_or(0, NonZeroU64::get);
        number_in_range("rate", rate, 0, rate_max)?;
        if let Some(RampPlan { to, .. }) = self.ramp {
            number_in_range("ramp-to", to.get(), 1, rate_max)?;
            number_in_range("rate", rate, 1, rate_max)?;
        }
        if let Some(StepPlan { grow_percent, max, p99_max }) = self.steps {
            number_in_range("rate", rate, 1, rate_max)?;
            number_in_range("max-rate", max.get(), 1, rate_max)?;
            number_in_range("grow-percent", u64::from(grow_percent), 1, 1_000)?;
            let p99_max_ms = u64::try_from(p99_max.as_millis()).unwrap_or(u64::MAX);
            number_in_range(
                "p99-max",
                p99_max_ms,
                1,
                u64::try_from(limits::LATENCY_MAX.as_millis()).unwrap_or(u64::MAX),
            )?;
            if max.get() < rate {
                return Err(WorkloadError::StepsDown { from: rate, to: max.get() });
            }
            if self.ramp.is_some() {
                return Err(WorkloadError::RampAndSteps);
            }
        }
        Ok(())
    }
}
