//! `topics scheduled` and `cancel-scheduled`: messages that wait for their time.

use gateway_api::Page;
use gateway_api::client::Client;
use gateway_api::scheduled::ScheduledMessage;

use crate::error::{CliError, Doing as _};
use crate::output::{Output, Render, Table, or_dash};
use crate::pages;

/// Whose scheduled messages, and how many.
#[derive(Debug, clap::Args)]
pub(crate) struct ScheduledArgs {
    /// The topic's name
    topic: String,
    /// At most so many, in the order in which they were published to each partition
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    max: u32,
}

/// Which message is not to be delivered.
#[derive(Debug, clap::Args)]
pub(crate) struct CancelArgs {
    /// The topic's name
    topic: String,
    /// The message's id; if several that wait have it, all are cancelled
    id: String,
    /// Look in this partition alone
    #[arg(long, value_name = "N")]
    partition: Option<u32>,
    /// Only the message at this offset; spares a look through the log
    #[arg(long, value_name = "OFFSET", requires = "partition")]
    offset: Option<u64>,
}

/// Lists scheduled messages.
pub(super) async fn list(args: &ScheduledArgs, client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    let fetch = async |size, token: Option<&str>| {
        let page = client.scheduled(&args.topic, Some(size), token).await;
        page.doing(|| format!("list scheduled messages of `{}`", args.topic))
    };
    pages::show(&pages::up_to(args.max, fetch).await?, "No messages wait for their time.", output)
}

/// Cancels a scheduled message.
pub(super) async fn cancel(args: &CancelArgs, client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    let CancelArgs { topic, id, partition, offset } = args;
    let cancelled = client.cancel_scheduled(topic, id, (*partition, *offset)).await;
    cancelled.doing(|| format!("cancel message `{id}` of `{topic}`"))?;
    output.note(&format!("Cancelled message {id}."))
}

impl Render for Page<ScheduledMessage> {
    fn table(&self) -> Table {
        let mut table = Table::columns(&["PARTITION", "OFFSET", "ID", "KEY", "DELIVER AT"]);
        for message in &self.items {
            table.row([
                message.partition.to_string(),
                message.offset.to_string(),
                message.id.clone(),
                or_dash(message.key.clone()),
                message.deliver_at.to_string(),
            ]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;

    #[test]
    fn a_scheduled_message_is_a_line_with_its_time() {
        let page = r#"{"items":[{"id":"order-17","partition":0,"offset":4,"deliver_at":"2026-11-23T09:30:00.250Z"}]}"#;
        let page: Page<ScheduledMessage> = serde_json::from_str(page).unwrap();
        let mut bytes = Vec::new();
        Output::new(Format::Table, &mut bytes).result(&page).unwrap();
        let expected = "PARTITION  OFFSET  ID        KEY  DELIVER AT\n\
            0          4       order-17  -    2026-11-23T09:30:00.250Z\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }
}
