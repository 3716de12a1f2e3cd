//! `pull`: takes messages of a subscription once.

use gateway_api::client::Client;
use gateway_api::consume::{AckRequest, DeliveredMessage, PullRequest, PullResponse};
use gateway_api::{CowStr, limits as api_limits};

use super::acks;
use crate::error::{CliError, Doing as _};
use crate::limits;
use crate::output::{Format, Output, Render, Table, bytes_as_text, or_dash, shortened};
use crate::values::milliseconds;

/// How many messages, and what becomes of them.
#[derive(Debug, clap::Args)]
pub(crate) struct PullArgs {
    /// The subscription's name
    subscription: String,
    /// At most so many messages
    #[arg(long, value_name = "N", default_value_t = api_limits::PULL_MESSAGES_DEFAULT)]
    max: u32,
    /// How long to wait for the first message, such as 5s
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = milliseconds)]
    wait: u64,
    /// The consumer that pulls, where partitions are assigned (see `groups`)
    #[arg(long, value_name = "ID", requires = "generation")]
    consumer_id: Option<String>,
    /// The generation in which it got its partitions
    #[arg(long, value_name = "N", requires = "consumer_id")]
    generation: Option<u64>,
    /// Ack the messages once they are printed
    #[arg(long)]
    ack: bool,
}

/// Takes messages, prints them, and acks them if it shall.
pub(crate) async fn run(args: PullArgs, client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    let PullArgs { consumer_id, generation, .. } = &args;
    let (consumer_id, generation) = (consumer_id.clone(), *generation);
    let request = PullRequest { max_messages: args.max, wait_ms: args.wait, consumer_id, generation };
    let pulled = client.pull(&args.subscription, &request).await;
    let pulled = pulled.doing(|| format!("pull from `{}`", args.subscription))?;
    if pulled.messages.is_empty() && output.format() == Format::Table {
        return output.note("There are no messages to deliver now.");
    }
    output.result(&pulled)?;
    let ack_ids: Vec<_> =
        pulled.messages.iter().filter_map(|message| message.ack_id.as_deref()).map(CowStr::from).collect();
    if !args.ack || ack_ids.is_empty() {
        return Ok(());
    }
    let answer = client.ack(&args.subscription, &AckRequest { ack_ids, ..AckRequest::default() }).await;
    acks::check(&answer.doing(|| format!("ack messages of `{}`", args.subscription))?, "acks")
}

impl Render for PullResponse {
    fn table(&self) -> Table {
        let mut table = Table::columns(&["PARTITION", "OFFSET", "TIME", "KEY", "ATTEMPT", "DATA", "ACK ID"]);
        for message in &self.messages {
            table.row(row(message));
        }
        table
    }
}

fn row(message: &DeliveredMessage) -> [String; 7] {
    [
        message.partition.to_string(),
        message.offset.to_string(),
        message.publish_time.to_string(),
        or_dash(message.key.clone()),
        or_dash(message.delivery_attempt.map(|attempt| attempt.to_string())),
        shortened(bytes_as_text(message.data.as_ref()), limits::SHOWN_CHARACTERS_MAX),
        or_dash(message.ack_id.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_line_with_its_payload_as_text() {
        let pulled: PullResponse = serde_json::from_str(
            r#"{"messages":[{"ack_id":"x","topic":"t","partition":0,"offset":1,"id":"i","key":"k","data":"aGVsbG8K",
            "content_type":"text/plain","attributes":{},"priority":4,"publish_time":"2026-11-23T09:30:00.250Z",
            "delivery_attempt":2}]}"#,
        )
        .unwrap();
        let mut bytes = Vec::new();
        Output::new(Format::Table, &mut bytes).result(&pulled).unwrap();
        let table = String::from_utf8(bytes).unwrap();
        let cells: Vec<_> = table.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(cells, ["0", "1", "2026-11-23T09:30:00.250Z", "k", "2", "hello\\n", "x"]);
    }
}
