//! What a run does: the numbers of one load test, checked against the limits. Pure.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::Serialize;

use crate::limits;
use crate::schedule::{Pace, Rate};
use crate::stamp::STAMP_BYTES;
use crate::template::{MessageShape, PayloadEncoding};

/// A whole run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Workload {
    /// What is measured.
    pub kind: Kind,
    /// The topic, created if it does not exist.
    pub topic: String,
    /// Partitions of a topic that is created.
    pub partitions: u32,
    /// How messages are published, measured or as a preload.
    pub publish: PublishPlan,
    /// How messages are consumed or read.
    pub consume: ConsumePlan,
    /// Who reads all of it, in a fan-out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fan_out: Option<FanOutPlan>,
    /// Messages published before the measurement.
    pub preload: u64,
    /// The run ends after so many messages, if that comes before its time.
    pub messages_max: Option<u64>,
    /// Time at the start that is not measured.
    #[serde(rename = "warm_up_ms", serialize_with = "as_millis")]
    pub warm_up: Duration,
    /// Time that is measured.
    #[serde(rename = "duration_ms", serialize_with = "as_millis")]
    pub duration: Duration,
    /// How long after that answers and deliveries are waited for.
    #[serde(rename = "drain_ms", serialize_with = "as_millis")]
    pub drain: Duration,
    /// Threads that generate the load.
    pub workers: usize,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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

/// How messages are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it; the command line's help says more")]
pub struct PublishPlan {
    pub protocol: PublishProtocol,
    pub connections: usize,
    pub in_flight: usize,
    pub batch: usize,
    pub message_bytes: usize,
    pub encoding: PayloadEncoding,
    pub keys: u64,
    /// Messages a second; `None` in a closed loop.
    pub rate: Option<NonZeroU64>,
}

/// How a message gets to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
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
}

/// How messages are consumed or read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it; the command line's help says more")]
pub struct ConsumePlan {
    pub protocol: ConsumeProtocol,
    pub connections: usize,
    /// Messages of one pull or page, or the credit of a WebSocket.
    pub batch: usize,
    /// An existing subscription; `None` to make one for the run.
    pub subscription: Option<String>,
}

/// How a consumer gets its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ConsumeProtocol {
    /// Pull and ack.
    Http,
    /// Subscribe with credit.
    #[value(name = "websocket")]
    #[serde(rename = "websocket")]
    WebSocket,
}

/// Who reads all of a topic in a fan-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it; the command line's help says more")]
pub struct FanOutPlan {
    pub protocol: FanOutProtocol,
    pub readers: usize,
}

/// How a reader is given a topic's messages as they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum FanOutProtocol {
    /// Subscribe to the topic, with more credit than is needed.
    #[value(name = "websocket")]
    #[serde(rename = "websocket")]
    WebSocket,
    /// Server-Sent Events.
    Sse,
}

