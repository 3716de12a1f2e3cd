//! The command line: what every command takes, and which commands there are.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};
use gateway_api::client::{ApiKey, Client, Endpoint, TlsError, TlsOptions};

use crate::commands::acks::{AckArgs, ExtendArgs, NackArgs};
use crate::commands::cluster::ClusterCommand;
use crate::commands::completions::CompletionsArgs;
use crate::commands::groups::GroupsCommand;
use crate::commands::keys::KeysCommand;
use crate::commands::man_pages::ManPagesArgs;
use crate::commands::principals::PrincipalsCommand;
use crate::commands::publish::PublishArgs;
use crate::commands::pull::PullArgs;
use crate::commands::seek::SeekArgs;
use crate::commands::store::StoreCommand;
use crate::commands::subscribe::SubscribeArgs;
use crate::commands::subscriptions::SubscriptionsCommand;
use crate::commands::topics::TopicsCommand;
use crate::exit_code;
use crate::output::Format;
use crate::values;

const STYLES: Styles =
    Styles::styled().header(AnsiColor::Green.on_default().bold()).literal(AnsiColor::Cyan.on_default());

/// What `--version` says behind the name.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("BUILD_COMMIT"), ")");

/// Administers PubSubRing, publishes and consumes.
#[derive(Debug, Parser)]
#[command(name = "pubsub-cli", version = VERSION, styles = STYLES, after_help = exit_code::TABLE, max_term_width = 110)]
pub(crate) struct Args {
    /// What every command takes.
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct GlobalArgs {
    /// The node's address
    #[arg(long, value_name = "URL", env = "PUBSUB_SERVER", default_value = "http://127.0.0.1:8081", global = true)]
    pub(crate) server: Endpoint,
    /// The key that the node knows you by; stands before the command
    // Not behind it, where `publish` has a `--key` of its own: that of the message.
    #[arg(id = "api_key", long = "key", value_name = "KEY", env = "PUBSUB_KEY", hide_env_values = true)]
    pub(crate) key: Option<ApiKey>,
    /// How TLS is spoken with an https:// address
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    /// How to print results
    #[arg(long, short, value_enum, default_value_t = Format::Table, global = true)]
    pub(crate) output: Format,
    /// How long to wait for each answer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = values::milliseconds, global = true)]
    pub(crate) timeout: u64,
}

/// How TLS is spoken with an https:// address.
#[derive(Debug, clap::Args)]
pub(crate) struct TlsArgs {
    /// Trust the issuers in this PEM file instead of those that this machine trusts
    #[arg(long, value_name = "FILE", env = "PUBSUB_CA_FILE", global = true)]
    pub(crate) ca_file: Option<PathBuf>,
    /// Show the certificate in this PEM file
    #[arg(long, value_name = "FILE", env = "PUBSUB_CLIENT_CERT", global = true)]
    pub(crate) client_cert: Option<PathBuf>,
    /// Its key, as PEM
    #[arg(long, value_name = "FILE", env = "PUBSUB_CLIENT_KEY", global = true)]
    pub(crate) client_key: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List, create, show, change and delete topics
    #[command(subcommand)]
    Topics(TopicsCommand),
    /// Publish a message, a file, or each line of standard input
    Publish(PublishArgs),
    /// Print messages as they come, from a topic or a subscription
    Subscribe(SubscribeArgs),
    /// List, create, show, change and delete subscriptions
    #[command(subcommand)]
    Subscriptions(SubscriptionsCommand),
    /// List and show the consumers that have partitions of their own
    #[command(subcommand)]
    Groups(GroupsCommand),
    /// Take messages of a subscription once
    Pull(PullArgs),
    /// Say that messages are done
    Ack(AckArgs),
    /// Have messages delivered again
    Nack(NackArgs),
    /// Ask for more time with messages
    Extend(ExtendArgs),
    /// Move a subscription to another place
    Seek(SeekArgs),
    /// Show the cluster, and add, drain and remove nodes
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Make, list and delete keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// List, show, put and delete those who may be let in
    #[command(subcommand)]
    Principals(PrincipalsCommand),
    /// Show who the node takes you for, and what that allows
    Whoami,
    /// Look into the data directory of a stopped node
    #[command(subcommand)]
    Store(StoreCommand),
    /// Print the completions for a shell
    Completions(CompletionsArgs),
    /// Write the manual pages of all commands
    ManPages(ManPagesArgs),
}

impl GlobalArgs {
    /// Reads the files that the arguments name, so that the server is spoken to by them.
    pub(crate) fn prepare(&mut self) -> Result<(), TlsError> {
        let TlsArgs { ca_file, client_cert, client_key } = &self.tls;
        let options =
            TlsOptions { ca_file: ca_file.clone(), client_cert: client_cert.clone(), client_key: client_key.clone() };
        self.server = self.server.clone().with_tls(&options)?;
        Ok(())
    }

    /// The client that the arguments ask for.
    pub(crate) fn client(&self) -> Client {
        let answer_timeout = Duration::from_millis(self.timeout);
        Client::new(self.server.clone(), self.key.clone()).with_answer_timeout(answer_timeout)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn global_options_may_stand_behind_the_command() {
        let args = Args::try_parse_from(["pubsub-cli", "topics", "list", "--server", "http://[::1]:9", "-o", "json"]);
        let args = args.unwrap();
        assert_eq!(args.global.server.to_string(), "http://[::1]:9");
        assert_eq!(args.global.output, Format::Json);
    }

    #[test]
    fn the_key_of_a_message_is_not_the_key_to_the_node() {
        let args = Args::try_parse_from(["pubsub-cli", "--key", "api", "publish", "orders", "hello", "--key", "a b"]);
        let args = args.unwrap();
        assert!(args.global.key.is_some());
        let args = Args::try_parse_from(["pubsub-cli", "publish", "orders", "hello", "--key", "a b"]).unwrap();
        assert!(args.global.key.is_none() || std::env::var_os("PUBSUB_KEY").is_some());
    }

    #[test]
    fn a_server_that_cannot_be_used_is_refused_with_its_reason() {
        let parse = |server| Args::try_parse_from(["pubsub-cli", "--server", server, "topics", "list"]).unwrap_err();
        assert!(parse("https://broker/v1").to_string().contains("has no path"));
        assert!(parse("broker:8081").to_string().contains("is not the address of a node"));
    }

    #[test]
    fn a_file_for_tls_that_is_not_there_is_named() {
        let words = ["pubsub-cli", "--server", "https://broker", "topics", "list", "--ca-file", "/nonexistent/ca.pem"];
        let mut args = Args::try_parse_from(words).unwrap();
        assert!(args.global.prepare().unwrap_err().to_string().contains("/nonexistent/ca.pem"));
        args.global.server = "http://broker".parse().unwrap();
        assert!(args.global.prepare().is_ok(), "it is not needed");
    }

    #[test]
    fn the_exit_codes_are_in_the_help() {
        assert!(Args::command().render_help().to_string().contains("7  cannot connect"));
    }
}
