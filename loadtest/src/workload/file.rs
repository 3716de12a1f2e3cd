//! Workload files: a run in YAML, with the places of mistakes, and options that override it.

use std::fs;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gateway_api::topics::Acks;
use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};

use crate::limits::WORKLOAD_FILE_BYTES_MAX;
use crate::template::PayloadEncoding;
use crate::workload::duration_text::DurationText;
use crate::workload::{
    BatchCodec, ConsumePlan, ConsumeProtocol, FanOutPlan, FanOutProtocol, Kind, PublishPlan, PublishProtocol, RampPlan,
    Sizes, StepPlan, Target, TopicPlan, Workload, WorkloadError,
};

/// How long a run is measured, and waited for, where nothing is said.
const USUAL_TIME: Duration = Duration::from_secs(10);

/// Why there is no workload in a file.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum FileError {
    #[error("{}: {error}", .file.display())]
    Unreadable { file: PathBuf, error: std::io::Error },
    #[error("{}: a workload file has at most {max} bytes", .file.display())]
    TooLarge { file: PathBuf, max: u64 },
    #[error("{origin}: {error}")]
    Yaml { origin: String, error: serde_yaml_ng::Error },
    #[error("{option}: {reason}")]
    Override { option: String, reason: String },
    #[error("{origin}: {error}")]
    Workload { origin: String, error: WorkloadError },
}

/// A value that takes the place of one in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// How the user said it, for messages.
    pub option: String,
    /// Where it goes: names with a dot between them.
    pub key: String,
    /// As YAML.
    pub value: String,
}

