//! `topics`: list, create, describe, update, delete, and what is scheduled in them.

mod render;
mod scheduled;
mod settings;
mod verify;

use clap::Subcommand;
use gateway_api::client::Client;

use self::render::Described;
use self::scheduled::{CancelArgs, ScheduledArgs};
use self::settings::SettingsArgs;
use self::verify::VerifyArgs;
use crate::error::{CliError, Doing as _};
use crate::output::Output;
use crate::pages;
use crate::watch::{Watch, WatchArgs};

/// What to do with topics.
#[derive(Debug, Subcommand)]
pub(crate) enum TopicsCommand {
    /// List all topics
    List,
    /// Create a topic; the same again changes nothing
    Create {
        /// The topic's name
        topic: String,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Show a topic with its partitions
    Describe {
        /// The topic's name
        topic: String,
        #[command(flatten)]
        watch: WatchArgs,
    },
    /// Change the given settings of a topic
    Update {
        /// The topic's name
        topic: String,
        #[command(flatten)]
        settings: SettingsArgs,
        /// Only if the topic still has this etag (see `describe`)
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
    },
    /// Compare what the nodes that keep a topic's partitions hold, while they serve
    Verify(VerifyArgs),
    /// List the messages of a topic that wait for their time
    Scheduled(ScheduledArgs),
    /// Have a message not be delivered that waits for its time
    CancelScheduled(CancelArgs),
    /// Delete a topic, its messages and its subscriptions
    Delete {
        /// The topic's name
        topic: String,
        /// Only if the topic still has this etag (see `describe`)
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
    },
}

/// Does it.
pub(crate) async fn run(command: TopicsCommand, client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    match command {
        TopicsCommand::List => list(client, output).await,
        TopicsCommand::Create { topic, settings } => {
            let action = || format!("create topic `{topic}`");
            let created = client.create_topic(&topic, &settings.settings()).await.doing(action)?;
            let done = if created.is_new { "Created" } else { "Nothing to do: it was there with this configuration" };
            output.note(&format!("{done}.\n"))?;
            output.result(&Described { value: created.value, etag: None })
        }
        TopicsCommand::Describe { topic, watch } => {
            let mut watch = Watch::new(watch)?;
            while watch.next(output).await? {
                let tagged = client.topic(&topic).await.doing(|| format!("describe topic `{topic}`"))?;
                output.result(&Described { value: tagged.value, etag: tagged.etag })?;
            }
            Ok(())
        }
        TopicsCommand::Update { topic, settings, if_match } => {
            let settings = settings.some_settings()?;
            let updated = client.update_topic(&topic, &settings, if_match.as_deref()).await;
            let updated = updated.doing(|| format!("update topic `{topic}`"))?;
            output.result(&Described { value: updated.value, etag: updated.etag })
        }
        TopicsCommand::Verify(args) => verify::run(&args, client, output).await,
        TopicsCommand::Scheduled(args) => scheduled::list(&args, client, output).await,
        TopicsCommand::CancelScheduled(args) => scheduled::cancel(&args, client, output).await,
        TopicsCommand::Delete { topic, if_match } => {
            let action = || format!("delete topic `{topic}`");
            client.delete_topic(&topic, if_match.as_deref()).await.doing(action)?;
            output.note(&format!("Deleted topic {topic}."))
        }
    }
}

async fn list(client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    let all = pages::all(async |token| client.topics(None, token).await.doing(|| "list topics".to_owned())).await?;
    pages::show(&all, "There are no topics; `pubsub-cli topics create NAME` makes one.", output)
}
