//! What a run does: the numbers of one load test, checked against the limits. Pure.

mod consume_plan;
pub mod duration_text;
mod error;
pub mod file;
mod millis;
mod publish_plan;
mod request_sizes;
mod sizes;
mod target;
mod topic_plan;

use std::num::NonZeroU64;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::stamp::STAMP_BYTES;

pub use consume_plan::{ConsumePlan, ConsumeProtocol, FanOutPlan, FanOutProtocol};
pub use error::WorkloadError;
pub use publish_plan::{BatchCodec, PublishPlan, PublishProtocol, RampPlan, StepPlan};
pub use request_sizes::RequestSizes;
pub use sizes::{SizeRange, SizeShare, Sizes};
pub use target::Target;
pub use topic_plan::TopicPlan;

/// A whole run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// What it is called in reports; the name of its file if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it shows, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What is measured: the broker, or a peer.
    #[serde(default, skip_serializing_if = "Target::is_pubsub")]
    pub target: Target,
    /// How durable the server is that was started for this, where the server does not say so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durability: Option<String>,
    /// What is measured.
    pub kind: Kind,
    /// The topic, created if it does not exist.
    pub topic: String,
    /// So many topics; if more than one, they are named `topic-0`, `topic-1` and so on.
    #[serde(default = "one_topic", skip_serializing_if = "is_one_topic")]
    pub topics: u32,
    /// Partitions of a topic that is created.
    pub partitions: u32,
    /// What else is set of a topic that is created.
    #[serde(default, skip_serializing_if = "TopicPlan::is_default")]
    pub topic_settings: TopicPlan,
    /// How messages are published, measured or as a preload.
    pub publish: PublishPlan,
    /// How messages are consumed or read.
    pub consume: ConsumePlan,
    /// Who reads all of it, in a fan-out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fan_out: Option<FanOutPlan>,
    /// Messages published to each topic before the measurement.
    pub preload: u64,
    /// The run ends after so many messages, if that comes before its time.
    pub messages_max: Option<u64>,
    /// Time at the start that is not measured.
    #[serde(rename = "warm_up_ms", with = "millis")]
    pub warm_up: Duration,
    /// Time that is measured.
    #[serde(rename = "duration_ms", with = "millis")]
    pub duration: Duration,
    /// How long after that answers and deliveries are waited for.
    #[serde(rename = "drain_ms", with = "millis")]
    pub drain: Duration,
    /// Threads that generate the load.
    pub workers: usize,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Publishing.
    Publish,
    /// Consuming a subscription that has a backlog.
    Consume,
    /// Publishing and consuming at once, with a check of what is delivered.
    EndToEnd,
    /// Reading partitions to their end.
    Read,
    /// Publishing to many who each read all of a topic, with a check of what each is given.
    FanOut,
}

impl Kind {
    /// Its name in reports and workload files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Consume => "consume",
            Self::EndToEnd => "end-to-end",
            Self::Read => "read",
            Self::FanOut => "fan-out",
        }
    }

    /// Whether messages are published while it is measured.
    #[must_use]
    pub fn publishes(self) -> bool {
        matches!(self, Self::Publish | Self::EndToEnd | Self::FanOut)
    }

    /// Whether what counts is what was delivered.
    #[must_use]
    pub fn delivers(self) -> bool {
        self != Self::Publish
    }

    /// Whether subscriptions are consumed.
    #[must_use]
    pub fn subscribes(self) -> bool {
        matches!(self, Self::Consume | Self::EndToEnd)
    }
}