/// Why a workload can't be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum WorkloadError {
    #[error("--{option} {value} is out of range: {min} to {max}")]
    OutOfRange { option: &'static str, value: u64, min: u64, max: u64 },
    #[error("--in-flight {in_flight} needs --protocol websocket: over HTTP a connection has one request at a time")]
    InFlightOverHttp { in_flight: usize },
    #[error("--batch {batch} needs --protocol http-batch or websocket: over http a request is one message")]
    BatchOfSingles { batch: usize },
    #[error("a fan-out needs --rate: without one it measures a queue")]
    FanOutWithoutRate,
    #[error("a run that checks deliveries needs --message-bytes of {min} or more, to tell its messages apart")]
    NoRoomForStamp { min: usize },
    #[error("a request of {bytes} payload bytes is over the limit of {max}: lower --batch or --message-bytes")]
    RequestTooLarge { bytes: usize, max: usize },
    #[error("`{name}` is no valid {what}: letters, digits, `.`, `_` and `-`, at most 249 of them")]
    InvalidName { what: &'static str, name: String },
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
        in_range("consumers", self.consume.connections, 1, limits::CONNECTIONS_MAX)?;
        in_range("consume-batch", self.consume.batch, 1, limits::BATCH_MAX)?;
        in_range("workers", self.workers, 1, limits::WORKERS_MAX)?;
        in_range("partitions", self.partitions as usize, 1, 10_000)?;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let duration_max = millis(limits::DURATION_MAX);
        number_in_range("duration", millis(self.duration), 1, duration_max)?;
        number_in_range("warm-up", millis(self.warm_up), 0, duration_max)?;
        number_in_range("drain", millis(self.drain), 1, millis(limits::DRAIN_MAX))?;
        number_in_range("preload", self.preload, 0, limits::PRELOAD_MAX)?;
        if let Some(fan_out) = self.fan_out {
            in_range("readers", fan_out.readers, 1, limits::READERS_MAX)?;
            self.publish.rate.ok_or(WorkloadError::FanOutWithoutRate)?;
        }
        let checked = matches!(self.kind, Kind::EndToEnd | Kind::FanOut);
        if checked && self.publish.message_bytes < STAMP_BYTES {
            return Err(WorkloadError::NoRoomForStamp { min: STAMP_BYTES });
        }
        Ok(())
    }

    /// The workload that publishes the preload: as fast as it goes, in batches, not measured as a run of its own.
    #[must_use]
    pub fn preload_workload(&self) -> Self {
        let batch = limits::BATCH_MAX.min(PRELOAD_BATCH_BYTES / self.publish.message_bytes.max(1)).clamp(1, 1_000);
        let publish = PublishPlan {
            protocol: PublishProtocol::HttpBatch,
            connections: 4,
            in_flight: 1,
            batch,
            rate: None,
            ..self.publish
        };
        Self {
            kind: Kind::Publish,
            publish,
            preload: 0,
            messages_max: Some(self.preload),
            warm_up: Duration::ZERO,
            duration: limits::PRELOAD_TIME_MAX,
            ..self.clone()
        }
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
}

/// Payload bytes of a preload's batch.
const PRELOAD_BATCH_BYTES: usize = 1 << 20;

impl PublishPlan {
    /// What decides when requests are sent.
    #[must_use]
    pub fn pace(&self) -> Pace {
        let batch = NonZeroU64::new(self.batch() as u64).unwrap_or(NonZeroU64::MIN);
        self.rate.map_or(Pace::Closed, |rate| Pace::Open(Rate::new(rate, batch)))
    }

    /// Messages in a request.
    #[must_use]
    pub fn batch(&self) -> usize {
        match self.protocol {
            PublishProtocol::Http => 1,
            PublishProtocol::HttpBatch | PublishProtocol::WebSocket => self.batch,
        }
    }

    /// What a message looks like.
    #[must_use]
    pub fn shape(&self) -> MessageShape {
        MessageShape { payload_bytes: self.message_bytes, encoding: self.encoding, keys: self.keys }
    }

    fn check(&self) -> Result<(), WorkloadError> {
        in_range("connections", self.connections, 1, limits::CONNECTIONS_MAX)?;
        in_range("in-flight", self.in_flight, 1, limits::IN_FLIGHT_MAX)?;
        in_range("batch", self.batch, 1, limits::BATCH_MAX)?;
        in_range("message-bytes", self.message_bytes, 1, limits::MESSAGE_BYTES_MAX)?;
        number_in_range("keys", self.keys, 0, limits::KEYS_MAX)?;
        let rate = self.rate.map_or(0, NonZeroU64::get);
        number_in_range("rate", rate, 0, limits::MESSAGES_PER_SECOND_MAX)?;
        if self.in_flight > 1 && self.protocol != PublishProtocol::WebSocket {
            return Err(WorkloadError::InFlightOverHttp { in_flight: self.in_flight });
        }
        if self.batch > 1 && self.protocol == PublishProtocol::Http {
            return Err(WorkloadError::BatchOfSingles { batch: self.batch });
        }
        let bytes = self.batch().saturating_mul(self.message_bytes);
        if bytes > limits::REQUEST_BYTES_MAX {
            return Err(WorkloadError::RequestTooLarge { bytes, max: limits::REQUEST_BYTES_MAX });
        }
        Ok(())
    }
}

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

fn as_millis<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A small workload that passes the check.
    pub(crate) fn example(kind: Kind) -> Workload {
        Workload {
            kind,
            topic: "loadtest".to_owned(),
            partitions: 2,
            publish: PublishPlan {
                protocol: PublishProtocol::WebSocket,
                connections: 2,
                in_flight: 4,
                batch: 10,
                message_bytes: 256,
                encoding: PayloadEncoding::Text,
                keys: 0,
                rate: None,
            },
            consume: ConsumePlan { protocol: ConsumeProtocol::Http, connections: 2, batch: 100, subscription: None },
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
            ("message-bytes", |workload| workload.publish.message_bytes = 0),
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
        workload.publish.message_bytes = 47;
        assert_eq!(workload.check(), Err(WorkloadError::NoRoomForStamp { min: 48 }));
        workload.publish.message_bytes = 1 << 20;
        workload.publish.batch = 17;
        assert!(matches!(workload.check(), Err(WorkloadError::RequestTooLarge { .. })));
    }

    #[test]
    fn a_fan_out_has_a_rate_and_a_bounded_number_of_readers() {
        let mut workload = example(Kind::FanOut);
        assert_eq!(workload.check(), Err(WorkloadError::FanOutWithoutRate));
        workload.publish.rate = NonZeroU64::new(10);
        assert_eq!(workload.check(), Ok(()));
        workload.publish.message_bytes = 47;
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
            workload.publish.message_bytes = message_bytes;
            let preload = workload.preload_workload();
            assert_eq!(preload.check(), Ok(()));
            let messages = preload.requests_max().unwrap() * preload.publish.batch as u64;
            assert!(messages >= 12_345 && messages - 12_345 < preload.publish.batch as u64);
        }
    }
}
