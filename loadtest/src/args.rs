//! The command line.

mod common;
mod publishing;
mod workload_file;

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, Parser, Subcommand};

pub use common::{CommonArgs, Output, OutputArgs, ServerArgs, TimingArgs, TlsArgs, TopicArgs};
pub use publishing::{MessageArgs, PreloadArgs, PublishArgs};
pub use workload_file::{Overrides, RunCommand};

use crate::manual::{CompletionsCommand, ManPagesCommand};
use crate::standard::set::Set;
use crate::standard::{Plan, StandardError, embedded};
use crate::workload::{
    ConsumePlan, ConsumeProtocol, FanOutPlan, FanOutProtocol, Kind, PublishPlan, PublishProtocol, Target, Workload,
};

/// Load-tests a `PubSubRing` broker, with latency percentiles that can be believed.
///
/// With --rate, requests are due at fixed times and latency counts from the due time, so that a stall of the server shows
/// in every request that it delayed. Without, each connection sends as fast as it is answered: the highest throughput, but
/// latencies that hide stalls.
///
/// Exit codes: 0 done, 1 the run failed, 2 wrong usage, 3 messages were lost or out of order.
#[derive(Debug, Parser)]
#[command(name = "pubsub-loadtest", version = concat!(env!("CARGO_PKG_VERSION"), " (", env!("BUILD_COMMIT"), ")"))]
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
    /// Publish to many who each read all of a topic: latency until each has a message, and a check of each.
    FanOut(FanOutCommand),
    /// Measure this tool itself, against the least that a server can do.
    Ceiling(CeilingCommand),
    /// Run what a workload file says; options override it.
    Run(RunCommand),
    /// Run the standard set: starts the broker and its peers itself, one at a time, and writes a page of all.
    Standard(StandardCommand),
    /// Compare two JSON reports: B in terms of A.
    Compare(CompareCommand),
    /// Make a page with plots of one or more JSON reports.
    Html(HtmlCommand),
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
    /// How to consume [default: http, or a peer's own].
    #[arg(long, value_enum)]
    pub protocol: Option<ConsumeProtocol>,
    /// Consuming connections.
    #[arg(long, default_value_t = 4)]
    pub connections: usize,
    /// Messages of one pull, or the credit of a WebSocket.
    #[arg(long, default_value_t = 100)]
    pub batch: usize,
    /// Subscription, made with its start at the earliest message if missing. Default: one for this run, from now on.
    #[arg(long)]
    pub subscription: Option<String>,
    /// Subscriptions of each topic, each of which is given all of it.
    #[arg(long, default_value_t = 1)]
    pub subscriptions: u32,
}

/// `end-to-end`.
#[derive(Debug, ClapArgs)]
#[expect(missing_docs, reason = "groups of options, documented one by one")]
pub struct EndToEndCommand {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub publish: PublishArgs,
    /// How to consume [default: websocket, or a peer's own].
    #[arg(long, value_enum)]
    pub consume_protocol: Option<ConsumeProtocol>,
    /// Consuming connections.
    #[arg(long, default_value_t = 4)]
    pub consumers: usize,
    /// Messages of one pull, or the credit of a WebSocket.
    #[arg(long, default_value_t = 1_000)]
    pub consume_batch: usize,
    /// Subscriptions of each topic, each of which is given all of it.
    #[arg(long, default_value_t = 1)]
    pub subscriptions: u32,
}

