//! `groups`: consumers that have partitions of their own, and how far they are behind.

mod render;

use clap::Subcommand;
use gateway_api::client::Client;
use gateway_api::subscriptions::Consumption;

use self::render::{Group, Groups};
use super::subscriptions::all;
use crate::error::{CliError, Doing as _};
use crate::output::{Format, Output};
use crate::watch::{Watch, WatchArgs};

/// What to do with groups.
#[derive(Debug, Subcommand)]
pub(crate) enum GroupsCommand {
    /// List the subscriptions whose partitions are assigned to consumers
    List,
    /// Show a subscription's consumers, and per partition how far behind it is and who has it
    Describe {
        /// The subscription's name
        subscription: String,
        #[command(flatten)]
        watch: WatchArgs,
    },
}

/// Does it.
pub(crate) async fn run(command: GroupsCommand, client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    match command {
        GroupsCommand::List => list(client, output).await,
        GroupsCommand::Describe { subscription, watch } => {
            let mut watch = Watch::new(watch)?;
            while watch.next(output).await? {
                let action = || format!("describe the group of `{subscription}`");
                let tagged = client.subscription(&subscription).await.doing(action)?;
                output.result(&Group(tagged.value))?;
            }
            Ok(())
        }
    }
}

async fn list(client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    let mut groups = Groups { items: Vec::new() };
    for summary in all(client).await?.items {
        if summary.config.consumption == Consumption::Assigned {
            let action = || format!("describe the group of `{}`", summary.name);
            groups.items.push(client.subscription(&summary.name).await.doing(action)?.value);
        }
    }
    if groups.items.is_empty() && output.format() == Format::Table {
        return output.note(
            "There are no groups; `pubsub-cli subscriptions create NAME --topic T --consumption assigned` makes one.",
        );
    }
    output.result(&groups)
}
