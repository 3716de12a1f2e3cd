//! Options that all measurements have in common.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use gateway_api::client::TlsOptions;
use gateway_api::topics::{Acks, Compression, Flush};
use serde::de::DeserializeOwned;

use crate::host::{Host, HostError};
use crate::server::BearerKey;
use crate::workload::duration_text::parse_duration;
use crate::workload::{ConsumePlan, FanOutPlan, Kind, PublishPlan, Target, TopicPlan, Workload};

/// What all measurements of a server have in common.
#[derive(Debug, ClapArgs)]
#[expect(missing_docs, reason = "groups of options, documented one by one")]
pub struct CommonArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// What is measured: the broker, or a peer with its own client.
    #[arg(long, value_enum, default_value = "pubsub")]
    pub target: Target,
    /// Topic; created if missing.
    #[arg(long, default_value = "loadtest")]
    pub topic: String,
    /// So many topics: TOPIC-0, TOPIC-1 and so on; publishers and subscriptions are dealt out to them.
    #[arg(long, default_value_t = 1)]
    pub topics: u32,
    /// Partitions of a topic that is created.
    #[arg(long, default_value_t = 8)]
    pub partitions: u32,
    #[command(flatten)]
    pub topic_settings: TopicArgs,
    #[command(flatten)]
    pub timing: TimingArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Which server.
#[derive(Debug, ClapArgs)]
#[expect(missing_docs, reason = "groups of options, documented one by one")]
pub struct ServerArgs {
    /// The server; nothing else is connected to [default: the target's usual port on this machine].
    #[arg(long, env = "PUBSUB_SERVER")]
    pub server: Option<String>,
    /// The key that the broker knows us by.
    #[arg(id = "api_key", long = "key", env = "PUBSUB_KEY", hide_env_values = true)]
    pub key: Option<BearerKey>,
    #[command(flatten)]
    pub tls: TlsArgs,
    /// A process of the server, whose CPU time, memory and disk writes are reported; may be repeated [default: the one that
    /// listens at the server's address, if that is this machine].
    #[arg(long, value_name = "PID")]
    pub server_pid: Vec<u32>,
}

/// What a topic that is created is set to.
#[derive(Debug, ClapArgs)]
pub struct TopicArgs {
    /// How a topic that is created compresses: none, snappy, lz4 [default: the server's].
    #[arg(long, value_parser = parse_word::<Compression>)]
    pub compression: Option<Compression>,
    /// When a topic that is created syncs: always, interval, os [default: the server's].
    #[arg(long, value_parser = parse_word::<Flush>)]
    pub flush: Option<Flush>,
    /// When a topic that is created acknowledges: quorum, leader [default: the server's].
    #[arg(long, value_parser = parse_word::<Acks>)]
    pub topic_acks: Option<Acks>,
    /// On how many nodes a topic that is created is kept [default: the server's].
    #[arg(long)]
    pub replication_factor: Option<u16>,
}

/// How TLS is spoken with an `https://` address.
#[derive(Debug, ClapArgs)]
pub struct TlsArgs {
    /// Trust the issuers in this PEM file instead of those that this machine trusts.
    #[arg(long, value_name = "FILE", env = "PUBSUB_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// Show the certificate in this PEM file.
    #[arg(long, value_name = "FILE", env = "PUBSUB_CLIENT_CERT")]
    pub client_cert: Option<PathBuf>,
    /// Its key, as PEM.
    #[arg(long, value_name = "FILE", env = "PUBSUB_CLIENT_KEY")]
    pub client_key: Option<PathBuf>,
}

/// When a run begins to measure and when it ends.
#[derive(Debug, ClapArgs)]
pub struct TimingArgs {
    /// Measured time: 30s, 500ms, 5m.
    #[arg(long, default_value = "10s", value_parser = parse_duration)]
    pub duration: Duration,
    /// Time before it that is not measured.
    #[arg(long, default_value = "0s", value_parser = parse_duration)]
    pub warm_up: Duration,
    /// How long to wait after the end for answers and deliveries that are still due.
    #[arg(long, default_value = "10s", value_parser = parse_duration)]
    pub drain: Duration,
    /// End after so many messages, if that comes first.
    #[arg(long)]
    pub messages: Option<u64>,
    /// Threads that generate the load.
    #[arg(long, default_value_t = 1)]
    pub workers: usize,
}

/// Where the result goes.
#[derive(Debug, ClapArgs)]
pub struct OutputArgs {
    /// What the run is called in its report.
    #[arg(long)]
    pub name: Option<String>,
    /// Form of the result on standard output.
    #[arg(long, value_enum, default_value = "text")]
    pub output: Output,
    /// File that gets the JSON report as well.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// File that gets the report as a page with plots.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Form of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Output {
    Text,
    Json,
}

impl ServerArgs {
    /// The server, spoken to as the arguments say, with the key that it knows us by.
    ///
    /// # Errors
    ///
    /// When the address, or a file that they name, can't be used.
    pub fn host(&self, target: Target) -> Result<Host, HostError> {
        let TlsArgs { ca_file, client_cert, client_key } = &self.tls;
        let options =
            TlsOptions { ca_file: ca_file.clone(), client_cert: client_cert.clone(), client_key: client_key.clone() };
        Host::new(target, self.server.as_deref(), self.key.clone(), &options)
    }
}

impl CommonArgs {
    pub(super) fn workload(&self, kind: Kind, publish: PublishPlan, consume: ConsumePlan) -> Workload {
        let TopicArgs { compression, flush, topic_acks, replication_factor } = self.topic_settings;
        let topic_settings =
            TopicPlan { compression, flush, acks: topic_acks, replication_factor, ..TopicPlan::default() };
        Workload {
            target: self.target,
            topic: self.topic.clone(),
            topics: self.topics,
            partitions: self.partitions,
            topic_settings,
            ..workload(kind, &self.timing, &self.output, publish, consume)
        }
    }

    pub(super) fn fan_out(&self, publish: PublishPlan, fan_out: FanOutPlan) -> Workload {
        Workload { fan_out: Some(fan_out), ..self.workload(Kind::FanOut, publish, ConsumePlan::none()) }
    }
}

pub(super) fn workload(
    kind: Kind,
    timing: &TimingArgs,
    output: &OutputArgs,
    publish: PublishPlan,
    consume: ConsumePlan,
) -> Workload {
    Workload {
        name: output.name.clone(),
        description: None,
        target: Target::Pubsub,
        durability: None,
        kind,
        topic: "loadtest".to_owned(),
        topics: 1,
        partitions: 1,
        topic_settings: TopicPlan::default(),
        publish,
        consume,
        fan_out: None,
        preload: 0,
        messages_max: timing.messages,
        warm_up: timing.warm_up,
        duration: timing.duration,
        drain: timing.drain,
        workers: timing.workers,
    }
}

/// One of the words that JSON has for it.
pub(super) fn parse_word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|error| error.to_string())
}