impl Workload {
    /// Whether it can be run at all.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), WorkloadError> {
        check_name("topic name", &self.topic)?;
        if let Some(subscription) = &self.consume.subscription {
            check_name("subscription name", subscription)?;
        }
        self.publish.check()?;
        self.consume.check(self.kind)?;
        in_range("workers", self.workers, 1, limits::WORKERS_MAX)?;
        in_range("partitions", self.partitions as usize, 1, 10_000)?;
        in_range("topics", self.topics as usize, 1, limits::TOPICS_MAX)?;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let duration_max = millis(limits::DURATION_MAX);
        number_in_range("duration", millis(self.duration), 1, duration_max)?;
        number_in_range("warm-up", millis(self.warm_up), 0, duration_max)?;
        number_in_range("drain", millis(self.drain), 1, millis(limits::DRAIN_MAX))?;
        number_in_range("preload", self.preload, 0, limits::PRELOAD_MAX)?;
        self.check_kind()?;
        self.check_target()
    }

    fn check_kind(&self) -> Result<(), WorkloadError> {
        let not_of_kind = |option| Err(WorkloadError::NotOfKind { kind: self.kind.name(), option });
        if let Some(fan_out) = self.fan_out {
            in_range("readers", fan_out.readers, 1, limits::READERS_MAX)?;
        }
        if self.topics > 1 && matches!(self.kind, Kind::Read | Kind::FanOut) {
            return not_of_kind("topics");
        }
        if self.topics > 1 && self.consume.subscription.is_some() {
            return not_of_kind("subscription");
        }
        if self.publish.steps.is_some() && matches!(self.kind, Kind::Consume | Kind::Read) {
            return not_of_kind("steps");
        }
        let checked = matches!(self.kind, Kind::EndToEnd | Kind::FanOut);
        if checked && self.publish.sizes.min() < STAMP_BYTES {
            return Err(WorkloadError::NoRoomForStamp { min: STAMP_BYTES });
        }
        Ok(())
    }

    fn check_target(&self) -> Result<(), WorkloadError> {
        let native = |is_native: bool, is_used: bool| !is_used || is_native == self.target.is_peer();
        let publishes = self.kind.publishes() || self.preload > 0;
        let all_fit = native(self.publish.protocol == PublishProtocol::Native, publishes)
            && native(self.consume.protocol == ConsumeProtocol::Native, self.kind.subscribes());
        if !self.target.is_peer() {
            return if all_fit { Ok(()) } else { Err(WorkloadError::NativeWithoutPeer) };
        }
        let target = self.target.name();
        if matches!(self.kind, Kind::Read | Kind::FanOut) || self.topics > 1 || self.consume.subscriptions > 1 {
            return Err(WorkloadError::KindOfPeer { target });
        }
        if all_fit { Ok(()) } else { Err(WorkloadError::ProtocolOfPeer { target }) }
    }

    /// The workload that publishes the preload: as fast as it goes, in batches, not measured as a run of its own.
    #[must_use]
    pub fn preload_workload(&self) -> Self {
        let batch = limits::BATCH_MAX.min(PRELOAD_BATCH_BYTES / self.publish.sizes.max().max(1)).clamp(1, 1_000);
        let publish = PublishPlan {
            protocol: if self.target.is_peer() { PublishProtocol::Native } else { PublishProtocol::HttpBatch },
            connections: 4.max(self.topics as usize),
            in_flight: 1,
            batch,
            rate: None,
            ramp: None,
            steps: None,
            codec: BatchCodec::None,
            ..self.publish.clone()
        };
        Self {
            kind: Kind::Publish,
            publish,
            fan_out: None,
            preload: 0,
            messages_max: Some(self.preload.saturating_mul(u64::from(self.topics))),
            warm_up: Duration::ZERO,
            duration: limits::PRELOAD_TIME_MAX,
            ..self.clone()
        }
    }

    /// The same at this rate, without a ramp or steps.
    #[must_use]
    pub fn at_rate(&self, rate: NonZeroU64) -> Self {
        let publish = PublishPlan { rate: Some(rate), ramp: None, steps: None, ..self.publish.clone() };
        Self { publish, ..self.clone() }
    }

    /// When the last request is due at the latest.
    #[must_use]
    pub fn end(&self) -> Duration {
        self.warm_up + self.duration
    }

    /// Requests that carry `messages_max`; the last one may go over it.
    #[must_use]
    pub fn requests_max(&self) -> Option<u64> {
        self.messages_max.map(|messages| messages.div_ceil(self.publish.batch() as u64))
    }

    /// The names of the topics.
    #[must_use]
    pub fn topic_names(&self) -> Vec<String> {
        if self.topics == 1 {
            return vec![self.topic.clone()];
        }
        (0..self.topics).map(|number| format!("{}-{number}", self.topic)).collect()
    }

    /// Which topic the publisher of this stream publishes to.
    #[must_use]
    pub fn topic_of_stream(&self, stream: u32) -> u32 {
        stream.checked_rem(self.topics).unwrap_or(0)
    }

    /// How often a message is to be delivered, over all subscriptions or readers.
    #[must_use]
    pub fn deliveries_of_a_message(&self) -> u64 {
        match (self.kind, self.fan_out) {
            (Kind::FanOut, Some(fan_out)) => fan_out.readers as u64,
            (Kind::Consume | Kind::EndToEnd, _) => u64::from(self.consume.subscriptions),
            (Kind::Publish | Kind::Read | Kind::FanOut, _) => 1,
        }
    }
}

/// Payload bytes of a preload's batch.
const PRELOAD_BATCH_BYTES: usize = 1 << 20;

fn check_name(what: &'static str, name: &str) -> Result<(), WorkloadError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if (1..=249).contains(&name.len()) && name.bytes().all(allowed) && !matches!(name, "." | "..") {
        Ok(())
    } else {
        Err(WorkloadError::InvalidName { what, name: name.to_owned() })
    }
}

fn in_range(option: &'static str, value: usize, min: usize, max: usize) -> Result<(), WorkloadError> {
    number_in_range(option, value as u64, min as u64, max as u64)
}

fn number_in_range(option: &'static str, value: u64, min: u64, max: u64) -> Result<(), WorkloadError> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(WorkloadError::OutOfRange { option, value, min, max }) }
}