/// `read`.
#[derive(Debug, ClapArgs)]
#[expect(missing_docs, reason = "groups of options, documented one by one")]
pub struct ReadCommand {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub preload: PreloadArgs,
    /// What pages are made of: JSON (http), or batches as they are stored (http-batch).
    #[arg(long, value_enum, default_value = "http")]
    pub protocol: ConsumeProtocol,
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
    /// Messages a second, in an open loop; 0 for a closed one, in which a message is on the way until all readers have it.
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

/// `standard`.
#[derive(Debug, ClapArgs)]
pub struct StandardCommand {
    /// Folder that gets a report of each run, ratios.json and report.html.
    #[arg(long, value_name = "FOLDER", default_value = "loadtest-results")]
    pub out: PathBuf,
    /// Only these runs; may be repeated.
    #[arg(long, value_name = "WORKLOAD")]
    pub only: Vec<String>,
    /// Another set, whose workload files lie beside it.
    #[arg(long, value_name = "FILE")]
    pub set_file: Option<PathBuf>,
    /// A folder in which programs are looked for first; may be repeated [default: this program's own, and its examples].
    #[arg(long, value_name = "FOLDER")]
    pub programs: Vec<PathBuf>,
    /// Folder for the servers' data while they run; on a disk, not in memory [default: the folder of the results].
    #[arg(long, value_name = "FOLDER")]
    pub work: Option<PathBuf>,
    /// Set anything that a workload file can say, in all of them: --set duration=3s; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
}

/// `compare`.
#[derive(Debug, ClapArgs)]
pub struct CompareCommand {
    /// The report that is 1.
    pub a: PathBuf,
    /// The report that is told in terms of it.
    pub b: PathBuf,
    /// File that gets the comparison as a page with plots.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// `html`.
#[derive(Debug, ClapArgs)]
pub struct HtmlCommand {
    /// JSON reports.
    #[arg(required = true)]
    pub reports: Vec<PathBuf>,
    /// What the page is called.
    #[arg(long, default_value = "Load test")]
    pub title: String,
    /// The page.
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    pub html: PathBuf,
}

impl StandardCommand {
    /// What is to be run.
    ///
    /// # Errors
    ///
    /// When the set, or what overrides it, can't be used.
    pub fn plan(&self, command: Vec<String>) -> Result<Plan, StandardError> {
        let set = match &self.set_file {
            None => Set::from_yaml(embedded::STANDARD, "the standard set")?,
            Some(file) => {
                let unreadable = |error| StandardError::Path { path: file.clone(), error };
                Set::from_yaml(&std::fs::read_to_string(file).map_err(unreadable)?, &file.display().to_string())?
            }
        };
        if let Some(name) = self.only.iter().find(|name| !set.runs.iter().any(|run| run.workload == **name)) {
            let names: Vec<&str> = set.runs.iter().map(|run| run.workload.as_str()).collect();
            return Err(StandardError::NoSuchRun { name: name.clone(), known: names.join(", ") });
        }
        let own = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
        let own = own.into_iter().flat_map(|folder| [folder.join("examples"), folder]);
        let beside = |file: &PathBuf| file.parent().map_or_else(PathBuf::new, Path::to_owned);
        Ok(Plan {
            set,
            workloads: self.set_file.as_ref().map(beside),
            overrides: Overrides { settings: self.settings.clone(), ..Overrides::default() }.list()?,
            only: self.only.clone(),
            work: std::path::absolute(self.work.as_ref().unwrap_or(&self.out)).unwrap_or_else(|_| self.out.clone()),
            programs: self.programs.iter().cloned().chain(own).collect(),
            out: self.out.clone(),
            command,
        })
    }
}

impl PublishCommand {
    /// The run that it asks for.
    #[must_use]
    pub fn workload(&self) -> Workload {
        let plan = self.publish.plan(self.common.target, self.common.timing.duration);
        self.common.workload(Kind::Publish, plan, ConsumePlan::none())
    }
}

impl ConsumeCommand {
    /// The run that it asks for.
    #[must_use]
    pub fn workload(&self) -> Workload {
        let consume = ConsumePlan {
            protocol: self.protocol.unwrap_or_else(|| consume_protocol(self.common.target, ConsumeProtocol::Http)),
            connections: self.connections,
            batch: self.batch,
            subscription: self.subscription.clone(),
            subscriptions: self.subscriptions,
        };
        let publish = preload_plan(self.common.target, &self.preload.message);
        Workload { preload: self.preload.preload, ..self.common.workload(Kind::Consume, publish, consume) }
    }
}

impl EndToEndCommand {
    /// The run that it asks for.
    #[must_use]
    pub fn workload(&self) -> Workload {
        let usual = consume_protocol(self.common.target, ConsumeProtocol::WebSocket);
        let consume = ConsumePlan {
            protocol: self.consume_protocol.unwrap_or(usual),
            connections: self.consumers,
            batch: self.consume_batch,
            subscription: None,
            subscriptions: self.subscriptions,
        };
        let plan = self.publish.plan(self.common.target, self.common.timing.duration);
        self.common.workload(Kind::EndToEnd, plan, consume)
    }
}

impl ReadCommand {
    /// The run that it asks for.
    #[must_use]
    pub fn workload(&self) -> Workload {
        let consume = ConsumePlan {
            protocol: self.protocol,
            connections: self.connections,
            batch: self.batch,
            ..ConsumePlan::none()
        };
        let publish = preload_plan(self.common.target, &self.preload.message);
        Workload { preload: self.preload.preload, ..self.common.workload(Kind::Read, publish, consume) }
    }
}

impl FanOutCommand {
    /// The run that it asks for.
    #[must_use]
    pub fn workload(&self) -> Workload {
        let publish = PublishPlan {
            connections: self.publishers,
            rate: NonZeroU64::new(self.rate),
            ..self.message.plan(PublishProtocol::Http)
        };
        self.common.fan_out(publish, FanOutPlan { protocol: self.protocol, readers: self.readers })
    }
}

impl CeilingCommand {
    /// The run that it asks for.
    #[must_use]
    pub fn workload(&self) -> Workload {
        let plan = self.publish.plan(Target::Pubsub, self.timing.duration);
        common::workload(Kind::Publish, &self.timing, &self.output, plan, ConsumePlan::none())
    }
}

fn consume_protocol(target: Target, usual: ConsumeProtocol) -> ConsumeProtocol {
    if target.is_peer() { ConsumeProtocol::Native } else { usual }
}

/// A plan for the preload; how fast it is published is decided by `Workload::preload_workload`.
fn preload_plan(target: Target, message: &MessageArgs) -> PublishPlan {
    message.plan(if target.is_peer() { PublishProtocol::Native } else { PublishProtocol::HttpBatch })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use clap::CommandFactory as _;

    use crate::template::PayloadEncoding;
    use crate::workload::{BatchCodec, Sizes};

    fn parse(line: &str) -> Result<Command, clap::Error> {
        let words = std::iter::once("pubsub-loadtest").chain(line.split_whitespace());
        Args::try_parse_from(words).map(|args| args.command)
    }

    fn workload_of(command: Command) -> Workload {
        match command {
            Command::Publish(command) => command.workload(),
            Command::Consume(command) => command.workload(),
            Command::EndToEnd(command) => command.workload(),
            Command::Read(command) => command.workload(),
            Command::FanOut(command) => command.workload(),
            Command::Ceiling(command) => command.workload(),
            Command::Run(_)
            | Command::Standard(_)
            | Command::Compare(_)
            | Command::Html(_)
            | Command::Completions(_)
            | Command::ManPages(_) => panic!("{command:?}"),
        }
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
            sizes: Sizes::Fixed(99),
            encoding: PayloadEncoding::Base64,
            keys: 6,
            rate: NonZeroU64::new(1_000),
            ramp: None,
            steps: None,
            acks: None,
            codec: BatchCodec::None,
        };
        assert_eq!(workload.publish, expected);
        assert_eq!((workload.duration, workload.warm_up), (Duration::from_millis(500), Duration::from_mins(2)));
        assert_eq!((workload.topic.as_str(), workload.partitions), ("t", 4));
        assert_eq!((workload.messages_max, workload.workers), (Some(8), 2));
        assert_eq!(command.common.server.host(Target::Pubsub).unwrap().authority(), "h:9");
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
            "publish --protocol websocket-batch --in-flight 9 --codec lz4 --acks leader --compression snappy",
            "publish --rate 10 --ramp-to 100 --ramp-over 5s --message-bytes 16x9,1024x1",
            "publish --rate 10 --step-percent 50 --max-rate 1000 --p99-max 20ms",
            "end-to-end --topics 3 --subscriptions 2 --consume-protocol websocket-batch",
            "read --protocol http-batch --preload 5",
            "publish --target redis-streams --in-flight 100",
            "consume --target rabbitmq --preload 9",
            "end-to-end --target nats-jetstream --rate 100",
        ] {
            let workload = workload_of(parse(line).unwrap());
            assert_eq!(workload.check(), Ok(()), "{line}");
        }
    }

