//! `subscriptions dead-letters` and `redrive`: what a subscription gave up on, and sending it back.

use gateway_api::client::{Client, ClientError};
use gateway_api::consume::DeliveredMessage;
use gateway_api::letters::{RedriveRequest, RedriveResponse};
use gateway_api::{CowStr, Page, Problem, limits as api_limits};

use crate::error::{CliError, Doing as _};
use crate::limits;
use crate::output::{Format, Output, Render, Table, bytes_as_text, or_dash, shortened};
use crate::pages;

/// Whose dead letters, and how many.
#[derive(Debug, clap::Args)]
pub(crate) struct DeadLettersArgs {
    /// The subscription's name
    subscription: String,
    /// At most so many, the oldest of each partition first
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    max: u32,
}

/// Which dead letters go back.
#[derive(Debug, clap::Args)]
pub(crate) struct RedriveArgs {
    /// The subscription's name
    subscription: String,
    /// The id of a message; may be given for several. All letters without it
    #[arg(long = "id", value_name = "ID")]
    ids: Vec<String>,
    /// At most so many, the oldest of each partition first; all without it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

/// Lists dead letters.
pub(super) async fn list(args: &DeadLettersArgs, client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    let fetch = async |size, token: Option<&str>| {
        let page = client.dead_letters(&args.subscription, Some(size), token).await;
        page.doing(|| format!("list dead letters of `{}`", args.subscription))
    };
    let all = pages::up_to(args.max, fetch).await?;
    if all.items.is_empty() && output.format() == Format::Table {
        return output.note("There are no dead letters.");
    }
    output.result(&Letters(all))
}

/// Sends dead letters back, request after request until there are no more.
pub(super) async fn redrive(args: &RedriveArgs, client: &Client, output: &mut Output<'_>) -> Result<(), CliError> {
    let mut total = RedriveResponse::default();
    for _ in 0..limits::PAGES_MAX {
        let left = args.limit.map_or(u64::MAX, |limit| limit - total.redriven);
        let limit = u32::try_from(left).unwrap_or(u32::MAX).min(api_limits::REDRIVE_DEFAULT);
        let ids: Vec<_> = args.ids.iter().map(|id| CowStr::from(id.as_str())).collect();
        let request = RedriveRequest {
            ids: (!ids.is_empty()).then_some(ids),
            limit: Some(limit),
            page_token: total.next_page_token.as_deref().map(CowStr::from),
        };
        let done = client.redrive(&args.subscription, &request).await;
        let done = done.doing(|| format!("redrive dead letters of `{}`", args.subscription))?;
        total = RedriveResponse { redriven: total.redriven + done.redriven, ..done };
        let enough = args.limit.is_some_and(|limit| total.redriven >= limit);
        if total.next_page_token.is_none() || total.error.is_some() || enough {
            break;
        }
    }
    output.result(&total)?;
    match total.error {
        None => Ok(()),
        Some(error) => {
            let problem = Problem::new(error.code, error.detail).with_outcome(error.outcome);
            Err(ClientError::from(problem)).doing(|| format!("redrive all dead letters of `{}`", args.subscription))
        }
    }
}

/// Dead letters in a table.
#[derive(serde::Serialize)]
#[serde(transparent)]
struct Letters(Page<DeliveredMessage>);

impl Render for Letters {
    fn table(&self) -> Table {
        let mut table =
            Table::columns(&["PARTITION", "OFFSET", "ID", "KEY", "FROM", "ATTEMPTS", "REASON", "TIME", "DATA"]);
        for message in &self.0.items {
            table.row(row(message));
        }
        table
    }
}

fn row(message: &DeliveredMessage) -> [String; 9] {
    let attribute = |name: &str| message.attributes.get(&format!("pubsub-dlq-{name}")).cloned();
    let from =
        attribute("partition").zip(attribute("offset")).map(|(partition, offset)| format!("{partition}/{offset}"));
    [
        message.partition.to_string(),
        message.offset.to_string(),
        message.id.clone(),
        or_dash(message.key.clone()),
        or_dash(from),
        or_dash(attribute("attempts")),
        or_dash(attribute("reason")),
        message.publish_time.to_string(),
        shortened(bytes_as_text(message.data.as_ref()), limits::SHOWN_CHARACTERS_MAX),
    ]
}

impl Render for RedriveResponse {
    fn table(&self) -> Table {
        Table::fields([("Redriven", self.redriven.to_string())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_a_line_with_where_it_comes_from_and_why() {
        let page = r#"{"items":[{"topic":"dead","partition":0,"offset":4,"id":"order-17","data":"aGk=",
            "content_type":"text/plain","attributes":{"pubsub-dlq-partition":"2","pubsub-dlq-offset":"31",
            "pubsub-dlq-attempts":"5","pubsub-dlq-reason":"max_attempts"},"priority":4,
            "publish_time":"2026-11-23T09:30:00.250Z"}]}"#;
        let mut bytes = Vec::new();
        let letters = Letters(serde_json::from_str(page).unwrap());
        Output::new(Format::Table, &mut bytes).result(&letters).unwrap();
        let table = String::from_utf8(bytes).unwrap();
        assert!(table.starts_with("PARTITION  OFFSET  ID        KEY  FROM  ATTEMPTS  REASON        TIME"), "{table}");
        assert!(table.contains("order-17  -    2/31  5         max_attempts  2026-11-23T09:30:00.250Z  hi"), "{table}");
    }
}
