//! The command line.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::manual::{CompletionsCommand, ManPagesCommand};
use crate::server::{BearerKey, Server};
use crate::template::PayloadEncoding;
use crate::workload::{
    ConsumePlan, ConsumeProtocol, FanOutPlan, FanOutProtocol, Kind, PublishPlan, PublishProtocol, Workload,
};
use gateway_api::client::{Endpoint, TlsError, TlsOptions};

/// Load-tests a `PubSubRing` broker, with latency percentiles that can be believed.
///
/// With --rate, requests are due at fixed times and latency counts from the due time, so that a stall of the server shows
/// in every request that it delayed. Without, each connection sends as fast as it is answered: the highest throughput, but
/// latencies that hide stalls.
///
/// Exit codes: 0 done, 1 the run failed, 2 wrong usage, 3 messages were lost or out of order.
#[derive(Debug, Parser)]
#[command(name = "pubsub-loadtest", version = concat!(env!("CARGO_PKG_VERSION"), " (", env!("PUBSUB_COMMIT"), ")"))]
pub struct Args {
    /// What to measure.
    #[command(subcommand)]
    pub command: Command,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Publish: throughput and latency until acknowledged.
    Publish(PublishCommand),
    /// Consume a backlog with acks.
    Consume(ConsumeCommand),
    /// Publish and consume at once: latency until delivered, and a check for loss, duplicates and order.
    EndToEnd(EndToEndCommand),
    /// Read partitions to their end, as a replay does.
    Read(ReadCommand),
    /// Publish at a rate to many who each read all of a topic: latency until each has a message, and a check of each.
    FanOut(FanOutCommand),
    /// Measure this tool itself, against the least that a server can do.
    Ceiling(CeilingCommand),
    /// Print the completions for a shell.
    Completions(CompletionsCommand),
    /// Write the manual pages of all commands.
    ManPages(ManPagesCommand),
}

/// `publish`.
#[derive(Debug, ClapArgs)]
#[expect(missing_docs, reason = "groups of options, documented one by one")]
pub struct PublishCommand {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub publish: PublishArgs,
}

/// `consume`.
#[derive(Debug, ClapArgs)]
#[expect(missing_docs, reason = "groups of options, documented one by one")]
pub struct ConsumeCommand {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub preload: PreloadArgs,
    /// How to consume.
    #[arg(long, value_enum, default_value = "http")]
    pub protocol: ConsumeProtocol,
    /// Consuming connections.
    #[arg(long, default_value_t = 4)]
    pub connections: usize,
    /// Messages of one pull, or the credit of a WebSocket.
    #[arg(long, default_value_t = 100)]
    pub batch: usize,
    /// Subscription, made with its start at the earliest message if missing. Default: one for this run, from now on.
    #[arg(long)]
    pub subscription: Option<String>,
}

/// `end-to-end`.
#[derive(Debug, ClapArgs)]
#[expect(missing_docs, reason = "groups of options, documented one by one")]
pub struct EndToEndCommand {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub publish: PublishArgs,
    /// How to consume.
    #[arg(long, value_enum, default_value = "websocket")]
    pub consume_protocol: ConsumeProtocol,
    /// Consuming connections.
    #[arg(long, default_value_t = 4)]
    pub consumers: usize,
    /// Messages of one pull, or the credit of a WebSocket.
    #[arg(long, default_value_t = 1_000)]
    pub consume_batch: usize,
}

/// `read`.
#[derive(Debug, ClapArgs)]
#[expect(missing_docs, reason = "groups of options, documented one by one")]
pub struct ReadCommand {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub preload: PreloadArgs,
    /// Reading connections, each on one partition; at least one for each partition.
    #[arg(long, default_value_t = 1)]
    pub connections: usize,
    /// Messages of a page.
    #[arg(long, default_value_t = 1_000)]
    pub batch: usize,
}

/// `fan-out`.
#[derive(Debug, ClapArgs)]
#[expect(missing_docs, reason = "groups of options, documented one by one")]
pub struct FanOutCommand {
    #[command(flatten)]
    pub common: CommonArgs,
    /// How the readers are given the messages; they are published over HTTP, one a request.
    #[arg(long, value_enum, default_value = "websocket")]
    pub protocol: FanOutProtocol,
    /// Connections that each read all of the topic, from now on.
    #[arg(long, default_value_t = 1_000)]
    pub readers: usize,
    /// Publishing connections.
    #[arg(long, default_value_t = 4)]
    pub publishers: usize,
    /// Messages a second, in an open loop.
    #[arg(long, default_value_t = 10)]
    pub rate: u64,
    #[command(flatten)]
    pub message: MessageArgs,
}