fn one_topic() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one_topic(topics: &u32) -> bool {
    *topics == 1
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::template::PayloadEncoding;

    /// A small workload that passes the check.
    pub(crate) fn example(kind: Kind) -> Workload {
        Workload {
            name: None,
            description: None,
            target: Target::Pubsub,
            durability: None,
            kind,
            topic: "loadtest".to_owned(),
            topics: 1,
            partitions: 2,
            topic_settings: TopicPlan::default(),
            publish: PublishPlan {
                protocol: PublishProtocol::WebSocket,
                connections: 2,
                in_flight: 4,
                batch: 10,
                sizes: Sizes::Fixed(256),
                encoding: PayloadEncoding::Text,
                keys: 0,
                rate: None,
                ramp: None,
                steps: None,
                acks: None,
                codec: BatchCodec::None,
            },
            consume: ConsumePlan { connections: 2, batch: 100, ..ConsumePlan::none() },
            fan_out: (kind == Kind::FanOut).then_some(FanOutPlan { protocol: FanOutProtocol::WebSocket, readers: 3 }),
            preload: 0,
            messages_max: None,
            warm_up: Duration::ZERO,
            duration: Duration::from_secs(1),
            drain: Duration::from_secs(10),
            workers: 1,
        }
    }

    type Change = fn(&mut Workload);

    #[test]
    fn each_number_has_its_bounds() {
        let changes: [(&str, Change); 11] = [
            ("connections", |workload| workload.publish.connections = 0),
            ("connections", |workload| workload.publish.connections = 20_001),
            ("in-flight", |workload| workload.publish.in_flight = 1_025),
            ("batch", |workload| workload.publish.batch = 10_001),
            ("message-bytes", |workload| workload.publish.sizes = Sizes::Fixed(0)),
            ("keys", |workload| workload.publish.keys = 100_000_000),
            ("workers", |workload| workload.workers = 0),
            ("partitions", |workload| workload.partitions = 0),
            ("duration", |workload| workload.duration = Duration::ZERO),
            ("warm-up", |workload| workload.warm_up = Duration::from_secs(100_000)),
            ("consumers", |workload| workload.consume.connections = 0),
        ];
        for (expected, change) in changes {
            let mut workload = example(Kind::Publish);
            assert_eq!(workload.check(), Ok(()));
            change(&mut workload);
            match workload.check() {
                Err(WorkloadError::OutOfRange { option, .. }) => assert_eq!(option, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_a_protocol_cannot_do_is_refused() {
        let mut workload = example(Kind::Publish);
        workload.publish.protocol = PublishProtocol::HttpBatch;
        assert_eq!(workload.check(), Err(WorkloadError::InFlightOverHttp { in_flight: 4 }));
        workload.publish.in_flight = 1;
        assert_eq!(workload.check(), Ok(()));
        workload.publish.protocol = PublishProtocol::Http;
        assert_eq!(workload.check(), Err(WorkloadError::BatchOfSingles { batch: 10 }));
    }

    #[test]
    fn requests_over_the_body_limit_and_messages_without_a_stamp_are_refused() {
        let mut workload = example(Kind::EndToEnd);
        workload.publish.sizes = Sizes::Fixed(47);
        assert_eq!(workload.check(), Err(WorkloadError::NoRoomForStamp { min: 48 }));
        workload.publish.sizes = Sizes::Fixed(1 << 20);
        workload.publish.batch = 17;
        assert!(matches!(workload.check(), Err(WorkloadError::RequestTooLarge { .. })));
    }

    #[test]
    fn a_fan_out_has_a_bounded_number_of_readers() {
        let mut workload = example(Kind::FanOut);
        for rate in [0, 10] {
            workload.publish.rate = NonZeroU64::new(rate);
            assert_eq!(workload.check(), Ok(()));
        }
        workload.publish.sizes = Sizes::Fixed(47);
        assert_eq!(workload.check(), Err(WorkloadError::NoRoomForStamp { min: 48 }));
        for readers in [0, limits::READERS_MAX + 1] {
            workload.fan_out = Some(FanOutPlan { protocol: FanOutProtocol::Sse, readers });
            assert!(matches!(workload.check(), Err(WorkloadError::OutOfRange { option: "readers", .. })));
        }
    }

    #[test]
    fn names_that_could_leave_their_place_in_a_request_are_refused() {
        for name in ["", "a b", "a/b", "a\r\nb", "..", "a?b", "ä"] {
            let mut workload = example(Kind::Publish);
            workload.topic = name.to_owned();
            assert!(matches!(workload.check(), Err(WorkloadError::InvalidName { .. })), "{name:?}");
        }
    }

    #[test]
    fn a_preload_is_a_bounded_closed_loop_that_passes_the_check() {
        let mut workload = example(Kind::Consume);
        workload.preload = 12_345;
        for message_bytes in [16, 256, 1 << 20] {
            workload.publish.sizes = Sizes::Fixed(message_bytes);
            let preload = workload.preload_workload();
            assert_eq!(preload.check(), Ok(()));
            let messages = preload.requests_max().unwrap() * preload.publish.batch as u64;
            assert!(messages >= 12_345 && messages - 12_345 < preload.publish.batch as u64);
        }
    }
}
