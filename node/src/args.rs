//! The command line of `pubsub-node`.

use std::path::PathBuf;

use clap::Parser;
use clap_complete::Shell;

use crate::{config::Sources, health_check::Question, version};

/// A durable publish-subscribe broker over HTTP and WebSocket.
///
/// Settings come from a file, then from variables that begin with PUBSUB_, then from flags; docs/configuration.md lists them.
#[derive(Debug, Parser)]
#[command(name = "pubsub-node", version = version::VERSION)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Args {
    /// Read settings from this file (default: config.yaml, if there is one)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Keep data in this directory; the same as `--set storage.data_dir=DIR`
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Set any setting of the configuration, such as server.port=8082; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_setting)]
    pub settings: Vec<(String, String)>,
    /// Take keys without TLS from other machines: something in front of the node ends it; the same as `--set server.insecure=true`
    #[arg(long)]
    pub insecure: bool,
    /// Found the cluster, if no seed knows one; the same as `--set cluster.init=true`
    #[arg(long)]
    pub cluster_init: bool,
    /// Come back as a new node after the metadata on this one was lost: needs a `cluster.node_id` that was never used
    #[arg(long, conflicts_with = "cluster_init")]
    pub rejoin: bool,
    /// Check the configuration and exit
    #[arg(long)]
    pub check_config: bool,
    /// Make a key that may do everything, print it once, and exit; the node must not run
    #[arg(long, value_name = "PRINCIPAL", num_args = 0..=1, default_missing_value = "admin")]
    pub bootstrap_key: Option<String>,
    /// With --bootstrap-key: make one although there is one
    #[arg(long, requires = "bootstrap_key")]
    pub force: bool,
    /// Print the effective configuration as YAML and exit
    #[arg(long)]
    pub print_config: bool,
    /// Ask the node that runs with these settings on this machine whether it is alive, or whether it is ready: exit code 0 or 1
    #[arg(long, value_name = "QUESTION", num_args = 0..=1, require_equals = true, default_missing_value = "alive")]
    pub health_check: Option<Question>,
    /// Print the completions for a shell and exit
    #[arg(long, value_name = "SHELL")]
    pub completions: Option<Shell>,
    /// Write the manual page into this directory and exit
    #[arg(long, value_name = "DIR")]
    pub man_pages: Option<PathBuf>,
    /// Once the node serves, write its process id and addresses to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
}

impl Args {
    /// Where settings come from: this command line, and the environment of the process.
    #[must_use]
    pub fn sources(&self) -> Sources {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        let data_dir = self.data_dir.iter().map(|directory| ("storage.data_dir".to_owned(), directory.clone()));
        let insecure = self.insecure.then(|| ("server.insecure".to_owned(), "true".to_owned()));
        let init = self.cluster_init.then(|| ("cluster.init".to_owned(), "true".to_owned()));
        let flags = self.settings.iter().cloned().chain(data_dir).chain(insecure).chain(init).collect();
        Sources { file: self.config.clone(), environment, flags }
    }
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, such as server.port=8082")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_directory_has_a_flag_of_its_own() {
        let args = Args::parse_from(["pubsub-node", "--set", "server.port=0", "--data-dir", "/srv/pubsub"]);
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(args.sources().flags, [pair("server.port", "0"), pair("storage.data_dir", "/srv/pubsub")]);
    }

    #[test]
    fn going_without_tls_has_a_flag_of_its_own() {
        let flags = Args::parse_from(["pubsub-node", "--insecure"]).sources().flags;
        assert_eq!(flags, [("server.insecure".to_owned(), "true".to_owned())]);
    }

    #[test]
    fn a_setting_without_a_value_is_a_usage_error() {
        assert!(Args::try_parse_from(["pubsub-node", "--set", "server.port"]).is_err());
    }
}
