//! `run`: a workload file, and what overrides it.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::common::{OutputArgs, ServerArgs};
use crate::workload::Workload;
use crate::workload::file::{FileError, Override};

/// `run`.
#[derive(Debug, ClapArgs)]
#[expect(missing_docs, reason = "groups of options, documented one by one")]
pub struct RunCommand {
    /// The workload file.
    pub file: PathBuf,
    #[command(flatten)]
    pub server: ServerArgs,
    #[command(flatten)]
    pub overrides: Overrides,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Options that override what a file says. Their values are checked as those of the file.
#[derive(Debug, Default, ClapArgs)]
pub struct Overrides {
    /// Set anything that a file can say: --set publish.keys=8; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// What is measured.
    #[arg(long)]
    pub target: Option<String>,
    /// Topic.
    #[arg(long)]
    pub topic: Option<String>,
    /// Partitions of a topic that is created.
    #[arg(long)]
    pub partitions: Option<String>,
    /// Measured time.
    #[arg(long)]
    pub duration: Option<String>,
    /// Time before it that is not measured.
    #[arg(long)]
    pub warm_up: Option<String>,
    /// End after so many messages.
    #[arg(long)]
    pub messages: Option<String>,
    /// Messages that are published before the measurement.
    #[arg(long)]
    pub preload: Option<String>,
    /// Threads that generate the load.
    #[arg(long)]
    pub workers: Option<String>,
    /// How to publish.
    #[arg(long)]
    pub protocol: Option<String>,
    /// Publishing connections.
    #[arg(long)]
    pub connections: Option<String>,
    /// Frames that may wait for their answer on one WebSocket.
    #[arg(long)]
    pub in_flight: Option<String>,
    /// Messages in a request.
    #[arg(long)]
    pub batch: Option<String>,
    /// Messages a second; 0 for a closed loop.
    #[arg(long)]
    pub rate: Option<String>,
    /// Payload bytes of a message.
    #[arg(long)]
    pub message_bytes: Option<String>,
    /// Consuming connections.
    #[arg(long)]
    pub consumers: Option<String>,
    /// Readers of a fan-out.
    #[arg(long)]
    pub readers: Option<String>,
}

impl RunCommand {
    /// The workload that it names.
    ///
    /// # Errors
    ///
    /// When the file, or what overrides it, says what no run can be made of.
    pub fn workload(&self) -> Result<Workload, FileError> {
        let workload = Workload::from_file(&self.file, &self.overrides.list()?)?;
        Ok(Workload { name: self.output.name.clone().or_else(|| workload.name.clone()), ..workload })
    }
}

impl Overrides {
    /// In an order in which `--set` has the last word.
    ///
    /// # Errors
    ///
    /// When one is not `KEY=VALUE`.
    pub fn list(&self) -> Result<Vec<Override>, FileError> {
        let named = [
            ("--target", "target", &self.target),
            ("--topic", "topic", &self.topic),
            ("--partitions", "partitions", &self.partitions),
            ("--duration", "duration", &self.duration),
            ("--warm-up", "warm_up", &self.warm_up),
            ("--messages", "messages", &self.messages),
            ("--preload", "preload", &self.preload),
            ("--workers", "workers", &self.workers),
            ("--protocol", "publish.protocol", &self.protocol),
            ("--connections", "publish.connections", &self.connections),
            ("--in-flight", "publish.in_flight", &self.in_flight),
            ("--batch", "publish.batch", &self.batch),
            ("--rate", "publish.rate", &self.rate),
            ("--message-bytes", "publish.message_bytes", &self.message_bytes),
            ("--consumers", "consume.connections", &self.consumers),
            ("--readers", "fan_out.readers", &self.readers),
        ];
        let mut list: Vec<Override> = named
            .into_iter()
            .filter_map(|(option, key, value)| {
                let value = value.clone()?;
                Some(Override { option: format!("{option} {value}"), key: key.to_owned(), value })
            })
            .collect();
        for setting in &self.settings {
            let option = format!("--set {setting}");
            match setting.split_once('=') {
                Some((key, value)) => list.push(Override { option, key: key.to_owned(), value: value.to_owned() }),
                None => return Err(FileError::Override { option, reason: "it is not KEY=VALUE".to_owned() }),
            }
        }
        Ok(list)
    }
}