/// A file as it is written; what is not given has the default of the command line.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkloadFile {
    name: Option<String>,
    description: Option<String>,
    #[serde(default)]
    target: Target,
    durability: Option<String>,
    kind: Kind,
    topic: Option<String>,
    topics: Option<u32>,
    partitions: Option<u32>,
    #[serde(default)]
    topic_settings: TopicPlan,
    #[serde(default)]
    publish: PublishSection,
    #[serde(default)]
    consume: ConsumeSection,
    #[serde(default)]
    fan_out: FanOutSection,
    preload: Option<u64>,
    messages: Option<u64>,
    warm_up: Option<DurationText>,
    duration: Option<DurationText>,
    drain: Option<DurationText>,
    workers: Option<usize>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishSection {
    protocol: Option<PublishProtocol>,
    connections: Option<usize>,
    in_flight: Option<usize>,
    batch: Option<usize>,
    message_bytes: Option<Sizes>,
    payload: Option<PayloadEncoding>,
    keys: Option<u64>,
    rate: Option<u64>,
    ramp: Option<RampSection>,
    steps: Option<StepSection>,
    acks: Option<Acks>,
    #[serde(default)]
    codec: BatchCodec,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RampSection {
    to: NonZeroU64,
    over: Option<DurationText>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepSection {
    grow_percent: Option<u32>,
    max: Option<NonZeroU64>,
    p99_max: Option<DurationText>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsumeSection {
    protocol: Option<ConsumeProtocol>,
    connections: Option<usize>,
    batch: Option<usize>,
    subscription: Option<String>,
    subscriptions: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FanOutSection {
    protocol: Option<FanOutProtocol>,
    readers: Option<usize>,
}

impl Workload {
    /// The workload in a file, with what overrides it; named after the file if it has no name.
    ///
    /// # Errors
    ///
    /// When the file can't be read, or says what no run can be made of: the message names the place.
    pub fn from_file(file: &Path, overrides: &[Override]) -> Result<Self, FileError> {
        let unreadable = |error| FileError::Unreadable { file: file.to_owned(), error };
        if fs::metadata(file).map_err(unreadable)?.len() > WORKLOAD_FILE_BYTES_MAX {
            return Err(FileError::TooLarge { file: file.to_owned(), max: WORKLOAD_FILE_BYTES_MAX });
        }
        let text = fs::read_to_string(file).map_err(unreadable)?;
        let name = file.file_stem().map(|name| name.to_string_lossy().into_owned());
        let workload = Self::from_yaml(&text, &file.display().to_string(), overrides)?;
        Ok(Self { name: workload.name.clone().or(name), ..workload })
    }

    /// The workload in a text; `origin` names it in messages.
    ///
    /// # Errors
    ///
    /// When the text, or an override, says what no run can be made of: the message names the place.
    pub fn from_yaml(text: &str, origin: &str, overrides: &[Override]) -> Result<Self, FileError> {
        let yaml = |error| FileError::Yaml { origin: origin.to_owned(), error };
        // First as it is, since only then do mistakes have a line.
        let mut file: WorkloadFile = serde_yaml_ng::from_str(text).map_err(yaml)?;
        let mut value: Value = serde_yaml_ng::from_str(text).map_err(yaml)?;
        for change in overrides {
            let refused = |reason: String| FileError::Override { option: change.option.clone(), reason };
            set(&mut value, &change.key, &change.value).map_err(refused)?;
            file = serde_path_to_error::deserialize(value.clone()).map_err(|error| refused(error.to_string()))?;
        }
        let workload = file.workload();
        workload.check().map_err(|error| FileError::Workload { origin: origin.to_owned(), error })?;
        Ok(workload)
    }
}

impl WorkloadFile {
    fn workload(self) -> Workload {
        let publish = self.publish_plan();
        let consume = self.consume_plan();
        let fan_out = (self.kind == Kind::FanOut).then(|| FanOutPlan {
            protocol: self.fan_out.protocol.unwrap_or(FanOutProtocol::WebSocket),
            readers: self.fan_out.readers.unwrap_or(1_000),
        });
        Workload {
            name: self.name,
            description: self.description,
            target: self.target,
            durability: self.durability,
            kind: self.kind,
            topic: self.topic.unwrap_or_else(|| "loadtest".to_owned()),
            topics: self.topics.unwrap_or(1),
            partitions: self.partitions.unwrap_or(8),
            topic_settings: self.topic_settings,
            publish,
            consume,
            fan_out,
            preload: self.preload.unwrap_or(0),
            messages_max: self.messages,
            warm_up: time(self.warm_up, Duration::ZERO),
            duration: time(self.duration, USUAL_TIME),
            drain: time(self.drain, USUAL_TIME),
            workers: self.workers.unwrap_or(1),
        }
    }

    fn publish_plan(&self) -> PublishPlan {
        let section = &self.publish;
        let usual = if self.target.is_peer() {
            PublishProtocol::Native
        } else if self.kind == Kind::Consume || self.kind == Kind::Read {
            PublishProtocol::HttpBatch
        } else {
            PublishProtocol::Http
        };
        let protocol = section.protocol.unwrap_or(usual);
        let (connections, rate) = match self.kind {
            Kind::Publish | Kind::EndToEnd => (64, 0),
            Kind::FanOut => (4, 10),
            Kind::Consume | Kind::Read => (1, 0),
        };
        let ramp = section
            .ramp
            .as_ref()
            .map(|ramp| RampPlan { to: ramp.to, over: time(ramp.over.or(self.duration), USUAL_TIME) });
        let steps = section.steps.as_ref().map(|steps| StepPlan {
            grow_percent: steps.grow_percent.unwrap_or(StepPlan::USUAL.grow_percent),
            max: steps.max.unwrap_or(StepPlan::USUAL.max),
            p99_max: time(steps.p99_max, StepPlan::USUAL.p99_max),
        });
        PublishPlan {
            protocol,
            connections: section.connections.unwrap_or(connections),
            in_flight: section.in_flight.unwrap_or(1),
            batch: section.batch.unwrap_or_else(|| protocol.batch_default()),
            sizes: section.message_bytes.clone().unwrap_or(Sizes::Fixed(256)),
            encoding: section.payload.unwrap_or(PayloadEncoding::Text),
            keys: section.keys.unwrap_or(0),
            rate: NonZeroU64::new(section.rate.unwrap_or(rate)),
            ramp,
            steps,
            acks: section.acks,
            codec: section.codec,
        }
    }

    fn consume_plan(&self) -> ConsumePlan {
        let section = &self.consume;
        let (protocol, connections, batch) = match self.kind {
            Kind::Consume => (ConsumeProtocol::Http, 4, 100),
            Kind::EndToEnd => (ConsumeProtocol::WebSocket, 4, 1_000),
            Kind::Read => (ConsumeProtocol::Http, 1, 1_000),
            Kind::Publish | Kind::FanOut => (ConsumeProtocol::Http, 1, 1),
        };
        let usual = if self.target.is_peer() && self.kind.subscribes() { ConsumeProtocol::Native } else { protocol };
        ConsumePlan {
            protocol: section.protocol.unwrap_or(usual),
            connections: section.connections.unwrap_or(connections),
            batch: section.batch.unwrap_or(batch),
            subscription: section.subscription.clone(),
            subscriptions: section.subscriptions.unwrap_or(1),
        }
    }
}

impl StepPlan {
    /// Where nothing is said.
    pub const USUAL: Self =
        Self { grow_percent: 50, max: NonZeroU64::new(100_000_000).unwrap(), p99_max: Duration::from_millis(100) };
}

/// Puts a value where the key says; sections that are missing are made.
fn set(root: &mut Value, key: &str, text: &str) -> Result<(), String> {
    let value: Value = serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
    let mut place = root;
    for name in key.split('.') {
        if place.is_null() {
            *place = Value::Mapping(Mapping::new());
        }
        let Value::Mapping(section) = place else { return Err(format!("`{key}` lies in what is no section")) };
        place = section.entry(Value::String(name.to_owned())).or_insert(Value::Null);
    }
    *place = value;
    Ok(())
}

/// The time that is given, or the usual one.
fn time(given: Option<DurationText>, usual: Duration) -> Duration {
    given.map_or(usual, |DurationText(time)| time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Workload, FileError> {
        Workload::from_yaml(text, "w.yaml", &[])
    }

    fn with(text: &str, key: &str, value: &str) -> Result<Workload, FileError> {
        let change = Override { option: format!("--set {key}={value}"), key: key.to_owned(), value: value.to_owned() };
        Workload::from_yaml(text, "w.yaml", &[change])
    }

    #[test]
    fn everything_that_a_file_says_arrives() {
        let text = "
            name: all
            description: everything
            kind: end-to-end
            topic: t
            topics: 3
            partitions: 4
            topic_settings: {compression: lz4, flush: interval, acks: leader, replication_factor: 1, dedup_window_ms: 0}
            publish:
              protocol: websocket-batch
              connections: 5
              in_flight: 6
              batch: 7
              message_bytes: [{bytes: 100, weight: 9}, {bytes: 1000, weight: 1}]
              payload: base64
              keys: 8
              rate: 1000
              ramp: {to: 2000, over: 500ms}
              acks: quorum
              codec: snappy
            consume: {protocol: websocket-batch, connections: 9, batch: 10, subscriptions: 2}
            messages: 11
            warm_up: 1s
            duration: 2m
            drain: 3s
            workers: 2
        ";
        let workload = parse(text).unwrap();
        let publish = &workload.publish;
        assert_eq!((workload.topic.as_str(), workload.topics, workload.partitions), ("t", 3, 4));
        assert_eq!((publish.connections, publish.in_flight, publish.batch, publish.keys), (5, 6, 7, 8));
        assert_eq!((publish.sizes.min(), publish.sizes.max(), publish.codec), (100, 1_000, BatchCodec::Snappy));
        assert_eq!(
            publish.ramp,
            Some(RampPlan { to: NonZeroU64::new(2_000).unwrap(), over: Duration::from_millis(500) })
        );
        assert_eq!((publish.acks, publish.encoding), (Some(Acks::Quorum), PayloadEncoding::Base64));
        assert_eq!((workload.consume.connections, workload.consume.batch, workload.consume.subscriptions), (9, 10, 2));
        assert_eq!((workload.messages_max, workload.workers), (Some(11), 2));
        assert_eq!((workload.warm_up, workload.duration), (Duration::from_secs(1), Duration::from_mins(2)));
        assert_eq!(workload.topic_settings.dedup_window_ms, Some(0));
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        for (text, parts) in [
            ("kind: publish\npublish:\n  rat: 5\n", ["w.yaml", "publish", "unknown field `rat`", "line 3 column 3"]),
            ("kind: publish\npublish:\n  connections: many\n", ["w.yaml", "publish.connections", "many", "line 3"]),
            ("kind: publish\nduration: 5h\n", ["w.yaml", "duration", "`h` is not a unit of time", "line 2"]),
            ("kind: publisch\n", ["w.yaml", "kind", "unknown variant `publisch`", "line 1"]),
            ("topic: t\n", ["w.yaml", "missing field `kind`", "", ""]),
            ("kind: publish\npublish: {in_flight: 2}\n", ["w.yaml", "--in-flight 2 needs a WebSocket", "", ""]),
            (
                "kind: publish\npublish: {ramp: {over: 5s}}\n",
                ["w.yaml", "publish.ramp", "missing field `to`", "line 2"],
            ),
        ] {
            let error = parse(text).unwrap_err().to_string();
            for part in parts {
                assert!(error.contains(part), "`{part}` is not in: {error}");
            }
        }
    }

    #[test]
    fn what_overrides_a_file_has_the_last_word() {
        let text = "kind: publish\npublish: {rate: 5}\n";
        assert_eq!(with(text, "publish.rate", "7").unwrap().publish.rate, NonZeroU64::new(7));
        assert_eq!(with(text, "consume.batch", "7").unwrap().consume.batch, 7, "a section that the file lacks");
        assert_eq!(with(text, "duration", "7s").unwrap().duration, Duration::from_secs(7));
        let error = with(text, "publish.rate", "x").unwrap_err().to_string();
        assert!(error.starts_with("--set publish.rate=x: publish.rate: invalid type"), "{error}");
        let error = with(text, "publish.rate.x", "1").unwrap_err().to_string();
        assert!(error.contains("lies in what is no section"), "{error}");
    }

    #[test]
    fn a_peer_is_spoken_to_by_its_own_client() {
        let text = "kind: end-to-end\ntarget: nats-jetstream\n";
        let workload = parse(text).unwrap();
        assert_eq!(workload.publish.protocol, PublishProtocol::Native);
        assert_eq!(workload.consume.protocol, ConsumeProtocol::Native);
        assert!(with(text, "publish.protocol", "http").is_err());
        assert!(with(text, "kind", "fan-out").is_err());
        assert!(parse("kind: publish\npublish: {protocol: native}\n").is_err());
    }
}