    #[test]
    fn a_file_that_says_nothing_is_the_command_without_options() {
        for (line, kind) in [
            ("publish", "publish"),
            ("consume", "consume"),
            ("end-to-end", "end-to-end"),
            ("read", "read"),
            ("fan-out", "fan-out"),
            ("publish --target redis-streams", "publish\ntarget: redis-streams"),
            ("end-to-end --target rabbitmq", "end-to-end\ntarget: rabbitmq"),
        ] {
            let file = Workload::from_yaml(&format!("kind: {kind}"), "w", &[]).unwrap();
            let command = workload_of(parse(line).unwrap());
            // A preload's batches are its own.
            let publish = PublishPlan { batch: file.publish.batch, ..command.publish.clone() };
            assert_eq!(file, Workload { publish, ..command }, "{line}");
        }
    }

    #[test]
    fn each_override_has_a_place_in_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("mine.yaml");
        std::fs::write(&file, "kind: fan-out\n").unwrap();
        let line = format!(
            "run {} --topic t --partitions 2 --duration 5s --warm-up 1s --messages 9 --workers 2 --connections 3 --rate 7 \
             --message-bytes 99 --readers 8 --set topic_settings.flush=os --target pubsub --preload 0 --protocol http-batch \
             --in-flight 1 --batch 4 --consumers 5",
            file.display()
        );
        let Ok(Command::Run(command)) = parse(&line) else { panic!() };
        let workload = command.workload().unwrap();
        assert_eq!((workload.name.as_deref(), workload.topic.as_str(), workload.partitions), (Some("mine"), "t", 2));
        assert_eq!((workload.publish.connections, workload.publish.rate), (3, NonZeroU64::new(7)));
        assert_eq!((workload.fan_out.unwrap().readers, workload.publish.sizes.max()), (8, 99));
        assert_eq!(workload.topic_settings.flush, Some(gateway_api::topics::Flush::Os));
        let Ok(Command::Run(command)) = parse(&format!("run {} --set rate", file.display())) else { panic!() };
        assert!(command.workload().unwrap_err().to_string().contains("it is not KEY=VALUE"));
    }

    #[test]
    fn the_standard_set_can_be_narrowed_to_what_it_has() {
        let plan = |line| match parse(line) {
            Ok(Command::Standard(command)) => command.plan(Vec::new()),
            other => panic!("{other:?}"),
        };
        let narrowed = plan("standard --only http-single --set duration=1s").unwrap();
        assert_eq!((narrowed.only, narrowed.overrides.len()), (vec!["http-single".to_owned()], 1));
        let error = plan("standard --only nothing").unwrap_err().to_string();
        assert!(error.starts_with("--only nothing: the set has http-single,"), "{error}");
    }

    #[test]
    fn wrong_usage_is_refused() {
        for line in [
            "",
            "publish --rate 5 --closed",
            "publish --duration 5",
            "publish --duration 5h",
            "publish --ramp-to 9",
            "run",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