/// `ceiling`.
#[derive(Debug, ClapArgs)]
#[expect(missing_docs, reason = "groups of options, documented one by one")]
pub struct CeilingCommand {
    #[command(flatten)]
    pub publish: PublishArgs,
    #[command(flatten)]
    pub timing: TimingArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What all measurements of a broker have in common.
#[derive(Debug, ClapArgs)]
#[expect(missing_docs, reason = "groups of options, documented one by one")]
pub struct CommonArgs {
    /// The broker; nothing else is connected to.
    #[arg(long, env = "PUBSUB_SERVER", default_value = "http://127.0.0.1:8081")]
    pub server: Endpoint,
    /// The key that the broker knows us by.
    #[arg(id = "api_key", long = "key", env = "PUBSUB_KEY", hide_env_values = true)]
    pub key: Option<BearerKey>,
    #[command(flatten)]
    pub tls: TlsArgs,
    /// Topic; created if missing.
    #[arg(long, default_value = "loadtest")]
    pub topic: String,
    /// Partitions of a topic that is created.
    #[arg(long, default_value_t = 8)]
    pub partitions: u32,
    #[command(flatten)]
    pub timing: TimingArgs,
    #[command(flatten)]
    pub output: OutputArgs,
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

impl CommonArgs {
    /// The broker, spoken to as the arguments say, with the key that it knows us by.
    ///
    /// # Errors
    ///
    /// When a file that they name can't be used.
    pub fn server(&self) -> Result<Server, TlsError> {
        let TlsArgs { ca_file, client_cert, client_key } = &self.tls;
        let options =
            TlsOptions { ca_file: ca_file.clone(), client_cert: client_cert.clone(), client_key: client_key.clone() };
        Ok(Server::new(self.server.clone().with_tls(&options)?).with_key(self.key.clone()))
    }
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
    /// Form of the result on standard output.
    #[arg(long, value_enum, default_value = "text")]
    pub output: Output,
    /// File that gets the JSON report as well.
    #[arg(long)]
    pub report: Option<PathBuf>,
}

/// Form of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Output {
    Text,
    Json,
}

/// How messages are published.
#[derive(Debug, ClapArgs)]
pub struct PublishArgs {
    /// How to publish: one message a request, JSON batches, or JSON frames.
    #[arg(long, value_enum, default_value = "http")]
    pub protocol: PublishProtocol,
    /// Publishing connections.
    #[arg(long, default_value_t = 64)]
    pub connections: usize,
    /// Frames that may wait for their answer on one WebSocket.
    #[arg(long, default_value_t = 1)]
    pub in_flight: usize,
    /// Messages in a request [default: 1 over http, else 100].
    #[arg(long)]
    pub batch: Option<usize>,
    /// Messages a second, over all connections; 0 for a closed loop.
    #[arg(long, default_value_t = 0)]
    pub rate: u64,
    /// A closed loop: the same as --rate 0.
    #[arg(long, conflicts_with = "rate")]
    pub closed: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a group of options, documented one by one")]
    pub message: MessageArgs,
}

/// What messages look like.
#[derive(Debug, ClapArgs)]
pub struct MessageArgs {
    /// Payload bytes of a message.
    #[arg(long, default_value_t = 256)]
    pub message_bytes: usize,
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
    /// Messages to publish first; the run then ends when they are consumed.
    #[arg(long, default_value_t = 0)]
    pub preload: u64,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a group of options, documented one by one")]
    pub message: MessageArgs,
}

impl PublishCommand {
    /// The run that it asks for.
    #[must_use]
    pub fn workload(&self) -> Workload {
        self.common.workload(Kind::Publish, self.publish.plan(), no_consumers())
    }
}

impl ConsumeCommand {
    /// The run that it asks for.
    #[must_use]
    pub fn workload(&self) -> Workload {
        let consume = ConsumePlan {
            protocol: self.protocol,
            connections: self.connections,
            batch: self.batch,
            subscription: self.subscription.clone(),
        };
        let workload = self.common.workload(Kind::Consume, preload_plan(&self.preload.message), consume);
        Workload { preload: self.preload.preload, ..workload }
    }
}

impl EndToEndCommand {
    /// The run that it asks for.
    #[must_use]
    pub fn workload(&self) -> Workload {
        let consume = ConsumePlan {
            protocol: self.consume_protocol,
            connections: self.consumers,
            batch: self.consume_batch,
            subscription: None,
        };
        self.common.workload(Kind::EndToEnd, self.publish.plan(), consume)
    }
}

impl ReadCommand {
    /// The run that it asks for.
    #[must_use]
    pub fn workload(&self) -> Workload {
        let consume = ConsumePlan { connections: self.connections, batch: self.batch, ..no_consumers() };
        let workload = self.common.workload(Kind::Read, preload_plan(&self.preload.message), consume);
        Workload { preload: self.preload.preload, ..workload }
    }
}

impl FanOutCommand {
    /// The run that it asks for.
    #[must_use]
    pub fn workload(&self) -> Workload {
        let publish = PublishPlan {
            protocol: PublishProtocol::Http,
            connections: self.publishers,
            rate: NonZeroU64::new(self.rate),
            ..preload_plan(&self.message)
        };
        let workload = self.common.workload(Kind::FanOut, publish, no_consumers());
        Workload { fan_out: Some(FanOutPlan { protocol: self.protocol, readers: self.readers }), ..workload }
    }
}

impl CeilingCommand {
    /// The run that it asks for.
    #[must_use]
    pub fn workload(&self) -> Workload {
        workload(Kind::Publish, &self.timing, self.publish.plan(), no_consumers())
    }
}

impl CommonArgs {
    fn workload(&self, kind: Kind, publish: PublishPlan, consume: ConsumePlan) -> Workload {
        let workload = workload(kind, &self.timing, publish, consume);
        Workload { topic: self.topic.clone(), partitions: self.partitions, ..workload }
    }
}

impl PublishArgs {
    fn plan(&self) -> PublishPlan {
        let batch = match self.protocol {
            PublishProtocol::Http => 1,
            PublishProtocol::HttpBatch | PublishProtocol::WebSocket => 100,
        };
        PublishPlan {
            protocol: self.protocol,
            connections: self.connections,
            in_flight: self.in_flight,
            batch: self.batch.unwrap_or(batch),
            message_bytes: self.message.message_bytes,
            encoding: self.message.payload,
            keys: self.message.keys,
            rate: NonZeroU64::new(self.rate),
        }
    }
}

fn workload(kind: Kind, timing: &TimingArgs, publish: PublishPlan, consume: ConsumePlan) -> Workload {
    Workload {
        kind,
        topic: "loadtest".to_owned(),
        partitions: 1,
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

/// A plan for the preload; how fast it is published is decided by `Workload::preload_workload`.
fn preload_plan(message: &MessageArgs) -> PublishPlan {
    PublishPlan {
        protocol: PublishProtocol::HttpBatch,
        connections: 1,
        in_flight: 1,
        batch: 1,
        message_bytes: message.message_bytes,
        encoding: message.payload,
        keys: message.keys,
        rate: None,
    }
}

fn no_consumers() -> ConsumePlan {
    ConsumePlan { protocol: ConsumeProtocol::Http, connections: 1, batch: 1, subscription: None }
}

/// A whole number with a unit.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| format!("`{text}` is not a time such as 500ms, 30s or 5m"))?;
    match text.get(digits.len()..).unwrap_or_default() {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        unit => Err(format!("`{unit}` is not a unit of time: use ms, s or m")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        let words = std::iter::once("pubsub-loadtest").chain(line.split_whitespace());
        Args::try_parse_from(words).map(|args| args.command)
    }

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_defaults_are_a_closed_loop_of_single_messages() {
        let Ok(Command::Publish(command)) = parse("publish") else { panic!() };
        let workload = command.workload();
        assert_eq!(workload.check(), Ok(()));
        assert_eq!((workload.publish.connections, workload.publish.batch, workload.publish.rate), (64, 1, None));
        assert_eq!(workload.duration, Duration::from_secs(10));
    }

    #[test]
    fn every_option_of_a_publisher_arrives_in_the_workload() {
        let line = "publish --server http://h:9 --protocol websocket --connections 3 --in-flight 5 --batch 7 \
            --message-bytes 99 --rate 1000 --duration 500ms --warm-up 2m --topic t --partitions 4 --keys 6 \
            --payload base64 --messages 8 --workers 2";
        let Ok(Command::Publish(command)) = parse(line) else { panic!() };
        let workload = command.workload();
        let expected = PublishPlan {
            protocol: PublishProtocol::WebSocket,
            connections: 3,
            in_flight: 5,
            batch: 7,
            message_bytes: 99,
            encoding: PayloadEncoding::Base64,
            keys: 6,
            rate: NonZeroU64::new(1_000),
        };
        assert_eq!(workload.publish, expected);
        assert_eq!((workload.duration, workload.warm_up), (Duration::from_millis(500), Duration::from_mins(2)));
        assert_eq!((workload.topic.as_str(), workload.partitions), ("t", 4));
        assert_eq!((workload.messages_max, workload.workers), (Some(8), 2));
        assert_eq!(command.common.server.authority(), "h:9");
    }

    #[test]
    fn batches_default_to_a_hundred_where_there_are_batches() {
        let Ok(Command::Publish(command)) = parse("publish --protocol http-batch") else { panic!() };
        assert_eq!(command.workload().publish.batch, 100);
    }

    #[test]
    fn each_command_gives_a_workload_that_can_run() {
        for line in [
            "consume --preload 10 --protocol websocket",
            "end-to-end --rate 100",
            "read --preload 5",
            "fan-out",
            "fan-out --protocol sse --readers 9 --rate 50",
            "ceiling",
        ] {
            let workload = match parse(line).unwrap() {
                Command::Publish(command) => command.workload(),
                Command::Consume(command) => command.workload(),
                Command::EndToEnd(command) => command.workload(),
                Command::Read(command) => command.workload(),
                Command::FanOut(command) => command.workload(),
                Command::Ceiling(command) => command.workload(),
                Command::Completions(_) | Command::ManPages(_) => panic!("{line} measures nothing"),
            };
            assert_eq!(workload.check(), Ok(()), "{line}");
        }
    }

    #[test]
    fn wrong_usage_is_refused() {
        for line in
            ["", "publish --rate 5 --closed", "publish --duration 5", "publish --duration 5h", "publish --server x"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
