//! `subscriptions`: list, create, describe, update, delete, and their dead letters.

mod letters;
mod push;
pub(super) mod render;
mod settings;

use clap::Subcommand;
use gateway_api::Page;
use gateway_api::client::Client;
use gateway_api::subscriptions::SubscriptionSummary;

use self::letters::{DeadLettersArgs, RedriveArgs};
use self::render::Described;
use self::settings::{SettingsArgs, StartArgs};
use crate::error::{CliError, Doing as _};
use crate::output::Output;
use crate::pages;
use crate::watch::{Watch, WatchArgs};

/// What to do with subscriptions.
#[derive(Debug, Subcommand)]
pub(crate) enum SubscriptionsCommand {
    /// List all subscriptions
    List,
    /// Create a subscription; the same again changes nothing
    Create {
        /// The subscription's name
        subscription: String,
        /// The topic that it reads
        #[arg(long)]
        topic: String,
        #[command(flatten)]
        start: StartArgs,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Show a subscription with its cursors
    Describe {
        /// The subscription's name
        subscription: String,
        #[command(flatten)]
        watch: WatchArgs,
    },
    /// Change the given settings of a subscription
    Update {
        /// The subscription's name
        subscription: String,
        #[command(flatten)]
        settings: SettingsArgs,
        /// Only if the subscription still has this etag (see `describe`)
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
    },
    /// List the messages that a subscription has given up on
    DeadLetters(DeadLettersArgs),
    /// Send dead letters back to their topic, for this subscription alone
    Redrive(RedriveArgs),
    /// Delete a subscription and its cursors
    Delete {
        /// The subscription's name
        subscription: String,
        /// Only if the subscription still has this etag (see `describe`)
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
    },
}

/// Does it.
pub(crate) async fn run(
    command: SubscriptionsCommand,
    client: &Client,
    output: &mut Output<'_>,
) -> Result<(), CliError> {
    match command {
        SubscriptionsCommand::List => list(client, output).await,
        SubscriptionsCommand::Create { subscription, topic, start, settings } => {
            let settings = start.settings(topic, &settings);
            let created = client.create_subscription(&subscription, &settings).await;
            let created = created.doing(|| format!("create subscription `{subscription}`"))?;
            let done = if created.is_new { "Created" } else { "Nothing to do: it was there with this configuration" };
            output.note(&format!("{done}.\n"))?;
            output.result(&Described { value: created.value, etag: None })
        }
        SubscriptionsCommand::Describe { subscription, watch } => {
            let mut watch = Watch::new(watch)?;
            while watch.next(output).await? {
                let action = || format!("describe subscription `{subscription}`");
                let tagged = client.subscription(&subscription).await.doing(action)?;
                output.result(&Described { value: tagged.value, etag: tagged.etag })?;
            }
            Ok(())
        }
        SubscriptionsCommand::Update { subscription, settings, if_match } => {
            let settings = settings.some_settings()?;
            let updated = client.update_subscription(&subscription, &settings, if_match.as_deref()).await;
            let updated = updated.doing(|| format!("update subscription `{subscription}`"))?;
            output.result(&Described { value: updated.value, etag: updated.etag })
        }
        SubscriptionsCommand::DeadLetters(args) => letters::list(&args, client, output).await,
        SubscriptionsCommand::Redrive(args) => letters::redrive(&args, client, output).await,
        SubscriptionsCommand::Delete { subscription, if_match } => {
            let deleted = client.delete_subscription(&subscription, if_match.as_deref()).await;
            deleted.doing(|| format!("delete subscription `{subscription}`"))?;
            output.note(&format!("Deleted subscription {subscription}."))
        }
    }
}

/// All subscriptions, page by page.
pub(super) async fn all(client: &Client) -> Result<Page<SubscriptionSummary>, CliError> {
    pages::all(async |token| client.subscriptions(None, token).await.doing(|| "list subscriptions".to_owned())).await
}

async fn list(client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    let none = "There are no subscriptions; `pubsub-cli subscriptions create NAME --topic T` makes one.";
    pages::show(&all(client).await?, none, output)
}
