//! Options of what is published.

use std::num::NonZeroU64;
use std::time::Duration;

use clap::Args as ClapArgs;
use gateway_api::topics::Acks;

use super::common::parse_word;
use crate::template::PayloadEncoding;
use crate::workload::duration_text::parse_duration;
use crate::workload::{BatchCodec, PublishPlan, PublishProtocol, RampPlan, Sizes, StepPlan, Target};

/// How messages are published.
#[derive(Debug, ClapArgs)]
pub struct PublishArgs {
    /// How to publish: one message a request, JSON batches, JSON frames, or batches as they are stored [default: http, or a
    /// peer's own].
    #[arg(long, value_enum)]
    pub protocol: Option<PublishProtocol>,
    /// Publishing connections.
    #[arg(long, default_value_t = 64)]
    pub connections: usize,
    /// Frames that may wait for their answer on one WebSocket.
    #[arg(long, default_value_t = 1)]
    pub in_flight: usize,
    /// Messages in a request [default: 1 over http and to peers, else 100].
    #[arg(long)]
    pub batch: Option<usize>,
    /// Messages a second, over all connections; 0 for a closed loop.
    #[arg(long, default_value_t = 0)]
    pub rate: u64,
    /// A closed loop: the same as --rate 0.
    #[arg(long, conflicts_with = "rate")]
    pub closed: bool,
    /// Let the rate grow evenly to so many messages a second.
    #[arg(long, value_name = "RATE", requires = "rate")]
    pub ramp_to: Option<NonZeroU64>,
    /// For how long it grows [default: the measured time].
    #[arg(long, value_parser = parse_duration, requires = "ramp_to")]
    pub ramp_over: Option<Duration>,
    /// Look for the highest rate that is reached: runs of --duration from --rate on, each so many percent above the one
    /// before, until one is missed; then between the last two.
    #[arg(long, value_name = "PERCENT", requires = "rate")]
    pub step_percent: Option<u32>,
    /// The highest rate that is tried.
    #[arg(long, value_name = "RATE", requires = "step_percent")]
    pub max_rate: Option<NonZeroU64>,
    /// A rate at which one message in a hundred takes longer has not been reached [default: 100ms].
    #[arg(long, value_parser = parse_duration, requires = "step_percent")]
    pub p99_max: Option<Duration>,
    /// When a publish is answered: quorum, leader [default: as the topic says].
    #[arg(long, value_parser = parse_word::<Acks>)]
    pub acks: Option<Acks>,
    /// How batches as they are stored are compressed before they are sent.
    #[arg(long, value_enum, default_value = "none")]
    pub codec: BatchCodec,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a group of options, documented one by one")]
    pub message: MessageArgs,
}

/// What messages look like.
#[derive(Debug, ClapArgs)]
pub struct MessageArgs {
    /// Payload bytes of a message: 256, a range as 16-1024, or a mix of sizes by weight as 16x90,1024x9,65536x1.
    #[arg(long, value_name = "SIZES", default_value = "256")]
    pub message_bytes: Sizes,
    /// How JSON carries the payload.
    #[arg(long, value_enum, default_value = "text")]
    pub payload: PayloadEncoding,
    /// Distinct keys, taken in turn; 0 for none.
    #[arg(long, default_value_t = 0)]
    pub keys: u64,
}

/// What is published before the measurement.
#[derive(Debug, ClapArgs)]
pub struct PreloadArgs {
    /// Messages to publish first, to each topic; the run then ends when they are consumed.
    #[arg(long, default_value_t = 0)]
    pub preload: u64,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a group of options, documented one by one")]
    pub message: MessageArgs,
}

impl PublishArgs {
    /// `duration` is for how long it grows if nothing else is said.
    pub(super) fn plan(&self, target: Target, duration: Duration) -> PublishPlan {
        let usual = if target.is_peer() { PublishProtocol::Native } else { PublishProtocol::Http };
        let protocol = self.protocol.unwrap_or(usual);
        let over = self.ramp_over.unwrap_or(duration);
        PublishPlan {
            connections: self.connections,
            in_flight: self.in_flight,
            batch: self.batch.unwrap_or_else(|| protocol.batch_default()),
            rate: NonZeroU64::new(self.rate),
            ramp: self.ramp_to.map(|to| RampPlan { to, over }),
            steps: self.step_percent.map(|grow_percent| StepPlan {
                grow_percent,
                max: self.max_rate.unwrap_or(StepPlan::USUAL.max),
                p99_max: self.p99_max.unwrap_or(StepPlan::USUAL.p99_max),
            }),
            acks: self.acks,
            codec: self.codec,
            ..self.message.plan(protocol)
        }
    }
}

impl MessageArgs {
    /// One connection in a closed loop.
    pub(super) fn plan(&self, protocol: PublishProtocol) -> PublishPlan {
        PublishPlan {
            protocol,
            connections: 1,
            in_flight: 1,
            batch: 1,
            sizes: self.message_bytes.clone(),
            encoding: self.payload,
            keys: self.keys,
            rate: None,
            ramp: None,
            steps: None,
            acks: None,
            codec: BatchCodec::None,
        }
    }
}
